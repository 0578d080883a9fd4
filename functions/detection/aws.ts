import { AutoScalingClient, DescribeInstanceRefreshesCommand } from "@aws-sdk/client-auto-scaling";
import {
  CloudWatchClient,
  DescribeAlarmsCommand,
  type MetricAlarm,
  PutMetricDataCommand,
} from "@aws-sdk/client-cloudwatch";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { clientOptions, near } from "../../shared/clients.ts";
import type { Coordination } from "../../shared/coordination.ts";
import { coordination } from "../../shared/coordination.ts";
import { operatorsChannel, slackCredentials } from "../../shared/credentials.ts";
import { invoker } from "../../shared/invoke.ts";
import { dynamodbJournal, type Entry, journal } from "../../shared/journal.ts";
import { readLease } from "../../shared/lease.ts";
import { logger } from "../../shared/log.ts";
import { escalation } from "../../shared/message.ts";
import { metricNamespace } from "../../shared/metrics.ts";
import { inSentences } from "../../shared/outcome.ts";
import { readPause } from "../../shared/pause.ts";
import { readProposal, rememberProposal } from "../../shared/proposal.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { linked, regionOf } from "../../shared/runtime.ts";
import { declareUpheaval, readUpheavals } from "../../shared/upheaval.ts";
import { isFinal, states } from "../failover/states.ts";
import type { Observation, Watch } from "./decide.ts";
import { silentSeconds } from "./decide.ts";
import type { DeployPorts, Refresh } from "./deploys.ts";
import type { DetectionPorts, PagingPorts } from "./detection.ts";

interface RegionAlarmsLink extends Record<string, unknown> {
  /** By watched region, each of which this one could take over from. */
  regions: Record<string, RegionAlarms>;
  /** The Auto Scaling group of the region that this runs in. */
  ownGroup: string;
}

interface RegionAlarms {
  composite: string;
  /** By observer: its own alarms below the composite one. */
  observers: Record<string, Record<Observation["about"], string>>;
}

export const detectionPorts = (runtime: Runtime): DetectionPorts => {
  const here = regionOf(runtime);
  const { regions, ownGroup } = linked<RegionAlarmsLink>(runtime, "RegionAlarms");
  const failover = linked<{ name: string }>(runtime, "FailoverFunction");
  const client = new CloudWatchClient(clientOptions(runtime, here));
  const functions = invoker(runtime, near);
  const table = coordination(runtime);
  const log = logger(runtime);
  return {
    clock: runtime.clock,
    alarms: Object.fromEntries(
      Object.entries(regions).map(([region, { composite }]) => [region, composite]),
    ),
    watch: (region) => watch(client, regions[region], runtime.clock.now()),
    readLease: () => readLease(table),
    readPause: () => readPause(table),
    upheavals: (region) => readUpheavals(table, region, runtime.clock.now()),
    proposal: (region) => readProposal(table, region),
    rememberProposal: (region, proposal) => rememberProposal(table, region, proposal),
    startFailover: (request) => functions.tell(here, failover.name, request, request.run),
    paging: paging(runtime, here, client, table),
    deploys: deploys(runtime, here, ownGroup, table),
    log: (message, fields) => log.info(message, fields),
  };
};

/** One call for all of them, so that they are of one moment. */
const watch = async (
  client: CloudWatchClient,
  alarms: RegionAlarms | undefined,
  now: number,
): Promise<Watch> => {
  if (!alarms) throw new Error("no alarms of that region are linked to this function");
  const wanted = Object.entries(alarms.observers).flatMap(([observer, names]) =>
    (["unreachable", "idle"] as const).map((about) => ({ observer, about, alarm: names[about] })),
  );
  const { CompositeAlarms, MetricAlarms } = await client.send(
    new DescribeAlarmsCommand({
      AlarmNames: [alarms.composite, ...wanted.map(({ alarm }) => alarm)],
      AlarmTypes: ["CompositeAlarm", "MetricAlarm"],
    }),
  );
  const composite = CompositeAlarms?.[0];
  if (!composite?.StateValue) {
    throw new Error(`CloudWatch does not know the alarm ${alarms.composite}`);
  }
  const since = (
    alarm: Pick<MetricAlarm, "StateTransitionedTimestamp" | "StateUpdatedTimestamp">,
  ) => (alarm.StateTransitionedTimestamp ?? alarm.StateUpdatedTimestamp)?.getTime();
  return {
    current: {
      state: composite.StateValue,
      key: `${alarms.composite}@${since(composite) ?? 0}`,
    },
    observations: wanted.flatMap((each): Observation[] => {
      const found = MetricAlarms?.find(({ AlarmName }) => AlarmName === each.alarm);
      if (!found?.StateValue) return [];
      return [{ ...each, state: found.StateValue, sinceMilliseconds: since(found) ?? now }];
    }),
  };
};

