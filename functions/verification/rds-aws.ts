import {
  AddTagsToResourceCommand,
  type DBInstance,
  DBInstanceNotFoundFault,
  DeleteDBInstanceCommand,
  DescribeDBInstancesCommand,
  ModifyDBInstanceCommand,
  RDSClient,
  RemoveTagsFromResourceCommand,
  RestoreDBInstanceFromDBSnapshotCommand,
  RestoreDBInstanceToPointInTimeCommand,
} from "@aws-sdk/client-rds";
import { clientOptions } from "../../shared/clients.ts";
import { copyPattern, isOurs } from "../../shared/copy.ts";
import type { Connect, DatabaseTarget, Runtime, Session } from "../../shared/runtime.ts";
import type { CopyPorts, CopySeen, Quarantine } from "./ports.ts";
import type { Plan } from "./record.ts";

/** How a session to a copy is opened. */
export interface Login {
  connect: Connect;
  tls: DatabaseTarget["tls"];
}

export interface Place extends Quarantine {
  parameterGroup: string | null;
}

/** RDS takes a password of 8 to 128 characters without `/`, `"`, `@` and space. (ModifyDBInstance.) */
const passwordBytes = 33;
const passwordSeconds = 150;
const lookEverySeconds = 3;

/** SQLSTATE of a password that is not the one: of the class 28, and never a server that is silent. */
const isRefused = (error: unknown): boolean =>
  /^28/.test(String((error as { code?: unknown } | null)?.code ?? ""));

/**
 * Copies, by identifiers of our own form only: a bug in whoever calls reaches no other instance. IAM says
 * the same once more.
 */
export const copiesOf = (
  runtime: Runtime,
  region: string,
  place: Place,
  login: Login,
): CopyPorts => {
  const client = new RDSClient(clientOptions(runtime, region));
  const ours = (id: string): string => {
    if (copyPattern(place.prefix).test(id)) return id;
    throw new Error(`${id} is not the name of a copy`);
  };
  const describe = async (id: string): Promise<DBInstance | null> => {
    try {
      const { DBInstances } = await client.send(
        new DescribeDBInstancesCommand({ DBInstanceIdentifier: ours(id) }),
      );
      return DBInstances?.[0] ?? null;
    } catch (error) {
      if (error instanceof DBInstanceNotFoundFault) return null;
      throw error;
    }
  };
  return {
    find: async (id) => {
      const found = await describe(id);
      return found && seenOf(found);
    },
    restore: async (plan, tags) => {
      ours(plan.copy);
      await restored(client, place, plan, tags);
    },
    retag: async (copy, tags) => {
      if (!isOurs(place.prefix, copy.id, copy.tags)) throw new Error(`${copy.id} is not ours`);
      const away = Object.keys(copy.tags).filter((name) => !(name in tags));
      if (away.length > 0) {
        await client.send(
          new RemoveTagsFromResourceCommand({ ResourceName: copy.arn, TagKeys: away }),
        );
      }
      await client.send(
        new AddTagsToResourceCommand({ ResourceName: copy.arn, Tags: tagList(tags) }),
      );
    },
    isolate: async (id) => {
      await client.send(
        new ModifyDBInstanceCommand({
          DBInstanceIdentifier: ours(id),
          VpcSecurityGroupIds: [place.securityGroup],
          BackupRetentionPeriod: 0,
          PubliclyAccessible: false,
          DeletionProtection: false,
          ApplyImmediately: true,
        }),
      );
    },
    destroy: async (id) => {
      await client.send(
        new DeleteDBInstanceCommand({
          DBInstanceIdentifier: ours(id),
          SkipFinalSnapshot: true,
          DeleteAutomatedBackups: true,
        }),
      );
    },
    session: sessions(runtime, client, describe, login, place.database),
  };
};

