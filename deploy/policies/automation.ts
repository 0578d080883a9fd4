import type { Policy, Violation } from "../policies.ts";
import type { Recording, Resource } from "../recording.ts";
import { grantsOf } from "./grants.ts";
import { metricsOf } from "./metrics.ts";

const types = {
  alarm: "aws:cloudwatch/metricAlarm:MetricAlarm",
  alias: "aws:lambda/alias:Alias",
  composite: "aws:cloudwatch/compositeAlarm:CompositeAlarm",
  events: "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
  function: "aws:lambda/function:Function",
  logs: "aws:cloudwatch/logGroup:LogGroup",
  queue: "aws:sqs/queue:Queue",
  rule: "aws:cloudwatch/eventRule:EventRule",
  schedule: "aws:scheduler/schedule:Schedule",
  target: "aws:cloudwatch/eventTarget:EventTarget",
  subscription: "aws:sns/topicSubscription:TopicSubscription",
  topic: "aws:sns/topic:Topic",
  url: "aws:lambda/functionUrl:FunctionUrl",
} as const;

const ofType = ({ resources }: Recording, type: string): Resource[] =>
  resources.filter((resource) => resource.type === type);

/** Nightshift's own; SST may make functions for itself. */
const functionsOf = (recording: Recording): Resource[] =>
  ofType(recording, types.function).filter(({ parent }) => parent.includes("sst:aws:Function"));

const nameOf = ({ inputs }: Resource): string => String(inputs.name);

const targetOf = ({ inputs }: Resource) =>
  (inputs.target ?? inputs) as {
    arn: string;
    retryPolicy?: { maximumRetryAttempts?: number; maximumEventAgeInSeconds?: number };
    deadLetterConfig?: { arn?: string };
  };

/** `arn:…:function:name:live` to `name live`. */
const partsOf = (arn: string): [name: string, qualifier: string | undefined] => {
  const [, name = "", qualifier] = /:function:([^:]+)(?::(.+))?$/.exec(arn) ?? [];
  return [name, qualifier];
};

const queueIn = (recording: Recording, arn: unknown, region: string | null): boolean =>
  ofType(recording, types.queue).some(
    (queue) =>
      queue.region === region &&
      String(arn).startsWith(`arn:aws:sqs:${region}:`) &&
      String(arn).endsWith(`:${nameOf(queue)}`),
  );

/** Alarms of a region on one metric of one thing, that tell somebody. */
const alarmsOn = (
  recording: Recording,
  region: string | null,
  metric: string,
  of: string,
): Resource[] =>
  ofType(recording, types.alarm).filter((alarm) => {
    if (alarm.region !== region || ((alarm.inputs.alarmActions ?? []) as []).length === 0)
      return false;
    const { dimensions } = alarm.inputs as { dimensions?: Record<string, string> };
    return (
      metricsOf(alarm).some(({ name }) => name === metric) &&
      JSON.stringify(dimensions ?? alarm.inputs.metricQueries).includes(`"${of}"`)
    );
  });

const longestAgeSeconds = 3600;

/** Functions that events set off: by their settings, a schedule or a rule. */
const asynchronous = (recording: Recording): Resource[] => {
  const named = new Set([
    ...ofType(recording, types.events).map(
      ({ inputs, region }) => `${inputs.functionName} ${region}`,
    ),
    ...[...ofType(recording, types.schedule), ...ofType(recording, types.target)].map(
      (resource) => `${partsOf(targetOf(resource).arn)[0]} ${resource.region}`,
    ),
  ]);
  return functionsOf(recording).filter(({ inputs, region }) =>
    named.has(`${inputs.name} ${region}`),
  );
};

const eventsEnd: Policy = {
  name: "every function that events set off gives them up in time, to a queue that somebody hears of",
  check: (recording): Violation[] =>
    asynchronous(recording).flatMap((each) =>
      [...eventProblems(recording, each)].map((problem) => ({ resource: each.name, problem })),
    ),
};

