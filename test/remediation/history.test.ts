import { describe, expect, it } from "vitest";
import type {
  ChangeSeen,
  ChangesSeen,
  HistorySeen,
} from "../../functions/remediation/evidence-past.ts";
import { changesWords, historyOf, historyWords } from "../../functions/remediation/past.ts";
import { reserve } from "../../shared/budget.ts";
import { pause, resume } from "../../shared/pause.ts";
import { advanceFlight, takeFlight } from "../../shared/rotation.ts";
import { declareUpheaval } from "../../shared/upheaval.ts";
import { put, set } from "./alarm-story.ts";
import { factOf, minute, now } from "./facts.ts";
import { type Stage, stage } from "./stage.ts";

const about = { now, hours: 24, isCut: false };
/** Into ALARM so many minutes ago, and out of it a minute later. */
const rings = (...minutesAgo: number[]) =>
  minutesAgo.flatMap((ago) => [
    { atMilliseconds: now - ago * minute, from: "OK", to: "ALARM" },
    { atMilliseconds: now - (ago - 1) * minute, from: "ALARM", to: "OK" },
  ]);

describe("the history of an alarm", () => {
  it.each<[what: string, minutesAgo: number[], says: string]>([
    ["never before", [], "Rang for the first time in 24 h."],
    ["once", [5], "Rang for the first time in 24 h."],
    ["twice in a night", [300, 5], "Rang 2 times since 22:00."],
    ["three times in an hour", [55, 20, 5], "Rang 3 times since 02:05, and comes and goes."],
    ["three times in a night", [500, 70, 5], "Rang 3 times since 18:40."],
  ])("is told when it rang %s", (_what, minutesAgo, says) => {
    expect(historyWords(factOf("history", historyOf(rings(...minutesAgo), about)))).toBe(says);
  });

  it("counts a composite that is only suppressed anew as no change", () => {
    const again = [{ atMilliseconds: now, from: "ALARM", to: "ALARM" }];
    expect(historyOf(again, about)).toMatchObject({ changes: 0, rang: 0 });
  });

  it("says that it rang at least so often when there was more than was read", () => {
    const cut = { ...about, isCut: true };
    const seen = historyOf(rings(...Array.from({ length: 150 }, (_, each) => 150 - each)), cut);
    expect(seen).toMatchObject({ rang: 150, changes: 300, flaps: true });
    expect(seen.rangAtMilliseconds).toHaveLength(20);
    expect(historyWords(factOf("history", seen))).toMatch(/^Rang at least 150 times since/);
  });

  it("is not told where it could not be seen", () => {
    expect(historyWords(factOf<HistorySeen>("history", undefined))).toBeNull();
  });
});

describe("what was changed, as people read it", () => {
  const one: ChangeSeen = {
    ...{ what: "deploy", by: "r-1", text: "instances are replaced, Successful" },
    ...{ sinceMilliseconds: now - 30 * minute, untilMilliseconds: now - 12 * minute },
  };
  const words = (value: ChangesSeen | undefined) => changesWords(factOf("changes", value));

  it("says what, by whom and when, and that something is still under way", () => {
    const going = {
      ...one,
      what: "failover" as const,
      by: "failover-2-1",
      untilMilliseconds: null,
    };
    expect(words({ minutes: 60, changes: [going, one], unread: [] })).toEqual([
      "failover failover-2-1: instances are replaced, Successful, 02:30, still under way",
      "deploy r-1: instances are replaced, Successful, 02:30 to 02:48",
    ]);
  });

  it("says that there was nothing, and tells that from what could not be seen", () => {
    const unread = [{ kinds: ["deploy" as const], why: "Throttling" }];
    expect(words({ minutes: 60, changes: [], unread: [] })).toEqual([
      "Nothing was changed in the last 60 minutes.",
    ]);
    expect(words({ minutes: 60, changes: [], unread })).toEqual(["Not seen: deploy (Throttling)."]);
    expect(words(undefined)).toEqual([
      "What was changed in the last hour could not be seen (silence).",
    ]);
  });

  it("is cut where there is more than anybody reads", () => {
    const many = Array.from({ length: 9 }, () => one);
    expect(words({ minutes: 60, changes: many, unread: [] }).at(-1)).toBe("and 3 more");
  });
});

const kind = "nightshift-unhealthy-hosts-story";

const evidenceOf = async (at: Stage) => {
  const entry = (await at.journal()).find(({ key }) => key === "evidence");
  return (entry?.data ?? {}) as {
    evidence: {
      history: { known: true; value: HistorySeen };
      changes: { known: true; value: ChangesSeen };
    };
  };
};

