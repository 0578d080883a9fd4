import type { DatabaseSeen, ServiceSeen, StorageSeen } from "../../evidence.ts";
import type { Decision, Evidence, Finding, Playbook, Verdict } from "../../playbooks.ts";

type Need = "database" | "storage" | "databaseEvents" | "service" | "lease";

type Code =
  | "recovered"
  | "replica"
  | "not-active"
  | "growing-already"
  | "resting"
  | "rds-grows-it"
  | "at-the-limit"
  | "filling";

const gigabyte = 1024 ** 3;

/** The alarm's own share, and where storage autoscaling begins. */
const enoughShare = 0.15;
const autoscalingShare = 0.1;

/** Full sooner than this cannot wait for autoscaling, which looks for five minutes first. */
const soonHours = 3;

/**
 * RDS takes the next change of storage six hours after the last one at the earliest, and one of at least
 * ten percent. Source: "Working with storage for Amazon RDS DB instances" in the RDS user guide.
 */
const restSeconds = 6 * 3600;
const growBy = 0.2;
const leastGrowth = 0.1;

const finding = (is: Code | "unknown", says: string, advice: string[] = []): Finding<Code> => ({
  is,
  says,
  advice,
});

const lookInside =
  "Look what fills it: replication slots that nobody reads, logs, a table that grows since a deploy.";

/**
 * Source: "Read replica configuration with PostgreSQL" in the RDS user guide: a replica should have the
 * storage of its source, and whoever scales one scales the other. RDS does not do that by itself.
 */
const replicaToo =
  "The replica in the other region needs the same storage: a full replica stops, and cannot take over.";

const diagnose = (evidence: Evidence<Need>): Finding<Code> => {
  const { database, storage, databaseEvents, lease } = evidence;
  if (!database.known || !storage.known || !databaseEvents.known || !lease.known) {
    const blind = [database, storage, databaseEvents, lease].flatMap((fact) =>
      fact.known ? [] : [`${fact.source}: ${fact.why}`],
    );
    return finding("unknown", `Not everything could be seen (${blind.join("; ")}).`, [lookInside]);
  }
  const seen = database.value;
  const free = freeOf(storage.value);
  if (free === null) return finding("unknown", "How much is free is not measured.", [lookInside]);
  const share = free / (seen.allocatedGigabytes * gigabyte);
  const hours = hoursUntilFull(storage.value);
  const when = hours === null ? "it does not shrink" : `full in ${hours.toFixed(1)} h at this rate`;
  const says = `${(100 * share).toFixed(1)} % of ${seen.allocatedGigabytes} GB is free, ${when}`;
  if (share >= enoughShare) return finding("recovered", `${says}.`);
  if (seen.isReplica) {
    return finding("replica", `${says}; ${seen.id} is a replica.`, [
      "A replica fills up by what its source writes: look at the source first.",
      replicaToo,
    ]);
  }
  if (!lease.value.isHere || lease.value.state !== "held") {
    const { region, state } = lease.value;
    return finding("not-active", `${says}; the lease is ${state} in ${region}, and not here.`, [
      "What has been fenced is kept as it is. A rebuild makes a replica in its place.",
    ]);
  }
  if (seen.pending.includes("AllocatedStorage") || /^(modifying|storage-)/.test(seen.status)) {
    return finding("growing-already", `${says}; ${seen.id} is ${seen.status}.`, [lookInside]);
  }
  const last = lastGrowth(databaseEvents.value);
  const restsSeconds = last === null ? null : (database.atMilliseconds - last) / 1000;
  if (restsSeconds !== null && restsSeconds < restSeconds) {
    const rest = `its storage was changed ${Math.round(restsSeconds / 60)} minutes ago`;
    return finding("resting", `${says}; ${rest}, and RDS waits six hours.`, [
      `${lookInside} Nothing can be added before that.`,
    ]);
  }
  if (seen.allocatedGigabytes * (1 + leastGrowth) > seen.limitGigabytes) {
    const limit = `the operator's file ends it at ${seen.limitGigabytes} GB`;
    return finding("at-the-limit", `${says}; ${limit}.`, [
      `${lookInside} Or raise sizes.database.maximumStorageGigabytes and deploy.`,
    ]);
  }
  const grows = (seen.maximumGigabytes ?? 0) > seen.allocatedGigabytes;
  if (grows && share > autoscalingShare / 2 && (hours === null || hours > soonHours)) {
    const own = `RDS grows it by itself below ${100 * autoscalingShare} %`;
    return finding("rds-grows-it", `${says}; ${own}, up to ${seen.maximumGigabytes} GB.`);
  }
  return finding("filling", `${says}.`, [lookInside]);
};

