import type {
  ActivitySeen,
  DatabaseLoadSeen,
  Level,
  SourceSeen,
  StandbySeen,
} from "../../evidence-database.ts";
import type { Evidence, Finding, Playbook, Subject } from "../../playbooks.ts";

type Need = "standby" | "databaseLoad" | "activity" | "source";

type Code =
  | "recovered"
  | "idle-source"
  | "slot-keeps-log"
  | "not-a-replica"
  | "replica-not-available"
  | "replication-stopped"
  | "source-silent"
  | "replica-busy"
  | "held-up-by-a-query"
  | "log-piles-up"
  | "behind";

const busyPercent = 85;
/** RDS ends a query that holds replay up after half a minute, unless it was told otherwise. */
const holdsUpSeconds = 30;
const gigabyte = 1024 ** 3;
/** Much more than a busy minute writes. */
const tellingLogBytes = gigabyte;
/** Four of the guard's beats at the least. */
const silentSeconds = 120;

const finding = (is: Code | "unknown", says: string, advice: string[] = []): Finding<Code> => ({
  is,
  says,
  advice,
});

const diagnose = (evidence: Evidence<Need>, subject: Subject): Finding<Code> => {
  if (subject.kind === "replica-slot-lag") return bySource(evidence);
  const { standby, databaseLoad } = evidence;
  if (!standby.known) {
    return finding("unknown", `The replica cannot be seen (${standby.why}).`, [
      "What a failover would lose is unknown: npm run ops -- status, from either region.",
    ]);
  }
  const seen = standby.value;
  if (!seen.isReplica) return finding("not-a-replica", `${seen.id} is no replica any more.`);
  const lag = databaseLoad.known ? databaseLoad.value.replicaLagSeconds.now : null;
  const measured =
    lag === null ? "RDS measures no lag" : `RDS measures ${Math.round(lag)} s of lag`;
  const found = cause(evidence, seen, lag);
  const meaning = forFailover(seen);
  return {
    is: found.is,
    says: `${measured}; ${found.says}. ${meaning}`,
    advice: [...found.advice, ...sizes(found.is)],
  };
};

/** From what stops it altogether to what slows it down. */
const cause = (evidence: Evidence<Need>, seen: StandbySeen, lag: number | null): Finding<Code> => {
  const { id, status, replication, loss, limitSeconds, sourceGuardSeconds } = seen;
  if (status !== "available" && status !== "backing-up") {
    return finding("replica-not-available", `${id} is ${status}`, [
      "It catches up once it is back.",
    ]);
  }
  if (replication && replication.status !== "replicating") {
    const why = replication.message === "" ? "" : `: ${replication.message}`;
    return finding("replication-stopped", `replication is "${replication.status}"${why}`, [
      "RDS tries again by itself. Look at the replica's events and at the source's slots.",
      "Never delete the slot while the replica is to be kept: it would have to be made anew.",
    ]);
  }
  if (sourceGuardSeconds === null || sourceGuardSeconds > silentSeconds) {
    const since = sourceGuardSeconds === null ? "never" : `${Math.round(sourceGuardSeconds)} s ago`;
    return finding("source-silent", `the other region's guard told of itself ${since}`, [
      "Is that region well? Then it is its guard; if not, it is no matter of replication.",
    ]);
  }
  if (loss.verdict === "within" && loss.lagSeconds !== null) {
    const behind = `it is ${Math.round(loss.lagSeconds)} s behind by the heartbeats`;
    if (lag !== null && lag > limitSeconds) {
      return finding("idle-source", `${behind}: the source has nothing to send`, [
        "Without writes RDS counts up to five minutes of lag where there is none.",
      ]);
    }
    return finding("recovered", behind);
  }
  return slow(evidence);
};

const slow = (evidence: Evidence<Need>): Finding<Code> => {
  const { activity, source } = evidence;
  const query = activity.known ? holdsUp(activity.value) : null;
  if (query) return query;
  const cpu = evidence.databaseLoad.known ? evidence.databaseLoad.value.cpuPercent.now : null;
  if (cpu !== null && cpu >= busyPercent) {
    return finding("replica-busy", `the replica's processor is ${Math.round(cpu)} % busy`, [
      "Replay is one process: whatever else runs there takes its time. Stop reports that read it.",
    ]);
  }
  const queue = evidence.databaseLoad.known ? waitsForVolume(evidence.databaseLoad.value) : null;
  if (queue) return queue;
  if (!source.known) {
    return finding("behind", `why is not seen here (the source: ${source.why})`, [
      "Look at the source: log that is kept for slots, and whether it writes more than usual.",
    ]);
  }
  return bySourceMetrics(source.value);
};

const holdsUp = ({ transactions }: ActivitySeen): Finding<Code> | null => {
  if (!transactions?.known) return null;
  const [oldest] = transactions.value.rows;
  const seconds = Math.round(oldest?.transactionSeconds ?? 0);
  if (!oldest || seconds < holdsUpSeconds) return null;
  const who = `pid ${oldest.pid} of ${oldest.application || oldest.user || "nameless"}`;
  return finding("held-up-by-a-query", `${who} has read on the replica for ${seconds} s`, [
    "Replay waits for it where max_standby_streaming_delay lets it. May the report be lost? Cancel it.",
  ]);
};

