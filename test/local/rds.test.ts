import { describe, expect, it } from "vitest";
import { duration, durations } from "../../local/aws/durations.ts";
import { engineId, rds } from "../../local/aws/rds.ts";
import type { Call } from "../../local/aws/service.ts";
import { network } from "../../local/network.ts";
import { modelledEngine } from "../../local/postgres/modelled.ts";
import { virtualTimeline } from "../../local/time/virtual.ts";
import { seededRandom } from "../../shared/random.ts";

const [home, standby] = ["eu-west-1", "eu-central-1"];
const minute = 60_000;
const start = Date.parse("2026-03-01T02:00:00Z");

type Answer = {
  DBInstance: Record<string, never>;
  DBInstances: { [name: string]: unknown; Endpoint?: { Address?: string } }[];
  DBSnapshots: { [name: string]: unknown }[];
  Events: { Message: string }[];
  TagList: unknown[];
  Marker?: string;
};

/** A primary at home and its replica in the standby region, on virtual time. */
const platform = async (seed = 1) => {
  const timeline = virtualTimeline(start);
  const net = network();
  const random = seededRandom(seed);
  const engine = modelledEngine({ timeline, random, reachable: net.reachable });
  const surroundings = { timeline, random, network: net, account: "111122223333" };
  const service = rds(surroundings, engine);
  const call = (region: string, operation: string, input: object): Answer => {
    const act = service.service.operations[operation];
    if (!act) throw new Error(`no operation ${operation}`);
    const from: Call = { service: "rds", operation, region, from: region, account: "1" };
    return act(input as never, from) as Answer;
  };
  const describe = (region: string, id: string) => {
    const [found] = call(region, "DescribeDBInstances", { DBInstanceIdentifier: id }).DBInstances;
    if (!found) throw new Error(`${id} was not described`);
    return found;
  };
  const primary = await service.establish(home, {
    DBInstanceIdentifier: "ledger",
    DBInstanceClass: "db.m6g.large",
    MasterUsername: "master",
    MasterUserPassword: "secret",
    BackupRetentionPeriod: 14,
    MultiAZ: true,
    DeletionProtection: true,
    DBParameterGroupName: "tuned",
  });
  await service.establishReplica(standby, {
    DBInstanceIdentifier: "ledger-standby",
    SourceDBInstanceIdentifier: primary.DBInstanceArn,
  });
  const setRegion = async (region: string, state: "up" | "dead" | "cut") => {
    net.set(region, state);
    await service.onRegionChange(region, state);
  };
  return { timeline, engine, rds: service, call, describe, setRegion };
};

const named = (name: string) => expect.objectContaining({ name });

describe("an RDS replica in another region", () => {
  it("starts from the service's defaults and not from its source's settings", async () => {
    const { describe } = await platform();
    expect(describe(standby, "ledger-standby")).toMatchObject({
      DBInstanceStatus: "available",
      BackupRetentionPeriod: 0,
      MultiAZ: false,
      DeletionProtection: false,
      DBParameterGroups: [{ DBParameterGroupName: "default.postgres18" }],
      ReadReplicaSourceDBInstanceIdentifier: `arn:aws:rds:${home}:111122223333:db:ledger`,
      StatusInfos: [{ StatusType: "read replication", Status: "replicating", Normal: true }],
    });
    expect(describe(home, "ledger").ReadReplicaDBInstanceIdentifiers).toEqual([
      `arn:aws:rds:${standby}:111122223333:db:ledger-standby`,
    ]);
  });

  it("shows an error of replication a while after its source's region has died", async () => {
    const { describe, setRegion, timeline } = await platform();
    await setRegion(home, "dead");
    const status = () => describe(standby, "ledger-standby").StatusInfos;
    expect(status()).toMatchObject([{ Status: "replicating" }]);
    await timeline.advance(2 * minute);
    expect(status()).toMatchObject([{ Status: "error", Normal: false }]);
    await setRegion(home, "up");
    await timeline.advance(5 * minute);
    expect(status()).toMatchObject([{ Status: "replicating" }]);
  });

  it("stays a read-only orphan when its source is deleted", async () => {
    const { call, describe, timeline } = await platform();
    const target = { DBInstanceIdentifier: "ledger" };
    expect(() => call(home, "DeleteDBInstance", { ...target, SkipFinalSnapshot: true })).toThrow(
      /deletion protection/,
    );
    call(home, "ModifyDBInstance", { ...target, DeletionProtection: false });
    call(home, "DeleteDBInstance", { ...target, SkipFinalSnapshot: true });
    await timeline.advance(30 * minute);
    expect(() => describe(home, "ledger")).toThrow(named("DBInstanceNotFoundFault"));
    expect(describe(standby, "ledger-standby").StatusInfos).toMatchObject([
      { Status: "terminated" },
    ]);
  });

  it("cannot be made of a source without backups", async () => {
    const { rds: service, call } = await platform();
    await service.establish(home, {
      DBInstanceIdentifier: "bare",
      BackupRetentionPeriod: 0,
      DBInstanceClass: "db.t4g.micro",
    });
    const input = { DBInstanceIdentifier: "copy", SourceDBInstanceIdentifier: "bare" };
    expect(() => call(home, "CreateDBInstanceReadReplica", input)).toThrow(
      named("InvalidDBInstanceStateFault"),
    );
  });
});

