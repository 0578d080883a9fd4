import type { Clock } from "../../shared/clock.ts";
import type { Contact } from "../../shared/contact.ts";
import type { Demand } from "../../shared/demand.ts";
import type { Lease } from "../../shared/lease.ts";
import type { Fact } from "../../shared/outcome.ts";
import { observed } from "../../shared/outcome.ts";
import type { Proof } from "../../shared/proof.ts";
import type { Readiness, Verdict } from "../../shared/readiness.ts";
import { isFailing, verdictOf } from "../../shared/readiness.ts";
import type { DatabaseSettings } from "../../shared/settings.ts";
import type { Position } from "../database/decide.ts";
import type { Role } from "../guard/decide.ts";
import { backupAgeOf } from "./backups.ts";
import { judge } from "./decide.ts";
import type {
  BackupsSeen,
  CapacitySeen,
  CertificateSeen,
  Facts,
  LaunchSeen,
  Maintenance,
  Policy,
  ReplicaSeen,
  TrafficSeen,
} from "./facts.ts";
import type { Footprint } from "./footprint.ts";

/** The database of this region, with its settings beside what a replica is judged by. */
export interface DatabaseSeen {
  replica: ReplicaSeen;
  settings: DatabaseSettings;
  arn: string;
  resourceId: string;
}

export interface ReadinessPorts {
  here: string;
  /** The other of the two regions that can be active. */
  other: string;
  clock: Clock;
  policy: Omit<Policy, "here" | "active">;
  readLease(): Promise<Lease>;
  readContact(region: string): Promise<Contact | null>;
  readDemand(region: string): Promise<Demand | null>;
  keepDemand(demand: Demand): Promise<void>;
  readFootprint(region: string): Promise<Footprint | null>;
  keepFootprint(footprint: Footprint): Promise<void>;
  readSettings(region: string): Promise<DatabaseSettings | null>;
  readProof(region: string): Promise<Proof | null>;
  readReadiness(region: string): Promise<Readiness | null>;
  keepReadiness(readiness: Readiness): Promise<void>;
  database(): Promise<DatabaseSeen>;
  maintenance(arn: string): Promise<Maintenance[]>;
  hasParameterGroup(name: string): Promise<boolean>;
  /** What is here of the automated backups of a database, by its resource id. */
  backups(resourceId: string): Promise<BackupsSeen[]>;
  position(): Promise<Position>;
  capacity(): Promise<CapacitySeen>;
  /** The most instances in service at once in the last 24 hours; null when nobody has measured. */
  peakInstances(): Promise<number | null>;
  launch(): Promise<LaunchSeen>;
  secretVersions(): Promise<Record<string, string | null>>;
  certificate(): Promise<CertificateSeen | null>;
  traffic(): Promise<TrafficSeen>;
  role(): Promise<Role>;
  /** Resolves when the journal would take an entry from here, and adds none. */
  tryJournal(): Promise<void>;
  /**
   * `region` is the one that is judged, whoever tells. The age is that of the backups here; null when
   * there are none to tell of.
   */
  report(region: string, verdict: Verdict, backupAgeSeconds: number | null): Promise<void>;
  log(message: string, fields: Record<string, unknown>): void;
}

export interface ReadinessReport {
  region: string;
  does: "keeps" | "scores";
  /** Of the region that stands by. */
  verdict: Verdict["verdict"];
  score: number;
  failing: string[];
}

/**
 * One look. Where the lease is, it keeps what the other region will want to know once this one is
 * gone; in the other, it judges whether that region could take over now. Fails when the coordination
 * table does not answer: then nothing can be kept, and the missing metric is what is noticed.
 */
export const look = async (ports: ReadinessPorts): Promise<ReadinessReport> => {
  const lease = await ports.readLease();
  return lease.region === ports.here ? keep(ports) : score(ports, lease);
};

const keep = async (ports: ReadinessPorts): Promise<ReadinessReport> => {
  const { here, other } = ports;
  const look = looking(ports);
  const [database, launch, secrets, role, capacity, peak, readiness] = await Promise.all([
    look("RDS", ports.database),
    look("EC2", ports.launch),
    look("Secrets Manager", ports.secretVersions),
    look("load balancer", ports.role),
    look("Auto Scaling", ports.capacity),
    look("CloudWatch", ports.peakInstances),
    ports.readReadiness(other),
  ]);
  const atMilliseconds = Math.floor(ports.clock.now());
  const footprint = footprintOf(here, { database, launch, secrets, role }, atMilliseconds);
  const peakInstances = peakOf(capacity, peak);
  await Promise.all([
    ports.keepFootprint(footprint),
    peakInstances === null
      ? undefined
      : ports.keepDemand({ region: here, peakInstances, atMilliseconds }),
  ]);
  const unseen = [database, launch, secrets, role, capacity].filter((fact) => !fact.known);
  if (unseen.length > 0) ports.log("not all of this region could be seen", { unseen });
  // The judged region may be gone, and its metric with it: what it kept is judged here by its age.
  const verdict = verdictOf(readiness, atMilliseconds);
  await ports.report(other, verdict, null);
  return { region: here, does: "keeps", ...summaryOf(verdict) };
};

