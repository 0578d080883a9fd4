import { describe, expect, it } from "vitest";
import { keyIn } from "../../drills/names.ts";
import { judgeLanded, type LandedFacts } from "../../functions/verification/landed.ts";
import { onlyRecord, type Stage, stage } from "./stage.ts";

const hour = 3_600_000;

const now = Date.parse("2026-11-22T12:00:00Z");
const fact = <T>(value: T) => ({ known: true, value, source: "", atMilliseconds: now }) as const;
const image = `sha256:${"4f".repeat(32)}`;
const well: LandedFacts = {
  copies: fact([
    {
      ...{ arn: "arn", sourceId: "db", sourceRegion: "eu-central-1", status: "replicating" },
      ...{ key: "key", retentionDays: 30, engineVersion: "17", storageGigabytes: 100 },
      ...{ earliestMilliseconds: now - 24 * hour, latestMilliseconds: now - 60_000 },
    },
  ]),
  source: fact({
    ...{ status: "available", retentionDays: 30, key: "key", encrypted: true },
    latestMilliseconds: now - 60_000,
  }),
  snapshots: fact([now - 9 * hour, now - 33 * hour]),
  keyHere: fact("Enabled"),
  keyThere: fact("Enabled"),
  drift: fact([]),
  application: fact({
    ...{ image: `platform@${image}`, toldAtMilliseconds: now - 60_000 },
    present: { "eu-central-1": true, "eu-west-1": true },
  }),
};
const bad = (facts: Partial<LandedFacts>) =>
  judgeLanded({ ...well, ...facts }, { retentionDays: 30, backupLagSeconds: 1800, image }, now)
    .filter(({ is }) => is !== "passed")
    .map(({ name, is }) => `${name} ${is}`);

describe("what is seen of backups", () => {
  it("is good only when all of it is", () => {
    expect(bad({})).toEqual([]);
  });

  it("shows that the daily snapshot was skipped, and that there never was one", () => {
    expect(bad({ snapshots: fact([now - 27 * hour]) })).toEqual(["daily-snapshot failed"]);
    expect(bad({ snapshots: fact([]) })).toEqual(["daily-snapshot failed"]);
  });

  it("is bad while a setting keeps a rebuild from being made, and not for any other", () => {
    const differs = { name: "storage", region: "eu-west-1", expected: "100", actual: "50" };
    const facts = (blocks: boolean) => ({ drift: fact([{ ...differs, blocks }]) });
    expect(bad(facts(true))).toEqual(["settings-allow-rebuild failed"]);
    expect(bad(facts(false))).toEqual([]);
  });

  it("is bad when a registry lacks the image that runs, or another one is configured", () => {
    const told = { image: `platform@${image}`, toldAtMilliseconds: now - 60_000 };
    const both = { "eu-central-1": true, "eu-west-1": true };
    const seen = (more: object) => ({ application: fact({ ...told, present: both, ...more }) });
    expect(bad(seen({ present: { ...both, "eu-west-1": false } }))).toEqual([
      "image-in-both-registries failed",
    ]);
    expect(bad(seen({ image: `platform@sha256:${"00".repeat(32)}` }))).toEqual([
      "image-as-configured failed",
    ]);
    for (const unknown of [{ image: null }, { toldAtMilliseconds: now - 3 * hour }]) {
      expect(bad(seen(unknown))).toEqual([
        "image-in-both-registries could-not-run",
        "image-as-configured could-not-run",
      ]);
    }
  });

  it("is unknown where nobody answers, and never good", () => {
    const silent = { known: false, why: "silence", source: "RDS", atMilliseconds: now } as const;
    const all = {
      copies: silent,
      source: silent,
      snapshots: silent,
      keyHere: silent,
      drift: silent,
    };
    expect(
      bad({ ...all, keyThere: silent, application: silent }).every((text) =>
        text.endsWith("could-not-run"),
      ),
    ).toBe(true);
    expect(bad({ ...all, keyThere: silent, application: silent })).toHaveLength(11);
  });
});

