import { CloudWatchClient, DescribeAlarmsCommand } from "@aws-sdk/client-cloudwatch";
import { clientOptions, near } from "../../shared/clients.ts";
import { coordination } from "../../shared/coordination.ts";
import { invoker } from "../../shared/invoke.ts";
import { readLease } from "../../shared/lease.ts";
import { logger } from "../../shared/log.ts";
import { readPause } from "../../shared/pause.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { linked, regionOf } from "../../shared/runtime.ts";
import type { Observation } from "./decide.ts";
import type { DetectionPorts } from "./detection.ts";

interface RegionAlarmsLink extends Record<string, unknown> {
  /** By region: the composite alarm's name, and each observer's alarms below it. */
  regions: Record<string, { composite: string; observers: Record<string, string[]> }>;
}

const proposalId = (region: string) => `proposal#${region}`;

export const detectionPorts = (runtime: Runtime): DetectionPorts => {
  const here = regionOf(runtime);
  const { regions } = linked<RegionAlarmsLink>(runtime, "RegionAlarms");
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
    currentAlarm: async (name) => {
      const { CompositeAlarms } = await client.send(
        new DescribeAlarmsCommand({ AlarmNames: [name], AlarmTypes: ["CompositeAlarm"] }),
      );
      const alarm = CompositeAlarms?.[0];
      if (!alarm?.StateValue) throw new Error(`CloudWatch does not know the alarm ${name}`);
      const since = alarm.StateTransitionedTimestamp ?? alarm.StateUpdatedTimestamp;
      return { state: alarm.StateValue, key: `${name}@${since?.getTime() ?? 0}` };
    },
    observations: async (region) => {
      const observers = regions[region]?.observers ?? {};
      const { MetricAlarms } = await client.send(
        new DescribeAlarmsCommand({
          AlarmNames: Object.values(observers).flat(),
          AlarmTypes: ["MetricAlarm"],
        }),
      );
      const all = Object.entries(observers).flatMap(([observer, alarms]) =>
        alarms.map((alarm) => ({ observer, alarm })),
      );
      return all.flatMap(({ observer, alarm }): Observation[] => {
        const found = MetricAlarms?.find(({ AlarmName }) => AlarmName === alarm);
        if (!found?.StateValue) return [];
        const since = found.StateTransitionedTimestamp ?? found.StateUpdatedTimestamp;
        const sinceMilliseconds = since?.getTime() ?? runtime.clock.now();
        return [{ observer, alarm, state: found.StateValue, sinceMilliseconds }];
      });
    },
    readLease: () => readLease(table),
    readPause: () => readPause(table),
    proposedFor: async (region) => {
      const item = await table.read(proposalId(region));
      return typeof item?.key === "string" ? item.key : null;
    },
    rememberProposal: async (region, key, run) => {
      await table.write(proposalId(region), { set: { key, run } });
    },
    startFailover: (request) => functions.tell(here, failover.name, request, request.run),
    log: (message, fields) => log.info(message, fields),
  };
};