const score = async (ports: ReadinessPorts, lease: Lease): Promise<ReadinessReport> => {
  const { here, clock } = ports;
  const [facts, before] = await Promise.all([gather(ports, lease), ports.readReadiness(here)]);
  const atMilliseconds = Math.floor(clock.now());
  const policy = { ...ports.policy, here, active: lease.region };
  const checks = judge(facts, policy, atMilliseconds);
  const readiness = { region: here, atMilliseconds, checks };
  const verdict = verdictOf(readiness, atMilliseconds);
  const was = before ? summaryOf(verdictOf(before, before.atMilliseconds)).failing : null;
  const { failing } = summaryOf(verdict);
  if (was === null || was.join() !== failing.join()) {
    ports.log("readiness has changed", { verdict: verdict.verdict, text: verdict.text });
  }
  await ports.keepReadiness(readiness);
  await ports.report(here, verdict, backupAgeOf(facts, atMilliseconds));
  return { region: here, does: "scores", ...summaryOf(verdict) };
};

const summaryOf = ({ verdict, score, checks }: Verdict) => ({
  verdict,
  score,
  failing: checks.filter(isFailing).map(({ name }) => name),
});

const looking =
  ({ clock }: ReadinessPorts) =>
  <T>(source: string, observe: () => Promise<T>): Promise<Fact<T>> =>
    observed(source, () => Math.floor(clock.now()), observe);

/** Everything at once: a source that is slow delays the look, and the other facts not. */
const gather = async (ports: ReadinessPorts, lease: Lease): Promise<Facts> => {
  const { here } = ports;
  const active = lease.region;
  const table = "coordination table";
  const look = looking(ports);
  const database = look("RDS", ports.database);
  const settings = look(table, () => ports.readSettings(active));
  const launch = look("EC2", ports.launch);
  const secrets = look("Secrets Manager", ports.secretVersions);
  const role = look("load balancer", ports.role);
  const footprint = look(table, () => ports.readFootprint(active));
  const own = async () => {
    const seen = { database: await database, launch: await launch };
    const at = Math.floor(ports.clock.now());
    const rest = { secrets: await secrets, role: await role };
    // This region's own word, which is also the proof that the table takes one from here.
    await ports.keepFootprint(footprintOf(here, { ...seen, ...rest }, at));
    return true as const;
  };
  const facts = {
    replica: database.then((fact) => (fact.known ? { ...fact, value: fact.value.replica } : fact)),
    maintenance: database.then((fact) =>
      look("RDS", () => {
        if (!fact.known) throw new Error(fact.why);
        return ports.maintenance(fact.value.arn);
      }),
    ),
    position: look("database", ports.position),
    contact: look(table, () => ports.readContact(active)),
    ownContact: look(table, () => ports.readContact(here)),
    settings,
    parameterGroup: settings.then((fact) => {
      const name = fact.known ? fact.value?.parameterGroup : null;
      return look("RDS", async () => (name ? ports.hasParameterGroup(name) : true));
    }),
    backups: footprint.then((fact) => {
      const id = fact.known ? fact.value?.databaseResource : null;
      return look("RDS", async () => (id ? ports.backups(id) : []));
    }),
    demand: look(table, () => ports.readDemand(active)),
    capacity: look("Auto Scaling", ports.capacity),
    launch,
    secrets,
    certificate: look("load balancer and ACM", ports.certificate),
    traffic: look("Route 53", ports.traffic),
    role,
    footprint,
    coordination: look(table, own),
    journal: look("journal", async () => {
      await ports.tryJournal();
      return true as const;
    }),
    proof: look(table, () => ports.readProof(here)),
  };
  return { lease, ...(await all(facts)) };
};

/** Waits for every value of an object at once. */
const all = async <Values extends Record<string, unknown>>(
  promises: {
    [Key in keyof Values]: Promise<Values[Key]>;
  },
): Promise<Values> => {
  const entries = Object.entries<Promise<unknown>>(promises);
  const values = await Promise.all(entries.map(([, promise]) => promise));
  return Object.fromEntries(entries.map(([key], index) => [key, values[index]])) as Values;
};

interface Own {
  database: Fact<DatabaseSeen>;
  launch: Fact<LaunchSeen>;
  secrets: Fact<Record<string, string | null>>;
  role: Fact<Role>;
}

const footprintOf = (
  region: string,
  { database, launch, secrets, role }: Own,
  atMilliseconds: number,
): Footprint => {
  const seen = database.known ? database.value : null;
  return {
    region,
    atMilliseconds,
    database: seen && {
      instanceClass: seen.replica.instanceClass,
      storageGigabytes: seen.replica.storageGigabytes,
    },
    databaseResource: seen?.resourceId ?? null,
    settings: seen?.settings ?? null,
    image: launch.known ? launch.value.image : null,
    secrets: secrets.known ? present(secrets.value) : null,
    role: role.known ? role.value : null,
  };
};

const present = (versions: Record<string, string | null>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(versions).filter((each): each is [string, string] => !!each[1]),
  );

/** What is wanted counts as well: instances that are still starting were asked for by somebody. */
const peakOf = (capacity: Fact<CapacitySeen>, peak: Fact<number | null>): number | null => {
  const measured = peak.known ? peak.value : null;
  const now = capacity.known ? Math.max(capacity.value.desired, capacity.value.inService) : null;
  return measured === null && now === null ? null : Math.max(measured ?? 0, now ?? 0);
};
