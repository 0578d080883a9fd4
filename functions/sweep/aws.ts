import { CloudWatchClient, PutMetricDataCommand } from "@aws-sdk/client-cloudwatch";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import {
  DeleteDBInstanceCommand,
  DescribeDBInstancesCommand,
  RDSClient,
} from "@aws-sdk/client-rds";
import { clientOptions, invocation, near } from "../../shared/clients.ts";
import { coordination } from "../../shared/coordination.ts";
import { copyLine, copyPattern, deleteAfterTag, isCopyOf, runTag } from "../../shared/copy.ts";
import { operatorsChannel, slackCredentials } from "../../shared/credentials.ts";
import { isNewDrift } from "../../shared/drift.ts";
import { driftWatch } from "../../shared/drift-aws.ts";
import { endFreeze, readFreezes } from "../../shared/freeze.ts";
import { fateOf, invoker } from "../../shared/invoke.ts";
import { dynamodbJournal, journal } from "../../shared/journal.ts";
import { readLease } from "../../shared/lease.ts";
import { escaped } from "../../shared/message.ts";
import { metricNamespace } from "../../shared/metrics.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { linked, regionOf } from "../../shared/runtime.ts";
import { readVerification } from "../../shared/verification.ts";
import type { InstanceSeen } from "./decide.ts";
import type { SweepPorts } from "./sweep.ts";

/** A region takes 40 instances unless AWS was asked for more. (Quotas for Amazon RDS.) */
const mostPages = 20;

/** What copies are called, and the databases of both regions by region. */
interface Swept extends Record<string, unknown> {
  prefix: string;
  databases: Record<string, string>;
}

export const sweepPorts = (runtime: Runtime): SweepPorts => {
  const region = regionOf(runtime);
  const { clock } = runtime;
  const { prefix, databases } = linked<Swept>(runtime, "Swept");
  const { primary, standby } = runtime.config.regions;
  const compare = driftWatch(runtime, databases);
  const { name: verification } = linked<{ name: string }>(runtime, "VerificationFunction");
  const { name: journalTable } = linked<{ name: string }>(runtime, "JournalTable");
  const table = coordination(runtime);
  const rds = new RDSClient(clientOptions(runtime, region));
  const tables = new DynamoDBClient(clientOptions(runtime, region));
  // Anew for each sweep: a run that lives writes on.
  const book = () => journal(dynamodbJournal(tables, journalTable));
  const by = `sweep in ${region}`;
  return {
    clock,
    region,
    instances: () => instancesOf(rds, prefix),
    isInJournal: async (run, copy) =>
      (await book().read(run)).some(({ key, data }) => key === copyLine && data?.copy === copy),
    fate: fateOf(runtime, region, verification),
    record: async ({ id, run, why }, atMilliseconds) => {
      const text = `Takes ${id} away: ${why}`;
      await book().append(run ?? "", { key: "swept", kind: "did", by, atMilliseconds, text });
    },
    destroy: async (id) => {
      if (!copyPattern(prefix).test(id)) throw new Error(`${id} is not the name of a copy`);
      await rds.send(
        new DeleteDBInstanceCommand({
          DBInstanceIdentifier: id,
          SkipFinalSnapshot: true,
          DeleteAutomatedBackups: true,
        }),
      );
    },
    holder: async () => {
      const all = await readFreezes(table, region, clock.now(), async () => false);
      return all.find(({ what }) => what === "verification")?.by ?? null;
    },
    release: (run) =>
      endFreeze(table, region, { what: "verification", by: run }, Math.floor(clock.now())),
    speak: async () => {
      const { name } = linked<{ name: string }>(runtime, "DatabaseFunction");
      await invoker(runtime, invocation).ask(region, name, manifestRequest(runtime));
    },
    drift: (active) => compare(active, active === primary ? standby : primary),
    isNews: (text) => isNewDrift(table, region, text, Math.floor(clock.now())),
    activeRegion: async () => (await readLease(table)).region,
    standing: () => readVerification(table, region),
    start: (due) => {
      const request = { ...due, by: "schedule", reason: "the daily restore test" };
      return invoker(runtime, near).tell(region, verification, request, due.run);
    },
    rotations: async () => {
      if (runtime.environment.SST_RESOURCE_RotationFunction === undefined) return null;
      const { name } = linked<{ name: string }>(runtime, "RotationFunction");
      return invoker(runtime, invocation).ask(region, name, { do: "keep" });
    },
    publish: publisher(runtime, region),
    tell: async (text) => {
      const bounds = { timeoutSeconds: 5, attempts: 2 };
      const slack = operatorsChannel(runtime, slackCredentials(runtime), bounds);
      const line = `▲ ${escaped(`${by}. ${text}`)}`.slice(0, 3000);
      const section = { type: "section" as const, text: { type: "mrkdwn" as const, text: line } };
      await slack.post({ text: line, blocks: [section] });
    },
  };
};

const publisher = (runtime: Runtime, region: string): SweepPorts["publish"] => {
  const metrics = new CloudWatchClient(clientOptions(runtime, region));
  return async (values) => {
    const MetricData = Object.entries(values).map(([MetricName, Value]) => ({
      ...{ MetricName, Value, Timestamp: new Date(runtime.clock.now()) },
      Dimensions: [{ Name: "Region", Value: region }],
    }));
    const Namespace = metricNamespace(runtime);
    await metrics.send(new PutMetricDataCommand({ Namespace, MetricData }));
  };
};

/** Of a night, so that a backup of any hour has one that is younger than `manifestHours`. */
const manifestEveryHours = 20;

const manifestRequest = ({ config, clock }: Runtime) => ({
  do: "manifest",
  takenAtMilliseconds: Math.floor(clock.now()),
  identity: config.domain.name,
  appendOnly: config.verification?.appendOnly ?? [],
  atMostEveryHours: manifestEveryHours,
});

const instancesOf = async (client: RDSClient, prefix: string): Promise<InstanceSeen[]> => {
  const all: InstanceSeen[] = [];
  let marker: string | undefined;
  for (let page = 0; page < mostPages; page += 1) {
    const { DBInstances, Marker } = await client.send(
      new DescribeDBInstancesCommand(marker ? { Marker: marker } : {}),
    );
    for (const { DBInstanceIdentifier: id = "", DBInstanceStatus, TagList } of DBInstances ?? []) {
      const tag = (name: string) => TagList?.find(({ Key }) => Key === name)?.Value ?? null;
      const run = tag(runTag);
      const end = Date.parse(tag(deleteAfterTag) ?? "");
      all.push({
        id,
        status: DBInstanceStatus ?? "unknown",
        isNamedAsOurs: copyPattern(prefix).test(id),
        run,
        isNamedByRun: run !== null && isCopyOf(prefix, run, id),
        deleteAfterMilliseconds: Number.isNaN(end) ? null : end,
      });
    }
    marker = Marker;
    if (!marker) return all;
  }
  throw new Error(`there are more than ${mostPages} pages of database instances`);
};
