import { names } from "../../../drills/names.ts";
import { engineId } from "../../../local/aws/rds.ts";
import { loadGenerator } from "../../../local/load/generator.ts";
import { declareFreeze } from "../../../shared/freeze.ts";
import { leaseId } from "../../../shared/lease.ts";
import { observed } from "../../../shared/outcome.ts";
import { pause, resume } from "../../../shared/pause.ts";
import { type Random, seededRandom } from "../../../shared/random.ts";
import { declareUpheaval } from "../../../shared/upheaval.ts";
import type { Stage } from "../../remediation/platform.ts";
import { usersSend } from "../ground.ts";
import type { Meanwhile, Scenario, Trouble } from "./scenario.ts";

/** A time in which nothing may be changed, and why. */
export interface Stillness {
  what: string;
  from: number;
  to: number;
}

/** What the story does to the platform, as it went. */
export interface Course {
  stillnesses: Stillness[];
  /** Sick at some time of the story. */
  sickened: Set<string>;
  byHand: string[];
}

/** Plans all that happens; what comes back is filled as it happens. */
export const schedule = (at: Stage, scenario: Scenario, random: Random): Course => {
  const course: Course = { stillnesses: [], sickened: new Set(), byHand: [] };
  for (const { afterSeconds, trouble } of scenario.troubles) {
    at.timeline.after(1 + afterSeconds * 1000, () => befall(at, trouble, course));
  }
  for (const { afterSeconds, deed } of scenario.meanwhile) {
    at.timeline.after(1 + afterSeconds * 1000, () => happen(at, deed, course, random));
  }
  return course;
};

const befall = async (at: Stage, trouble: Trouble, course: Course): Promise<void> => {
  switch (trouble.is) {
    case "sick-hosts": {
      const { ids, heal } = await at.sicken(trouble.count);
      for (const id of ids) course.sickened.add(id);
      if (trouble.healsAfterSeconds !== null) {
        at.timeline.after(trouble.healsAfterSeconds * 1000, heal);
      }
      return;
    }
    case "filling-disk":
      at.cloud.databases.strain(at.region, at.platform.home.databaseId, {
        usedPercent: 88,
        growsGigabytesPerHour: 4,
      });
      return;
    case "forgotten-sessions": {
      const id = engineId(at.region, at.platform.home.databaseId);
      const [user = ""] = names.roles;
      at.engine.forget(id, { user, application: "alembic", sessions: 2 });
      at.engine.forget(id, { user, application: "ledger", sessions: trouble.count });
      return;
    }
    case "more-users":
      return crowd(at);
    case "false-alarm":
      return falseAlarm(at, trouble);
    case "alarm-storm":
      return storm(at, trouble.count);
  }
};

/** Twice as many, who wait until there is one instance more. */
const crowd = async (at: Stage): Promise<void> => {
  const { timeline, region } = at;
  const more = loadGenerator(
    {
      timeline,
      random: seededRandom("more users"),
      send: usersSend(at.cloud, at.platform.config.domain.name, timeline),
    },
    { perSecond: 0.6, accounts: ["account-1", "account-2"], prefix: "more-" },
  );
  more.start();
  const before = (await at.serving()).length;
  const cure = at.cloud.fleet.ail({ region }, { is: "slow", milliseconds: 1500 });
  const looking = timeline.every(30_000, async () => {
    if ((await at.serving()).length <= before) return;
    looking.cancel();
    cure();
  });
};

const put = async (at: Stage, AlarmName: string): Promise<void> => {
  await at.cloud.ask("cloudwatch", "PutMetricAlarm", at.region, {
    AlarmName,
    Namespace: "Story",
    MetricName: "Pain",
    Statistic: "Sum",
    Period: 60,
    EvaluationPeriods: 1,
    Threshold: 0,
    ComparisonOperator: "GreaterThanThreshold",
    // Stays as it is set.
    TreatMissingData: "ignore",
  });
};

const set = async (at: Stage, AlarmName: string, StateValue: "ALARM" | "OK"): Promise<void> => {
  await at.cloud.ask("cloudwatch", "SetAlarmState", at.region, {
    AlarmName,
    StateValue,
    StateReason: "story",
  });
};

