import { marshall } from "@aws-sdk/util-dynamodb";
import type { Observer } from "../local/aws/endpoint.ts";
import type { InvocationMoment } from "../local/lambda/dispatch.ts";
import config from "../nightshift.config.ts";
import { incidentId } from "../shared/incident.ts";
import { raised, type Stage } from "../test/remediation/platform.ts";

export interface Storm {
  alarms: number;
  resources: number;
}

/** What a storm of alarms costs, and what is done about it. Seconds are modelled. */
export interface StormMeasure extends Storm {
  /** Alarms that rang at the same time, as the incident has them. */
  mostAlarms: number;
  incidents: number;
  attempts: number;
  deeds: number;
  /** Of triage, from the first alarm until its last event was delivered. */
  invocations: number;
  mostAtOnce: number;
  /** Of all these invocations together: what Lambda bills, as most of them wait for a look to come. */
  invokedSeconds: number;
  /** Looks at all alarms; whoever comes within five seconds of one finds that somebody has looked. */
  looks: number;
  /** AWS calls of triage and of the attempt, by operation. */
  calls: { triage: Record<string, number>; remediation: Record<string, number> };
  /** The incident as DynamoDB holds it: one item takes 400 KB at the most. */
  incidentBytes: number;
  /** From the first alarm until the one repair was proven. */
  provenSeconds: number;
  /** From the first alarm until the last of the events was delivered. */
  deliveredSeconds: number;
  /** Of one core, for all of it: the platform, its load and the storm. */
  processorMilliseconds: number;
}

/** Alarms are spread over the kinds that playbooks know and those that none is for. */
const kinds = ["latency", "unhealthy-hosts", "errors", "requests", "cpu", "memory", "queue"];
const stormSeconds = 60;

/**
 * So many alarms of so many resources go off within a minute around one sick instance, in virtual time
 * and in this process; every one of them is an event for triage.
 */
export const measureStorm = async (storm: Storm): Promise<StormMeasure> => {
  const used = process.cpuUsage();
  const late: { now(): number } = { now: () => 0 };
  const heard = hearing(() => late.now());
  const at = await raised({
    seed: "storm",
    hooks: (tools) => {
      late.now = tools.now;
      return heard.hooks;
    },
  });
  try {
    const names = await putAlarms(at, storm);
    const { ids } = await at.sicken();
    await at.timeline.advance(lullMilliseconds);
    heard.begin();
    const began = at.timeline.now();
    for (const AlarmName of names) {
      await at.cloud.ask("cloudwatch", "SetAlarmState", at.region, {
        AlarmName,
        StateValue: "ALARM",
        StateReason: "the storm",
      });
      await at.timeline.advance((stormSeconds * 1000) / names.length);
    }
    await at.until("it is repaired", () => at.results().some(({ end }) => end === "done"));
    const provenSeconds = (at.timeline.now() - began) / 1000;
    // What reserved concurrency holds back Lambda tries again, less and less often.
    await at.until("every event was delivered", () => heard.counted().invocations >= names.length);
    const deliveredSeconds = (at.timeline.now() - began) / 1000;
    const { user, system } = process.cpuUsage(used);
    const figures = {
      provenSeconds,
      deliveredSeconds,
      processorMilliseconds: (user + system) / 1000,
    };
    return { ...storm, ...figures, ...heard.counted(), ...(await outcomeOf(at, ids)) };
  } finally {
    await at.leave();
  }
};

/** The instance is sick and its own alarm still waits for its minutes. */
const lullMilliseconds = 240_000;

const putAlarms = async (at: Stage, { alarms, resources }: Storm): Promise<string[]> => {
  const names = Array.from(
    { length: alarms - 1 },
    (_, index) =>
      `nightshift-${kinds[index % kinds.length]}-resource-${index % resources}-${index}`,
  );
  for (const AlarmName of names) {
    await at.cloud.ask("cloudwatch", "PutMetricAlarm", at.region, {
      AlarmName,
      Namespace: "Storm",
      MetricName: "Pain",
      Statistic: "Sum",
      Period: 60,
      EvaluationPeriods: 1,
      Threshold: 0,
      ComparisonOperator: "GreaterThanThreshold",
      // Stays as it is set.
      TreatMissingData: "ignore",
    });
  }
  return names;
};

const region = config.regions.primary;

const hearing = (now: () => number) => {
  const calls = { triage: new Map<string, number>(), remediation: new Map<string, number>() };
  const running = new Map<string, number>();
  let listens = false;
  let invocations = 0;
  let mostAtOnce = 0;
  let invokedMilliseconds = 0;
  const observe: Observer = {
    after: async ({ operation }, _input, _outcome, trace) => {
      for (const [name, counts] of Object.entries(calls)) {
        if (!listens || !trace?.includes(`/${name}/`)) continue;
        counts.set(operation, (counts.get(operation) ?? 0) + 1);
      }
      return undefined;
    },
  };
  const invoked = ({ phase, requestId, definition }: InvocationMoment) => {
    if (!listens || definition.name !== "triage" || definition.region !== region) return;
    if (phase === "ended") {
      invokedMilliseconds += now() - (running.get(requestId) ?? now());
      running.delete(requestId);
      return;
    }
    running.set(requestId, now());
    invocations += 1;
    mostAtOnce = Math.max(mostAtOnce, running.size);
  };
  return {
    hooks: { observe, lambda: { observe: invoked } },
    begin: () => {
      listens = true;
    },
    counted: () => ({
      invocations,
      mostAtOnce,
      invokedSeconds: invokedMilliseconds / 1000,
      calls: {
        triage: Object.fromEntries(calls.triage),
        remediation: Object.fromEntries(calls.remediation),
      },
    }),
  };
};

const outcomeOf = async (at: Stage, sick: readonly string[]) => {
  const incident = await at.incident();
  const items = await at.items("nightshift-coordination");
  const item = items.find(({ id }) => id === incidentId(at.region));
  const results = at.results();
  const incidents = new Set(results.map(({ run }) => run.replace(/-\d+$/, ""))).size;
  const ended = results.reduce((sum, { acts }) => sum + acts, 0);
  const gone = (await at.members()).every(({ InstanceId }) => !sick.includes(InstanceId));
  if (!gone) throw new Error("the sick instance is still there: nothing was measured");
  return {
    mostAlarms: incident?.mostAlarms ?? 0,
    incidents,
    attempts: results.length,
    deeds: ended,
    looks: at.lines.filter((line) => line.includes("alarms were looked at")).length,
    incidentBytes: JSON.stringify(marshall(item ?? {}, { removeUndefinedValues: true })).length,
  };
};
