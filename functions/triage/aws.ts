import {
  CloudWatchClient,
  type CompositeAlarm,
  DescribeAlarmsCommand,
  ListAlarmMuteRulesCommand,
  type MetricAlarm,
} from "@aws-sdk/client-cloudwatch";
import { clientOptions, near } from "../../shared/clients.ts";
import { coordination } from "../../shared/coordination.ts";
import { operatorsChannel, slackCredentials } from "../../shared/credentials.ts";
import {
  claimLook,
  keepIncident,
  notedAsSent,
  readIncident,
  readLook,
} from "../../shared/incident.ts";
import { fateOf, invoker } from "../../shared/invoke.ts";
import { logger } from "../../shared/log.ts";
import { escalation } from "../../shared/message.ts";
import { readPause } from "../../shared/pause.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { linked, regionOf } from "../../shared/runtime.ts";
import { readUpheavals } from "../../shared/upheaval.ts";
import { playbooks } from "../remediation/playbooks.ts";
import type { Covers, Ringing } from "./facts.ts";
import type { TriagePorts } from "./triage.ts";

export const triagePorts = (runtime: Runtime): TriagePorts => {
  const region = regionOf(runtime);
  const { clock, config } = runtime;
  const { prefix } = linked<{ prefix: string }>(runtime, "Alarms");
  const remediation = linked<{ name: string }>(runtime, "RemediationFunction");
  const table = coordination(runtime);
  const functions = invoker(runtime, near);
  const client = new CloudWatchClient(clientOptions(runtime, region));
  const log = logger(runtime);
  const people = config.slack.operators.map(({ user }) => user);
  const slack = operatorsChannel(runtime, slackCredentials(runtime), {
    timeoutSeconds: 5,
    attempts: 2,
  });
  const rights = config.remediation?.playbooks ?? {};
  const covers = playbooks.map(
    ({ name, rank, alarms, onlyWhile }): Covers => ({
      name,
      rank,
      alarms,
      right: rights[name] ?? "shadow",
      ...(onlyWhile ? { onlyWhile } : {}),
    }),
  );
  return {
    clock,
    region,
    prefix,
    covers,
    ringing: () => ringing(client, prefix, knownKinds(covers)),
    isMuted: async (AlarmName) => {
      const { AlarmMuteRuleSummaries } = await client.send(
        new ListAlarmMuteRulesCommand({ AlarmName, Statuses: ["ACTIVE"], MaxRecords: 1 }),
      );
      return (AlarmMuteRuleSummaries ?? []).length > 0;
    },
    isDeploying: async () =>
      (await readUpheavals(table, region, clock.now())).some(({ kind }) => kind === "deploy"),
    readPause: () => readPause(table),
    readLook: () => readLook(table, region),
    claimLook: (seen, now) => claimLook(table, region, seen, now),
    readIncident: () => readIncident(table, region),
    keepIncident: (incident, seen) => keepIncident(table, incident, seen),
    noteSent: (texts) => notedAsSent(table, region, texts),
    fate: fateOf(runtime, region, remediation.name),
    start: (request) => functions.tell(region, remediation.name, request, request.run),
    page: (text) => slack.post(escalation(region, people, text)),
    thread: (ts, text) => slack.thread(ts, text),
    log: (message, fields) => log.info(message, fields),
  };
};

/** The longest first: `database-storage` before a `database` that may come one day. */
const knownKinds = (covers: readonly Covers[]): string[] =>
  covers.flatMap(({ alarms }) => alarms).toSorted((a, b) => b.length - a.length);

/** 100 alarms a page is the most that DescribeAlarms gives, so a storm of 1,000 is read whole. */
const pageSize = 100;
const pagesLimit = 10;

const ringing = async (client: CloudWatchClient, prefix: string, kinds: string[]) => {
  const alarms: Ringing[] = [];
  let NextToken: string | undefined;
  for (let page = 1; page <= pagesLimit; page += 1) {
    const answer = await client.send(
      new DescribeAlarmsCommand({
        AlarmNamePrefix: `${prefix}-`,
        StateValue: "ALARM",
        AlarmTypes: ["MetricAlarm", "CompositeAlarm"],
        MaxRecords: pageSize,
        ...(NextToken ? { NextToken } : {}),
      }),
    );
    for (const one of [...(answer.MetricAlarms ?? []), ...(answer.CompositeAlarms ?? [])]) {
      alarms.push(ringingOf(one, prefix, kinds));
    }
    NextToken = answer.NextToken;
    if (!NextToken) break;
  }
  return { alarms, isCut: NextToken !== undefined };
};

const ringingOf = (
  alarm: MetricAlarm | CompositeAlarm,
  prefix: string,
  kinds: string[],
): Ringing => {
  const name = alarm.AlarmName ?? "";
  const rest = name.slice(prefix.length + 1);
  const kind = kinds.find((each) => rest === each || rest.startsWith(`${each}-`)) ?? rest;
  const since = alarm.StateTransitionedTimestamp ?? alarm.StateUpdatedTimestamp;
  return {
    name,
    arn: alarm.AlarmArn ?? name,
    kind,
    resource: rest.length > kind.length ? rest.slice(kind.length + 1) : null,
    sinceMilliseconds: since?.getTime() ?? 0,
    reason: alarm.StateReason ?? "",
    held: heldBy(alarm),
  };
};

/** `ActionsSuppressedBy` is a composite's. Source: "CompositeAlarm" in the CloudWatch API reference. */
const heldBy = (alarm: MetricAlarm | CompositeAlarm): string | null => {
  if (alarm.ActionsEnabled === false) return "its actions are switched off";
  const by = "ActionsSuppressedBy" in alarm ? alarm.ActionsSuppressedBy : undefined;
  return by ? `suppressed by ${by}` : null;
};
