import { describe, expect, it } from "vitest";
import { names } from "../../drills/names.ts";
import { dueRun, judgeInstance } from "../../functions/sweep/decide.ts";
import type { Swept } from "../../functions/sweep/sweep.ts";
import { copyOf, marksOf } from "../../shared/copy.ts";
import { quarantine, type Stage, type StageOptions, stage } from "./stage.ts";

const hour = 3_600_000;
const run = "verification-2026-11-22";
const copy = copyOf(quarantine.prefix, run);

/** One round of the sweep. */
const swept = async (at: Stage): Promise<Swept> => {
  const { Payload } = await at.timeline.run(
    at.cloud.ask<{ Payload: Uint8Array }>("lambda", "Invoke", at.standby.region, {
      FunctionName: "sweep",
      Payload: Buffer.from("{}"),
    }),
    hour,
  );
  return JSON.parse(Buffer.from(Payload).toString("utf8")) as Swept;
};

/** A run that dies for good right after its copy is there. */
const abandoned = async (options: StageOptions = {}) => {
  const at = await stage(options);
  await at.start();
  await at.timeline.advance(1200_000 / 2);
  const [execution] = at.executions();
  await at.timeline.run(
    at.cloud.ask("lambda", "StopDurableExecution", at.standby.region, {
      DurableExecutionArn: execution?.arn,
    }),
  );
  await at.timeline.advance(900_000);
  expect((await at.copies()).map((each) => each.DBInstanceIdentifier)).toEqual([copy]);
  return at;
};

const own = (at: Stage) => at.instancesIn(at.standby.region);

describe("the sweep", () => {
  it("takes away what a dead run has left, says so in its journal, and touches nothing else", async () => {
    const at = await abandoned();
    const before = await at.instancesIn(at.home.region);
    const found = await swept(at);
    expect(found.removed).toEqual([`${copy}: ${run} has died and left it.`]);
    expect(found.reported).toEqual([]);
    await at.timeline.advance(900_000);
    // The day's restore test, which the dead one held back, is under way.
    expect((await own(at)).map((each) => each.DBInstanceIdentifier)).toEqual([
      at.standby.databaseId,
      copyOf(quarantine.prefix, found.started ?? ""),
    ]);
    expect(await at.instancesIn(at.home.region)).toEqual(before);
    expect((await at.journal()).map(({ key }) => key)).toContain("swept");
  });

  it("ends a dead run's hold on repairs, and no living one's", async () => {
    const at = await abandoned();
    const held = async () =>
      (await at.items(names.coordination)).find(
        ({ id }) => id === `freeze#verification#${at.standby.region}`,
      );
    expect((await held())?.untilMilliseconds).toBeGreaterThan(at.timeline.now());
    expect((await swept(at)).released).toBe(run);
    await at.timeline.advance(60_000);
    expect((await held())?.by).not.toBe(run);
    expect((await swept(at)).released).toBeNull();
  });

  it("leaves a copy alone whose run is alive", async () => {
    const at = await stage();
    await at.start();
    await at.timeline.advance(200_000);
    expect(await swept(at)).toMatchObject({ removed: [], reported: [], started: null });
    expect(await at.ended()).toMatchObject({ end: "verified" });
  });

  it("reports a stranger with our name or our mark, also production, and deletes none", async () => {
    const at = await stage();
    const { region, databaseId } = at.standby;
    const tags = Object.entries(marksOf(run, 0)).map(([Key, Value]) => ({ Key, Value }));
    const there = { DBInstanceClass: "db.t4g.micro", MasterUserPassword: "0123456789" };
    await at.cloud.databases.establish(region, { ...there, DBInstanceIdentifier: copy });
    const named = `${quarantine.prefix}-verify-0123456789abcdef`;
    await at.cloud.databases.establish(region, {
      ...{ ...there, DBInstanceIdentifier: named, Tags: tags },
    });
    await at.cloud.ask("rds", "AddTagsToResource", region, {
      ResourceName: `arn:aws:rds:${region}:123456789012:db:${databaseId}`,
      Tags: tags,
    });
    const { removed, reported } = await swept(at);
    expect(removed).toEqual([]);
    expect(reported.map((text) => text.split(":")[0]).sort()).toEqual(
      [copy, named, databaseId].sort(),
    );
    // With mark and name, and in no journal: whoever has copied both is not believed.
    await at.cloud.ask("rds", "AddTagsToResource", region, {
      ResourceName: `arn:aws:rds:${region}:123456789012:db:${copy}`,
      Tags: tags,
    });
    const again = await swept(at);
    expect(again.removed).toEqual([]);
    expect(again.reported.join()).toContain("knows nothing of it");
    expect(await own(at)).toHaveLength(3);
  });

  it("starts the day's restore test in the standby region, and only once", async () => {
    const at = await stage();
    const found = await swept(at);
    expect(found.started).toMatch(/^verification-eu-west-1-2026-11-22t02$/);
    expect(await at.ended()).toMatchObject({ end: "verified" });
    expect((await swept(at)).started).toBeNull();
  });
});