describe("promotion", () => {
  const target = { DBInstanceIdentifier: "ledger-standby" };

  it("reboots the replica, keeps its endpoint and takes effect exactly once", async () => {
    const { call, describe, setRegion, timeline, rds: service, engine } = await platform();
    const before = describe(standby, "ledger-standby").Endpoint;
    await setRegion(home, "dead");
    call(standby, "PromoteReadReplica", { ...target, BackupRetentionPeriod: 7 });
    expect(() => call(standby, "PromoteReadReplica", target)).toThrow(
      named("InvalidDBInstanceStateFault"),
    );
    const statuses = new Set<unknown>();
    for (let second = 0; second < 300; second += 5) {
      statuses.add(describe(standby, "ledger-standby").DBInstanceStatus);
      await timeline.advance(5000);
    }
    expect([...statuses]).toEqual(["modifying", "rebooting", "available"]);
    const after = describe(standby, "ledger-standby");
    expect(after).toMatchObject({ Endpoint: before, BackupRetentionPeriod: 7 });
    expect(after).not.toHaveProperty("ReadReplicaSourceDBInstanceIdentifier");
    expect(() => call(standby, "PromoteReadReplica", target)).toThrow(/not a read replica/);
    expect(service.promotions("ledger-standby")).toBe(1);
    const session = engine.session(engineId(standby, "ledger-standby"), {
      user: "master",
      from: standby,
    });
    expect("write" in session && session.write("k", "v")).toMatch(/^0\/[0-9A-F]+$/);
  });

  it("is refused while the nightly backup runs", async () => {
    const { call, rds: service, timeline, describe } = await platform();
    service.startBackup(standby, "ledger-standby");
    expect(describe(standby, "ledger-standby").DBInstanceStatus).toBe("backing-up");
    expect(() => call(standby, "PromoteReadReplica", target)).toThrow(
      named("InvalidDBInstanceStateFault"),
    );
    await timeline.advance(6 * minute);
    call(standby, "PromoteReadReplica", target);
    await timeline.advance(5 * minute);
    expect(service.promotions("ledger-standby", standby)).toBe(1);
  });

  it("waits for its region when that dies in the middle of it", async () => {
    const { call, setRegion, timeline, rds: service, describe } = await platform();
    call(standby, "PromoteReadReplica", target);
    await timeline.advance(30_000);
    await setRegion(standby, "dead");
    await timeline.advance(60 * minute);
    expect(service.promotions("ledger-standby")).toBe(0);
    await setRegion(standby, "up");
    await timeline.advance(10 * minute);
    expect(service.promotions("ledger-standby")).toBe(1);
    expect(describe(standby, "ledger-standby").DBInstanceStatus).toBe("available");
  });
});

