import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  ResourceNotFoundException,
  RotateSecretCommand,
  SecretsManagerClient,
  StopReplicationToReplicaCommand,
} from "@aws-sdk/client-secrets-manager";
import { clientOptions } from "../../shared/clients.ts";
import { longestOverlapSeconds } from "../../shared/config-rotation.ts";
import { coordination } from "../../shared/coordination.ts";
import { whileFrozen } from "../../shared/freeze.ts";
import { whilePaused } from "../../shared/pause.ts";
import { waitingSince, whenRotated } from "../../shared/rotation.ts";
import { type Ordered, orderedKinds } from "../../shared/rotation-order.ts";
import {
  longestRotationDays,
  rotationCron,
  rotationWindowHours,
} from "../../shared/rotation-schedule.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { linked, regionOf } from "../../shared/runtime.ts";
import type { RotatedLink } from "./aws.ts";
import { holderOf } from "./decide.ts";
import type { KeepPorts, KeptSecret, SecretStanding } from "./keeping.ts";
import type { Ports } from "./ports.ts";

/** No value is changed, and no instance: only a move, a pause and a window of people hold it back. */
const harmless = ["rotation", "deploy", "verification"];

/** What the hourly look works with: the secrets of this region, and what the four steps know already. */
export const keepPorts = (
  runtime: Runtime,
  { activeRegion, readPause, readFreezes, readFlight, now }: Ports,
): KeepPorts => {
  const region = regionOf(runtime);
  const { secrets, self } = linked<RotatedLink>(runtime, "Rotated");
  const table = coordination(runtime);
  const client = new SecretsManagerClient(clientOptions(runtime, region));
  const { rotation } = runtime.config;
  return {
    region,
    now,
    readFlight,
    secrets: secrets.flatMap(({ name, kind, scope }): KeptSecret[] => {
      const found = Object.entries(orderedKinds).find(([, one]) => one === kind);
      return found ? [{ name, scope, ordered: found[0] as Ordered }] : [];
    }),
    schedules: rotation?.schedules ?? {},
    overlapSeconds: longestOverlapSeconds(rotation),
    activeRegion,
    forbidden: async () =>
      whilePaused(await readPause()) ?? whileFrozen(await readFreezes(), harmless) ?? null,
    standing: (name) => standingOf(client, region, name),
    standAlone: async (SecretId) => {
      await client.send(new StopReplicationToReplicaCommand({ SecretId }));
    },
    switchOn: async (SecretId, schedule, ClientRequestToken) => {
      if (self === undefined) throw new Error("this function was not told its own ARN");
      const RotationRules = schedule
        ? { ScheduleExpression: rotationCron(schedule), Duration: `${rotationWindowHours}h` }
        : { AutomaticallyAfterDays: longestRotationDays };
      const on = { SecretId, ClientRequestToken, RotationRules, RotateImmediately: false };
      await client.send(new RotateSecretCommand({ ...on, RotationLambdaARN: self }));
    },
    rotatedAt: (name) => whenRotated(table, name),
    waitingSince: (name, version) => waitingSince(table, name, version, now()),
    newToken: () => runtime.random.id().padEnd(32, "0"),
  };
};

const standingOf = async (
  client: SecretsManagerClient,
  region: string,
  SecretId: string,
): Promise<SecretStanding> => {
  const found = await client.send(new DescribeSecretCommand({ SecretId }));
  const stages = found.VersionIdsToStages ?? {};
  const current = holderOf({ stages }, "AWSCURRENT");
  const waiting = holderOf({ stages }, "AWSPENDING");
  const has = async (VersionId: string): Promise<boolean> => {
    try {
      await client.send(new GetSecretValueCommand({ SecretId, VersionId }));
      return true;
    } catch (error) {
      if (error instanceof ResourceNotFoundException) return false;
      throw error;
    }
  };
  const primary = found.PrimaryRegion;
  return {
    replicaOf: primary === undefined || primary === region ? null : primary,
    isRotated: found.RotationEnabled === true,
    lastRotatedAtMilliseconds: found.LastRotatedDate?.getTime() ?? null,
    createdAtMilliseconds: found.CreatedDate?.getTime() ?? 0,
    pending:
      waiting === undefined || waiting === current
        ? null
        : { version: waiting, isEmpty: !(await has(waiting)) },
    hasValue: current !== undefined,
  };
};
