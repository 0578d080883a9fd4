import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RealStage } from "./real.ts";
import { realStage } from "./real.ts";

let at: RealStage;
beforeAll(async () => {
  at = await realStage();
}, 60_000);
afterAll(() => at?.close());

describe("a restore test on real PostgreSQL", () => {
  it("restores what was committed until the moment, passes every check, and leaves nothing", async () => {
    await at.settle();
    // Of a later moment than the backup: what happens to the primary now must not be in the copy.
    await at.sql("drop table cards");
    const result = await at.verify();
    expect(result).toMatchObject({ notes: [], end: "verified", leftovers: [], unrecorded: 0 });
    expect(await at.instances()).toEqual([]);
    const [body] = await at.proof();
    expect(body?.checks.length).toBeGreaterThan(25);
    expect(body?.checks.every(({ is }) => is === "passed")).toBe(true);
  }, 60_000);

  it("finds in the next backup that the table is gone", async () => {
    await at.settle();
    const result = await at.verify({ run: "verification-next" });
    expect(result).toMatchObject({ end: "red", code: "not-correct", leftovers: [] });
    expect(result.notes.join()).toContain("cards");
    expect(await at.instances()).toEqual([]);
  }, 60_000);

  it("is not restorable once a segment of the log is missing, whatever looks fresh", async () => {
    // So that the segment that is lost lies before the moment which is restored.
    await at.sql("create table more as select generate_series(1, 200000) as number");
    await at.settle();
    await at.loseSegment();
    const result = await at.verify({ run: "verification-gap" });
    expect(result).toMatchObject({ end: "red", code: "not-restorable", leftovers: [] });
    const body = (await at.proof()).at(-1);
    expect(
      body?.checks.filter(({ is }) => is !== "passed").map(({ name, actual }) => [name, actual]),
    ).toEqual([["restores", "incompatible-restore"]]);
    expect(await at.instances()).toEqual([]);
  }, 60_000);
});
