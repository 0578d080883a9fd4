import { assemble } from "../../functions/slack/handler.ts";
import type { HttpAnswer } from "../../functions/slack/slack.ts";
import { dynamodb } from "../../local/aws/dynamodb.ts";
import type { TableDefinition } from "../../local/aws/dynamodb-store.ts";
import { endpoint } from "../../local/aws/endpoint.ts";
import { secretsmanager } from "../../local/aws/secretsmanager.ts";
import type { Service } from "../../local/aws/service.ts";
import { AwsError } from "../../local/aws/service.ts";
import { frugal, inProcess } from "../../local/aws/transport.ts";
import { urlEvent } from "../../local/lambda/url.ts";
import { network } from "../../local/network.ts";
import type { SignedHttpRequest } from "../../local/slack/signed.ts";
import { slackStandIn } from "../../local/slack/slack.ts";
import type { Timeline } from "../../local/time/timeline.ts";
import { virtualTimeline } from "../../local/time/virtual.ts";
import config from "../../nightshift.config.ts";
import type { Clock } from "../../shared/clock.ts";
import { seededRandom } from "../../shared/random.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { systemWeb } from "../../shared/web.ts";

export const here = config.regions.standby;
export const startedAt = Date.UTC(2026, 10, 22, 3, 0, 0);

const place = {
  workspace: config.slack.workspace,
  channel: config.slack.channel,
  botToken: "a-bot-token-that-is-secret",
  signingSecret: "a-signing-secret-that-is-secret",
};

const clockOn = (timeline: Timeline): Clock => ({
  now: timeline.now,
  sleep: (milliseconds, signal) =>
    new Promise((resolve, reject) => {
      const timer = timeline.after(milliseconds, resolve);
      signal?.addEventListener("abort", () => {
        timer.cancel();
        reject(signal.reason);
      });
    }),
});

/** As much of Lambda as the front door calls; keeps what it was told. */
const recordingLambda = () => {
  const invocations: { name: string; execution: string; type: string; payload: unknown }[] = [];
  const callbacks: string[] = [];
  let refusal: AwsError | undefined;
  const service: Service = {
    name: "lambda",
    operations: {
      Invoke: (input: Record<string, unknown>) => {
        if (refusal) throw refusal;
        invocations.push({
          name: String(input.FunctionName),
          execution: String(input.DurableExecutionName),
          type: String(input.InvocationType),
          payload: JSON.parse(Buffer.from(input.Payload as Uint8Array).toString()),
        });
        return { StatusCode: 202 };
      },
      SendDurableExecutionCallbackSuccess: (input: Record<string, unknown>) => {
        if (refusal) throw refusal;
        callbacks.push(String(input.CallbackId));
        return {};
      },
    },
  };
  const refuse = (shape: string) => void (refusal = new AwsError(shape, "refused"));
  return { service, invocations, callbacks, refuse };
};

const { primary, standby, witness } = config.regions;

const tableDefinitions: TableDefinition[] = [
  {
    name: "coordination",
    key: { hash: "id" },
    consistency: "strong",
    replicas: [primary, standby, witness],
  },
  {
    name: "journal",
    key: { hash: "run", range: "sequence" },
    keyTypes: { sequence: "N" },
    consistency: "eventual",
    replicas: [primary, standby],
  },
];

const environment = (secretArn: string) => ({
  AWS_REGION: here,
  AWS_ACCESS_KEY_ID: "AKIDLOCAL",
  AWS_SECRET_ACCESS_KEY: "local",
  SST_RESOURCE_CoordinationTable: '{"name":"coordination"}',
  SST_RESOURCE_JournalTable: '{"name":"journal"}',
  SST_RESOURCE_FailoverFunction: '{"name":"failover"}',
  SST_RESOURCE_SlackSecret: JSON.stringify({ arn: secretArn }),
});

/** The front door on the local AWS, in one process and in virtual time. */
export const stage = async () => {
  const timeline = virtualTimeline(startedAt);
  const faults = network();
  const random = seededRandom("front door");
  const surroundings = { timeline, random, network: faults, account: "123456789012" };
  const lambda = recordingLambda();
  const tables = dynamodb(surroundings, tableDefinitions);
  const secrets = secretsmanager(surroundings);
  const aws = endpoint(surroundings, [tables.service, secrets.service, lambda.service]);
  await aws.ready();
  const secret = { signingSecret: place.signingSecret, botToken: place.botToken };
  const call = { service: "secretsmanager", operation: "CreateSecret", region: here, from: here };
  const create = secrets.service.operations.CreateSecret as unknown as (
    input: object,
    call: object,
  ) => { ARN: string };
  const { ARN } = create(
    { Name: "slack", SecretString: JSON.stringify(secret) },
    { ...call, account: "123456789012" },
  );
  const transport = inProcess(aws, here, timeline);
  const slack = slackStandIn(timeline, place);
  const lines: string[] = [];
  const runtime: Runtime = {
    environment: environment(ARN),
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
    slack,
    place,
    runtime,
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