const freeOf = ({ points }: StorageSeen): number | null => points.at(-1)?.freeBytes ?? null;

/** Straight on from the first point to the last; null when it does not get less, or nobody knows. */
const hoursUntilFull = ({ points }: StorageSeen): number | null => {
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last || last.atMilliseconds <= first.atMilliseconds) return null;
  const lostBytes = first.freeBytes - last.freeBytes;
  if (lostBytes <= 0) return null;
  const tookHours = (last.atMilliseconds - first.atMilliseconds) / 3_600_000;
  return (last.freeBytes / lostBytes) * tookHours;
};

/** RDS tells in an event when it has changed the storage. Source: "Amazon RDS event categories". */
const lastGrowth = (events: { atMilliseconds: number; text: string }[]): number | null => {
  const grown = events.filter(({ text }) => /allocated storage/i.test(text));
  return grown.length === 0 ? null : Math.max(...grown.map((each) => each.atMilliseconds));
};

const wanted = ({ allocatedGigabytes, limitGigabytes }: DatabaseSeen): number =>
  Math.min(Math.ceil(allocatedGigabytes * (1 + growBy)), limitGigabytes);

const grow = ({ database }: Evidence<Need>): Decision => {
  if (!database.known || database.value.id === "") {
    const reason = "The database is not known by name.";
    return { kind: "refuse", refusals: [{ code: "empty-selector", reason }], advice: [] };
  }
  const { id, allocatedGigabytes } = database.value;
  return {
    kind: "ask",
    deed: {
      do: "grow-storage",
      target: {
        database: id,
        fromGigabytes: allocatedGigabytes,
        toGigabytes: wanted(database.value),
      },
    },
    reasons: [
      "A full database takes no writes, and growing it does not interrupt anything.",
      "It cannot be made smaller again, and RDS takes no other change of it for six hours.",
      replicaToo,
    ],
  };
};

const share = ({ requests, errors }: ServiceSeen): number =>
  requests < 20 ? 0 : errors / requests;

const judge = (before: Evidence<Need>, now: Evidence<Need>): Verdict => {
  if (!now.database.known || !now.storage.known || !before.database.known) {
    return { is: "unknown", says: "The database cannot be seen." };
  }
  const free = freeOf(now.storage.value);
  if (free === null) return { is: "unknown", says: "How much is free is not measured." };
  const { allocatedGigabytes, status } = now.database.value;
  const part = free / (allocatedGigabytes * gigabyte);
  const says = `${(100 * part).toFixed(1)} % of ${allocatedGigabytes} GB is free, ${status}`;
  const [old, fresh] = [before.service, now.service];
  if (old.known && fresh.known && share(fresh.value) > share(old.value) + 0.05) {
    return { is: "worse", says: `${says}, and users get more errors than before` };
  }
  const hasGrown = allocatedGigabytes > before.database.value.allocatedGigabytes;
  return { is: hasGrown && part >= enoughShare ? "healed" : "same", says };
};

/** A database that fills up faster than RDS grows it, or that RDS does not grow at all. */
export const databaseStorage: Playbook<Need, Code> = {
  name: "database-storage",
  rank: 20,
  alarms: ["database-storage"],
  evidence: ["database", "storage", "databaseEvents", "service", "lease"],
  diagnose,
  decide: { filling: grow },
  next: {
    recovered: "passes",
    replica: "again",
    "not-active": "again",
    "growing-already": "again",
    resting: "people",
    "rds-grows-it": "again",
    "at-the-limit": "people",
    filling: "deed",
    unknown: "again",
  },
  proof: {
    what: "15 % or more of the storage is free again, and users get no more errors than before",
    judge,
    withinSeconds: 3600,
    holdSeconds: 300,
    everySeconds: 60,
  },
  budget: { perHour: 1, cooldownSeconds: 6 * 3600 },
  right: "ask",
  approvals: 1,
};