const restored = async (
  client: RDSClient,
  place: Place,
  plan: Plan,
  tags: Record<string, string>,
): Promise<void> => {
  const apart = inQuarantine(place, plan, tags);
  if (plan.aim === "snapshot") {
    const named = { DBInstanceIdentifier: plan.copy, DBSnapshotIdentifier: plan.backup.arn };
    await client.send(new RestoreDBInstanceFromDBSnapshotCommand({ ...named, ...apart }));
    return;
  }
  await client.send(
    new RestoreDBInstanceToPointInTimeCommand({
      SourceDBInstanceAutomatedBackupsArn: plan.backup.arn,
      TargetDBInstanceIdentifier: plan.copy,
      RestoreTime: new Date(plan.restoreToMilliseconds),
      ...apart,
    }),
  );
};

/** All that RDS would else take from its own defaults, or from the source. */
const inQuarantine = (place: Place, plan: Plan, tags: Record<string, string>) => ({
  DBInstanceClass: plan.instanceClass,
  DBSubnetGroupName: place.subnetGroup,
  VpcSecurityGroupIds: [place.securityGroup],
  ...(place.parameterGroup ? { DBParameterGroupName: place.parameterGroup } : {}),
  MultiAZ: false,
  PubliclyAccessible: false,
  AutoMinorVersionUpgrade: false,
  CopyTagsToSnapshot: false,
  DeletionProtection: false,
  BackupRetentionPeriod: 0,
  // On by default, and billed by the hour once a major version is old.
  EngineLifecycleSupport: "open-source-rds-extended-support-disabled",
  Tags: tagList(tags),
});

const tagList = (tags: Record<string, string>) =>
  Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));

const seenOf = (instance: DBInstance): CopySeen => ({
  id: instance.DBInstanceIdentifier ?? "",
  arn: instance.DBInstanceArn ?? "",
  status: instance.DBInstanceStatus ?? "unknown",
  tags: Object.fromEntries(
    (instance.TagList ?? []).flatMap(({ Key, Value }) => (Key ? [[Key, Value ?? ""]] : [])),
  ),
  securityGroups: (instance.VpcSecurityGroups ?? []).flatMap(
    ({ VpcSecurityGroupId }) => VpcSecurityGroupId ?? [],
  ),
  subnetGroup: instance.DBSubnetGroup?.DBSubnetGroupName ?? null,
  retentionDays: instance.BackupRetentionPeriod ?? 0,
  isPublic: instance.PubliclyAccessible ?? false,
  isProtected: instance.DeletionProtection ?? false,
});

/**
 * A copy knows the passwords of the moment it is of, and nobody here does. So its master gets one that is
 * made of chance and lives in the memory of this process: whoever resumes the run sets another. It is in
 * no step's result, no journal and no secret's store, and goes with the copy.
 */
const sessions = (
  runtime: Runtime,
  client: RDSClient,
  describe: (id: string) => Promise<DBInstance | null>,
  { connect, tls }: Login,
  database: string,
) => {
  const made = new Map<string, string>();
  const open = async (id: string, password: string): Promise<Session> => {
    const found = await describe(id);
    const { Address: host, Port: port } = found?.Endpoint ?? {};
    if (!found?.MasterUsername || !host || !port) throw new Error(`${id} has no endpoint`);
    return connect({ host, port, database, tls, user: found.MasterUsername, password });
  };
  /** Null while it refuses the password, which RDS sets when it gets to it. */
  const tried = async (id: string, password: string): Promise<Session | null> => {
    try {
      return await open(id, password);
    } catch (error) {
      if (isRefused(error)) return null;
      throw error;
    }
  };
  return async (id: string): Promise<Session> => {
    const known = made.get(id);
    const session = known === undefined ? null : await tried(id, known);
    if (session) return session;
    const password = runtime.random.bytes(passwordBytes).toString("base64url");
    await client.send(
      new ModifyDBInstanceCommand({
        DBInstanceIdentifier: id,
        MasterUserPassword: password,
        ApplyImmediately: true,
      }),
    );
    made.set(id, password);
    const end = runtime.clock.now() + passwordSeconds * 1000;
    for (;;) {
      await runtime.clock.sleep(lookEverySeconds * 1000);
      const first = await tried(id, password);
      if (first) return first;
      if (runtime.clock.now() >= end) {
        throw new Error(`${id} has not taken its password within ${passwordSeconds} s`);
      }
    }
  };
};
