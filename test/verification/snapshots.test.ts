import { describe, expect, it } from "vitest";
import { keyIn } from "../../drills/names.ts";
import { onlyRecord, type Stage, stage } from "./stage.ts";

const minute = 60_000;

/** One is taken of the primary, and copied to the standby region with a key of its own. */
const copied = async ({ cloud, home, standby, timeline }: Stage, name: string): Promise<number> => {
  const takenAt = timeline.now();
  const ask = (region: string, operation: string, input: object) =>
    timeline.run(cloud.ask("rds", operation, region, input));
  await ask(home.region, "CreateDBSnapshot", {
    DBInstanceIdentifier: home.databaseId,
    DBSnapshotIdentifier: name,
  });
  await timeline.advance(20 * minute);
  await ask(standby.region, "CopyDBSnapshot", {
    SourceDBSnapshotIdentifier: `arn:aws:rds:${home.region}:123456789012:snapshot:${name}`,
    TargetDBSnapshotIdentifier: name,
    KmsKeyId: keyIn(standby.region, "data"),
  });
  await timeline.advance(60 * minute);
  return takenAt;
};

describe("a restore test of a snapshot", () => {
  it("restores the newest one that lies in the standby region, apart from production", async () => {
    const at = await stage();
    await copied(at, "the-older-one");
    const takenAt = await copied(at, "before-the-migration");
    await at.start({ age: { is: "snapshot" } });
    expect(await at.ended()).toMatchObject({ end: "verified", notes: [], leftovers: [] });
    const { restore, backup, restored } = await onlyRecord(at);
    expect(restore?.aim).toBe("snapshot");
    expect(restore?.to).toBe(new Date(takenAt).toISOString().replace(".000", ""));
    expect(backup).toMatchObject({
      arn: expect.stringContaining(`:${at.standby.region}:`),
      sourceRegion: at.home.region,
      kmsKey: keyIn(at.standby.region, "data"),
      status: "snapshot",
    });
    expect(restored.map(({ name, is }) => `${name} ${is}`)).toContain("is-isolated passed");
    expect(await at.copies()).toEqual([]);
  });

  it("is red when somebody asks for one and there is none", async () => {
    const at = await stage();
    await at.start({ age: { is: "snapshot" } });
    expect(await at.ended()).toMatchObject({ end: "red", code: "no-snapshot" });
  });

  it("takes the newest state instead where the schedule asks and nobody keeps snapshots", async () => {
    const at = await stage();
    await at.start({ age: { is: "snapshot", orLatest: true } });
    expect(await at.ended()).toMatchObject({ end: "verified" });
    expect((await onlyRecord(at)).restore?.aim).toBe("latest");
  });
});
