import { DynamoDBClient, GetItemCommand } from "@aws-sdk/client-dynamodb";
import { DescribeDBInstancesCommand, RDSClient } from "@aws-sdk/client-rds";
import { endpoint } from "../local/aws/endpoint.ts";
import { listen } from "../local/aws/server.ts";
import type { Service } from "../local/aws/service.ts";
import { frugal, inProcess } from "../local/aws/transport.ts";
import { network } from "../local/network.ts";
import { virtualTimeline } from "../local/time/virtual.ts";
import { seededRandom } from "../shared/random.ts";

const region = "us-west-2";

const database = {
  DBInstanceIdentifier: "platform",
  DBInstanceStatus: "available",
  DBInstanceArn: "arn:aws:rds:us-west-2:123456789012:db:platform",
  Engine: "postgres",
  EngineVersion: "17.4",
  MultiAZ: true,
  Endpoint: { Address: "platform.us-west-2.rds.amazonaws.com", Port: 5432 },
  BackupRetentionPeriod: 7,
  InstanceCreateTime: new Date(0),
  StatusInfos: [{ StatusType: "read replication", Normal: true, Status: "replicating" }],
  VpcSecurityGroups: [{ VpcSecurityGroupId: "sg-1", Status: "active" }],
  TagList: [{ Key: "stage", Value: "production" }],
};
const lease = { pk: { S: "lease" }, epoch: { N: "3" }, region: { S: region } };

const services: Service[] = [
  { name: "rds", operations: { DescribeDBInstances: () => ({ DBInstances: [database] }) } },
  { name: "dynamodb", operations: { GetItem: () => ({ Item: lease }) } },
];

export interface Measured {
  name: string;
  /** Of one whole call, client included. Of the processor, so that other processes do not count. */
  processorMilliseconds: number;
  wallMilliseconds: number;
}

const measure = async (name: string, act: () => Promise<unknown>): Promise<Measured> => {
  for (let call = 0; call < 1000; call += 1) await act();
  const [wall, used] = [performance.now(), process.cpuUsage()];
  let calls = 0;
  for (; calls < 3000 && performance.now() - wall < 2000; calls += 1) await act();
  const { user, system } = process.cpuUsage(used);
  return {
    name,
    processorMilliseconds: (user + system) / 1000 / calls,
    wallMilliseconds: (performance.now() - wall) / calls,
  };
};

/** What one AWS call costs: in process with and without signatures, and over HTTP. */
export const measureEndpoint = async (): Promise<Measured[]> => {
  const timeline = virtualTimeline(Date.UTC(2026, 10, 22));
  const random = seededRandom(1);
  const surroundings = { timeline, random, network: network(), account: "123456789012" };
  const aws = endpoint(surroundings, services);
  await aws.ready();
  const listener = await listen(aws, region);
  const requestHandler = inProcess(aws, region, timeline);
  const ways: Record<string, object> = {
    "in process": { ...frugal, requestHandler },
    "in process, signed": { requestHandler },
    "over HTTP": { endpoint: listener.url },
  };
  const measured: Measured[] = [];
  for (const [way, options] of Object.entries(ways)) {
    const credentials = async () => ({ accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" });
    const common = { region, credentials, maxAttempts: 3, retryMode: "standard", ...options };
    const dynamodb = new DynamoDBClient(common);
    const rds = new RDSClient(common);
    const get = { TableName: "coordination", Key: { pk: { S: "lease" } }, ConsistentRead: true };
    measured.push(
      await measure(`DynamoDB GetItem ${way}`, () => dynamodb.send(new GetItemCommand(get))),
      await measure(`RDS DescribeDBInstances ${way}`, () =>
        rds.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier: "platform" })),
      ),
    );
    dynamodb.destroy();
    rds.destroy();
  }
  await listener.close();
  return measured;
};

if (import.meta.main) {
  for (const { name, processorMilliseconds, wallMilliseconds } of await measureEndpoint()) {
    const [processor, wall] = [processorMilliseconds.toFixed(3), wallMilliseconds.toFixed(3)];
    console.log(`${name.padEnd(44)} ${processor} ms of one core, ${wall} ms`);
  }
}