/** What a run says of whether backups land, by name. */
const landed = async (at: Stage) => {
  await at.start();
  const result = await at.ended();
  const { landed: results, outcome: verdict, restored } = await onlyRecord(at);
  const wrong = results.filter(({ is }) => is !== "passed");
  return { result, verdict, restored, wrong: wrong.map(({ name, is }) => `${name} ${is}`) };
};

const replication = (at: Stage, verb: "Start" | "Stop", more: object = {}) => {
  const { region, databaseId } = at.home;
  const SourceDBInstanceArn = `arn:aws:rds:${region}:123456789012:db:${databaseId}`;
  const operation = `${verb}DBInstanceAutomatedBackupsReplication`;
  const input = { SourceDBInstanceArn, ...more };
  return at.cloud.ask("rds", operation, at.standby.region, input);
};

describe("whether backups land", () => {
  it("is no when their replication has stopped, also while what came before still restores", async () => {
    const at = await stage();
    await replication(at, "Stop");
    await at.timeline.advance(2 * hour);
    const { verdict, wrong, result } = await landed(at);
    expect(wrong).toEqual(["backups-replicate failed", "backups-fresh failed"]);
    expect(verdict).toMatchObject({ landed: { is: "no" }, restorable: { is: "yes" } });
    expect(result).toMatchObject({ end: "red", code: "not-landed" });
  });

  it("is no when they are kept for fewer days than the platform has to keep them", async () => {
    const at = await stage();
    await replication(at, "Stop");
    await replication(at, "Start", {
      BackupRetentionPeriod: 3,
      KmsKeyId: keyIn("eu-west-1", "data"),
    });
    await at.timeline.advance(hour);
    expect((await landed(at)).wrong).toEqual(["retention-here failed"]);
  });

  it("is no when the key here is disabled, and then nothing restores either", async () => {
    const at = await stage();
    const key = { KeyId: keyIn(at.standby.region, "data") };
    await at.cloud.ask("kms", "DisableKey", at.standby.region, key);
    const { wrong, verdict, restored } = await landed(at);
    expect(wrong).toEqual(["key-here failed"]);
    expect(verdict).toMatchObject({ landed: { is: "no" }, restorable: { is: "no" } });
    expect(restored.at(-1)?.actual).toContain("KMSKeyNotAccessible");
    expect(await at.copies()).toEqual([]);
  });

  it("is unknown when the home region is silent, and the copy is restored all the same", async () => {
    const at = await stage();
    // Of what the restore test asks only: to all others the region is well, so nothing is moved.
    at.faults.add({
      kind: "timeout-before",
      match: {
        asks: ({ region, service }, _input, caller = "") =>
          region === at.home.region && service !== "dynamodb" && caller.includes("/verification/"),
      },
    });
    const { verdict, wrong } = await landed(at);
    expect(wrong).toContain("source-fresh could-not-run");
    expect(wrong).toContain("daily-snapshot could-not-run");
    expect(verdict).toMatchObject({ landed: { is: "unknown" }, restorable: { is: "yes" } });
  });

  it("is no, and nothing is restored, when there is nothing to restore", async () => {
    const at = await stage({ seed: "nothing" });
    await replication(at, "Stop");
    const { region } = at.standby;
    const { DBInstanceAutomatedBackups } = await at.cloud.ask<{
      DBInstanceAutomatedBackups: { DBInstanceAutomatedBackupsArn: string }[];
    }>("rds", "DescribeDBInstanceAutomatedBackups", region, {});
    for (const { DBInstanceAutomatedBackupsArn } of DBInstanceAutomatedBackups) {
      const input = { DBInstanceAutomatedBackupsArn };
      await at.cloud.ask("rds", "DeleteDBInstanceAutomatedBackup", region, input);
    }
    const { result, verdict } = await landed(at);
    expect(result).toMatchObject({ end: "red", code: "nothing-to-restore" });
    expect(verdict).toMatchObject({ landed: { is: "no" }, restorable: { is: "no" } });
  });
});
