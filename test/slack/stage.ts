import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { assemble } from "../../functions/slack/handler.ts";
import type { HttpAnswer } from "../../functions/slack/slack.ts";
import { dynamodb } from "../../local/aws/dynamodb.ts";
import type { Observer } from "../../local/aws/endpoint.ts";
import { endpoint } from "../../local/aws/endpoint.ts";
import { secretsmanager } from "../../local/aws/secretsmanager.ts";
import type { Call, Service } from "../../local/aws/service.ts";
import { AwsError } from "../../local/aws/service.ts";
import { frugal, inProcess } from "../../local/aws/transport.ts";
import { urlEvent } from "../../local/lambda/url.ts";
import { network } from "../../local/network.ts";
import type { SignedHttpRequest } from "../../local/slack/signed.ts";
import { slackStandIn } from "../../local/slack/slack.ts";
import { virtualTimeline } from "../../local/time/virtual.ts";
import config from "../../nightshift.config.ts";
import { clientOptions } from "../../shared/clients.ts";
import { dynamodbJournal } from "../../shared/journal.ts";
import { seededRandom } from "../../shared/random.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { systemWeb } from "../../shared/web.ts";
import { clockOn } from "../clock.ts";
import { tableDefinitions } from "../tables.ts";

export const here = config.regions.standby;
export const startedAt = Date.UTC(2026, 10, 22, 3, 0, 0);

const place = {
  workspace: config.slack.workspace,
  channel: config.slack.channel,
  botToken: "a-bot-token-that-is-secret",
  signingSecret: "a-signing-secret-that-is-secret",
};

/** As much of Lambda as the front door calls; keeps what it was told. */
const recordingLambda = () => {
  const invocations: {
    name: string;
    region: string;
    execution: string;
    type: string;
    payload: unknown;
  }[] = [];
  const callbacks: string[] = [];
  const wokenIn: string[] = [];
  const over = new Set<string>();
  let refusal: AwsError | undefined;
  const service: Service = {
    name: "lambda",
    operations: {
      Invoke: (input: Record<string, unknown>, call: Call) => {
        if (refusal) throw refusal;
        const taken = invocations.some(({ execution }) => execution === input.DurableExecutionName);
        if (taken) throw new AwsError("DurableExecutionAlreadyStartedException", "taken");
        invocations.push({
          name: String(input.FunctionName),
          region: call.region,
          execution: String(input.DurableExecutionName),
          type: String(input.InvocationType),
          payload: JSON.parse(Buffer.from(input.Payload as Uint8Array).toString()),
        });
        return { StatusCode: 202 };
      },
      ListDurableExecutionsByFunction: (input: Record<string, unknown>) => {
        if (refusal) throw refusal;
        // Executions are of versions: an alias is none.
        if (String(input.FunctionName).includes(":")) {
          throw new AwsError("InvalidParameterValueException", "an alias is no version");
        }
        const DurableExecutions = invocations.map(({ execution }) => ({
          DurableExecutionName: execution,
          Status: over.has(execution) ? "FAILED" : "RUNNING",
        }));
        return { DurableExecutions };
      },
      SendDurableExecutionCallbackSuccess: (input: Record<string, unknown>, call: Call) => {
        if (refusal) throw refusal;
        callbacks.push(String(input.CallbackId));
        wokenIn.push(call.region);
        return {};
      },
    },
  };
  const refuse = (shape: string) => void (refusal = new AwsError(shape, "refused"));
  /** The execution fails, and its run writes nothing of that. */
  const fail = (execution: string) => void over.add(execution);
  return { service, invocations, callbacks, wokenIn, refuse, fail };
};

const environment = (secretArn: string) => ({
  AWS_REGION: here,
  AWS_ACCESS_KEY_ID: "AKIDLOCAL",
  AWS_SECRET_ACCESS_KEY: "local",
  SST_RESOURCE_CoordinationTable: '{"name":"coordination"}',
  SST_RESOURCE_JournalTable: '{"name":"journal"}',
  SST_RESOURCE_FailoverFunction: '{"name":"failover"}',
  SST_RESOURCE_SlackSecret: JSON.stringify({ arn: secretArn }),
});