describe("every run", () => {
  it("sees how often its alarm rang and what was changed before, and tells both in its message", async () => {
    const at = await stage({ instances: 2, rights: { "unhealthy-host": "shadow" } });
    const by = { by: "U0ANA", reason: "we look" };
    const turn = () => ({ ...by, atMilliseconds: Math.floor(at.timeline.now()) });
    // Nothing begins meanwhile, so that the run comes after all of it.
    await at.timeline.run(pause(at.table, turn()));
    await put(at, kind);
    for (let times = 0; times < 3; times += 1) {
      await set(at, kind);
      await at.timeline.advance(2 * minute);
      await set(at, kind, "OK");
      await at.timeline.advance(minute);
    }
    const since = at.timeline.now();
    const flight = {
      scope: "database",
      run: "rotation-x",
      secret: "platform/database",
      token: "t",
    };
    const until = { untilMilliseconds: since + 10 * minute };
    await at.timeline.run(takeFlight(at.table, { ...flight, ...until }, since));
    await at.timeline.run(advanceFlight(at.table, flight, "overlap"));
    await at.timeline.run(
      declareUpheaval(at.table, {
        ...{ region: at.region, kind: "maintenance", ...by },
        ...{ sinceMilliseconds: since, untilMilliseconds: since + minute },
      }),
    );
    await set(at, kind);
    await at.timeline.advance(2 * minute);
    await at.timeline.run(resume(at.table, turn()));
    await at.ended();
    const { history, changes } = (await evidenceOf(at)).evidence;
    expect(history.value).toMatchObject({ rang: 4, flaps: true, isCut: false });
    expect(changes.value.unread).toEqual([]);
    expect(changes.value.changes.map(({ what, by }) => [what, by])).toEqual([
      ["order", "U0ANA"],
      ["order", "U0ANA"],
      ["database-rotation", "rotation-x"],
    ]);
    const said = JSON.stringify(at.slack.messages());
    expect(said).toMatch(/Rang 4 times since \d\d:\d\d, and comes and goes/);
    expect(said).toContain("old and new are both valid");
    expect(said).toContain("resumed Nightshift: we look");
    expect(at.bugs).toEqual([]);
  });
});

describe("what was changed in a region", () => {
  const flightOf = async (at: Stage, scope: string, phases: ("overlap" | "ended")[]) => {
    const flight = { scope, run: `rotation-${scope}`, secret: `platform/${scope}`, token: "t" };
    const begun = at.timeline.now() - 300 * minute;
    const taken = { ...flight, untilMilliseconds: begun + minute };
    await at.timeline.run(takeFlight(at.table, taken, begun));
    for (const phase of phases) await at.timeline.run(advanceFlight(at.table, flight, phase));
  };

  it("is an overlap however old, a move, a failover and a repair, and no rotation of yesterday", async () => {
    const at = await stage({ instances: 2, rights: { "unhealthy-host": "shadow" } });
    const ago = Math.floor(at.timeline.now() - 20 * minute);
    await flightOf(at, "database", ["overlap"]);
    await flightOf(at, "cache", ["overlap", "ended"]);
    const settled = {
      settledAtMilliseconds: ago,
      holder: "failover-2-1",
      movedAtMilliseconds: ago,
    };
    await at.timeline.run(at.table.write("lease", { set: settled }));
    const deed = { id: "x", by: "latency", deed: "grow-group", resource: "group:platform" };
    const limits = { regionPerHour: 6, perHour: 6, cooldownSeconds: 0, fleet: null };
    const wanted = { ...deed, fleet: null, atMilliseconds: ago };
    await at.timeline.run(reserve(at.table, at.region, wanted, limits));
    await at.cloud.ask("rds", "RebootDBInstance", at.region, {
      DBInstanceIdentifier: at.platform.home.databaseId,
      ForceFailover: true,
    });
    await at.timeline.advance(5 * minute);
    await put(at, kind);
    await set(at, kind);
    await at.ended();
    const { changes } = (await evidenceOf(at)).evidence;
    const kinds = new Set(changes.value.changes.map(({ what, by }) => `${what} ${by}`));
    expect([...kinds].toSorted()).toEqual([
      `database-event ${at.platform.home.databaseId}`,
      `database-failover ${at.platform.home.databaseId}`,
      "database-rotation rotation-database",
      "failover failover-2-1",
      "repair latency",
    ]);
  });

  it("is told from what could not be seen, place by place, and nothing is done on half of it", async () => {
    const at = await stage({ instances: 3 });
    const before = await at.serving();
    at.faults.add({ match: { operation: "DescribeInstanceRefreshes" }, kind: "error" });
    await at.sicken();
    const { end, acts } = await at.ended();
    expect([end, acts]).toEqual(["nothing", 0]);
    const { changes } = (await evidenceOf(at)).evidence;
    expect(changes.value.unread).toMatchObject([{ kinds: ["deploy"] }]);
    expect(await at.serving()).toEqual(before);
  });
});

describe("a repair right after a change of our own", () => {
  const refresh = (at: Stage) =>
    at.cloud.ask("auto-scaling", "StartInstanceRefresh", at.region, {
      AutoScalingGroupName: "platform",
    });

  it("is asked for and not made, where it would touch what was changed", async () => {
    const at = await stage({ instances: 3 });
    await refresh(at);
    await at.timeline.advance(20 * minute);
    const before = await at.serving();
    await at.sicken();
    await at.until("a question", () =>
      at.slack.messages().some(({ text }) => text.includes("May this be done")),
    );
    expect(await at.serving()).toEqual(before);
    expect(JSON.stringify(at.slack.messages())).toMatch(/The alarm came \d+ minutes after deploy/);
  });

  it("is made by itself once the change is long over", async () => {
    const at = await stage({ instances: 3 });
    await refresh(at);
    await at.timeline.advance(60 * minute);
    await at.sicken();
    expect(await at.ended()).toMatchObject({ end: "done", acts: 1 });
  });
});