const falseAlarm = async (
  at: Stage,
  { kind, forSeconds }: Extract<Trouble, { is: "false-alarm" }>,
): Promise<void> => {
  const name = `nightshift-${kind}-story`;
  await put(at, name);
  await set(at, name, "ALARM");
  at.timeline.after(forSeconds * 1000, () => set(at, name, "OK"));
};

const storm = async (at: Stage, count: number): Promise<void> => {
  const kinds = ["unhealthy-hosts", "cpu", "latency", "errors", "database-connections"];
  for (let index = 0; index < count; index += 1) {
    const name = `nightshift-${kinds[index % kinds.length]}-storm${index % 20}-${index}`;
    await put(at, name);
    at.timeline.after(index * 300, () => set(at, name, "ALARM"));
    at.timeline.after(900_000 + index * 100, () => set(at, name, "OK"));
  }
};

const happen = async (
  at: Stage,
  deed: Meanwhile,
  course: Course,
  random: Random,
): Promise<void> => {
  if (deed.is === "by-hand") return byHand(at, deed.what, course, random);
  const from = at.timeline.now();
  const to = from + deed.forSeconds * 1000;
  course.stillnesses.push({ what: deed.is, from, to });
  const word = { by: "U0BEN", reason: "the story wants it" };
  if (deed.is === "pause") {
    await pause(at.table, { ...word, atMilliseconds: Math.floor(from) });
    at.timeline.after(deed.forSeconds * 1000, async () => {
      const now = at.timeline.now();
      // It is one switch: whoever resumes ends what another has begun.
      for (const still of course.stillnesses) {
        if (still.what === "pause") still.to = Math.min(still.to, now);
      }
      await resume(at.table, { ...word, atMilliseconds: Math.floor(now) });
    });
    return;
  }
  if (deed.is === "failover") {
    await at.table.write(leaseId, { set: { state: "moving", holder: "failover-2-1" } });
    at.timeline.after(deed.forSeconds * 1000, async () => {
      const settledAtMilliseconds = Math.floor(at.timeline.now());
      await at.table.write(leaseId, { set: { state: "held", settledAtMilliseconds } });
    });
    return;
  }
  if (deed.is === "rotation") {
    const untilMilliseconds = to;
    await declareFreeze(
      at.table,
      at.region,
      { ...word, what: "rotation", untilMilliseconds },
      from,
    );
    return;
  }
  const window = { region: at.region, kind: deed.is, sinceMilliseconds: from };
  await declareUpheaval(at.table, { ...window, ...word, untilMilliseconds: to });
};

/** AWS may refuse people as well, such as a change of an instance that is being changed. */
const told = (at: Stage, order: Promise<unknown>) => observed("AWS", at.timeline.now, () => order);

const byHand = async (
  at: Stage,
  what: Extract<Meanwhile, { is: "by-hand" }>["what"],
  course: Course,
  random: Random,
): Promise<void> => {
  course.byHand.push(what);
  const { cloud, region } = at;
  if (what === "grows-group") {
    const DesiredCapacity = Math.min(8, (await at.members()).length + 1);
    const order = { AutoScalingGroupName: names.group, DesiredCapacity };
    await told(at, cloud.ask("auto-scaling", "SetDesiredCapacity", region, order));
    return;
  }
  if (what === "grows-storage") {
    await told(
      at,
      cloud.ask("rds", "ModifyDBInstance", region, {
        DBInstanceIdentifier: at.platform.home.databaseId,
        AllocatedStorage: 110,
        ApplyImmediately: true,
      }),
    );
    return;
  }
  const serving = await at.serving();
  const wanted = serving.filter((id) => course.sickened.has(id) === (what === "ends-the-sick"));
  const one = wanted[random.integer(0, Math.max(0, wanted.length - 1))];
  if (!one) return;
  await told(
    at,
    cloud.ask("auto-scaling", "TerminateInstanceInAutoScalingGroup", region, {
      InstanceId: one,
      ShouldDecrementDesiredCapacity: false,
    }),
  );
};