describe("an instance that is renamed", () => {
  const renaming = {
    DBInstanceIdentifier: "ledger",
    NewDBInstanceIdentifier: "Ledger-Quarantine-2",
    ApplyImmediately: true,
  };

  it("is renaming for about ten minutes, and then has another endpoint and all else as before", async () => {
    const { call, describe, timeline, engine } = await platform();
    const before = describe(home, "ledger");
    call(home, "AddTagsToResource", {
      ResourceName: before.DBInstanceArn,
      Tags: [{ Key: "nightshift:quarantined", Value: "2" }],
    });
    const session = engine.session(engineId(home, "ledger"), { user: "master", from: home });
    call(home, "ModifyDBInstance", renaming);
    expect(describe(home, "ledger")).toMatchObject({
      DBInstanceStatus: "renaming",
      PendingModifiedValues: { DBInstanceIdentifier: "ledger-quarantine-2" },
    });
    expect(() => call(home, "RebootDBInstance", { DBInstanceIdentifier: "ledger" })).toThrow(
      named("InvalidDBInstanceStateFault"),
    );
    await timeline.advance(6 * minute);
    expect(() => describe(home, "ledger")).toThrow(named("DBInstanceNotFoundFault"));
    expect(describe(home, "ledger-quarantine-2").DBInstanceStatus).toBe("renaming");
    expect(() => "write" in session && session.write("k", "v")).toThrow();
    await timeline.advance(5 * minute);
    const after = describe(home, "ledger-quarantine-2");
    expect(after).toMatchObject({
      DBInstanceStatus: "available",
      DBInstanceArn: `arn:aws:rds:${home}:111122223333:db:ledger-quarantine-2`,
      DbiResourceId: before.DbiResourceId,
      DeletionProtection: true,
      BackupRetentionPeriod: 14,
      DBParameterGroups: [{ DBParameterGroupName: "tuned" }],
      TagList: [{ Key: "nightshift:quarantined", Value: "2" }],
      PendingModifiedValues: {},
    });
    expect(after.Endpoint).not.toEqual(before.Endpoint);
  });

  it("keeps its replicas, which know it by its new name", async () => {
    const { call, describe, timeline, engine } = await platform();
    call(home, "ModifyDBInstance", renaming);
    await timeline.advance(11 * minute);
    expect(describe(standby, "ledger-standby").ReadReplicaSourceDBInstanceIdentifier).toBe(
      `arn:aws:rds:${home}:111122223333:db:ledger-quarantine-2`,
    );
    const master = { user: "master", from: home };
    const writer = engine.session(engineId(home, "ledger-quarantine-2"), master);
    if (!("write" in writer)) throw writer;
    writer.write("k", "v");
    await timeline.advance(1000);
    expect(engine.history(engineId(standby, "ledger-standby")).at(-1)?.key).toBe("k");
  });

  it("leaves its old identifier, and the address of it, to a replica of its successor", async () => {
    const { call, describe, timeline, engine, setRegion, rds: service } = await platform();
    const { Endpoint } = describe(home, "ledger");
    await setRegion(home, "dead");
    call(standby, "PromoteReadReplica", {
      DBInstanceIdentifier: "ledger-standby",
      BackupRetentionPeriod: 14,
    });
    await timeline.advance(10 * minute);
    await setRegion(home, "up");
    await timeline.advance(10 * minute);
    const reverse = {
      DBInstanceIdentifier: "ledger",
      SourceDBInstanceIdentifier: describe(standby, "ledger-standby").DBInstanceArn,
    };
    expect(() => call(home, "CreateDBInstanceReadReplica", reverse)).toThrow(
      named("DBInstanceAlreadyExistsFault"),
    );
    call(home, "ModifyDBInstance", renaming);
    await timeline.advance(11 * minute);
    call(home, "CreateDBInstanceReadReplica", reverse);
    await timeline.advance(40 * minute);
    expect(describe(home, "ledger")).toMatchObject({
      DBInstanceStatus: "available",
      Endpoint,
      ReadReplicaSourceDBInstanceIdentifier: reverse.SourceDBInstanceIdentifier,
      StatusInfos: [{ Status: "replicating" }],
    });
    expect(engine.at({ host: String(Endpoint?.Address), port: 5432 })).toBe(
      engineId(home, "ledger"),
    );
    call(home, "PromoteReadReplica", { DBInstanceIdentifier: "ledger" });
    await timeline.advance(10 * minute);
    const counts = ["ledger", "ledger-quarantine-2", "ledger-standby"].map((id) =>
      service.promotions(id),
    );
    expect(counts).toEqual([1, 0, 1]);
  });

  it("waits for its region when that dies in the middle of it", async () => {
    const { call, describe, timeline, setRegion } = await platform();
    call(home, "ModifyDBInstance", renaming);
    await timeline.advance(2 * minute);
    await setRegion(home, "dead");
    await timeline.advance(60 * minute);
    expect(describe(home, "ledger").DBInstanceStatus).toBe("renaming");
    await setRegion(home, "up");
    await timeline.advance(10 * minute);
    expect(describe(home, "ledger-quarantine-2").DBInstanceStatus).toBe("available");
  });

  it("is refused a name that is taken or is none", async () => {
    const { call, rds: service } = await platform();
    await service.establish(home, {
      DBInstanceIdentifier: "taken",
      DBInstanceClass: "db.t4g.micro",
    });
    const rename = (NewDBInstanceIdentifier: string) => () =>
      call(home, "ModifyDBInstance", { ...renaming, NewDBInstanceIdentifier });
    expect(rename("TAKEN")).toThrow(named("DBInstanceAlreadyExistsFault"));
    for (const name of ["2nd", "two--hyphens", "end-", "a".repeat(64)]) {
      expect(rename(name)).toThrow(named("InvalidParameterValue"));
    }
  });

  it("keeps its name until told to apply the change", async () => {
    const { call, describe, timeline } = await platform();
    call(home, "ModifyDBInstance", { ...renaming, ApplyImmediately: false });
    await timeline.advance(20 * minute);
    expect(describe(home, "ledger")).toMatchObject({
      DBInstanceStatus: "available",
      PendingModifiedValues: { DBInstanceIdentifier: "ledger-quarantine-2" },
    });
  });
});

