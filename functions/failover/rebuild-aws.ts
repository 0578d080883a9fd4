import {
  AutoScalingClient,
  DescribeAutoScalingGroupsCommand,
  UpdateAutoScalingGroupCommand,
} from "@aws-sdk/client-auto-scaling";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import {
  AddTagsToResourceCommand,
  CreateDBInstanceReadReplicaCommand,
  type DBInstance,
  DBInstanceAutomatedBackupNotFoundFault,
  DBInstanceNotFoundFault,
  DescribeDBInstanceAutomatedBackupsCommand,
  DescribeDBInstancesCommand,
  ModifyDBInstanceCommand,
  RDSClient,
  RebootDBInstanceCommand,
  StartDBInstanceAutomatedBackupsReplicationCommand,
} from "@aws-sdk/client-rds";
import {
  DescribeSecretCommand,
  type DescribeSecretCommandOutput,
  ReplicateSecretToRegionsCommand,
  ResourceNotFoundException,
  SecretsManagerClient,
  StopReplicationToReplicaCommand,
} from "@aws-sdk/client-secrets-manager";
import { readAbort } from "../../shared/abort.ts";
import { approvals } from "../../shared/approval.ts";
import { clientOptions, invocation } from "../../shared/clients.ts";
import { coordination } from "../../shared/coordination.ts";
import { operatorsChannel, slackCredentials } from "../../shared/credentials.ts";
import { invoker } from "../../shared/invoke.ts";
import { dynamodbJournal, journal } from "../../shared/journal.ts";
import { readLease } from "../../shared/lease.ts";
import { escalation, type SlackMessage } from "../../shared/message.ts";
import { readPause } from "../../shared/pause.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { linked, regionOf } from "../../shared/runtime.ts";
import { publicSide, type StandbyLink } from "./aws.ts";
import type { Posted } from "./failover.ts";
import type { Instance, RebuildPorts, SecretCopy } from "./rebuild.ts";
import { publicRecords } from "./records-aws.ts";

/** The region on the other side, by the names that its own functions are linked to. */
interface OtherRegionLink extends Record<string, unknown> {
  database: string;
  autoScalingGroup: string;
  parameterGroup?: string;
  /** ARNs of its keys, where it has some of its own: of databases and their backups, of secrets. */
  dataKey?: string;
  secretsKey?: string;
}

export const rebuildPorts = (runtime: Runtime): RebuildPorts => {
  const here = regionOf(runtime);
  const { config, clock } = runtime;
  const { primary, standby } = config.regions;
  const away = here === primary ? standby : primary;
  const own = linked<StandbyLink>(runtime, "Standby");
  const other = linked<OtherRegionLink>(runtime, "OtherRegion");
  const database = linked<{ name: string }>(runtime, "DatabaseFunction");
  const guards = linked<Record<string, string>>(runtime, "GuardFunctions");
  const table = coordination(runtime);
  const functions = invoker(runtime, invocation);
  const names = publicRecords(runtime, table, own);
  const { publicView, changeRecords } = publicSide(runtime, own, names);
  return {
    name: `rebuild in ${here}`,
    clock,
    here,
    away,
    awayId: other.database,
    parameterGroup: other.parameterGroup ?? null,
    standbyMinimum: config.sizes.application.standbyMinimum,
    secretNames: [...own.secrets, ...(own.rotatedSecrets ?? [])],
    approvals: approvals(table),
    approvalExpirySeconds: config.failover.approvalExpirySeconds,
    readLease: () => readLease(table),
    readPause: () => readPause(table),
    readAbort: async (run) => (await readAbort(table, run)) ?? null,
    obeyAway: (epoch) => {
      const guard = guards[away];
      if (!guard) throw new Error(`no guard function of ${away} is linked`);
      return functions.ask(away, guard, { do: "obey", epoch });
    },
    awayPosition: () => functions.ask(away, database.name, { do: "position" }),
    ...databases(runtime, { here, away }, own.replica, other.database),
    ...replicaPorts(runtime, away, other),
    ...secrets(runtime, here, away, other.secretsKey),
    ...capacity(runtime, away, other.autoScalingGroup),
    ...names,
    publicView,
    forceRecords: changeRecords,
    ...telling(runtime, here),
  };
};

const quarantineTag = "nightshift:quarantined";

