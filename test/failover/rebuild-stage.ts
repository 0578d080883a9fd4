import { unmarshall } from "@aws-sdk/util-dynamodb";
import { afterEach, expect } from "vitest";
import { keyIn, names } from "../../drills/names.ts";
import type { Rebuilt } from "../../functions/failover/rebuild.ts";
import type { Script } from "../../local/slack/operators.ts";
import { approvals } from "../../shared/approval.ts";
import type { Config } from "../../shared/config.ts";
import { type Entry, verify } from "../../shared/journal.ts";
import { readLease } from "../../shared/lease.ts";
import { type Hooks, type HookTools, type Plant, type World, world } from "../simulation/world.ts";
import { brief, quick } from "./stage.ts";

/** What the old primary is called after the first move. */
export const quarantined = "platform-eu-central-1-quarantine-2";

/** Nobody waits long for isolation in here. */
const plantOf =
  (policy: Partial<Config["failover"]>): Plant =>
  (_definition, { config, ...runtime }, assemble) =>
    assemble({
      ...runtime,
      config: { ...config, failover: { ...config.failover, ...brief, ...policy } },
    });

const open = new Set<World>();
afterEach(async () => {
  for (const one of open) await one.close();
  open.clear();
});

export type Stage = Awaited<ReturnType<typeof stage>>;

interface Circumstances {
  policy?: Partial<Config["failover"]>;
}

/** The whole platform in virtual time, well and under load, with a function that can rebuild. */
export const stage = async (
  hooks?: (tools: HookTools) => Hooks,
  { policy = {} }: Circumstances = {},
) => {
  const people: Script[] = [...quick];
  const built = await world({
    seed: "rebuild",
    scripts: people,
    plant: plantOf(policy),
    ...(hooks ? { hooks } : {}),
  });
  open.add(built);
  const { home, standby } = built.platform;
  built.users.start();
  await built.timeline.advance(125_000);
  const replacePeople = (next: readonly Script[]) => void people.splice(0, people.length, ...next);
  return {
    ...built,
    replacePeople,
    home,
    standby,
    ...runs(built),
    ...looks(built),
    ...records(built),
  };
};

const longestMilliseconds = 5 * 3600 * 1000;
/** The database of a region that is back runs crash recovery, its guard fences, instances go. */
const returnMilliseconds = 420_000;

type Incident = "switchover" | { state: "dead" | "cut"; usersReachIt?: boolean };

interface Asked {
  run: string;
  kind?: "switchover" | "rebuild";
  overrides?: string[];
}

const runs = ({ cloud, timeline, platform, regions }: World) => {
  const { home, standby } = platform;
  /** Starts a run of the failover function and lets it end. */
  const run = async <T>(region: string, asked: Asked): Promise<T> => {
    const { overrides = [], ...event } = asked;
    const execution = asked.run;
    const sinceMilliseconds = Math.floor(timeline.now());
    const who = { by: "operator", who: "U0CHIARA", reason: "the old region is back" };
    const payload = { ...event, trigger: { ...who, sinceMilliseconds, overrides } };
    await cloud.ask("lambda", "Invoke", region, {
      FunctionName: "failover",
      InvocationType: "Event",
      DurableExecutionName: execution,
      Payload: Buffer.from(JSON.stringify(payload)),
    });
    const executions = cloud.functions.executions(region, "failover");
    const started = executions.find(({ name }) => name === execution);
    if (!started) throw new Error(`${execution} was not started`);
    const ended = await timeline.run(cloud.functions.finished(started.arn), longestMilliseconds);
    if (ended.result !== undefined) return JSON.parse(ended.result) as T;
    throw new Error(`${execution} is ${ended.status}: ${ended.error?.ErrorMessage}`);
  };
  return {
    run,
    rebuild: (name = "rebuild-2-1") => run<Rebuilt>(standby.region, { kind: "rebuild", run: name }),
    /** The home region is left, and is back and fenced. */
    lostAndBack: async (how: Incident = { state: "dead" }) => {
      const planned = how === "switchover";
      if (!planned) {
        const { state, ...options } = how;
        regions.set(home.region, state, options);
        // Long enough that users have written what never left the region.
        if (state === "cut") await timeline.advance(40_000);
      }
      const asked: Asked = { run: "failover-2-1", ...(planned ? { kind: how } : {}) };
      expect(await run(standby.region, asked)).toMatchObject({ outcome: "done" });
      if (!planned) regions.set(home.region, "up");
      await timeline.advance(returnMilliseconds);
    },
  };
};

