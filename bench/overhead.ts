/**
 * What Nightshift adds to the time that AWS takes anyway: whole failovers of a dead region in modelled
 * time, next to the same failover by hand, on the same times of AWS.
 */
import { names } from "../drills/names.ts";
import { fencedAt } from "../functions/failover/decide.ts";
import type { Approval } from "../shared/approval.ts";
import { readContact } from "../shared/contact.ts";
import { seededRandom } from "../shared/random.ts";
import { unmarshalled } from "../test/simulation/evidence.ts";
import { approving, config, type Plant, type World, world } from "../test/simulation/world.ts";
import { runbook, type Ticked } from "./runbook.ts";

/** Of one failover. Seconds of modelled time from the moment in which it was decided. */
export interface Course {
  seed: number;
  /** Until every user is served: the public name has turned, and resolvers have forgotten the old one. */
  servedSeconds: number;
  /** AWS's own times on the way, one after the other: no failover is shorter. */
  critical: CriticalPath;
  criticalSeconds: number;
  waits: Waits;
  /** Both of them: `servedSeconds` without `criticalSeconds`. */
  overheadSeconds: number;
}

export interface CriticalPath {
  /** Until the silent region must have fenced itself, counted from its last contact. */
  isolationSeconds: number;
  /** From the call until the database was available again, its reboot included. */
  promotionSeconds: number;
  /** What instances took longer than that. */
  capacitySeconds: number;
  /** From the changed rule: health checks, DNS, and the longest that resolvers keep an answer. */
  trafficSeconds: number;
}

/** Where AWS waited. */
export interface Waits {
  /** From the decision, or from the fence if that is later, until the promotion was asked for. */
  promotionSeconds: number;
  /** From the promoted database, or from the last instance, until the rule was changed. */
  trafficSeconds: number;
}

export interface Overhead {
  nightshift: Course[];
  /** The same seeds by hand. */
  byHand: Course[];
  ticked: Ticked[][];
  overheadPercent: number;
  mostOverheadPercent: number;
  /** How much longer it takes by hand. */
  ratio: number;
}

/** Modelled: what one AWS call takes from Lambda, or from a command line, near its region. */
const callMilliseconds = [30, 150] as const;
const writesPerSecond = 4;
/** Longer than any alarm, any approval and any failover of these. */
const mostSeconds = 3600;
/** How exactly the state of the database is known. */
const sampleMilliseconds = 100;

/** Nobody proposes a failover and nothing carries one out: what is left are people. */
const idle: Plant = (definition, runtime, assemble) =>
  definition.name === "detection" || definition.name === "failover"
    ? async () => ({})
    : assemble(runtime);

/** What is noted of AWS while a story is told, by AWS itself and never by who makes the calls. */
interface Record {
  promoteAskedAt: number;
  availableAt: number;
  ruleAskedAt: number;
  inServiceAt: number;
  turnedAt: number;
}

const newRecord = (): Record => ({
  promoteAskedAt: Number.NaN,
  availableAt: Number.NaN,
  ruleAskedAt: Number.NaN,
  inServiceAt: Number.NaN,
  turnedAt: Number.NaN,
});

/** Until the region is lost; the same for all, so that the calls of one seed come at the same times. */
const baselineSeconds = 150;

const begin = async (seed: number, plant: Plant | undefined) => {
  const record = newRecord();
  const random = seededRandom(`latency ${seed}`);
  const [least, most] = callMilliseconds;
  const latencyMilliseconds = () => random.integer(least, most);
  const built = await world({
    seed,
    scripts: plant ? [] : approving,
    writesPerSecond,
    sameTimes: true,
    latencyMilliseconds,
    ...(plant ? { plant } : {}),
  });
  sample(built, record);
  built.users.start();
  await built.timeline.advance(baselineSeconds * 1000);
  built.regions.set(built.platform.home.region, "dead");
  return { built, record, latencyMilliseconds };
};

