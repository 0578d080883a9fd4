import type { DBInstance } from "@aws-sdk/client-rds";
import { describe, expect, it } from "vitest";
import { rds } from "../../local/aws/rds.ts";
import { modelledEngine } from "../../local/postgres/modelled.ts";
import { DatabaseError } from "../../local/postgres/session.ts";
import { around, asking, failure, home, standby } from "./asking.ts";

const minute = 60_000;
const hour = 60 * minute;
const DBInstanceIdentifier = "ledger";

const platform = async (settings: object = {}, seed = 1) => {
  const { timeline, faults, surroundings } = around(seed);
  const { random } = surroundings;
  const engine = modelledEngine({ timeline, random, reachable: faults.reachable });
  let starts = 0;
  const start = (id: string) => {
    starts += 1;
    return engine.start(id);
  };
  const service = rds(surroundings, { ...engine, start });
  const ask = asking(service.service);
  const primary = await service.establish(home, {
    DBInstanceIdentifier,
    DBInstanceClass: "db.m6g.large",
    MasterUsername: "master",
    MasterUserPassword: "secret",
    AllocatedStorage: 100,
    BackupRetentionPeriod: 14,
    MultiAZ: true,
    ...settings,
  });
  await service.establishReplica(standby, {
    DBInstanceIdentifier: "ledger-standby",
    SourceDBInstanceIdentifier: primary.DBInstanceArn,
  });
  const shown = () =>
    (ask("DescribeDBInstances", { DBInstanceIdentifier }).DBInstances as [DBInstance])[0];
  const grow = (AllocatedStorage: number) =>
    ask("ModifyDBInstance", { DBInstanceIdentifier, AllocatedStorage, ApplyImmediately: true });
  const events = (input: object = {}) =>
    (ask("DescribeEvents", { Duration: 24 * 60, ...input }).Events as { Message: string }[]).map(
      ({ Message }) => Message,
    );
  /** One metric of one instance, as it would be published now. */
  const vital = async (name: string, region = home) =>
    (await timeline.run(service.vitals(region))).find(({ MetricName }) => MetricName === name)
      ?.Value;
  const setRegion = async (region: string, state: "up" | "dead") => {
    faults.set(region, state);
    await service.onRegionChange(region, state);
  };
  return {
    ...{ timeline, engine, rds: service, ask, shown, grow, events, vital, setRegion },
    starts: () => starts,
  };
};

describe("storage of a database", () => {
  it("grows while the instance is used, and is optimized for hours afterwards", async () => {
    const { timeline, shown, grow, events, vital } = await platform();
    const before = (await vital("FreeStorageSpace")) ?? 0;
    grow(150);
    expect(shown()).toMatchObject({
      DBInstanceStatus: "modifying",
      PendingModifiedValues: { AllocatedStorage: 150 },
    });
    await timeline.advance(10 * minute);
    expect(shown()).toMatchObject({
      DBInstanceStatus: "storage-optimization",
      AllocatedStorage: 150,
    });
    expect(await vital("FreeStorageSpace")).toBe(before + 50 * 1024 ** 3);
    expect(events()).toContain("Finished applying modification to allocated storage.");
    await timeline.advance(7 * hour);
    expect(shown().DBInstanceStatus).toBe("available");
  });

  it("can not shrink, and does not grow by less than a tenth", async () => {
    const { grow, shown } = await platform();
    expect(failure(() => grow(90))).toMatchObject({
      name: "InvalidParameterCombination",
      message: expect.stringContaining("cannot be smaller"),
    });
    expect(failure(() => grow(109)).message).toContain("at least 10 percent");
    expect(shown()).toMatchObject({ DBInstanceStatus: "available", PendingModifiedValues: {} });
    expect(failure(() => grow(110)).name).toBe("nothing was refused");
  });

  it("rests for six hours and until it is optimized, while everything else can be changed", async () => {
    const { timeline, grow, ask, shown } = await platform();
    grow(120);
    await timeline.advance(10 * minute);
    expect(failure(() => grow(150)).message).toContain("previous storage change");
    ask("ModifyDBInstance", { DBInstanceIdentifier, BackupRetentionPeriod: 7 });
    await timeline.advance(5 * minute);
    expect(shown()).toMatchObject({
      DBInstanceStatus: "storage-optimization",
      BackupRetentionPeriod: 7,
    });
    await timeline.advance(5 * hour);
    expect(failure(() => grow(150)).message).toContain("previous storage change");
    await timeline.advance(hour);
    expect(failure(() => grow(150)).name).toBe("nothing was refused");
  });

  it("fills up, says so once, and takes more storage then", async () => {
    const { timeline, rds: service, shown, grow, events, vital } = await platform();
    service.strain(home, DBInstanceIdentifier, { usedPercent: 90, growsGigabytesPerHour: 10 });
    expect(await vital("FreeStorageSpace")).toBe(10 * 1024 ** 3);
    await timeline.advance(30 * minute);
    expect(await vital("FreeStorageSpace")).toBe(5 * 1024 ** 3);
    expect(shown().DBInstanceStatus).toBe("available");
    await timeline.advance(31 * minute);
    expect(await vital("FreeStorageSpace")).toBe(0);
    await vital("FreeStorageSpace");
    expect(events({ EventCategories: ["low storage"] })).toHaveLength(1);
    expect(shown().DBInstanceStatus).toBe("storage-full");
    grow(150);
    await timeline.advance(10 * minute);
    expect(shown().DBInstanceStatus).toBe("storage-optimization");
  });
});