describe("an RDS instance", () => {
  it("is created, backed up for the first time, and only then available", async () => {
    const { call, describe, timeline } = await platform();
    call(home, "CreateDBInstance", { DBInstanceIdentifier: "New", Engine: "postgres" });
    expect(() =>
      call(home, "CreateDBInstance", { DBInstanceIdentifier: "new", Engine: "postgres" }),
    ).toThrow(named("DBInstanceAlreadyExistsFault"));
    expect(() => call(home, "RebootDBInstance", { DBInstanceIdentifier: "new" })).toThrow(
      named("InvalidDBInstanceStateFault"),
    );
    const statuses = new Set<unknown>();
    for (let tick = 0; tick < 40; tick += 1) {
      statuses.add(describe(home, "new").DBInstanceStatus);
      await timeline.advance(30_000);
    }
    expect([...statuses]).toEqual(["creating", "backing-up", "available"]);
  });

  it("keeps a change that needs a restart pending until told to apply it", async () => {
    const { call, describe, timeline } = await platform();
    const change = { DBInstanceIdentifier: "ledger", DBInstanceClass: "db.m6g.xlarge" };
    call(home, "ModifyDBInstance", change);
    await timeline.advance(60 * minute);
    expect(describe(home, "ledger")).toMatchObject({
      DBInstanceClass: "db.m6g.large",
      DBInstanceStatus: "available",
      PendingModifiedValues: { DBInstanceClass: "db.m6g.xlarge" },
    });
    call(home, "ModifyDBInstance", { ...change, ApplyImmediately: true });
    expect(describe(home, "ledger").DBInstanceStatus).toBe("modifying");
    await timeline.advance(15 * minute);
    expect(describe(home, "ledger")).toMatchObject({
      DBInstanceClass: "db.m6g.xlarge",
      DBInstanceStatus: "available",
      PendingModifiedValues: {},
    });
  });

  it("takes a new parameter group's values only with a reboot", async () => {
    const { call, describe, timeline } = await platform();
    const target = { DBInstanceIdentifier: "ledger" };
    call(home, "ModifyDBInstance", { ...target, DBParameterGroupName: "fresh" });
    await timeline.advance(2 * minute);
    const group = () => describe(home, "ledger").DBParameterGroups;
    expect(group()).toMatchObject([{ ParameterApplyStatus: "pending-reboot" }]);
    call(home, "RebootDBInstance", target);
    await timeline.advance(2 * minute);
    expect(group()).toMatchObject([
      { DBParameterGroupName: "fresh", ParameterApplyStatus: "in-sync" },
    ]);
    expect(call(home, "DescribeEvents", {}).Events.map(({ Message }) => Message)).toContain(
      "DB instance restarted",
    );
  });

  it("moves to other security groups and a new master password without a restart", async () => {
    const { call, rds: service, timeline, engine } = await platform();
    const change = { VpcSecurityGroupIds: ["sg-fence"], MasterUserPassword: "next" };
    call(home, "ModifyDBInstance", { DBInstanceIdentifier: "ledger", ...change });
    await timeline.advance(2 * minute);
    expect(service.securityGroups(home, "ledger")).toEqual(["sg-fence"]);
    const id = engineId(home, "ledger");
    const login = (password: string) =>
      engine.session(id, { user: "master", password, from: home });
    expect(login("secret")).toMatchObject({ code: "28P01" });
    expect(login("next")).not.toHaveProperty("code");
  });

  it("is restored from a snapshot with the data of its time", async () => {
    const { call, describe, timeline, engine } = await platform();
    const open = (id: string) => {
      const session = engine.session(engineId(home, id), { user: "master", from: home });
      if (!("write" in session)) throw session;
      return session;
    };
    open("ledger").write("balance", "100");
    call(home, "CreateDBSnapshot", {
      DBInstanceIdentifier: "ledger",
      DBSnapshotIdentifier: "before",
    });
    await timeline.advance(6 * minute);
    open("ledger").write("balance", "0");
    call(home, "RestoreDBInstanceFromDBSnapshot", {
      DBInstanceIdentifier: "checked",
      DBSnapshotIdentifier: "before",
    });
    await timeline.advance(30 * minute);
    expect(describe(home, "checked").DBInstanceStatus).toBe("available");
    expect(open("checked").read("balance")).toBe("100");
    expect(call(home, "DescribeDBSnapshots", { SnapshotType: "manual" }).DBSnapshots).toMatchObject(
      [{ DBSnapshotIdentifier: "before", Status: "available" }],
    );
  });

  it("is listed in pages, and refuses a page smaller than RDS allows", async () => {
    const { call, rds: service } = await platform();
    for (let index = 0; index < 24; index += 1) {
      const id = { DBInstanceIdentifier: `n${index}`, DBInstanceClass: "db.t4g.micro" };
      await service.establish(home, id);
    }
    const first = call(home, "DescribeDBInstances", { MaxRecords: 20 });
    const second = call(home, "DescribeDBInstances", { MaxRecords: 20, Marker: first.Marker });
    expect([first.DBInstances.length, second.DBInstances.length]).toEqual([20, 5]);
    expect(second.Marker).toBeUndefined();
    expect(() => call(home, "DescribeDBInstances", { MaxRecords: 5 })).toThrow(/between 20/);
    const Filters = [{ Name: "db-instance-id", Values: ["n3", "n4"] }];
    expect(call(home, "DescribeDBInstances", { Filters }).DBInstances).toHaveLength(2);
  });

  it("carries tags by ARN", async () => {
    const { call, describe } = await platform();
    const ResourceName = describe(home, "ledger").DBInstanceArn;
    const Tags = [{ Key: "nightshift", Value: "quarantine" }];
    call(home, "AddTagsToResource", { ResourceName, Tags });
    expect(call(home, "ListTagsForResource", { ResourceName }).TagList).toEqual(Tags);
  });
});

describe("modelled durations", () => {
  it("come from the seed, inside their range, with a source or a reason each", () => {
    const random = seededRandom(7);
    for (const [name, entry] of Object.entries(durations)) {
      const drawn = duration(random, name as keyof typeof durations);
      expect(drawn).toBeGreaterThanOrEqual(entry.from * 1000);
      expect(drawn).toBeLessThanOrEqual(entry.to * 1000);
      expect(entry.assumption ? entry.why : entry.source).not.toBe("");
    }
    const twice = [seededRandom(3), seededRandom(3)].map((one) => duration(one, "rds.promote"));
    expect(twice[0]).toBe(twice[1]);
  });
});