const waitsForVolume = ({ queueDepth }: DatabaseLoadSeen): Finding<Code> | null => {
  const { now, before } = queueDepth;
  if (now === null || now < 10 || now < 2 * (before ?? 0)) return null;
  return finding(
    "replica-busy",
    `${Math.round(now)} reads and writes wait for the replica's volume`,
    ["Is the replica's storage as fast as the source's? Compare class, type and IOPS."],
  );
};

const bySourceMetrics = ({ region, id, slotLagBytes, logBytes, writesPerSecond }: SourceSeen) => {
  const slot = slotLagBytes.now;
  const all = gigabytes(logBytes.now);
  const kept = `${id} in ${region} keeps ${gigabytes(slot)} of log for its slots, ${all} in all`;
  const writes = `it writes ${times(writesPerSecond)}`;
  if (slot !== null && slot > tellingLogBytes) {
    return finding("log-piles-up", `${kept}; ${writes}`, [
      "It is sent more slowly than it is written: the way between the regions, or too much to write.",
      "The log fills the source's volume, and a full source takes no writes: watch its free storage.",
    ]);
  }
  return finding("behind", `${kept}; ${writes}`, [
    "Replay is behind: look at the replica's waits.",
  ]);
};

/** The alarm in the source's own region: log that is kept for somebody. */
const bySource = ({ activity }: Evidence<Need>): Finding<Code> => {
  const slots = activity.known ? activity.value.slots : undefined;
  if (!slots?.known) {
    const why = activity.known ? (slots?.why ?? "no answer") : activity.why;
    return finding("unknown", `The slots cannot be seen (${why}).`, [
      "Look at pg_replication_slots by hand, and at the free storage of the database.",
    ]);
  }
  const kept = slots.value.rows.filter(
    ({ retainedBytes }) => (retainedBytes ?? 0) > tellingLogBytes,
  );
  if (kept.length === 0) return finding("recovered", "No slot keeps more than a gigabyte of log.");
  const says = kept
    .slice(0, 3)
    .map(({ name, active, retainedBytes, safeBytes }) => {
      const bound = safeBytes === null ? "without a bound" : `${gigabytes(safeBytes)} more at most`;
      return `${name} (${active ? "read" : "read by nobody"}) keeps ${gigabytes(retainedBytes)}, ${bound}`;
    })
    .join("; ");
  const forgotten = kept.some(({ active, name }) => !active && !name.startsWith("rds_"));
  return finding("slot-keeps-log", `${says}.`, [
    "The log fills the volume of the primary: watch its free storage, and have it grown in time.",
    "A slot named rds_… is the replica's: RDS removes it with the replica, and nobody else may.",
    ...(forgotten
      ? ["A slot that nobody reads and nobody owns: find its owner, then drop it."]
      : []),
  ]);
};

const gigabytes = (bytes: number | null): string =>
  bytes === null ? "an unknown amount" : `${(bytes / gigabyte).toFixed(1)} GB`;

const times = ({ now, before }: Level): string =>
  now === null || before === null || before < 1
    ? "at an unknown rate"
    : `${(now / before).toFixed(1)} times as often as in the hour before`;

/** What somebody has to know who would fail over at this very moment. */
const forFailover = ({ loss, limitSeconds }: StandbySeen): string => {
  const { verdict, text } = loss;
  if (verdict === "within") return `A failover now is within the limit of ${limitSeconds} s.`;
  const asks =
    verdict === "over"
      ? "people would be asked for a yes to that"
      : "it would be refused, unless somebody accepts an unknown loss by its name";
  return `For a failover now: ${text} Over ${limitSeconds} s, or unknown, ${asks}.`;
};

/** Source: "Read replica configuration with PostgreSQL": the same compute and storage as the source. */
const sizes = (is: Code | "unknown"): string[] =>
  is === "replica-busy" || is === "log-piles-up" || is === "behind"
    ? ["A replica needs the class and storage of its source: whoever scales one scales the other."]
    : [];

/** A replica that is behind, or log that piles up for it. Nothing is done: it would be made anew. */
export const replicaLag: Playbook<Need, Code> = {
  name: "replica-lag",
  rank: 25,
  alarms: ["replica-lag", "replica-slot-lag"],
  evidence: ["standby", "databaseLoad", "activity", "source"],
  diagnose,
  decide: {},
  next: {
    recovered: "passes",
    "idle-source": "passes",
    "slot-keeps-log": "people",
    "not-a-replica": "passes",
    "replica-not-available": "again",
    "replication-stopped": "people",
    "source-silent": "again",
    "replica-busy": "again",
    "held-up-by-a-query": "again",
    "log-piles-up": "people",
    behind: "again",
    unknown: "again",
  },
  proof: {
    what: "the replica is within the limit by the heartbeats",
    judge: () => ({ is: "unknown", says: "Nothing is ever done" }),
    withinSeconds: 900,
    holdSeconds: 120,
    everySeconds: 60,
  },
  budget: { perHour: 1, cooldownSeconds: 3600 },
  right: "shadow",
  approvals: 1,
};