/** Lets calls go unanswered by what they are about. */
const silencer = () => {
  let silenced: string | undefined;
  const observe: Observer = {
    before: (_call, input) =>
      silenced !== undefined && JSON.stringify(input).includes(silenced) ? "silence" : undefined,
  };
  return { observe, silence: (word: string) => void (silenced = word) };
};

/** Calls of Secrets Manager by somebody else. */
const askerOf =
  ({ service }: ReturnType<typeof secretsmanager>) =>
  (operation: string, input: object): { ARN: string } => {
    const call = { service: "secretsmanager", operation, region: here, from: here };
    const act = service.operations[operation] as unknown as (
      input: object,
      call: object,
    ) => { ARN: string };
    return act(input, { ...call, account: "123456789012" });
  };

/** Keeps the secret that Slack and the front door share; gives its ARN. */
const keepSecret = (ask: ReturnType<typeof askerOf>): string => {
  const secret = { signingSecret: place.signingSecret, botToken: place.botToken };
  const ClientRequestToken = "first".padEnd(32, "0");
  const SecretString = JSON.stringify(secret);
  return ask("CreateSecret", { Name: "slack", ClientRequestToken, SecretString }).ARN;
};

/** The front door on the local AWS, in one process and in virtual time. */
export const stage = async () => {
  const timeline = virtualTimeline(startedAt);
  const faults = network();
  const random = seededRandom("front door");
  const surroundings = { timeline, random, network: faults, account: "123456789012" };
  const lambda = recordingLambda();
  const tables = dynamodb(surroundings, tableDefinitions);
  const secrets = secretsmanager(surroundings);
  const askSecrets = askerOf(secrets);
  const { observe, silence } = silencer();
  const services = [tables.service, secrets.service, lambda.service];
  const aws = endpoint(surroundings, services, { observe });
  await aws.ready();
  const transport = inProcess(aws, here, timeline);
  const slack = slackStandIn(timeline, place);
  const lines: string[] = [];
  const runtime: Runtime = {
    environment: environment(keepSecret(askSecrets)),
    clock: clockOn(timeline),
    random: seededRandom("handler"),
    web: systemWeb,
    config,
    write: (line) => void lines.push(line),
    aws: ({ answerSeconds }) => ({
      ...frugal,
      requestHandler: transport.bounded(answerSeconds * 1000),
    }),
    fetch: slack.fetch as unknown as typeof fetch,
  };
  const handle = assemble(runtime) as unknown as (event: object) => Promise<HttpAnswer>;
  const about = { id: "url", domain: "url.example", requestId: "r", account: "123456789012" };
  const send = ({ method, headers, body }: SignedHttpRequest) =>
    handle(
      urlEvent(
        { method, target: "/", headers, body: Buffer.from(body) },
        { ...about, now: timeline.now() },
      ),
    );
  return {
    timeline,
    faults,
    lambda,
    askSecrets,
    slack,
    place,
    runtime,
    /** The journal's table as a run in `region` has it. */
    journalIn: (region: string) =>
      dynamodbJournal(new DynamoDBClient(clientOptions(runtime, region)), "journal"),
    /** Calls whose input has `word` in it are never answered. */
    silence,
    lines,
    handle,
    send,
    /** Lets time pass until the answer is there: for when something is silent. */
    sendAndWait: async (request: SignedHttpRequest) => {
      const sentAt = timeline.now();
      const answer = send(request).then((answer) => ({
        ...answer,
        tookSeconds: (timeline.now() - sentAt) / 1000,
      }));
      return timeline.run(answer, 60_000);
    },
  };
};

export const spoken = (answer: HttpAnswer): string =>
  String((JSON.parse(answer.body ?? "{}") as { text?: string }).text ?? "");