const instanceOf = (found: DBInstance): Instance => ({
  id: found.DBInstanceIdentifier ?? "",
  arn: found.DBInstanceArn ?? "",
  resourceId: found.DbiResourceId ?? "",
  status: found.DBInstanceStatus ?? "unknown",
  sourceArn: found.ReadReplicaSourceDBInstanceIdentifier ?? null,
  replicating: (found.StatusInfos ?? []).some(({ Status }) => Status === "replicating"),
  deletionProtected: found.DeletionProtection ?? false,
  quarantined: found.TagList?.find(({ Key }) => Key === quarantineTag)?.Value ?? null,
  backupRetentionDays: found.BackupRetentionPeriod ?? 0,
  instanceClass: found.DBInstanceClass ?? "",
  storageGigabytes: found.AllocatedStorage ?? 0,
  parameters: {
    group: found.DBParameterGroups?.[0]?.DBParameterGroupName ?? null,
    status: found.DBParameterGroups?.[0]?.ParameterApplyStatus ?? "unknown",
  },
  place: {
    securityGroups: (found.VpcSecurityGroups ?? []).flatMap(
      (group) => group.VpcSecurityGroupId ?? [],
    ),
    subnetGroup: found.DBSubnetGroup?.DBSubnetGroupName ?? null,
    key: found.KmsKeyId ?? null,
  },
});

const databases = (
  runtime: Runtime,
  { here, away }: { here: string; away: string },
  ownId: string,
  awayId: string,
) => {
  const near = new RDSClient(clientOptions(runtime, here));
  const far = new RDSClient(clientOptions(runtime, away));
  const described = async (client: RDSClient, id: string): Promise<Instance | null> => {
    try {
      const input = { DBInstanceIdentifier: id };
      const { DBInstances } = await client.send(new DescribeDBInstancesCommand(input));
      return DBInstances?.[0] ? instanceOf(DBInstances[0]) : null;
    } catch (error) {
      if (error instanceof DBInstanceNotFoundFault) return null;
      throw error;
    }
  };
  return {
    primary: async () => {
      const found = await described(near, ownId);
      if (!found) throw new Error(`RDS does not know ${ownId} in ${here}`);
      return found;
    },
    awayInstance: (id: string) => described(far, id),
    mark: async ({ arn }: Instance, epoch: number) => {
      const Tags = [{ Key: quarantineTag, Value: String(epoch) }];
      await far.send(new AddTagsToResourceCommand({ ResourceName: arn, Tags }));
    },
    setAside: async ({ id }: Instance, to: string) => {
      await far.send(
        new ModifyDBInstanceCommand({
          DBInstanceIdentifier: id,
          ...(id === to ? {} : { NewDBInstanceIdentifier: to }),
          DeletionProtection: true,
          ApplyImmediately: true,
        }),
      );
    },
    createReplica: async (primary: Instance, { place }: Instance, run: string) => {
      // No parameter group: RDS takes none for a cross-region replica of PostgreSQL.
      await far.send(
        new CreateDBInstanceReadReplicaCommand({
          DBInstanceIdentifier: awayId,
          SourceDBInstanceIdentifier: primary.arn,
          DBInstanceClass: primary.instanceClass,
          AllocatedStorage: primary.storageGigabytes,
          MaxAllocatedStorage: runtime.config.sizes.database.maximumStorageGigabytes,
          VpcSecurityGroupIds: place.securityGroups,
          ...(place.subnetGroup ? { DBSubnetGroupName: place.subnetGroup } : {}),
          // Keys belong to a region: the old primary's is the one that exists there.
          ...(place.key ? { KmsKeyId: place.key } : {}),
          Tags: [{ Key: "nightshift:run", Value: run }],
        }),
      );
    },
  };
};

/** What the new replica lacks, and the other region of the new primary. */
const replicaPorts = (runtime: Runtime, away: string, { dataKey }: OtherRegionLink) => {
  const far = new RDSClient(clientOptions(runtime, away));
  return {
    setParameterGroup: async ({ id }: Instance, group: string) => {
      await far.send(
        new ModifyDBInstanceCommand({
          DBInstanceIdentifier: id,
          DBParameterGroupName: group,
          ApplyImmediately: true,
        }),
      );
    },
    restartAway: async ({ id }: Instance) => {
      await far.send(new RebootDBInstanceCommand({ DBInstanceIdentifier: id }));
    },
    backupsAway: async (DbiResourceId: string) => {
      try {
        const { DBInstanceAutomatedBackups } = await far.send(
          new DescribeDBInstanceAutomatedBackupsCommand({ DbiResourceId }),
        );
        return (DBInstanceAutomatedBackups ?? []).map(({ Status }) => Status ?? "unknown");
      } catch (error) {
        if (error instanceof DBInstanceAutomatedBackupNotFoundFault) return [];
        throw error;
      }
    },
    replicateBackups: async ({ arn }: Instance) => {
      await far.send(
        new StartDBInstanceAutomatedBackupsReplicationCommand({
          SourceDBInstanceArn: arn,
          BackupRetentionPeriod: runtime.config.sizes.database.backupRetentionDays,
          ...(dataKey ? { KmsKeyId: dataKey } : {}),
        }),
      );
    },
  };
};

