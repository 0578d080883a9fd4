import {
  CloudWatchClient,
  DescribeAlarmsCommand,
  ListAlarmMuteRulesCommand,
} from "@aws-sdk/client-cloudwatch";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { readAbort, standingOf } from "../../shared/abort.ts";
import { approvals } from "../../shared/approval.ts";
import type { Reservation } from "../../shared/budget.ts";
import { reserve } from "../../shared/budget.ts";
import { clientOptions } from "../../shared/clients.ts";
import type { Coordination } from "../../shared/coordination.ts";
import { coordination } from "../../shared/coordination.ts";
import { countOutcome, readEfficacy } from "../../shared/efficacy.ts";
import { readFreezes, readStandby } from "../../shared/freeze.ts";
import { beginAttempt, endAttempt } from "../../shared/incident.ts";
import { dynamodbJournal, journal } from "../../shared/journal.ts";
import { readLease } from "../../shared/lease.ts";
import { readPause } from "../../shared/pause.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { linked, regionOf } from "../../shared/runtime.ts";
import type { RefreshSeen } from "./evidence.ts";
import type { Hop } from "./evidence-path.ts";
import type { AlarmNow } from "./guardrails.ts";
import { handsOf } from "./hands-aws.ts";
import { lookersOf } from "./looks-aws.ts";
import { playbooks } from "./playbooks.ts";
import type { Ports } from "./ports.ts";
import { tellingOf } from "./telling.ts";

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
  /** The way of a request through the security groups, in the words of `evidence-path.ts`. */
  path?: Hop[];
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
  const lookers = lookersOf(runtime, region, link);
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
    lookers,
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
    reserve: async (wanted, limits, subject) => {
      const seen = await changesByOthers(table, () => lookers.deploy(subject), link);
      return reserve(table, region, { ...wanted, atMilliseconds: at() }, limits, seen);
    },
    readEfficacy: (playbook) => readEfficacy(table, region, playbook),
    countOutcome: (playbook, run, outcome) =>
      countOutcome(table, region, playbook, { run, outcome, atMilliseconds: at() }),
    approvals: approvals(table),
    beginAttempt: (run) => beginAttempt(table, region, run),
    endAttempt: (run, end, message, acts) =>
      endAttempt(table, region, run, { end, message, acts, atMilliseconds: at() }),
    journal: own.append,
    ...tellingOf(runtime),
  };
};

/**
 * What people and other functions have changed without the ledger, by whatever door: a release or a refresh
 * of the console, and a failover, which is done to the database. Throws when it cannot be read.
 */
const changesByOthers = async (
  table: Coordination,
  newestRefresh: () => Promise<RefreshSeen | null>,
  { autoScalingGroup, databaseId }: RemediatedLink,
): Promise<Reservation[]> => {
  const [deploy, lease] = await Promise.all([newestRefresh(), readLease(table)]);
  const changes: Reservation[] = [];
  const fleet = null;
  if (deploy) {
    const atMilliseconds = deploy.endedAtMilliseconds ?? deploy.startedAtMilliseconds;
    const resource = `group:${autoScalingGroup}`;
    changes.push({ id: deploy.id, by: "a deploy", resource, fleet, atMilliseconds });
  }
  const { holder, settledAtMilliseconds: settled } = lease;
  if (settled) {
    const resource = `database:${databaseId}`;
    const deed = "reboot-with-failover";
    const atMilliseconds = settled;
    changes.push({ id: holder, by: "a failover", deed, resource, fleet, atMilliseconds });
  }
  return changes;
};

/** What cannot be read of a mute rule is thrown, and then nothing is done. */
const alarmNow = (runtime: Runtime, region: string) => {
  const client = new CloudWatchClient(clientOptions(runtime, region));
  return async (name: string): Promise<AlarmNow> => {
    const [{ MetricAlarms, CompositeAlarms }, { AlarmMuteRuleSummaries }] = await Promise.all([
      client.send(
        new DescribeAlarmsCommand({
          AlarmNames: [name],
          AlarmTypes: ["MetricAlarm", "CompositeAlarm"],
        }),
      ),
      client.send(
        new ListAlarmMuteRulesCommand({ AlarmName: name, Statuses: ["ACTIVE"], MaxRecords: 1 }),
      ),
    ]);
    const [composite] = CompositeAlarms ?? [];
    const alarm = MetricAlarms?.[0] ?? composite;
    if (!alarm?.StateValue) throw new Error(`CloudWatch does not know the alarm ${name}`);
    const since = alarm.StateTransitionedTimestamp ?? alarm.StateUpdatedTimestamp;
    const off = alarm.ActionsEnabled === false ? "its actions are switched off" : null;
    const isMuted = (AlarmMuteRuleSummaries ?? []).length > 0 ? "a mute rule holds it" : null;
    const by = composite?.ActionsSuppressedBy;
    return {
      state: alarm.StateValue,
      key: `${alarm.AlarmArn ?? name}@${since?.getTime() ?? 0}`,
      held: by ? `suppressed by ${by}` : (off ?? isMuted),
    };
  };
};
