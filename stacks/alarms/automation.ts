import { backupBoundSeconds, lookEverySeconds } from "../../shared/readiness.ts";
import type { AlarmOptions } from "../alarm.ts";
import { alarm } from "../alarm.ts";
import type { Alerts } from "../alerts.ts";
import { clockwork } from "../clockwork.ts";
import type { Job } from "../job.ts";
import { scheduleGroup } from "../schedules.ts";
import type { Stage } from "../stage.ts";
import { ruleNames } from "../triggers.ts";
import type { Metric } from "./options.ts";

/** Alarms on Nightshift itself: who watches is watched, and silence counts as trouble. */
export const automationAlarms = (stage: Stage, told: Alerts, jobs: Job[]) =>
  [
    ...jobs.flatMap((job) => [
      ...failures(job),
      ...deadLetters(job),
      ...silent(job),
      ...executions(job),
    ]),
    scheduler(stage),
    ...jobs.flatMap((job) => ruleFails(stage, job)),
  ].map((options) => alarm(stage, told, options));

/** Source: "Types of metrics for Lambda functions". */
const lambda = ({ name: FunctionName }: Job, name: string): Metric => ({
  namespace: "AWS/Lambda",
  name,
  dimensions: { FunctionName },
  statistic: "Sum",
});

const failures = (job: Job): AlarmOptions[] => [
  {
    name: `${job.job}-errors`,
    says: `The function ${job.name} fails: look at its log.`,
    of: lambda(job, "Errors"),
    when: { above: 0 },
    periodSeconds: 60,
    during: [1, 1],
    silenceIs: "well",
  },
  {
    name: `${job.job}-throttles`,
    says: job.queues
      ? `Events for ${job.name} have waited for their turn for minutes: a storm of alarms, or it hangs.`
      : `Lambda does not let ${job.name} run: the account's concurrency is used up.`,
    of: lambda(job, "Throttles"),
    when: { above: 0 },
    periodSeconds: 60,
    during: job.queues ? [5, 5] : [1, 1],
    silenceIs: "well",
  },
];

const deadLetters = ({ job, name, deadLetters: queue }: Job): AlarmOptions[] =>
  queue
    ? [
        {
          name: `${job}-dead-letters`,
          says: `An event for ${name} was given up: it is in ${name}-dead-letters.`,
          of: {
            namespace: "AWS/SQS",
            name: "ApproximateNumberOfMessagesVisible",
            dimensions: { QueueName: queue.name },
            statistic: "Maximum",
          },
          when: { above: 0 },
          periodSeconds: 60,
          during: [1, 1],
          // SQS falls silent about a queue that nobody has used for six hours.
          silenceIs: "well",
        },
      ]
    : [];

/** Three turns in a row that did not come. */
const silent = (job: Job): AlarmOptions[] => {
  const beat = clockwork[job.job];
  if (!beat) return [];
  return [
    {
      name: `${job.job}-silent`,
      says: `Nobody sets ${job.name} off any more: look at its schedule.`,
      of: lambda(job, "Invocations"),
      when: { below: 1 },
      periodSeconds: 60 * beat.everyMinutes,
      during: [3, 3],
      silenceIs: "wrong",
    },
  ];
};

/** Where to read on at night. */
const pages: Readonly<Record<string, string>> = {
  failover: "docs/runbook/failover.md",
  remediation: "docs/playbooks.md",
  verification: "docs/evidence.md",
};

/** Source: "Monitoring durable functions", "Durable execution metrics". */
const executions = (job: Job): AlarmOptions[] =>
  job.executions
    ? [
        {
          name: `${job.job}-runs-failed`,
          says:
            `A run of ${job.name} ended without an end of its own: look at its journal, and at ` +
            `${pages[job.job] ?? pages.failover}.`,
          of: {
            metrics: {
              failed: lambda(job, "DurableExecutionFailed"),
              late: lambda(job, "DurableExecutionTimedOut"),
            },
            result: "FILL(failed, 0) + FILL(late, 0)",
            label: "runs that failed",
          },
          when: { above: 0 },
          periodSeconds: 60,
          // The newest minute may be filled with 0 before its number arrives.
          during: [1, 5],
          silenceIs: "well",
        },
      ]
    : [];

/** Source: "Monitoring Amazon EventBridge Scheduler with Amazon CloudWatch". */
const scheduler = (stage: Stage): AlarmOptions => ({
  name: "schedules-dropped",
  says: "The Scheduler has given up to set a function off: look at its role and the dead letters.",
  of: {
    namespace: "AWS/Scheduler",
    name: "InvocationDroppedCount",
    dimensions: { ScheduleGroup: scheduleGroup(stage) },
    statistic: "Sum",
  },
  when: { above: 0 },
  periodSeconds: 60,
  during: [1, 1],
  silenceIs: "well",
});

/** Ready no more, or nobody looks any more: in the region that would be asked to take over. */
export const readyAlarm = (stage: Stage, told: Alerts) =>
  alarm(stage, told, notReady(stage, told.region.name));

const notReady = (stage: Stage, Observer: string): AlarmOptions => ({
  name: "not-ready",
  says: "The region that stands by could not take over: /nightshift status says what is missing.",
  of: {
    namespace: stage.metricNamespace,
    name: "Readiness",
    dimensions: { Observer },
    statistic: "Minimum",
  },
  when: { below: 1 },
  periodSeconds: lookEverySeconds,
  during: [3, 3],
  // Nobody looks any more.
  silenceIs: "wrong",
});

/** Backups that are copied to this region have stopped to come, and there is still time to mend it. */
export const backupsAlarm = (stage: Stage, told: Alerts) =>
  alarm(stage, told, {
    name: "backup-replication",
    says: "The database's backups do not come to this region any more: see the events of RDS.",
    of: {
      namespace: stage.metricNamespace,
      name: "BackupReplicationAgeSeconds",
      dimensions: { Observer: told.region.name },
      statistic: "Maximum",
    },
    when: { above: backupBoundSeconds },
    periodSeconds: lookEverySeconds,
    during: [3, 3],
    // The active region has none to tell of. That the other one has none, `not-ready` says.
    silenceIs: "well",
  });

/** Source: "Monitoring Amazon EventBridge", metrics of rules. */
const ruleFails = (stage: Stage, { job }: Job): AlarmOptions[] => {
  const RuleName = ruleNames(stage)[job];
  if (!RuleName) return [];
  return [
    {
      name: `${job}-rule`,
      says: `An alarm could not set ${job} off at once; it looks each minute by itself.`,
      of: {
        namespace: "AWS/Events",
        name: "FailedInvocations",
        dimensions: { RuleName },
        statistic: "Sum",
      },
      when: { above: 0 },
      periodSeconds: 60,
      during: [1, 1],
      silenceIs: "well",
    },
  ];
};
