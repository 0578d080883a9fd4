import { describe, expect, it } from "vitest";
import { names } from "../../drills/names.ts";
import type { Swept } from "../../functions/sweep/sweep.ts";
import config from "../../nightshift.config.ts";
import { type DatabaseSeen, driftLines, driftOf } from "../../shared/drift.ts";
import { type Stage, stage } from "./stage.ts";

const wanted = config.sizes.database;
const active: DatabaseSeen = {
  region: "eu-central-1",
  id: "platform-eu-central-1",
  instanceClass: wanted.instanceClass,
  storageGigabytes: wanted.storageGigabytes,
  maximumStorageGigabytes: wanted.maximumStorageGigabytes,
  engineVersion: "18.1",
  isEncrypted: true,
  isPublic: false,
  isProtected: true,
  multiAz: wanted.multiAz,
  retentionDays: wanted.backupRetentionDays,
  parameterGroup: names.parameterGroup,
  parameters: { shared_preload_libraries: "pg_stat_statements", work_mem: "65536" },
  ingress: ["tcp 5432-5432 from a group"],
};
const standby: DatabaseSeen = {
  ...active,
  region: "eu-west-1",
  id: "platform-eu-west-1",
  // A replica has neither, and gets both when it is promoted.
  ...{ multiAz: false, isProtected: false, retentionDays: 0 },
};

const found = (more: Partial<DatabaseSeen>, here: Partial<DatabaseSeen> = {}) =>
  driftOf({ active: { ...active, ...here }, standby: { ...standby, ...more } }, wanted);

describe("settings of two regions", () => {
  it("agree when the standby is as a replica is, also while the guard lets nobody in there", () => {
    expect(found({})).toEqual([]);
    expect(found({ ingress: [] })).toEqual([]);
    expect(driftOf({ active, standby: null }, wanted)).toEqual([]);
  });

  it.each<[string, Partial<DatabaseSeen>, Partial<DatabaseSeen>, boolean]>([
    ["backup retention", {}, { retentionDays: 0 }, true],
    ["backup retention", {}, { retentionDays: 7 }, false],
    ["encryption at rest", {}, { isEncrypted: false }, true],
    ["storage", { storageGigabytes: 50 }, {}, true],
    ["engine", { engineVersion: "17.6" }, {}, true],
    ["engine", { engineVersion: "18.2" }, {}, false],
    ["instance class", { instanceClass: "db.t4g.micro" }, {}, false],
    ["parameter group", { parameterGroup: "default.postgres18" }, {}, false],
    ["parameter work_mem", { parameters: { ...active.parameters, work_mem: "4096" } }, {}, false],
    [
      "parameter wal_keep_size",
      { parameters: { ...active.parameters, wal_keep_size: "1" } },
      {},
      false,
    ],
    ["two zones", {}, { multiAz: false }, false],
    ["deletion protection", {}, { isProtected: false }, false],
    ["storage autoscaling", {}, { maximumStorageGigabytes: 100 }, false],
    ["a public address", { isPublic: true }, {}, false],
  ])("differ by the %s, and only some of it keeps a rebuild from being made", (...given) => {
    const [name, more, here, blocks] = given;
    expect(found(more, here).map((each) => [each.name, each.blocks])).toEqual([[name, blocks]]);
  });

  it("say that a database is open to everybody, on both sides", () => {
    const ingress = [...active.ingress, "tcp 5432-5432 from 0.0.0.0/0"];
    expect(driftLines(found({ ingress }, { ingress }))).toEqual(
      ["eu-central-1", "eu-west-1"].map(
        (region) =>
          `who may come in in ${region}: tcp 5432-5432 from 0.0.0.0/0, and should be nobody from everywhere.`,
      ),
    );
  });
});

const swept = async (at: Stage): Promise<Swept> => {
  const { Payload } = await at.timeline.run(
    at.cloud.ask<{ Payload: Uint8Array }>("lambda", "Invoke", at.standby.region, {
      FunctionName: "sweep",
      Payload: Buffer.from("{}"),
    }),
    3_600_000,
  );
  return JSON.parse(Buffer.from(Payload).toString("utf8")) as Swept;
};

describe("the watch over settings", () => {
  it("tells a change once, and once that it is over", async () => {
    const at = await stage();
    const parameters = (values: Record<string, string>) =>
      at.cloud.databases.establishParameterGroup(at.standby.region, names.parameterGroup, values);
    const before = (await swept(at)).drift;
    parameters({ work_mem: "4096" });
    const first = await swept(at);
    expect(first.drift?.join()).toContain("parameter work_mem in eu-west-1: 4096");
    expect(first.blocking).toBe(0);
    expect((await swept(at)).drift).toBeNull();
    parameters({});
    expect((await swept(at)).drift).toEqual(before ?? []);
    expect((await swept(at)).drift).toBeNull();
  });
});
