import { afterEach } from "vitest";
import { dynamodb } from "../local/aws/dynamodb.ts";
import type { TableDefinition } from "../local/aws/dynamodb-store.ts";
import type { EndpointOptions } from "../local/aws/endpoint.ts";
import { endpoint } from "../local/aws/endpoint.ts";
import { frugal, inProcess } from "../local/aws/transport.ts";
import { network } from "../local/network.ts";
import { installTime } from "../local/time/install.ts";
import { virtualTimeline } from "../local/time/virtual.ts";
import config from "../nightshift.config.ts";
import { seededRandom } from "../shared/random.ts";
import type { Runtime } from "../shared/runtime.ts";
import { systemWeb } from "../shared/web.ts";
import { clockOn } from "./clock.ts";

/** Gives the process its own time back. */
let restore: (() => void) | undefined;
afterEach(() => restore?.());

export const { primary, standby, witness } = config.regions;

/** The two tables that all jobs share. */
export const tableDefinitions: TableDefinition[] = [
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

/** The two tables on the local AWS, in this process and in virtual time. */
export const tables = async (options: EndpointOptions = {}) => {
  const timeline = virtualTimeline(Date.UTC(2026, 10, 22, 3, 0, 0));
  const regions = network();
  const random = seededRandom("tables");
  const surroundings = { timeline, random, network: regions, account: "123456789012" };
  const service = dynamodb(surroundings, tableDefinitions);
  const aws = endpoint(surroundings, [service.service], options);
  await aws.ready();
  // The SDK waits between its tries on the global timers.
  restore = installTime(timeline);
  const runtimeIn = (region: string): Runtime => ({
    environment: {
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: "AKIDLOCAL",
      AWS_SECRET_ACCESS_KEY: "local",
      SST_RESOURCE_CoordinationTable: '{"name":"coordination"}',
      SST_RESOURCE_JournalTable: '{"name":"journal"}',
    },
    clock: clockOn(timeline),
    random,
    web: systemWeb,
    config,
    write: () => undefined,
    aws: ({ answerSeconds }) => ({
      ...frugal,
      requestHandler: inProcess(aws, region, timeline, {
        requestTimeoutMilliseconds: answerSeconds * 1000,
      }),
    }),
  });
  return { timeline, regions, runtimeIn };
};
