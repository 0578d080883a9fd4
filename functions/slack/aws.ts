import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import {
  InvokeCommand,
  LambdaClient,
  ListDurableExecutionsByFunctionCommand,
  SendDurableExecutionCallbackSuccessCommand,
} from "@aws-sdk/client-lambda";
import { executionName } from "../../shared/again.ts";
import type { CallBounds } from "../../shared/clients.ts";
import { clientOptions, perRegion } from "../../shared/clients.ts";
import { coordination } from "../../shared/coordination.ts";
import { operatorsChannel, slackCredentials } from "../../shared/credentials.ts";
import { invoker } from "../../shared/invoke.ts";
import { dynamodbJournal, entryLimit, journal } from "../../shared/journal.ts";
import { logger } from "../../shared/log.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { linked, regionOf } from "../../shared/runtime.ts";
import { claimNonce } from "./nonces.ts";
import type { Runs } from "./orders.ts";
import { otherSecrets } from "./signing-aws.ts";
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
  const log = logger(runtime).with({ function: "slack", region });
  const read = slackCredentials(runtime);
  const others = otherSecrets(runtime, table, quick);
  const credentials = async () => {
    const known = await read();
    for (const value of Object.values(known)) log.hide(value);
    return known;
  };
  return {
    clock: runtime.clock,
    log,
    config: runtime.config,
    signingSecret: async () => (await credentials()).signingSecret,
    otherSecrets: async () => {
      const secrets = await others();
      for (const secret of secrets) log.hide(secret);
      return secrets;
    },
    claimNonce: (signature, timestampSeconds) =>
      claimNonce(table, signature, timestampSeconds, runtime.random.id()),
    table,
    runs: runsOf(runtime, quick),
    channel: operatorsChannel(runtime, credentials, {
      timeoutSeconds: answerSeconds / 3,
      attempts: 1,
    }),
    answerSeconds,
  };
};

/** The runs by way of the linked `FailoverFunction` and `JournalTable`, in any region. */
export const runsOf = (runtime: Runtime, bounds: CallBounds): Runs => {
  const failover = linked<{ name: string }>(runtime, "FailoverFunction");
  const { name: journalTable } = linked<{ name: string }>(runtime, "JournalTable");
  const lambda = perRegion((region) => new LambdaClient(clientOptions(runtime, region, bounds)));
  const tables = perRegion((region) => new DynamoDBClient(clientOptions(runtime, region, bounds)));
  const storeIn = (region: string) => dynamodbJournal(tables(region), journalTable);
  const begin = async (region: string, name: string, request: object, execution: string) => {
    const command = new InvokeCommand({
      FunctionName: name,
      InvocationType: "Event",
      Payload: Buffer.from(JSON.stringify(request)),
      DurableExecutionName: execution,
    });
    try {
      await lambda(region).send(command);
      return "started" as const;
    } catch (error) {
      // Somebody else, or an alarm, has asked for it: this run is the one they get.
      if (named(error, "DurableExecutionAlreadyStartedException")) return "joined" as const;
      throw error;
    }
  };
  return {
    start: (region, request) => {
      const again = request.kind === "carry-on";
      const execution = again ? executionName(request.run, request.again) : request.run;
      return begin(region, failover.name, request, execution);
    },
    // Linked when it is asked for: a platform may do without restore tests.
    verify: (region, request) => {
      const { name } = linked<{ name: string }>(runtime, "VerificationFunction");
      return begin(region, name, request, request.run);
    },
    rotate: (region, question) => {
      const { name } = linked<{ name: string }>(runtime, "RotationFunction");
      return invoker(runtime, bounds).ask(region, name, question);
    },
    status: async (region, execution) => {
      const { DurableExecutions = [] } = await lambda(region).send(
        new ListDurableExecutionsByFunctionCommand({
          FunctionName: withoutAlias(failover.name),
          DurableExecutionName: execution,
          MaxItems: 100,
        }),
      );
      // "Only executions with names that match this string": exactly, or as a part, is not said.
      // https://docs.aws.amazon.com/lambda/latest/api/API_ListDurableExecutionsByFunction.html
      const own = DurableExecutions.filter((each) => each.DurableExecutionName === execution);
      if (own.length === 0) return "none";
      return own.some(({ Status }) => Status === "RUNNING") ? "alive" : "over";
    },
    wake: async (region, callbackId) => {
      try {
        await lambda(region).send(
          new SendDurableExecutionCallbackSuccessCommand({ CallbackId: callbackId }),
        );
        return "woken";
      } catch (error) {
        if (named(error, "CallbackTimeoutException")) return "gone";
        if (named(error, "ResourceNotFoundException")) return "gone";
        throw error;
      }
    },
    entries: (region, run) => storeIn(region).list(run, 0, entryLimit),
    note: async (region, run, line) => void (await journal(storeIn(region)).append(run, line)),
  };
};

/**
 * Executions belong to versions, which an alias is not: by it none would be found, or the call be refused,
 * and a run that began before a deployment is of another version than the alias is now. Source:
 * ListDurableExecutionsByFunction, `Qualifier`: without one it is about all versions.
 */
const withoutAlias = (name: string): string => name.split(":")[0] ?? name;

const named = (error: unknown, name: string): boolean =>
  error instanceof Error && error.name === name;