interface Database {
  DBInstanceStatus: string;
  ReadReplicaSourceDBInstanceIdentifier?: string;
}
interface Group {
  Instances: { LifecycleState: string; HealthStatus: string }[];
}
interface Rule {
  Actions?: { FixedResponseConfig?: { MessageBody?: string } }[];
}

/** Looks at AWS past the wire, so that no fault, delay or draw of chance comes of it. */
const sample = (built: World, record: Record): void => {
  const { cloud, platform, timeline } = built;
  const { region, databaseId, roleRule, loadBalancerName } = platform.standby;
  const ask = <Answer>(service: string, operation: string, input: object) =>
    cloud.ask<Answer>(service, operation, region, input);
  const instances = async () => {
    const input = { AutoScalingGroupNames: [names.group] };
    type Answer = { AutoScalingGroups: [Group] };
    const { AutoScalingGroups } = await ask<Answer>(
      "auto-scaling",
      "DescribeAutoScalingGroups",
      input,
    );
    const serving = AutoScalingGroups[0].Instances.filter(
      ({ LifecycleState, HealthStatus }) =>
        LifecycleState === "InService" && HealthStatus === "Healthy",
    );
    return serving.length;
  };
  const database = async () => {
    const input = { DBInstanceIdentifier: databaseId };
    return (await ask<{ DBInstances: [Database] }>("rds", "DescribeDBInstances", input))
      .DBInstances[0];
  };
  const saysActive = async () => {
    const input = { RuleArns: [roleRule] };
    const { Rules } = await ask<{ Rules: [Rule] }>(
      "elastic-load-balancing-v2",
      "DescribeRules",
      input,
    );
    return Rules[0].Actions?.[0]?.FixedResponseConfig?.MessageBody === "active";
  };
  const [address] = cloud.balancers.addressesOf(loadBalancerName);
  const hasTurned = () =>
    cloud.names.answer(config.domain.name, "A").records.some(({ value }) => value === address);
  const missing = (name: keyof Record) => Number.isNaN(record[name]);
  timeline.every(sampleMilliseconds, async () => {
    const now = timeline.now();
    if (missing("inServiceAt") && (await instances()) >= config.sizes.application.desired) {
      record.inServiceAt = now;
    }
    if (missing("availableAt")) {
      const { DBInstanceStatus, ReadReplicaSourceDBInstanceIdentifier } = await database();
      const isModified = DBInstanceStatus === "modifying";
      if (missing("promoteAskedAt") && isModified) record.promoteAskedAt = now;
      const isPrimary = ReadReplicaSourceDBInstanceIdentifier === undefined;
      if (DBInstanceStatus === "available" && isPrimary) record.availableAt = now;
    }
    if (!missing("availableAt") && missing("ruleAskedAt") && (await saysActive())) {
      record.ruleAskedAt = now;
    }
    if (!missing("ruleAskedAt") && missing("turnedAt") && hasTurned()) record.turnedAt = now;
  });
};

/** Resolvers ask again when the answer that they keep is that old. */
const servedAt = ({ turnedAt }: Record): number => turnedAt + config.domain.ttlSeconds * 1000;

const isServed = ({ users, platform, timeline }: World, record: Record): boolean =>
  timeline.now() > servedAt(record) + 2000 &&
  users.acknowledged.at(-1)?.region === platform.standby.region;

const untilTrue = async ({ timeline }: World, done: () => boolean): Promise<void> => {
  const limit = timeline.now() + mostSeconds * 1000;
  while (!done()) {
    if (timeline.now() > limit) throw new Error("the failover has not ended in an hour");
    await timeline.advance(1000);
  }
};