function* eventProblems(recording: Recording, { inputs, region }: Resource): Generator<string> {
  const name = String(inputs.name);
  const { targetArn } = (inputs.deadLetterConfig ?? {}) as { targetArn?: string };
  if (!targetArn) yield "has no dead-letter queue";
  else if (!queueIn(recording, targetArn, region)) yield `its dead letters go to ${targetArn}`;
  const queue = targetArn?.split(":").at(-1) ?? "";
  if (alarmsOn(recording, region, "ApproximateNumberOfMessagesVisible", queue).length === 0) {
    yield "nobody hears of its dead letters";
  }
  const settings = ofType(recording, types.events).find(
    (each) => each.region === region && each.inputs.functionName === name,
  );
  const { maximumRetryAttempts, maximumEventAgeInSeconds } = settings?.inputs ?? {};
  if (maximumRetryAttempts === undefined) yield "its retries are not bounded";
  if (!(Number(maximumEventAgeInSeconds) <= longestAgeSeconds)) yield "its events may be too old";
  if (inputs.durableConfig && !settings?.inputs.qualifier) {
    yield "its settings are not those of the alias that is asked for";
  }
}

const triggersEnd: Policy = {
  name: "every schedule and every rule bounds its retries and has a dead-letter queue",
  check: (recording): Violation[] =>
    [...ofType(recording, types.schedule), ...ofType(recording, types.target)].flatMap((each) => {
      const { retryPolicy, deadLetterConfig } = targetOf(each);
      const problems = [
        ...(retryPolicy?.maximumRetryAttempts === undefined ? ["its retries are not bounded"] : []),
        ...(Number(retryPolicy?.maximumEventAgeInSeconds) <= longestAgeSeconds
          ? []
          : ["its events may be too old"]),
        ...(queueIn(recording, deadLetterConfig?.arn, each.region)
          ? []
          : ["it gives up to no queue of its region"]),
      ];
      return problems.map((problem) => ({ resource: each.name, problem }));
    }),
};

const watched: Policy = {
  name: "somebody hears when a function fails, is not let run, or is not set off any more",
  check: (recording): Violation[] =>
    functionsOf(recording).flatMap((each) => {
      const name = nameOf(each);
      const { region } = each;
      const wanted = [
        "Errors",
        "Throttles",
        ...(each.inputs.durableConfig ? ["DurableExecutionFailed"] : []),
      ];
      const unheard = wanted
        .filter((metric) => alarmsOn(recording, region, metric, name).length === 0)
        .map((metric) => `no alarm on ${metric}`);
      return [...unheard, ...silenceProblems(recording, each)].map((problem) => ({
        resource: each.name,
        problem,
      }));
    }),
};

const silenceProblems = (recording: Recording, { inputs, region }: Resource): string[] => {
  const name = String(inputs.name);
  const isScheduled = ofType(recording, types.schedule).some(
    (each) => each.region === region && partsOf(targetOf(each).arn)[0] === name,
  );
  if (!isScheduled) return [];
  const silent = alarmsOn(recording, region, "Invocations", name);
  if (silent.length === 0) return ["no alarm when nobody sets it off"];
  return silent.some((alarm) => alarm.inputs.treatMissingData === "breaching")
    ? []
    : ["its silence would pass for well"];
};

const observed: Policy = {
  name: "every function is traced and writes to a log that is kept for so long and no longer",
  check: (recording): Violation[] =>
    functionsOf(recording).flatMap((each) => {
      const { tracingConfig, loggingConfig } = each.inputs as {
        tracingConfig?: { mode?: string };
        loggingConfig?: { logGroup?: string; logFormat?: string };
      };
      const group = ofType(recording, types.logs).find(
        (logs) => logs.region === each.region && nameOf(logs) === loggingConfig?.logGroup,
      );
      const problems = [
        ...(tracingConfig?.mode === "Active" ? [] : ["it is not traced"]),
        ...(loggingConfig?.logFormat === "JSON" ? [] : ["its log is not JSON"]),
        ...(Number(group?.inputs.retentionInDays) > 0
          ? []
          : ["its log is kept for ever, or nowhere"]),
      ];
      return problems.map((problem) => ({ resource: each.name, problem }));
    }),
};

