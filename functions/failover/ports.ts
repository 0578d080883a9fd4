import type { Approvals } from "../../shared/approval.ts";
import type { Clock } from "../../shared/clock.ts";
import type { Contact } from "../../shared/contact.ts";
import type { Demand } from "../../shared/demand.ts";
import type { Entry, Line } from "../../shared/journal.ts";
import type { Claim, Holder, Lease } from "../../shared/lease.ts";
import type { Pause } from "../../shared/pause.ts";
import type { Readiness } from "../../shared/readiness.ts";
import type { DatabaseSettings } from "../../shared/settings.ts";
import type { Upheaval } from "../../shared/upheaval.ts";
import type { DatabaseAnswers, DatabaseRequest } from "../database/decide.ts";
import type { GuardReport } from "../guard/guard.ts";
import type { Capacity, Policy, Replica } from "./decide.ts";
import type { Posted, Run } from "./failover.ts";
import type { Kind } from "./request.ts";

/** The world as failover needs it. Every call is bounded in time; a failed one is in doubt. */
export interface Ports {
  /** How this function signs what it records. */
  name: string;
  clock: Clock;
  policy: Policy & {
    approvalExpirySeconds: number;
    ttlSeconds: number;
    dns: "health-check" | "change-records";
    /** Instances below which scaling in must not take the active region. */
    activeMinimum: number;
  };

  readLease(): Promise<Lease>;
  claimLease(seen: Lease, run: string, planned: boolean): Promise<Claim>;
  /** Undoes a claim before anything was promoted. */
  returnLease(claimed: Holder, before: Lease): Promise<Claim>;
  settleLease(by: Holder): Promise<Claim>;
  /** Makes execution `again` of the run that holds the lease the one that drives it. */
  driveLease(run: string, again: number): Promise<Claim>;
  /** What earlier executions of a run have recorded. */
  entries(run: string): Promise<Entry[]>;
  closeAttempt(seen: Lease): Promise<void>;
  readPause(): Promise<Pause>;
  /** Who has told this run to stop, and why; null when nobody has. */
  readAbort(run: string): Promise<{ by: string; reason: string } | null>;
  /** The old region's last contact, or null when it never had one. */
  readContact(): Promise<Contact | null>;
  approvals: Approvals;
  /** What was kept about the region that is to be active; null when nobody has looked. */
  readReadiness(): Promise<Readiness | null>;
  /** What was kept about the old region: what it has needed, and what is being done to it. */
  readDemand(): Promise<Demand | null>;
  readUpheavals(): Promise<Upheaval[]>;
  /** Says that moving here was shown to work. */
  keepProof(run: string, kind: Kind): Promise<void>;

  replica(): Promise<Replica>;
  promote(): Promise<void>;
  /** The settings that the old primary had while it was well; null when nobody has kept them. */
  keptSettings(): Promise<DatabaseSettings | null>;
  /** Those of this region's database, pending changes included. */
  settings(): Promise<DatabaseSettings>;
  applySettings(settings: DatabaseSettings): Promise<void>;
  capacity(): Promise<Capacity>;
  setDesired(instances: number): Promise<void>;
  /** Auto Scaling raises the desired number with it where that is below. */
  setMinimum(instances: number): Promise<void>;
  secretNames: string[];
  secret(name: string): Promise<SecretState>;
  /** Makes the replica a secret of its own and lets it name this region's database. */
  repoint(name: string, run: string): Promise<void>;
  database<Do extends DatabaseRequest["do"]>(
    request: Extract<DatabaseRequest, { do: Do }>,
  ): Promise<DatabaseAnswers[Do]>;
  /** Lets a region's guard obey the lease now. Throws when the region does not answer. */
  obey(region: string, epoch: number): Promise<GuardReport>;

  /** What resolvers and the public name say. */
  publicView(): Promise<PublicView>;
  /** The second way to send users here: changes the records, which needs Route 53's control plane. */
  changeRecords(): Promise<void>;
  /** Whether each resolver gives any address at all for the public name. */
  resolverAnswers(): Promise<Seen[]>;
  /** What Route 53 says of the public name's records and of the checks behind them. */
  healthChecks(): Promise<Seen[]>;
  /** A real write through the public name; whether it answered as the operator's config expects. */
  probePublicWrite(): Promise<{ accepted: boolean; detail: string }>;

  journal(run: string, line: Line): Promise<unknown>;
  /** Puts the run's one message up or up to date; null when Slack does not answer. */
  show(run: Run): Promise<Posted | null>;
}

export interface SecretState {
  name: string;
  /** The region has a value of it. */
  present: boolean;
  /** It does not follow another region's secret any more. */
  standsAlone: boolean;
  /** Its value names this region's database, or names none at all. */
  pointsHere: boolean;
}

/** One thing that was looked at, and whether it is as a move needs it. */
export interface Seen {
  what: string;
  ok: boolean;
  detail: string;
}

export interface PublicView {
  /** Resolvers that answer with this region's addresses only. */
  here: string[];
  /** Resolvers that answer with anything else, or not at all. */
  elsewhere: string[];
}
