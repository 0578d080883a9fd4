import {
  AutoScalingClient,
  DescribeInstanceRefreshesCommand,
  InstanceRefreshInProgressFault,
  StartInstanceRefreshCommand,
} from "@aws-sdk/client-auto-scaling";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { clientOptions, invocation, perRegion } from "../../shared/clients.ts";
import { usualOverlap } from "../../shared/config-rotation.ts";
import { coordination } from "../../shared/coordination.ts";
import { operatorsChannel, slackCredentials } from "../../shared/credentials.ts";
import { declareFreeze, endFreeze } from "../../shared/freeze.ts";
import { invoker } from "../../shared/invoke.ts";
import { dynamodbJournal, journal } from "../../shared/journal.ts";
import { escalation } from "../../shared/message.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { linked, regionOf } from "../../shared/runtime.ts";
import { replacementWarmupSeconds } from "../../shared/warmup.ts";
import type { Logins } from "../database/decide.ts";
import type { Ports, Told } from "./retirement.ts";

interface RetiredLink extends Record<string, unknown> {
  /** Functions of the same names are in both regions. */
  rotation: string;
  database: string;
  autoScalingGroup: string;
}

/** While instances are replaced; declared anew for each round. */
const holdSeconds = 3600;

export const retirementPorts = (runtime: Runtime): Ports => {
  const here = regionOf(runtime);
  const { regions, rotation: policy } = runtime.config;
  const both = [here, here === regions.primary ? regions.standby : regions.primary];
  const link = linked<RetiredLink>(runtime, "Retired");
  const table = coordination(runtime);
  const functions = invoker(runtime, invocation);
  const tables = new DynamoDBClient(clientOptions(runtime, here));
  const { name } = linked<{ name: string }>(runtime, "JournalTable");
  const now = () => Math.floor(runtime.clock.now());
  return {
    clock: runtime.clock,
    regions: both,
    policy: {
      holdSeconds: policy?.holdSeconds ?? usualOverlap.holdSeconds,
      deadlineSeconds: policy?.deadlineSeconds ?? usualOverlap.deadlineSeconds,
    },
    ask: (region, question, { secret, token }) =>
      functions.ask<Told>(region, link.rotation, { do: question, secret, token }),
    sessions: async (region, role) => {
      const { roles } = await functions.ask<Logins>(region, link.database, { do: "logins" });
      const found = roles.find((one) => one.role === role);
      if (!found) throw new Error(`the database in ${region} has no login ${role}`);
      return found.sessions;
    },
    ...fleets(runtime, link.autoScalingGroup),
    hold: async (run, reason) => {
      const untilMilliseconds = now() + holdSeconds * 1000;
      const freeze = { what: "rotation" as const, by: run, reason, untilMilliseconds };
      for (const region of both) {
        const held = await declareFreeze(table, region, freeze, now());
        if ("refused" in held) throw new Error(held.refused.reason);
      }
    },
    letGo: async (run) => {
      for (const region of both) {
        await endFreeze(table, region, { what: "rotation", by: run }, now());
      }
    },
    // Anew each time: the rotation function writes the same run.
    record: async (run, line) => {
      const by = `retirement in ${here}`;
      const entry = { ...line, by, atMilliseconds: now() };
      await journal(dynamodbJournal(tables, name)).append(run, entry);
    },
    page: pager(runtime),
  };
};

const fleets = (
  runtime: Runtime,
  AutoScalingGroupName: string,
): Pick<Ports, "fleet" | "replaceFleet"> => {
  const client = perRegion((region) => new AutoScalingClient(clientOptions(runtime, region)));
  return {
    fleet: async (region, since) => {
      const command = new DescribeInstanceRefreshesCommand({
        AutoScalingGroupName,
        MaxRecords: 10,
      });
      const { InstanceRefreshes = [] } = await client(region).send(command);
      // Newest first. One that began before has instances that may have read the old value.
      const newest = InstanceRefreshes.find(
        ({ StartTime }) => (StartTime?.getTime() ?? 0) >= since,
      );
      const status = newest?.Status;
      if (status === undefined) return { status: null };
      if (status === "Successful") return { status: "done" };
      const isOver = ["Failed", "Cancelled", "RollbackSuccessful", "RollbackFailed"].includes(
        status,
      );
      return { status: isOver ? "failed" : "under-way" };
    },
    replaceFleet: async (region) => {
      // Never one instance less than there are: a place is made before one is taken.
      const Preferences = {
        MinHealthyPercentage: 100,
        MaxHealthyPercentage: 110,
        InstanceWarmup: replacementWarmupSeconds,
        SkipMatching: false,
      };
      const start = new StartInstanceRefreshCommand({ AutoScalingGroupName, Preferences });
      try {
        await client(region).send(start);
      } catch (error) {
        // Somebody's, or our own whose answer was lost: the next look tells.
        if (!(error instanceof InstanceRefreshInProgressFault)) throw error;
      }
    },
  };
};

const pager = (runtime: Runtime): Ports["page"] => {
  const people = runtime.config.slack.operators.map(({ user }) => user);
  const slack = operatorsChannel(runtime, slackCredentials(runtime), {
    timeoutSeconds: 5,
    attempts: 3,
  });
  return async (run, text) => {
    const posted = await slack.post(escalation(run, people, text));
    if (!posted.delivered) throw new Error(`nobody could be told of ${run}`);
  };
};