/** Compares versions by their names: no value is ever read here. */
const secrets = (runtime: Runtime, here: string, away: string, key: string | undefined) => {
  const near = new SecretsManagerClient(clientOptions(runtime, here));
  const far = new SecretsManagerClient(clientOptions(runtime, away));
  const current = ({
    VersionIdsToStages = {},
  }: Pick<DescribeSecretCommandOutput, "VersionIdsToStages">) =>
    Object.keys(VersionIdsToStages).find((id) => VersionIdsToStages[id]?.includes("AWSCURRENT"));
  const there = async (
    name: string,
  ): Promise<Pick<DescribeSecretCommandOutput, "PrimaryRegion" | "VersionIdsToStages">> => {
    try {
      return await far.send(new DescribeSecretCommand({ SecretId: name }));
    } catch (error) {
      if (error instanceof ResourceNotFoundException) return {};
      throw error;
    }
  };
  return {
    secretCopy: async (name: string): Promise<SecretCopy> => {
      const [own, copy] = await Promise.all([
        near.send(new DescribeSecretCommand({ SecretId: name })),
        there(name),
      ]);
      const replica = own.ReplicationStatus?.find(({ Region }) => Region === away);
      return {
        name,
        status: replica?.Status ?? null,
        why: replica?.StatusMessage ?? null,
        // One that nobody has put a value into, as Slack's may be, has nothing to be copied.
        same: copy.PrimaryRegion === here && current(copy) === current(own),
      };
    },
    replicateSecret: async (name: string) => {
      const { PrimaryRegion } = await near.send(new DescribeSecretCommand({ SecretId: name }));
      // Still what a lost region replicated to this one: a replica cannot be replicated from.
      if (PrimaryRegion !== undefined && PrimaryRegion !== here) {
        await near.send(new StopReplicationToReplicaCommand({ SecretId: name }));
      }
      await near.send(
        new ReplicateSecretToRegionsCommand({
          SecretId: name,
          AddReplicaRegions: [{ Region: away, ...(key ? { KmsKeyId: key } : {}) }],
          ForceOverwriteReplicaSecret: true,
        }),
      );
    },
  };
};

const capacity = (runtime: Runtime, region: string, name: string) => {
  const client = new AutoScalingClient(clientOptions(runtime, region));
  return {
    awayCapacity: async () => {
      const { AutoScalingGroups } = await client.send(
        new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [name] }),
      );
      const group = AutoScalingGroups?.[0];
      if (!group) throw new Error(`Auto Scaling does not know ${name} in ${region}`);
      const inService = (group.Instances ?? []).filter(
        ({ LifecycleState, HealthStatus }) =>
          LifecycleState === "InService" && HealthStatus === "Healthy",
      ).length;
      return { minimum: group.MinSize ?? 0, desired: group.DesiredCapacity ?? 0, inService };
    },
    setAwayMinimum: async (instances: number) => {
      await client.send(
        new UpdateAutoScalingGroupCommand({
          AutoScalingGroupName: name,
          MinSize: instances,
          DesiredCapacity: instances,
        }),
      );
    },
  };
};

interface StatedPosition {
  known?: boolean;
  value?: { lsn?: string };
}

const telling = (runtime: Runtime, region: string) => {
  const client = new DynamoDBClient(clientOptions(runtime, region));
  const { name } = linked<{ name: string }>(runtime, "JournalTable");
  const book = journal(dynamodbJournal(client, name));
  const people = runtime.config.slack.operators.map(({ user }) => user);
  const slack = operatorsChannel(runtime, slackCredentials(runtime), {
    timeoutSeconds: 5,
    attempts: 2,
  });
  return {
    journal: book.append,
    promotedAt: async (run: string): Promise<string | null> => {
      const stated = (await book.read(run)).find(({ key }) => key === "loss");
      const position = stated?.data?.position as StatedPosition | undefined;
      return position?.value?.lsn ?? null;
    },
    show: async (message: SlackMessage, posted: Posted | null): Promise<Posted | null> => {
      if (posted) return (await slack.update(posted.ts, message)).delivered ? posted : null;
      const first = await slack.post(message);
      return first.delivered ? { channel: first.channel, ts: first.ts } : null;
    },
    escalate: async (run: string, text: string) => {
      await slack.post(escalation(run, people, text));
    },
  };
};