const courseOf = async (
  built: World,
  record: Record,
  seed: number,
  decidedAt: number,
): Promise<Course> => {
  const { table, platform, timeline } = built;
  const contact = await timeline.run(readContact(table, platform.home.region));
  if (!contact) throw new Error("the old region has never made contact");
  const seconds = (milliseconds: number) => Math.max(0, milliseconds / 1000);
  const { promoteAskedAt, availableAt, ruleAskedAt, inServiceAt } = record;
  const fenced = Math.max(decidedAt, fencedAt(contact, config.failover));
  const critical = {
    isolationSeconds: seconds(fenced - decidedAt),
    promotionSeconds: seconds(availableAt - promoteAskedAt),
    capacitySeconds: seconds(inServiceAt - availableAt),
    trafficSeconds: seconds(servedAt(record) - ruleAskedAt),
  };
  const waits = {
    promotionSeconds: seconds(promoteAskedAt - fenced),
    trafficSeconds: seconds(ruleAskedAt - Math.max(availableAt, inServiceAt)),
  };
  const servedSeconds = seconds(servedAt(record) - decidedAt);
  const criticalSeconds = sum(Object.values(critical));
  const overheadSeconds = sum(Object.values(waits));
  return { seed, servedSeconds, critical, criticalSeconds, waits, overheadSeconds };
};

/** When the last of the people who had to approve did: what they took before it is nobody's overhead. */
const approvedAt = async ({ cloud, platform }: World): Promise<number> => {
  const { Items } = await cloud.ask<{ Items: { [name: string]: unknown }[] }>(
    "dynamodb",
    "Scan",
    platform.standby.region,
    { TableName: names.coordination },
  );
  const used = Items.map((item) => unmarshalled(item) as unknown as Approval & { id: string })
    .filter(({ id }) => id.startsWith("approval#"))
    .filter(({ usedBy }) => usedBy !== undefined);
  return Math.max(...used.flatMap(({ approvals }) => approvals.map((one) => one.atMilliseconds)));
};

const byNightshift = async (seed: number): Promise<{ course: Course; decidedAt: number }> => {
  const { built, record } = await begin(seed, undefined);
  try {
    await untilTrue(built, () => isServed(built, record));
    const decidedAt = await approvedAt(built);
    return { course: await courseOf(built, record, seed, decidedAt), decidedAt };
  } finally {
    await built.close();
  }
};

const byHand = async (
  seed: number,
  decidedAt: number,
): Promise<{ course: Course; ticked: Ticked[] }> => {
  const { built, record, latencyMilliseconds } = await begin(seed, idle);
  try {
    const { timeline } = built;
    await timeline.advance(decidedAt - timeline.now());
    const travel = () => timeline.sleep(latencyMilliseconds());
    const ticked = await timeline.run(runbook(built, travel), mostSeconds * 1000);
    await untilTrue(built, () => isServed(built, record));
    const course = await courseOf(built, record, seed, decidedAt);
    return { course, ticked };
  } finally {
    await built.close();
  }
};

const sum = (values: readonly number[]): number => values.reduce((total, each) => total + each, 0);

/** One failover after the other, each by Nightshift and then by hand. */
export const measureOverhead = async (failovers = 20): Promise<Overhead> => {
  const nightshift: Course[] = [];
  const hands: Course[] = [];
  const ticked: Ticked[][] = [];
  for (let seed = 1; seed <= failovers; seed += 1) {
    const { course, decidedAt } = await byNightshift(seed);
    const manual = await byHand(seed, decidedAt);
    nightshift.push(course);
    hands.push(manual.course);
    ticked.push(manual.ticked);
  }
  const share = (courses: Course[]) =>
    (100 * sum(courses.map(({ overheadSeconds }) => overheadSeconds))) /
    sum(courses.map(({ criticalSeconds }) => criticalSeconds));
  return {
    nightshift,
    byHand: hands,
    ticked,
    overheadPercent: share(nightshift),
    mostOverheadPercent: Math.max(...nightshift.map((course) => share([course]))),
    ratio:
      sum(hands.map(({ servedSeconds }) => servedSeconds)) /
      sum(nightshift.map(({ servedSeconds }) => servedSeconds)),
  };
};
