import { CloudWatchClient, DescribeAlarmsCommand } from "@aws-sdk/client-cloudwatch";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { readAbort, standingOf } from "../../shared/abort.ts";
import { approvals } from "../../shared/approval.ts";
import { reserve } from "../../shared/budget.ts";
import { clientOptions } from "../../shared/clients.ts";
import { coordination } from "../../shared/coordination.ts";
import { operatorsChannel, slackCredentials } from "../../shared/credentials.ts";
import { countOutcome, readEfficacy } from "../../shared/efficacy.ts";
import { readFreezes, readStandby } from "../../shared/freeze.ts";
import { beginAttempt, endAttempt } from "../../shared/incident.ts";
import { dynamodbJournal, journal } from "../../shared/journal.ts";
import { escalation } from "../../shared/message.ts";
import { observed } from "../../shared/outcome.ts";
import { readPause } from "../../shared/pause.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { linked, regionOf } from "../../shared/runtime.ts";
import type { AlarmNow } from "./guardrails.ts";
import { handsOf } from "./hands-aws.ts";
import { lookersOf } from "./looks-aws.ts";
import { playbooks } from "./playbooks.ts";
import type { Ports } from "./ports.ts";
import type { Posted, Run } from "./remediation.ts";
import { messageOf } from "./view.ts";

/** What this region's playbooks look at and act upon. */
export interface RemediatedLink extends Record<string, unknown> {
  autoScalingGroup: string;
  targetGroup: string;
  /** `app/<name>/<id>`, as the load balancer's metrics have it. */
  loadBalancerSuffix: string;
  databaseId: string;
  /** Names of the two documents of Systems Manager that instances can be given. */
  commands?: { inspect: string; restart: string };
  /** The application's login. */
  secret?: string;
  /** Of the region's load balancer, and the zone with the records that prove its names. */
  certificate?: string;
  zone?: string;
  /** The replication group. */
  cache?: { group: string };
  /** The metric of connections that the database turned away. */
  refusals?: { namespace: string; name: string };
}

/** In any hour, by all playbooks together, when the operator's file says nothing. */
const regionPerHour = 6;
const fleetShare = 0.34;

export const remediationPorts = (runtime: Runtime): Ports => {
  const region = regionOf(runtime);
  const { clock, config } = runtime;
  const link = linked<RemediatedLink>(runtime, "Remediated");
  const table = coordination(runtime);
  const tables = new DynamoDBClient(clientOptions(runtime, region));
  const { name: journalTable } = linked<{ name: string }>(runtime, "JournalTable");
  const book = () => journal(dynamodbJournal(tables, journalTable));
  const own = book();
  const at = () => Math.floor(clock.now());
  return {
    name: `remediation in ${region}`,
    clock,
    region,
    playbooks,
    policy: {
      approvalExpirySeconds: config.failover.approvalExpirySeconds,
      regionPerHour: config.remediation?.actionsPerHour ?? regionPerHour,
      fleetShare: config.remediation?.fleetShare ?? fleetShare,
      rights: config.remediation?.playbooks ?? {},
    },
    lookers: lookersOf(runtime, region, link),
    hands: handsOf(runtime, region, link),
    alarm: alarmNow(runtime, region),
    readPause: () => readPause(table),
    readAbort: (run) => readAbort(table, run),
    readFreezes: async () => {
      const all = await Promise.all([
        readFreezes(table, region, clock.now(), async (run) => {
          // Anew each time: another function writes it.
          const { begun, ended } = standingOf(await book().read(run));
          return begun && !ended;
        }),
        readStandby(table, region),
      ]);
      return all.flat();
    },
    reserve: (wanted, limits) =>
      reserve(table, region, { ...wanted, atMilliseconds: at() }, limits),
    readEfficacy: (playbook) => readEfficacy(table, region, playbook),
    countOutcome: (playbook, run, outcome) =>
      countOutcome(table, region, playbook, { run, outcome, atMilliseconds: at() }),
    approvals: approvals(table),
    beginAttempt: (run) => beginAttempt(table, region, run),
    endAttempt: (run, end, message) =>
      endAttempt(table, region, run, { end, message, atMilliseconds: at() }),
    journal: own.append,
    show: shower(runtime),
  };
};

const alarmNow = (runtime: Runtime, region: string) => {
  const client = new CloudWatchClient(clientOptions(runtime, region));
  return async (name: string): Promise<AlarmNow> => {
    const { MetricAlarms, CompositeAlarms } = await client.send(
      new DescribeAlarmsCommand({
        AlarmNames: [name],
        AlarmTypes: ["MetricAlarm", "CompositeAlarm"],
      }),
    );
    const [composite] = CompositeAlarms ?? [];
    const alarm = MetricAlarms?.[0] ?? composite;
    if (!alarm?.StateValue) throw new Error(`CloudWatch does not know the alarm ${name}`);
    const since = alarm.StateTransitionedTimestamp ?? alarm.StateUpdatedTimestamp;
    const off = alarm.ActionsEnabled === false ? "its actions are switched off" : null;
    const by = composite?.ActionsSuppressedBy;
    return {
      state: alarm.StateValue,
      key: `${alarm.AlarmArn ?? name}@${since?.getTime() ?? 0}`,
      held: by ? `suppressed by ${by}` : off,
    };
  };
};

/** One message for each run, brought up to date. Nothing waits for Slack but a question and the end. */
const shower = (runtime: Runtime) => {
  const people = runtime.config.slack.operators.map(({ user }) => user);
  const slack = operatorsChannel(runtime, slackCredentials(runtime), {
    timeoutSeconds: 5,
    attempts: 2,
  });
  // A Slack that does not answer is left alone for a minute: waiting for it would delay the repair.
  let silentUntil = 0;
  const left = () => {
    silentUntil = runtime.clock.now() + 60_000;
    return null;
  };
  const put = async (run: Run): Promise<Posted | null> => {
    if (run.end === "needs-human") {
      await slack.post(escalation(run.name, people, run.notes.join(" ") || "see the run"));
    }
    const message = messageOf(run);
    if (run.message) {
      const updated = await slack.update(run.message.ts, message);
      return updated.delivered ? run.message : left();
    }
    const posted = await slack.post(message);
    return posted.delivered ? { channel: posted.channel, ts: posted.ts } : left();
  };
  const inTurn = inOrder();
  return async (run: Run): Promise<Posted | null> => {
    const mustBeTried = run.phase === "asking" || run.phase === "ended";
    if (runtime.clock.now() < silentUntil && !mustBeTried) return null;
    if (mustBeTried || !run.message) return inTurn(() => put(run));
    void observed("Slack", runtime.clock.now, () => inTurn(() => put(run)));
    return run.message;
  };
};

/** One after the other: an older state of the message never overwrites a newer one. */
const inOrder = () => {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(act: () => Promise<T>): Promise<T> => {
    const turn = last.then(act, act);
    last = turn;
    return turn;
  };
};