const pageId = (region: string, kind: string) => `page#${region}#${kind}`;

const paging = (
  runtime: Runtime,
  here: string,
  client: CloudWatchClient,
  table: Coordination,
): PagingPorts => {
  const { name } = linked<{ name: string }>(runtime, "JournalTable");
  const tables = new DynamoDBClient(clientOptions(runtime, here));
  const people = runtime.config.slack.operators.map(({ user }) => user);
  const slack = operatorsChannel(runtime, slackCredentials(runtime), {
    timeoutSeconds: 5,
    attempts: 2,
  });
  return {
    memory: new Set(),
    told: async (region, kind) => {
      const item = await table.read(pageId(region, kind));
      return typeof item?.key === "string" ? item.key : null;
    },
    rememberTold: async (region, { kind, key }) => {
      const atMilliseconds = Math.floor(runtime.clock.now());
      await table.write(pageId(region, kind), { set: { key, atMilliseconds } });
    },
    post: (region, text) => slack.post(escalation(region, people, text)),
    count: async (region) => {
      const MetricData = [
        {
          MetricName: "PageDue",
          Value: 1,
          Timestamp: new Date(runtime.clock.now()),
          Dimensions: [{ Name: "Region", Value: region }],
        },
      ];
      await client.send(
        new PutMetricDataCommand({ Namespace: metricNamespace(runtime), MetricData }),
      );
    },
    endOf: async (run) => {
      // A run is executed, and so recorded, in the region that it was to move to: this one.
      const entries = await journal(dynamodbJournal(tables, name)).read(run);
      const last = entries.findLast(({ data }) => typeof data?.to === "string");
      if (!last) return "Its journal says nothing of an end.";
      const notes = Array.isArray(last.data?.notes) ? last.data.notes : [];
      return inSentences([last.text, ...notes.map(String)]);
    },
    newest: async (run) => {
      const entries = await journal(dynamodbJournal(tables, name)).read(run);
      const last = entries.findLast(({ kind }) => kind !== "refused") ?? entries.at(-1);
      if (!last || hasEnded(entries, last)) return null;
      const { kind, text, atMilliseconds } = last;
      const { approvalExpirySeconds } = runtime.config.failover;
      const asksSeconds = kind === "asked" ? approvalExpirySeconds : 0;
      return { kind, text, atMilliseconds, patienceSeconds: asksSeconds + silentSeconds };
    },
  };
};

/** A run that was carried on has written again after its end. */
const hasEnded = (entries: Entry[], last: Entry): boolean => {
  const ends = states.filter(isFinal);
  const end = entries.findLast(({ data }) => ends.some((state) => state === data?.to));
  return end !== undefined && end.sequence >= last.sequence;
};

const deploys = (
  runtime: Runtime,
  region: string,
  AutoScalingGroupName: string,
  table: Coordination,
): DeployPorts => {
  const client = new AutoScalingClient(clientOptions(runtime, region));
  return {
    region,
    now: runtime.clock.now,
    /** The newest is first. Source: DescribeInstanceRefreshes, "sorted by creation timestamp". */
    newestRefresh: async (): Promise<Refresh | null> => {
      const { InstanceRefreshes } = await client.send(
        new DescribeInstanceRefreshesCommand({ AutoScalingGroupName, MaxRecords: 1 }),
      );
      const newest = InstanceRefreshes?.[0];
      if (!newest) return null;
      return {
        id: newest.InstanceRefreshId ?? "without an id",
        status: newest.Status ?? "in an unknown state",
        startedAtMilliseconds: newest.StartTime?.getTime() ?? Math.floor(runtime.clock.now()),
        endedAtMilliseconds: newest.EndTime?.getTime() ?? null,
        percentComplete: newest.PercentageComplete ?? 0,
      };
    },
    declare: (upheaval) => declareUpheaval(table, upheaval),
  };
};
