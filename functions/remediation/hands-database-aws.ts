import {
  DescribeDBInstancesCommand,
  DescribeEventsCommand,
  RDSClient,
  RebootDBInstanceCommand,
} from "@aws-sdk/client-rds";
import { clientOptions } from "../../shared/clients.ts";
import type { Runtime } from "../../shared/runtime.ts";
import type { FailoverStanding } from "./actions-database.ts";
import { change } from "./bounds.ts";

/** The newest of RDS's events is among the first page of an hour. */
const hourMinutes = 60;

/** RDS-EVENT-0013, -0015 and -0049, -0034. Source: "Amazon RDS event categories and event messages". */
const events = {
  started: /failover.* started/i,
  completed: /failover.* complete/i,
  abandoned: /(abandoning|not attempting).* failover/i,
};

export const failoverHands = (runtime: Runtime, region: string) => {
  const rds = new RDSClient(clientOptions(runtime, region));
  const changing = new RDSClient(clientOptions(runtime, region, change));
  return {
    failover: async (id: string): Promise<FailoverStanding> => {
      const [{ DBInstances }, { Events = [] }] = await Promise.all([
        rds.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier: id })),
        rds.send(
          new DescribeEventsCommand({
            SourceIdentifier: id,
            SourceType: "db-instance",
            Duration: hourMinutes,
            MaxRecords: 100,
          }),
        ),
      ]);
      const instance = DBInstances?.[0];
      if (!instance) throw new Error(`RDS does not know ${id} in ${region}`);
      const newest = (pattern: RegExp): number | null => {
        const found = Events.filter(({ Message }) => pattern.test(Message ?? ""));
        return found.length === 0
          ? null
          : Math.max(...found.map((each) => each.Date?.getTime() ?? 0));
      };
      return {
        status: instance.DBInstanceStatus ?? "unknown",
        multiAz: instance.MultiAZ ?? false,
        isReplica: instance.ReadReplicaSourceDBInstanceIdentifier !== undefined,
        instanceClass: instance.DBInstanceClass ?? "",
        zone: instance.AvailabilityZone ?? "",
        startedAtMilliseconds: newest(events.started),
        completedAtMilliseconds: newest(events.completed),
        abandonedAtMilliseconds: newest(events.abandoned),
      };
    },
    rebootWithFailover: async (DBInstanceIdentifier: string): Promise<void> => {
      await changing.send(
        new RebootDBInstanceCommand({ DBInstanceIdentifier, ForceFailover: true }),
      );
    },
  };
};
