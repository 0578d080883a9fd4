import { expect } from "vitest";
import { keyIn, names } from "../../drills/names.ts";
import { keyRing } from "../../functions/verification/aws.ts";
import type { Check } from "../../functions/verification/checks.ts";
import type { Observer } from "../../local/aws/endpoint.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { person } from "../ops/stage.ts";
import { heartbeat, inTurns, type Stage, stage } from "../verification/stage.ts";

/** A modelled database has no ciphertext: of the real check only the way to the ring is left. */
const ringRead = (runtime: Runtime): Check => ({
  name: "ciphertext-opens",
  title: "The ring is there",
  needs: [],
  run: async () => {
    await keyRing(runtime, runtime.config.regions.standby, names.rotated.encryption);
    const found = { expected: "a ring", actual: "a ring", says: "There is one." };
    return { name: "ciphertext-opens", is: "passed", ...found };
  },
});

const sweepIn = async (at: Stage, region: string): Promise<unknown> => {
  const asked = { FunctionName: "sweep", Payload: Buffer.from("{}") };
  const { Payload } = await at.timeline.run(
    at.cloud.ask<{ Payload: Uint8Array }>("lambda", "Invoke", region, asked),
    3_600_000,
  );
  return JSON.parse(Buffer.from(Payload).toString());
};

/** What a copy is made with: a tag of production that has to be taken off, a ring, and a snapshot. */
const prepare = async ({ cloud, home, standby, timeline }: Stage): Promise<void> => {
  const rds = (operation: string, region: string, input: object) =>
    timeline.run(
      cloud.ask<{ DBSnapshot?: { DBSnapshotArn: string } }>("rds", operation, region, input),
    );
  await rds("AddTagsToResource", home.region, {
    ResourceName: `arn:aws:rds:${home.region}:${names.account}:db:${home.databaseId}`,
    Tags: [{ Key: "backup", Value: "daily" }],
  });
  const { DBSnapshot } = await rds("CreateDBSnapshot", home.region, {
    DBInstanceIdentifier: home.databaseId,
    DBSnapshotIdentifier: "by-hand",
  });
  await timeline.advance(1_800_000);
  await rds("CopyDBSnapshot", standby.region, {
    SourceDBSnapshotIdentifier: DBSnapshot?.DBSnapshotArn,
    TargetDBSnapshotIdentifier: "by-hand",
    SourceRegion: home.region,
    KmsKeyId: keyIn(standby.region, "data"),
  });
  await cloud.ask("secrets-manager", "CreateSecret", standby.region, {
    Name: names.rotated.encryption,
    SecretString: JSON.stringify({ primary: "first", keys: { first: { secret: "AA" } } }),
    ClientRequestToken: "first".padEnd(32, "-"),
  });
  await timeline.advance(1_800_000);
};

/** Restore tests by the clock, by hand and from a snapshot; one dies, and the sweep takes its copy away. */
export const verified = async ({ observe }: { observe: Observer }): Promise<void> => {
  const at = await stage({
    checks: (runtime) => [heartbeat, inTurns, ringRead(runtime)],
    hooks: () => ({ observe }),
  });
  const { home, standby, timeline } = at;
  await prepare(at);
  await sweepIn(at, home.region);
  await sweepIn(at, standby.region);
  expect(await at.ended()).toMatchObject({ end: "verified" });
  await at.start({ run: "verification-of-a-snapshot", age: { is: "snapshot" } });
  expect(await at.ended()).toMatchObject({ run: "verification-of-a-snapshot", end: "verified" });
  await timeline.run(at.people.command("U0ANA", "verify-backup"), 60_000);
  expect(await at.ended()).toMatchObject({ end: "verified" });
  await timeline.advance(60_000);
  expect(await person(at, "U0ANA")("verify-backup")).toMatchObject({ ok: true });
  expect(await at.ended()).toMatchObject({ end: "verified" });
  await at.start({ run: "verification-that-dies" });
  for (let minute = 0; minute < 60 && (await at.copies()).length === 0; minute += 1) {
    await timeline.advance(60_000);
  }
  await timeline.advance(60_000);
  await at.cloud.ask("lambda", "StopDurableExecution", standby.region, {
    DurableExecutionArn: at.executions().at(-1)?.arn,
  });
  await timeline.advance(900_000);
  expect(await sweepIn(at, standby.region)).toMatchObject({ removed: [expect.any(String)] });
};