describe("when the next restore test is due", () => {
  const regions = { region: "eu-west-1", activeRegion: "eu-central-1" };
  const sunday = Date.parse("2026-11-22T03:20:00Z");
  const at = (lastEndedMilliseconds: number | null, now = sunday) =>
    dueRun({ ...regions, lastEndedMilliseconds }, now);

  it("is a day after the last one ended, whatever came of it, and each hour until one has", () => {
    expect(at(null)?.run).toBe("verification-eu-west-1-2026-11-22t03");
    expect(at(sunday - 22 * hour)).toBeNull();
    expect(at(sunday - 24 * hour)?.run).toBe("verification-eu-west-1-2026-11-22t03");
    expect(at(null, sunday + hour)?.run).toBe("verification-eu-west-1-2026-11-22t04");
  });

  it("is any age on Sundays, a snapshot on Wednesdays, else the newest, and never where users are", () => {
    expect(at(null)?.age).toEqual({ is: "random" });
    for (const days of [1, 2, 4, 5, 6]) {
      expect(at(null, sunday + 24 * days * hour)?.age).toEqual({ is: "latest" });
    }
    const wednesday = sunday + 3 * 24 * hour;
    expect(at(null, wednesday)?.age).toEqual({ is: "snapshot", orLatest: true });
    const here = { ...regions, activeRegion: "eu-west-1", lastEndedMilliseconds: null };
    expect(dueRun(here, sunday)).toBeNull();
  });
});

describe("what is decided about an instance", () => {
  const now = 1_000_000_000_000;
  const seen = { id: copy, status: "available", isNamedAsOurs: true, run, isNamedByRun: true };
  const fact = <T>(value: T) => ({ known: true, value, source: "", atMilliseconds: now }) as const;
  const unknown = { known: false, why: "silence", source: "", atMilliseconds: now } as const;
  const judge = (
    end: number,
    inJournal: Parameters<typeof of>[0],
    fate: Parameters<typeof of>[1],
  ) => judgeInstance({ ...seen, deleteAfterMilliseconds: end }, of(inJournal, fate), now).is;
  const of = (
    isInJournal: NonNullable<Parameters<typeof judgeInstance>[1]>["isInJournal"],
    fate: NonNullable<Parameters<typeof judgeInstance>[1]>["fate"],
  ) => ({ isInJournal, fate });

  it("is to remove it when its run is over, or when its time is, and never without its journal", () => {
    expect(judge(now + hour, fact(true), fact("died"))).toBe("remove");
    expect(judge(now + hour, fact(true), fact("ended"))).toBe("remove");
    expect(judge(now + hour, fact(true), fact("none"))).toBe("remove");
    expect(judge(now + hour, fact(true), fact("alive"))).toBe("leave");
    expect(judge(now + hour, fact(true), unknown)).toBe("leave");
    expect(judge(now - 2 * hour, fact(true), unknown)).toBe("remove");
    expect(judge(now - 2 * hour, fact(true), fact("alive"))).toBe("remove");
    expect(judge(now - 2 * hour, unknown, fact("died"))).toBe("report");
    expect(judge(now - 2 * hour, fact(false), fact("died"))).toBe("report");
  });
});
