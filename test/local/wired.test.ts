import {
  CloudWatchClient,
  DescribeAlarmHistoryCommand,
  DescribeAlarmsCommand,
  GetMetricDataCommand,
  PutCompositeAlarmCommand,
  PutMetricAlarmCommand,
  PutMetricDataCommand,
} from "@aws-sdk/client-cloudwatch";
import {
  ConditionalCheckFailedException,
  DescribeTableCommand,
  DynamoDBClient,
  GetItemCommand,
  QueryCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import {
  DescribeRuleCommand,
  EventBridgeClient,
  ListRulesCommand,
  PutEventsCommand,
  PutRuleCommand,
  PutTargetsCommand,
} from "@aws-sdk/client-eventbridge";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import {
  CreateScheduleCommand,
  GetScheduleCommand,
  ListSchedulesCommand,
  SchedulerClient,
} from "@aws-sdk/client-scheduler";
import {
  CreateSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  SecretsManagerClient,
  StopReplicationToReplicaCommand,
} from "@aws-sdk/client-secrets-manager";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { expect, it } from "vitest";
import { cloudwatch } from "../../local/aws/cloudwatch.ts";
import { dynamodb } from "../../local/aws/dynamodb.ts";
import { endpoint } from "../../local/aws/endpoint.ts";
import { eventbridge } from "../../local/aws/eventbridge.ts";
import { s3 } from "../../local/aws/s3.ts";
import { scheduler } from "../../local/aws/scheduler.ts";
import { secretsmanager } from "../../local/aws/secretsmanager.ts";
import { sts } from "../../local/aws/sts.ts";
import { frugal, inProcess } from "../../local/aws/transport.ts";
import { account, around, home, standby, witness } from "./asking.ts";

const detection = `arn:aws:lambda:${home}:${account}:function:detection`;

/** Seven services behind the endpoint, and the SDK's own clients in front of it. */
const cloud = async () => {
  const { timeline, surroundings } = around();
  const got: unknown[] = [];
  const ports = { invoke: (_region: string, _arn: string, event: unknown) => void got.push(event) };
  const bus = eventbridge(surroundings, ports);
  const table = {
    name: "coordination",
    key: { hash: "pk" },
    consistency: "strong" as const,
    replicas: [home, standby, witness],
  };
  const buckets = s3(surroundings);
  buckets.createBucket("evidence", home, { objectLock: true });
  const parts = [
    bus,
    buckets,
    cloudwatch(surroundings, { emit: bus.publish }),
    dynamodb(surroundings, [table]),
    scheduler(surroundings, ports),
    secretsmanager(surroundings),
    sts(surroundings),
  ];
  const aws = endpoint(
    surroundings,
    parts.map(({ service }) => service),
  );
  await aws.ready();
  const options = (region = home) => ({
    ...frugal,
    region,
    credentials: async () => ({ accessKeyId: `AKIA${account}`, secretAccessKey: "secret" }),
    maxAttempts: 1,
    retryMode: "standard",
    requestHandler: inProcess(aws, region, timeline),
  });
  return { timeline, got, options };
};

it("takes the lease by a conditional write through the SDK", async () => {
  const { options, timeline } = await cloud();
  const client = new DynamoDBClient(options());
  const claim = new UpdateItemCommand({
    TableName: "coordination",
    Key: { pk: { S: "lease" } },
    UpdateExpression: "SET epoch = :one",
    ConditionExpression: "attribute_not_exists(pk)",
    ExpressionAttributeValues: { ":one": { N: "1" } },
    ReturnValues: "ALL_NEW",
    ReturnValuesOnConditionCheckFailure: "ALL_OLD",
  });
  const Item = { pk: { S: "lease" }, epoch: { N: "1" } };
  expect((await client.send(claim)).Attributes).toEqual(Item);
  await timeline.advance(1000);
  const refused = await client.send(claim).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(ConditionalCheckFailedException);
  expect(refused).toMatchObject({ Item });
  const Key = { pk: { S: "lease" } };
  const TableName = "coordination";
  const read = new GetItemCommand({ TableName, Key, ConsistentRead: true });
  expect((await new DynamoDBClient(options(witness)).send(read)).Item).toEqual(Item);
  const query = new QueryCommand({
    TableName,
    KeyConditionExpression: "pk = :lease",
    ExpressionAttributeValues: { ":lease": { S: "lease" } },
  });
  expect((await client.send(query)).Items).toEqual([Item]);
  const { Table } = await client.send(new DescribeTableCommand({ TableName }));
  expect(Table?.MultiRegionConsistency).toBe("STRONG");
});

it("carries an alarm from a metric over the event bus to a function", async () => {
  const { options, timeline, got } = await cloud();
  const client = new CloudWatchClient(options());
  const events = new EventBridgeClient(options());
  const metric = { Namespace: "Nightshift", MetricName: "RegionReachable" };
  const EventPattern = JSON.stringify({
    source: ["aws.cloudwatch"],
    detail: { alarmName: ["lost"], state: { value: ["ALARM"] } },
  });
  await events.send(new PutRuleCommand({ Name: "lost", EventPattern }));
  const Targets = [{ Id: "detection", Arn: detection }];
  expect(await events.send(new PutTargetsCommand({ Rule: "lost", Targets }))).toMatchObject({
    FailedEntryCount: 0,
  });
  expect(await events.send(new DescribeRuleCommand({ Name: "lost" }))).toMatchObject({
    EventPattern,
  });
  expect((await events.send(new ListRulesCommand({}))).Rules).toHaveLength(1);
  await client.send(
    new PutMetricAlarmCommand({
      ...metric,
      AlarmName: "unreachable",
      Statistic: "Minimum",
      Period: 60,
      EvaluationPeriods: 1,
      Threshold: 1,
      ComparisonOperator: "LessThanThreshold",
    }),
  );
  await client.send(
    new PutCompositeAlarmCommand({ AlarmName: "lost", AlarmRule: "ALARM(unreachable)" }),
  );
  const MetricData = [{ MetricName: metric.MetricName, Value: 0 }];
  await client.send(new PutMetricDataCommand({ Namespace: metric.Namespace, MetricData }));
  await timeline.advance(120_000);
  expect(got).toMatchObject([{ detail: { alarmName: "lost", state: { value: "ALARM" } } }]);
  const seen = await client.send(
    new DescribeAlarmsCommand({ AlarmTypes: ["CompositeAlarm", "MetricAlarm"] }),
  );
  expect(seen).toMatchObject({
    CompositeAlarms: [{ AlarmName: "lost", StateValue: "ALARM" }],
    MetricAlarms: [{ AlarmName: "unreachable", StateUpdatedTimestamp: expect.any(Date) }],
  });
  const { AlarmHistoryItems } = await client.send(new DescribeAlarmHistoryCommand({}));
  expect(AlarmHistoryItems).toHaveLength(1);
  const { MetricDataResults } = await client.send(
    new GetMetricDataCommand({
      StartTime: new Date(timeline.now() - 600_000),
      EndTime: new Date(timeline.now()),
      MetricDataQueries: [{ Id: "m", MetricStat: { Metric: metric, Period: 60, Stat: "Minimum" } }],
    }),
  );
  expect(MetricDataResults?.[0]?.Values).toEqual([0]);
  const Entries = [{ Source: "nightshift", DetailType: "t", Detail: "{}" }];
  expect((await events.send(new PutEventsCommand({ Entries }))).FailedEntryCount).toBe(0);
});

it("replicates a secret and makes the replica a secret of its own", async () => {
  const { options, timeline } = await cloud();
  const client = new SecretsManagerClient(options());
  const there = new SecretsManagerClient(options(standby));
  const [Name, SecretId] = ["platform", "platform"];
  const AddReplicaRegions = [{ Region: standby }];
  await client.send(new CreateSecretCommand({ Name, SecretString: "{}", AddReplicaRegions }));
  await timeline.advance(60_000);
  expect(await client.send(new DescribeSecretCommand({ SecretId }))).toMatchObject({
    ReplicationStatus: [{ Region: standby, Status: "InSync" }],
    CreatedDate: expect.any(Date),
  });
  await there.send(new StopReplicationToReplicaCommand({ SecretId }));
  const value = await there.send(new GetSecretValueCommand({ SecretId }));
  expect(value).toMatchObject({ SecretString: "{}", VersionStages: ["AWSCURRENT"] });
});

it("keeps and gives back an object", async () => {
  const { options } = await cloud();
  const client = new S3Client(options());
  const object = { Bucket: "evidence", Key: "run/1.json" };
  const put = await client.send(new PutObjectCommand({ ...object, Body: "evidence" }));
  const read = await client.send(new GetObjectCommand(object));
  expect(await read.Body?.transformToString()).toBe("evidence");
  expect(await client.send(new HeadObjectCommand(object))).toMatchObject({
    ContentLength: 8,
    VersionId: put.VersionId,
  });
  const listed = await client.send(new ListObjectsV2Command({ Bucket: "evidence" }));
  expect(listed.Contents).toMatchObject([{ Key: "run/1.json", Size: 8 }]);
  expect(await client.send(new DeleteObjectCommand(object))).toMatchObject({ DeleteMarker: true });
  await expect(client.send(new GetObjectCommand(object))).rejects.toMatchObject({
    name: "NoSuchKey",
  });
});

it("fires a schedule that the SDK made, and knows who calls", async () => {
  const { options, timeline, got } = await cloud();
  const client = new SchedulerClient(options());
  await client.send(
    new CreateScheduleCommand({
      Name: "guard",
      ScheduleExpression: "rate(1 minute)",
      FlexibleTimeWindow: { Mode: "OFF" },
      Target: { Arn: detection, RoleArn: "arn:aws:iam::123456789012:role/r", Input: "[]" },
    }),
  );
  await timeline.advance(70_000);
  expect(got).toEqual([[]]);
  expect(await client.send(new GetScheduleCommand({ Name: "guard" }))).toMatchObject({
    State: "ENABLED",
    CreationDate: expect.any(Date),
  });
  const { Schedules } = await client.send(new ListSchedulesCommand({}));
  expect(Schedules).toMatchObject([{ Name: "guard" }]);
  await expect(client.send(new GetScheduleCommand({ Name: "none" }))).rejects.toMatchObject({
    name: "ResourceNotFoundException",
    message: "Schedule none does not exist.",
  });
  const identity = await new STSClient(options()).send(new GetCallerIdentityCommand({}));
  expect(identity.Account).toBe(account);
});
