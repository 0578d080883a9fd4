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
  /** By region: the composite alarm's name, and each observer's alarm below it. */
  regions: Record<string, { composite: string; observers: Record<string, string> }>;
}

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
    regionOfAlarm: (name) =>
      Object.keys(regions).find((region) => regions[region]?.composite === name),
    alarmState: async (name) => {
      const { CompositeAlarms } = await client.send(
        new DescribeAlarmsCommand({ AlarmNames: [name], AlarmTypes: ["CompositeAlarm"] }),
      );
      const state = CompositeAlarms?.[0]?.StateValue;
      if (!state) throw new Error(`CloudWatch does not know the alarm ${name}`);
      return { state };
    },
    observations: async (region) => {
      const observers = regions[region]?.observers ?? {};
      const { MetricAlarms } = await client.send(
        new DescribeAlarmsCommand({
          AlarmNames: Object.values(observers),
          AlarmTypes: ["MetricAlarm"],
        }),
      );
      return Object.entries(observers).flatMap(([observer, alarm]): Observation[] => {
        const found = MetricAlarms?.find(({ AlarmName }) => AlarmName === alarm);
        if (!found?.StateValue) return [];
        const since = found.StateTransitionedTimestamp ?? found.StateUpdatedTimestamp;
        const sinceMilliseconds = since?.getTime() ?? runtime.clock.now();
        return [{ observer, alarm, state: found.StateValue, sinceMilliseconds }];
      });
    },
    readLease: () => readLease(table),
    readPause: () => readPause(table),
    startFailover: (request) => functions.tell(here, failover.name, request, request.run),
    log: (message, fields) => log.info(message, fields),
  };
};