const looks = ({ cloud, timeline }: World) => ({
  describeInstance: async (region: string, id: string) => {
    const input = { DBInstanceIdentifier: id };
    const { DBInstances } = await cloud.ask<{ DBInstances: Record<string, unknown>[] }>(
      "rds",
      "DescribeDBInstances",
      region,
      input,
    );
    return DBInstances[0] ?? {};
  },
  /** The copies in a region of the backups of a site's database. */
  backups: async (region: string, of: { region: string; databaseId: string }) => {
    const ask = <T>(operation: string, where: string, input: object) =>
      cloud.ask<T>("rds", operation, where, input);
    const { DBInstances } = await ask<{ DBInstances: { DbiResourceId: string }[] }>(
      "DescribeDBInstances",
      of.region,
      { DBInstanceIdentifier: of.databaseId },
    );
    const input = { DbiResourceId: DBInstances[0]?.DbiResourceId };
    const { DBInstanceAutomatedBackups } = await ask<{
      DBInstanceAutomatedBackups: Record<string, unknown>[];
    }>("DescribeDBInstanceAutomatedBackups", region, input);
    return DBInstanceAutomatedBackups;
  },
  group: async (region: string) => {
    const input = { AutoScalingGroupNames: [names.group] };
    const { AutoScalingGroups } = await cloud.ask<{
      AutoScalingGroups: { MinSize: number; DesiredCapacity: number }[];
    }>("auto-scaling", "DescribeAutoScalingGroups", region, input);
    const group = AutoScalingGroups[0];
    return { MinSize: group?.MinSize, DesiredCapacity: group?.DesiredCapacity };
  },
  secret: async (region: string, SecretId: string) => {
    const { SecretString, VersionId } = await cloud.ask<{
      SecretString: string;
      VersionId: string;
    }>("secrets-manager", "GetSecretValue", region, { SecretId });
    return { SecretString, VersionId };
  },
  /** The guard's own word now. */
  guard: async (region: string) => {
    const Payload = Buffer.from('{"do":"obey","epoch":1}');
    const asked = cloud.ask<{ Payload: Uint8Array }>("lambda", "Invoke", region, {
      FunctionName: "guard",
      Payload,
    });
    const answer = await timeline.run(asked, 120_000);
    return JSON.parse(Buffer.from(answer.Payload).toString()) as Record<string, unknown>;
  },
});

const records = (built: World) => ({
  /** The table's word of an operator who has no Slack, given to whatever asks. */
  approveWithoutSlack: (user: string): void => {
    const { primary } = built.platform.config.regions;
    built.timeline.every(30_000, async () => {
      for (const item of built.cloud.tables.items(names.coordination, primary)) {
        const { id, usedBy } = unmarshall(item as never) as { id: string; usedBy?: string };
        if (!id.startsWith("approval#") || usedBy) continue;
        const answer = { user, says: "approve" as const, atMilliseconds: built.timeline.now() };
        await approvals(built.table).answer(id.slice("approval#".length), answer, [user]);
      }
    });
  },
  lease: () => built.timeline.run(readLease(built.table)),
  journal: async (run: string): Promise<Entry[]> => {
    const { Items = [] } = await built.cloud.ask<{ Items?: Record<string, never>[] }>(
      "dynamodb",
      "Scan",
      built.platform.standby.region,
      { TableName: names.journal },
    );
    return (Items.map((item) => unmarshall(item)) as Entry[])
      .filter((entry) => entry.run === run)
      .sort((a, b) => a.sequence - b.sequence);
  },
  /** What an instance has of the application's writes, by their keys. */
  transfers: (id: string): Set<string> =>
    new Set(
      built.engine
        .history(id)
        .filter(({ user }) => (names.roles as readonly string[]).includes(user))
        .flatMap(({ key }) => key ?? []),
    ),
});

/** All that has to hold after a rebuild that ended well, however it was disturbed. */
export const expectRebuilt = async (at: Stage, result: Rebuilt): Promise<void> => {
  const { home, standby } = at;
  expect(result).toMatchObject({ outcome: "done", epoch: 2, quarantine: quarantined });
  expect(await at.describeInstance(home.region, home.databaseId)).toMatchObject({
    DBInstanceStatus: "available",
    Endpoint: { Address: home.host, Port: home.port },
    ReadReplicaSourceDBInstanceIdentifier: expect.stringContaining(standby.databaseId),
    StatusInfos: [{ Status: "replicating" }],
    VpcSecurityGroups: [{ VpcSecurityGroupId: home.databaseSecurityGroup }],
    KmsKeyId: keyIn(home.region, "data"),
    DBParameterGroups: [
      { DBParameterGroupName: names.parameterGroup, ParameterApplyStatus: "in-sync" },
    ],
  });
  const copies = await at.backups(home.region, standby);
  expect(copies).toEqual([
    expect.objectContaining({
      Status: expect.stringMatching(/^(pending|replicating)$/),
      KmsKeyId: keyIn(home.region, "data"),
      BackupRetentionPeriod: at.platform.config.sizes.database.backupRetentionDays,
    }),
  ]);
  expect(await at.describeInstance(home.region, quarantined)).toMatchObject({
    DBInstanceStatus: "available",
    DeletionProtection: true,
    TagList: [{ Key: "nightshift:quarantined", Value: "2" }],
  });
  expect(await at.guard(home.region)).toMatchObject({ decision: "stand-by", role: "renounced" });
  expect(await at.group(home.region)).toEqual({ MinSize: 1, DesiredCapacity: 1 });
  const ways = at.cloud.machines.ingressFrom(home.region, home.databaseSecurityGroup);
  expect(ways.flatMap(({ sourceGroupIds }) => sourceGroupIds)).toContain(
    home.applicationSecurityGroup,
  );
  for (const name of [names.secrets.application, names.secrets.nightshift]) {
    expect(await at.secret(home.region, name)).toEqual(await at.secret(standby.region, name));
  }
  expect(verify(await at.journal(result.run))).toMatchObject({ ok: true });
  expect(await at.lease()).toMatchObject({ epoch: 2, region: standby.region, state: "held" });
  expect(at.bugs).toEqual([]);
};
