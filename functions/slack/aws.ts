import { LambdaClient, SendDurableExecutionCallbackSuccessCommand } from "@aws-sdk/client-lambda";
import { approvals } from "../../shared/approval.ts";
import { clientOptions } from "../../shared/clients.ts";
import { readContact } from "../../shared/contact.ts";
import { coordination } from "../../shared/coordination.ts";
import { operatorsChannel, slackCredentials } from "../../shared/credentials.ts";
import { invoker } from "../../shared/invoke.ts";
import { nextRun, readLease } from "../../shared/lease.ts";
import { logger } from "../../shared/log.ts";
import { readPause } from "../../shared/pause.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { linked, regionOf } from "../../shared/runtime.ts";
import type { FailoverRequest } from "../failover/request.ts";
import { claimNonce } from "./nonces.ts";
import type { FrontDoor } from "./slack.ts";

/** Leaves half a second of Slack's three for the way. */
const usualAnswerSeconds = 2.5;

export const frontDoor = (runtime: Runtime): FrontDoor => {
  const region = regionOf(runtime);
  // Where time runs faster than the machine, the machine needs more of it.
  const answerSeconds = Number(runtime.environment.SLACK_ANSWER_SECONDS ?? usualAnswerSeconds);
  const quick = {
    attempts: 2,
    connectSeconds: answerSeconds / 5,
    answerSeconds: answerSeconds / 3,
  };
  const table = coordination(runtime);
  const functions = invoker(runtime, quick);
  const failover = linked<{ name: string }>(runtime, "FailoverFunction");
  const log = logger(runtime).with({ function: "slack", region });
  const read = slackCredentials(runtime);
  const credentials = async () => {
    const known = await read();
    for (const value of Object.values(known)) log.hide(value);
    return known;
  };
  const lambda = new LambdaClient(clientOptions(runtime, region, quick));
  return {
    clock: runtime.clock,
    log,
    config: runtime.config,
    signingSecret: async () => (await credentials()).signingSecret,
    claimNonce: (signature, timestampSeconds) =>
      claimNonce(table, signature, timestampSeconds, runtime.random.id()),
    readLease: () => readLease(table),
    readContact: (of) => readContact(table, of),
    readPause: () => readPause(table),
    startFailover: async (request) => {
      const run = nextRun(await readLease(table));
      const payload: FailoverRequest = { run, trigger: { by: "operator", ...request } };
      try {
        await functions.tell(region, failover.name, payload, run);
      } catch (error) {
        // Somebody else, or an alarm, has asked for the same move: this run is the one they get.
        if (!named(error, "DurableExecutionAlreadyStartedException")) throw error;
      }
      return { run };
    },
    answer: approvals(table).answer,
    wake: async (callbackId) => {
      try {
        await lambda.send(
          new SendDurableExecutionCallbackSuccessCommand({ CallbackId: callbackId }),
        );
        return "woken";
      } catch (error) {
        if (named(error, "CallbackTimeoutException")) return "gone";
        if (named(error, "ResourceNotFoundException")) return "gone";
        throw error;
      }
    },
    channel: operatorsChannel(runtime, credentials, {
      timeoutSeconds: answerSeconds / 3,
      attempts: 1,
    }),
    answerSeconds,
  };
};

const named = (error: unknown, name: string): boolean =>
  error instanceof Error && error.name === name;
