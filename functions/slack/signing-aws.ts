import {
  GetSecretValueCommand,
  ResourceNotFoundException,
  SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import { type CallBounds, clientOptions } from "../../shared/clients.ts";
import type { Coordination } from "../../shared/coordination.ts";
import { parseCredentials } from "../../shared/credentials.ts";
import { readFlight } from "../../shared/rotation.ts";
import { readMode } from "../../shared/rotation-order.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { linked, regionOf } from "../../shared/runtime.ts";
import type { OtherSecrets } from "./signing.ts";

/** Whoever sends nonsense has Secrets Manager asked no more often than this. */
const keepSeconds = 10;

/**
 * During a rotation of Slack's own secret: AWSCURRENT as it is now, since this function keeps what it has
 * read for five minutes; AWSPENDING, with which Slack signs as soon as the person has regenerated it; and
 * AWSPREVIOUS, but only until its overlap has ended, and not when somebody else may know it.
 */
export const otherSecrets = (
  runtime: Runtime,
  table: Coordination,
  bounds: CallBounds,
): OtherSecrets => {
  const client = new SecretsManagerClient(clientOptions(runtime, regionOf(runtime), bounds));
  const { arn: SecretId } = linked<{ arn: string }>(runtime, "SlackSecret");
  const labelled = async (VersionStage: string): Promise<string[]> => {
    try {
      const found = await client.send(new GetSecretValueCommand({ SecretId, VersionStage }));
      return [parseCredentials(found.SecretString ?? "").signingSecret];
    } catch (error) {
      // No version has that label, or it has no content yet.
      if (error instanceof ResourceNotFoundException) return [];
      throw error;
    }
  };
  const read = async (): Promise<string[]> => {
    const flight = await readFlight(table, "slack");
    const isOverlap = flight?.phase === "overlap";
    const isOldGood = isOverlap && (await readMode(table, flight.run)) !== "compromise";
    const labels = ["AWSCURRENT", "AWSPENDING", ...(isOldGood ? ["AWSPREVIOUS"] : [])];
    return (await Promise.all(labels.map(labelled))).flat();
  };
  let last: { secrets: Promise<string[]>; atMilliseconds: number } | undefined;
  return () => {
    const now = runtime.clock.now();
    if (!last || now - last.atMilliseconds >= keepSeconds * 1000) {
      last = { secrets: read(), atMilliseconds: now };
    }
    return last.secrets;
  };
};