/** Executions are looked for in all versions at once, which takes the name without an alias. */
const listing = "lambda:ListDurableExecutionsByFunction";

/** Lambda takes no unqualified name for a durable function, and its runs belong to a version. */
const qualified: Policy = {
  name: "a durable function is published, and asked for by an alias and by nothing else",
  check: (recording): Violation[] => {
    const durable = functionsOf(recording).filter(({ inputs }) => inputs.durableConfig);
    const text = (resource: Resource) => JSON.stringify(resource.inputs);
    return durable.flatMap((each) => {
      const name = nameOf(each);
      const bare = new RegExp(`[:"]${name}(?!:live|:\\*|-|[a-z])`);
      const alias = ofType(recording, types.alias).find(
        ({ inputs, region }) => region === each.region && inputs.functionName === name,
      );
      const links = recording.resources.filter(
        (resource) =>
          (resource.type === types.function ||
            resource.type === types.schedule ||
            resource.type === types.target) &&
          resource.name !== each.name &&
          bare.test(text(resource).replaceAll('\\"', '"')) &&
          nameOf(resource) !== name,
      );
      const asking = grantsOf(recording).filter(
        ({ action, resource }) => bare.test(resource) && action !== listing,
      );
      const callers = [...links.map((link) => link.name), ...asking.map(({ policy }) => policy)];
      return [
        ...(each.inputs.publish === true
          ? []
          : [{ resource: each.name, problem: "is not published" }]),
        ...(alias ? [] : [{ resource: each.name, problem: "has no alias" }]),
        ...callers.map((resource) => ({
          resource,
          problem: `asks for ${name} without its alias`,
        })),
      ];
    });
  },
};

const oneDoor: Policy = {
  name: "only the Slack door can be called by anybody, and no flood through it takes the whole account",
  check: (recording): Violation[] => {
    const isProduction = recording.stage === "production";
    return ofType(recording, types.url).flatMap(({ name, inputs, region }) => {
      const behind = functionsOf(recording).find(
        (each) => each.region === region && nameOf(each) === inputs.functionName,
      );
      if (!behind || !/-slack$/.test(nameOf(behind))) {
        return [{ resource: name, problem: "is a door that nobody has asked for" }];
      }
      const reserved = behind.inputs.reservedConcurrentExecutions;
      const isBounded = Number(reserved) > 0 || !isProduction;
      return isBounded ? [] : [{ resource: behind.name, problem: "takes as many as there are" }];
    });
  },
};

/** A storm of alarms is a storm of events: without a bound it takes what guard and failover live on. */
const storms: Policy = {
  name: "what any alarm sets off takes a bounded share of the account's concurrency",
  check: (recording): Violation[] => {
    if (recording.stage !== "production") return [];
    const wide = ofType(recording, types.rule).filter(({ inputs }) =>
      String(inputs.eventPattern).includes('"prefix"'),
    );
    const targets = wide.flatMap((rule) =>
      ofType(recording, types.target).filter(
        ({ inputs, region }) => region === rule.region && inputs.rule === rule.inputs.name,
      ),
    );
    const unbounded = targets.flatMap((target) =>
      functionsOf(recording).filter(
        (each) =>
          each.region === target.region &&
          nameOf(each) === partsOf(targetOf(target).arn)[0] &&
          !(Number(each.inputs.reservedConcurrentExecutions) > 0),
      ),
    );
    return [
      ...(targets.length >= 2
        ? []
        : [{ resource: "rules", problem: "no alarm sets anything off" }]),
      ...unbounded.map(({ name }) => ({ resource: name, problem: "takes as many as there are" })),
    ];
  },
};

