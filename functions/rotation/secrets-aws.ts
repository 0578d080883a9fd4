import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  InvalidRequestException,
  PutSecretValueCommand,
  ResourceExistsException,
  ResourceNotFoundException,
  RotateSecretCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from "@aws-sdk/client-secrets-manager";
import { clientOptions } from "../../shared/clients.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { parseSecret } from "../../shared/secret-value.ts";
import type { SecretValue } from "./kinds.ts";
import type { Ports } from "./ports.ts";

export type SecretPorts = Pick<
  Ports,
  "describe" | "read" | "put" | "moveCurrent" | "dropPending" | "askForRotation"
> & {
  /** Undefined when no version has the label, or that version has no content. */
  labelled(secret: string, label: string): Promise<SecretValue | undefined>;
};

/** The secrets of one region, in the words of rotation. No value of theirs is ever in an error. */
export const secretPorts = (runtime: Runtime, region: string): SecretPorts => {
  const client = new SecretsManagerClient(clientOptions(runtime, region));
  const versionOf = async (
    SecretId: string,
    which: { VersionId?: string; VersionStage?: string },
  ) => {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId, ...which }));
    return parseSecret(SecretId, SecretString ?? "");
  };
  const ifThere = async (secret: string, which: Parameters<typeof versionOf>[1]) => {
    try {
      return await versionOf(secret, which);
    } catch (error) {
      // A version without content is one that cannot be found.
      if (error instanceof ResourceNotFoundException) return undefined;
      throw error;
    }
  };
  return {
    describe: async (SecretId) => {
      const found = await client.send(new DescribeSecretCommand({ SecretId }));
      return {
        isRotated: found.RotationEnabled === true,
        isReplica: found.PrimaryRegion !== undefined && found.PrimaryRegion !== region,
        stages: found.VersionIdsToStages ?? {},
        replicas: (found.ReplicationStatus ?? []).map((replica) => ({
          region: replica.Region ?? "",
          status: replica.Status ?? "unknown",
          message: replica.StatusMessage ?? "",
        })),
      };
    },
    labelled: (secret, VersionStage) => ifThere(secret, { VersionStage }),
    read: (secret, VersionId) => ifThere(secret, { VersionId }),
    put: async (SecretId, ClientRequestToken, value, label) => {
      const SecretString = JSON.stringify(value);
      const put = { SecretId, ClientRequestToken, SecretString, VersionStages: [label] };
      try {
        await client.send(new PutSecretValueCommand(put));
        return true;
      } catch (error) {
        if (error instanceof ResourceExistsException) return false;
        throw error;
      }
    },
    moveCurrent: async (SecretId, MoveToVersionId, RemoveFromVersionId) => {
      const move = { SecretId, VersionStage: "AWSCURRENT", MoveToVersionId, RemoveFromVersionId };
      await client.send(new UpdateSecretVersionStageCommand(move));
    },
    dropPending: async (SecretId, RemoveFromVersionId) => {
      const drop = { SecretId, VersionStage: "AWSPENDING", RemoveFromVersionId };
      await client.send(new UpdateSecretVersionStageCommand(drop));
    },
    askForRotation: async (SecretId, ClientRequestToken) => {
      try {
        await client.send(new RotateSecretCommand({ SecretId, ClientRequestToken }));
        return true;
      } catch (error) {
        // "A previous rotation isn't complete. That rotation will be reattempted."
        const isOlder = error instanceof InvalidRequestException && /previous/.test(error.message);
        if (isOlder) return false;
        throw error;
      }
    },
  };
};
