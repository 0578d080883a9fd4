import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { type DBInstance, DescribeDBInstancesCommand, RDSClient } from "@aws-sdk/client-rds";
import { standingOf } from "../../shared/abort.ts";
import type { CallBounds } from "../../shared/clients.ts";
import { clientOptions } from "../../shared/clients.ts";
import { readContact } from "../../shared/contact.ts";
import { coordination } from "../../shared/coordination.ts";
import { dynamodbJournal, journal } from "../../shared/journal.ts";
import { readLease } from "../../shared/lease.ts";
import { observed } from "../../shared/outcome.ts";
import { readPause } from "../../shared/pause.ts";
import { readProposal } from "../../shared/proposal.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { linked } from "../../shared/runtime.ts";
import { lossOf } from "../failover/decide.ts";
import type { RemediatedLink } from "./aws.ts";
import type { LostRegionSeen, SourceSeen, StandbySeen } from "./evidence-database.ts";
import { levelsOf } from "./looks-database-aws.ts";
import type { Subject } from "./playbooks.ts";
import { asking } from "./sessions-aws.ts";
import { reader } from "./signals-aws.ts";

/** The other region may be silent, and its numbers only explain: they are asked for once. */
const once: CallBounds = { attempts: 1, connectSeconds: 2, answerSeconds: 5 };

/** What lies in two regions: a replica and its source, and a region that observers say is lost. */
export const regionLooksOf = (runtime: Runtime, region: string, link: RemediatedLink) => {
  const rds = new RDSClient(clientOptions(runtime, region));
  const own = async (): Promise<DBInstance> => {
    const { DBInstances } = await rds.send(
      new DescribeDBInstancesCommand({ DBInstanceIdentifier: link.databaseId }),
    );
    const instance = DBInstances?.[0];
    if (!instance) throw new Error(`RDS does not know ${link.databaseId} in ${region}`);
    return instance;
  };
  return {
    standby: standbyLook(runtime, region, link.databaseId, own),
    source: async (): Promise<SourceSeen> => {
      const { ReadReplicaSourceDBInstanceIdentifier: name } = await own();
      if (!name) throw new Error(`${link.databaseId} in ${region} is no replica`);
      const at = sourceOf(name, region);
      const names = ["CPUUtilization", "OldestReplicationSlotLag", "TransactionLogsDiskUsage"];
      const series = reader(runtime, at.region, once);
      const levels = await levelsOf(series, runtime.clock.now(), at.id, [...names, "WriteIOPS"]);
      const none = { now: null, before: null };
      const [cpuPercent = none, slotLagBytes = none, logBytes = none, writes = none] = levels;
      return { ...at, cpuPercent, slotLagBytes, logBytes, writesPerSecond: writes };
    },
    lostRegion: lostRegionLook(runtime, region),
  };
};

const otherThan = ({ config }: Runtime, region: string): string => {
  const { primary, standby } = config.regions;
  return region === primary ? standby : primary;
};

/** A source in another region is named by its ARN, `arn:aws:rds:<region>:<account>:db:<id>`. */
const sourceOf = (name: string, region: string): { region: string; id: string } => {
  const parts = name.split(":");
  return parts.length < 7
    ? { region, id: name }
    : { region: parts[3] ?? region, id: parts.slice(6).join(":") };
};

const standbyLook =
  (runtime: Runtime, region: string, id: string, own: () => Promise<DBInstance>) =>
  async (): Promise<StandbySeen> => {
    const { now } = runtime.clock;
    const ask = asking(runtime, region);
    const table = coordination(runtime);
    const [instance, position, contact] = await Promise.all([
      own(),
      observed("database", now, () => ask({ do: "position" })),
      observed(
        "coordination table",
        now,
        async () => (await readContact(table, otherThan(runtime, region))) ?? null,
      ),
    ]);
    const replication = (instance.StatusInfos ?? []).find(
      ({ StatusType }) => StatusType === "read replication",
    );
    const { failover } = runtime.config;
    const told = contact.known ? contact.value?.contactAtMilliseconds : undefined;
    return {
      id,
      status: instance.DBInstanceStatus ?? "unknown",
      isReplica: instance.ReadReplicaSourceDBInstanceIdentifier !== undefined,
      replication: replication
        ? { status: replication.Status ?? "unknown", message: replication.Message ?? "" }
        : null,
      loss: lossOf({ position, contact }, failover),
      limitSeconds: failover.maximumLagSeconds,
      sourceGuardSeconds: told === undefined ? null : (now() - told) / 1000,
    };
  };

/** What detection has made of the alarm about the region that is its resource. */
const lostRegionLook = (runtime: Runtime, region: string) => {
  const table = coordination(runtime);
  const tables = new DynamoDBClient(clientOptions(runtime, region));
  return async ({ resource }: Subject): Promise<LostRegionSeen> => {
    if (resource === null) throw new Error("the alarm does not say which region it is about");
    const { name } = linked<{ name: string }>(runtime, "JournalTable");
    const [lease, pause, proposal] = await Promise.all([
      readLease(table),
      readPause(table),
      readProposal(table, resource),
    ]);
    const entries = proposal ? await journal(dynamodbJournal(tables, name)).read(proposal.run) : [];
    const newest = entries.at(-1);
    const { settledAtMilliseconds: settled } = lease;
    return {
      lease: {
        region: lease.region,
        state: lease.state,
        holder: lease.holder,
        settledSeconds: settled === undefined ? null : (runtime.clock.now() - settled) / 1000,
      },
      pause,
      proposal,
      run: newest
        ? {
            ended: standingOf(entries).ended,
            text: newest.text,
            atMilliseconds: newest.atMilliseconds,
          }
        : null,
    };
  };
};