const told: Policy = {
  name: "every alarm tells a topic of its own region, or is part of one that does",
  check: (recording): Violation[] => {
    const rules = ofType(recording, types.composite);
    const topics = ofType(recording, types.topic);
    const tells = (alarm: Resource) =>
      ((alarm.inputs.alarmActions ?? []) as string[]).some((arn) =>
        topics.some(
          (topic) =>
            topic.region === alarm.region &&
            arn.startsWith(`arn:aws:sns:${topic.region}:`) &&
            arn.endsWith(`:${nameOf(topic)}`),
        ),
      );
    const isPart = (alarm: Resource) =>
      rules.some(
        (rule) =>
          rule.region === alarm.region &&
          tells(rule) &&
          String(rule.inputs.alarmRule).includes(`"${nameOf(alarm)}"`),
      );
    return [...ofType(recording, types.alarm), ...rules]
      .filter((alarm) => !tells(alarm) && !isPart(alarm) && !scales(alarm))
      .map(({ name }) => ({ resource: name, problem: "nobody hears of it" }));
  },
};

const isTopic = (arn: string, topic: Resource): boolean =>
  arn.startsWith(`arn:aws:sns:${topic.region}:`) && arn.endsWith(`:${nameOf(topic)}`);

const subscribers: Policy = {
  name: "every topic of alerts has somebody who hears what is told there",
  check: (recording): Violation[] =>
    ofType(recording, types.topic)
      .filter((topic) => /-alerts$/.test(nameOf(topic)))
      .filter(
        (topic) =>
          !ofType(recording, types.subscription).some(
            ({ inputs, region }) => region === topic.region && isTopic(String(inputs.topic), topic),
          ),
      )
      .map(({ name }) => ({ resource: name, problem: "alarms are told there, and nobody hears" })),
};

/** An alarm that sets off a scaling policy tells nobody else. */
const scales = ({ inputs }: Resource): boolean =>
  ((inputs.alarmActions ?? []) as string[]).some((arn) => arn.startsWith("arn:aws:autoscaling:"));

const regionAlarms: Policy = {
  name: "a lost region takes two observers, and none of its own; silence is no witness",
  check: (recording): Violation[] =>
    ofType(recording, types.composite).flatMap(({ name, inputs, region }) => {
      const parts = ofType(recording, types.alarm).filter(
        (alarm) =>
          alarm.region === region && String(inputs.alarmRule).includes(`"${nameOf(alarm)}"`),
      );
      const observers = new Set(
        parts.map(({ inputs: each }) => (each.dimensions as { Observer: string }).Observer),
      );
      const [lost] = parts.flatMap(
        ({ inputs: each }) => (each.dimensions as { Region?: string }).Region ?? [],
      );
      const rule = String(inputs.alarmRule);
      const problems = [
        ...(observers.size >= 2 ? [] : ["one observer is enough for it"]),
        ...(lost !== undefined && observers.has(lost) ? [`${lost} observes itself`] : []),
        ...(lost === region ? ["it is in the region that it says is lost"] : []),
        ...(/^\([^()]*\([^()]*\) AND [^)]*\)\) OR \([^()]*\([^()]*\) AND [^)]*\)\)$/.test(rule)
          ? []
          : [`its rule is ${rule}`]),
        ...parts
          .filter(({ inputs: each }) => each.treatMissingData !== "missing")
          .map((part) => `the silence of ${nameOf(part)} would count`),
      ];
      return problems.map((problem) => ({ resource: name, problem }));
    }),
};

export const automationPolicies: readonly Policy[] = [
  eventsEnd,
  triggersEnd,
  watched,
  observed,
  qualified,
  oneDoor,
  storms,
  told,
  subscribers,
  regionAlarms,
];