describe("RebootDBInstance with ForceFailover", () => {
  const forced = { DBInstanceIdentifier, ForceFailover: true };

  it("serves nobody for one to two minutes, then the other zone does", async () => {
    const { timeline, engine, ask, shown, events } = await platform();
    const open = () =>
      !(engine.session(`${home}.ledger`, { user: "master", from: home }) instanceof DatabaseError);
    expect(shown()).toMatchObject({
      AvailabilityZone: `${home}a`,
      SecondaryAvailabilityZone: `${home}b`,
    });
    ask("RebootDBInstance", forced);
    expect(shown().DBInstanceStatus).toBe("rebooting");
    expect(open()).toBe(true);
    await timeline.advance(30_000);
    expect(open()).toBe(false);
    await timeline.advance(90_000);
    expect(open()).toBe(true);
    expect(shown()).toMatchObject({
      DBInstanceStatus: "available",
      AvailabilityZone: `${home}a`,
    });
    await timeline.advance(3 * minute);
    expect(shown()).toMatchObject({
      AvailabilityZone: `${home}b`,
      SecondaryAvailabilityZone: `${home}a`,
    });
    expect(events({ EventCategories: ["failover"] })).toEqual([
      "Multi-AZ instance failover started.",
      "The user requested a failover of the DB instance.",
      "Multi-AZ instance failover completed",
    ]);
  });

  it("is refused for an instance in one zone", async () => {
    const { ask } = await platform({ MultiAZ: false });
    expect(failure(() => ask("RebootDBInstance", forced)).name).toBe("InvalidParameterCombination");
  });

  it("leaves an instance whose region dies in between to the return of the region", async () => {
    const { timeline, ask, shown, setRegion, engine } = await platform();
    ask("RebootDBInstance", forced);
    await timeline.advance(30_000);
    await setRegion(home, "dead");
    await timeline.advance(10 * minute);
    const session = () => engine.session(`${home}.ledger`, { user: "master", from: home });
    expect(session()).toBeInstanceOf(DatabaseError);
    await setRegion(home, "up");
    await timeline.advance(10 * minute);
    expect(session()).not.toBeInstanceOf(DatabaseError);
    expect(shown().DBInstanceStatus).toBe("available");
  });

  it.each([1, 2, 3, 4, 5, 6])(
    "starts an instance once, whoever is first (seed %i)",
    async (seed) => {
      const { timeline, ask, setRegion, starts } = await platform({}, seed);
      ask("RebootDBInstance", forced);
      await timeline.advance(21_000);
      await setRegion(home, "dead");
      await setRegion(home, "up");
      await timeline.advance(10 * minute);
      expect(starts()).toBe(1);
    },
  );
});

describe("metrics of a database", () => {
  it("counts connections, and shows a processor as busy as a drill says", async () => {
    const { engine, vital, rds: service } = await platform();
    expect(await vital("DatabaseConnections")).toBe(0);
    for (let opened = 0; opened < 3; opened += 1) {
      engine.session(`${home}.ledger`, { user: "master", from: home });
    }
    expect(await vital("DatabaseConnections")).toBe(3);
    expect(await vital("CPUUtilization")).toBe(15);
    service.strain(home, DBInstanceIdentifier, { cpuPercent: 98 });
    expect(await vital("CPUUtilization")).toBe(98);
  });

  it("shows lag of replicas only: five minutes at most when idle, and more when cut off", async () => {
    const { timeline, engine, vital, setRegion } = await platform();
    expect(await vital("ReplicaLag")).toBeUndefined();
    const session = engine.session(`${home}.ledger`, { user: "master", from: home });
    if (session instanceof DatabaseError) throw session;
    session.write("account", "1");
    await timeline.advance(1000);
    expect(await vital("ReplicaLag", standby)).toBeLessThan(2);
    await timeline.advance(20 * minute);
    expect(await vital("ReplicaLag", standby)).toBe(300);
    await setRegion(home, "dead");
    expect(await vital("ReplicaLag", standby)).toBeGreaterThan(1200);
  });

  it("are not there for an instance without power", async () => {
    const { vital, setRegion } = await platform();
    await setRegion(home, "dead");
    expect(await vital("FreeStorageSpace")).toBeUndefined();
  });
});

it("filters events by kind and by source, and wants the type of a source with it", async () => {
  const { timeline, ask, events } = await platform();
  ask("RebootDBInstance", { DBInstanceIdentifier });
  await timeline.advance(5 * minute);
  const source = { SourceIdentifier: DBInstanceIdentifier, SourceType: "db-instance" };
  expect(events(source)).toEqual(["DB instance restarted"]);
  expect(events({ ...source, EventCategories: ["low storage"] })).toEqual([]);
  expect(events({ SourceType: "db-snapshot" })).toEqual([]);
  const untyped = () => events({ SourceIdentifier: DBInstanceIdentifier });
  expect(failure(untyped).name).toBe("InvalidParameterCombination");
});
