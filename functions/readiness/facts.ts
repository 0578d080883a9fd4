import type { Contact } from "../../shared/contact.ts";
import type { Demand } from "../../shared/demand.ts";
import type { Lease } from "../../shared/lease.ts";
import type { Fact } from "../../shared/outcome.ts";
import type { Proof } from "../../shared/proof.ts";
import type { DatabaseSettings } from "../../shared/settings.ts";
import type { Position } from "../database/decide.ts";
import type { Role } from "../guard/decide.ts";
import type { DatabaseSize, Footprint } from "./footprint.ts";

/** The database of this region as RDS describes it. */
export interface ReplicaSeen extends DatabaseSize {
  id: string;
  status: string;
  isReplica: boolean;
  replicating: boolean;
  /** Names of changes that wait for a restart or the window. */
  pending: string[];
  /** Weekly and in UTC: `sun:04:00-sun:04:30`. */
  maintenanceWindow: string;
}

/** What AWS has announced to do to the database. Without a date it is only offered. */
export interface Maintenance {
  action: string;
  /** Somebody or RDS has fixed it for then. */
  applyAtMilliseconds: number | null;
  /** RDS does it in the first maintenance window after that. */
  inWindowAfterMilliseconds: number | null;
}

/** Automated backups of one database that are kept in this region, by RDS's own words. */
export interface BackupsSeen {
  /** `pending`, `replicating`, `retained`: not all of them are documented. */
  status: string;
  /** Up to when the database could be restored from them; null while there is nothing yet. */
  restorableAtMilliseconds: number | null;
}

export interface CapacitySeen {
  maximum: number;
  desired: number;
  inService: number;
}

/** What new instances would start from. */
export interface LaunchSeen {
  template: string;
  version: string;
  machineImage: string;
  machineImageState: string;
  /** The container that the template's tag names; null when it names none. */
  image: string | null;
  /** Whether this region's registry has that container. */
  isImageHere: boolean;
}

export interface CertificateSeen {
  status: string;
  domains: string[];
  expiresAtMilliseconds: number;
}

export interface RecordSeen {
  region: string;
  failover: string;
  ttlSeconds: number;
  values: string[];
  healthCheck: string | null;
}

export interface HealthCheckSeen {
  type: string;
  inverted: boolean;
  disabled: boolean;
  threshold: number;
  children: { type: string; host: string; path: string; says: string; disabled: boolean }[];
}

/** The public name's records, and the health check of the first of them. */
export interface TrafficSeen {
  records: RecordSeen[];
  check: HealthCheckSeen | null;
}

/** All that is looked at before this region is called ready. */
export interface Facts {
  lease: Lease;
  replica: Fact<ReplicaSeen>;
  maintenance: Fact<Maintenance[]>;
  position: Fact<Position>;
  /** Of the active region, and of this one. */
  contact: Fact<Contact | null>;
  ownContact: Fact<Contact | null>;
  settings: Fact<DatabaseSettings | null>;
  /** Whether the parameter group that the settings name is in this region. */
  parameterGroup: Fact<boolean>;
  /** Copies of the backups of the active region's database. */
  backups: Fact<BackupsSeen[]>;
  demand: Fact<Demand | null>;
  capacity: Fact<CapacitySeen>;
  launch: Fact<LaunchSeen>;
  /** The id of each secret's current version; null where there is none. */
  secrets: Fact<Record<string, string | null>>;
  /** Null when the load balancer has no listener for TLS. */
  certificate: Fact<CertificateSeen | null>;
  traffic: Fact<TrafficSeen>;
  role: Fact<Role>;
  /** What the active region runs on. */
  footprint: Fact<Footprint | null>;
  coordination: Fact<true>;
  journal: Fact<true>;
  proof: Fact<Proof | null>;
}

export interface Policy {
  here: string;
  active: string;
  /** The region whose record is PRIMARY, whoever is active. */
  home: string;
  standby: string;
  /** The load balancer's name in each region. */
  loadBalancers: Record<string, string>;
  domain: string;
  ttlSeconds: number;
  wantedCapacity: number;
  standbyMinimum: number;
  maximumLagSeconds: number;
  heartbeatSeconds: number;
  isolationSeconds: number;
  isolationMarginSeconds: number;
  approvals: number;
  /** Operators who may approve, and those of them whom the command line knows without Slack. */
  approvers: number;
  approversWithoutSlack: number;
  rehearsalDays: number;
}
