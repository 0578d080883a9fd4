import { describe, expect, it } from "vitest";
import { isStalled, progressed } from "../../functions/retirement/reencrypt.ts";
import { type Evidence, idOf, judgeKeys } from "../../functions/rotation/kinds/release.ts";
import type { Ring } from "../../functions/rotation/kinds/ring.ts";
import { type Incident, keepIncident, readIncident } from "../../shared/incident.ts";
import { pause, resume } from "../../shared/pause.ts";
import { declareUpheaval } from "../../shared/upheaval.ts";
import { primary } from "../tables.ts";
import { column, keptSteps, retentionDays, ringWorld } from "./ring-world.ts";
import { token } from "./stage.ts";

const hour = 3_600_000;
const day = 24 * hour;
const now = Date.UTC(2026, 10, 22, 3);
const iso = (milliseconds: number) => `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;

const secretOf = (byte: number) => Buffer.alloc(32, byte).toString("base64url");
const ring: Ring = {
  primary: "new",
  keys: {
    old: { secret: secretOf(1), state: "decrypt-only", madeAt: null },
    new: { secret: secretOf(2), state: "primary", madeAt: "2026-11-22T03:00:00Z" },
  },
};
const oldId = idOf({ secret: secretOf(1) });
const none = { ...column, keys: {}, unmarked: 0, more: false };
const evidence: Evidence = { left: [none], unmarked: [], backups: null, retentionDays: 30, now };

const rested = (since: number): Ring => ({
  ...ring,
  keys: {
    ...ring.keys,
    old: {
      ...{ secret: secretOf(1), state: "decrypt-only", madeAt: null },
      unusedSince: iso(since),
      mayGoAt: iso(since + 30 * day + hour),
    },
  },
});
const long = now - 40 * day;
const backup = (from: number | null) => ({ what: "backups of home", fromMilliseconds: from });

describe("an older key of the encryption ring", () => {
  it.each<[string, Ring, Partial<Evidence>, RegExp]>([
    [
      "that rows need",
      rested(long),
      { left: [{ ...none, keys: { [oldId]: 12 } }], backups: [backup(now - day)] },
      /needed by 12 rows of public.holders.name/,
    ],
    [
      "while values do not say which key opens them",
      rested(long),
      { left: [{ ...none, unmarked: 3 }], backups: [backup(now - day)] },
      /3 values of public.holders.name have no key id/,
    ],
    [
      "while a column of another format is there",
      rested(long),
      { unmarked: ["public.cards.number"], backups: [backup(now - day)] },
      /public.cards.number do not say which/,
    ],
    [
      "while not all rows were counted",
      rested(long),
      { left: [{ ...none, keys: { "0123456789abcdef": 1_000_000 }, more: true }] },
      /not all were counted/,
    ],
    ["while no column is known", rested(long), { left: [] }, /no column .* is known/],
    [
      "that a backup goes back to",
      rested(long),
      { backups: [backup(now - day), backup(long - day)] },
      /backups of home can be restored to when rows needed it/,
    ],
    [
      "within an hour of which a backup begins",
      rested(long),
      { backups: [backup(long + hour)] },
      /can be restored/,
    ],
    [
      "while a copy is there of which nobody knows how old it is",
      rested(long),
      { backups: [backup(now - day), backup(null)] },
      /may have rows that need it/,
    ],
    ["while nobody has told of backups", rested(long), {}, /nobody has told of any backup/],
    ["while there seem to be none", rested(long), { backups: [] }, /nobody has told of any/],
    [
      "that no row needs since today",
      ring,
      { backups: [backup(now)] },
      /stays until 2026-12-22T04:00:00Z/,
    ],
  ])("stays %s, and it is said why", (_what, given, more, why) => {
    const judged = judgeKeys(given, { ...evidence, ...more });
    expect(Object.keys(judged.ring.keys)).toEqual(["old", "new"]);
    expect(judged.gone).toEqual([]);
    expect(judged.why.join(" ")).toMatch(why);
  });

  it("goes when no row needs it and every backup begins after the last that did", () => {
    const backups = [backup(now - day), backup(long + hour + 1000)];
    const judged = judgeKeys(rested(long), { ...evidence, backups });
    expect(judged.gone).toEqual(["old"]);
    expect(Object.keys(judged.ring.keys)).toEqual(["new"]);
  });

  it("begins to rest anew when rows have come back to it", () => {
    const left = [{ ...none, keys: { [oldId]: 1 } }];
    const judged = judgeKeys(rested(long), { ...evidence, left });
    expect(judged.ring.keys.old).not.toHaveProperty("unusedSince");
    const later = judgeKeys(judged.ring, { ...evidence, backups: [backup(now - day)] });
    expect(later.ring.keys.old).toMatchObject({ unusedSince: iso(now) });
  });

  it("waits for a longer time when backups are kept for longer than they were", () => {
    const judged = judgeKeys(rested(long), {
      ...evidence,
      retentionDays: 35,
      now: long + 32 * day,
    });
    expect(judged.ring.keys.old).toMatchObject({ mayGoAt: iso(long + 35 * day + hour) });
    expect(judged.gone).toEqual([]);
  });
});

it("takes an application for one that cannot do it when it has sealed nothing for an hour", () => {
  const first = progressed(null, { at: 0, left: 10, isHeld: false });
  const same = progressed(first, { at: hour, left: 10, isHeld: false });
  expect(isStalled(same, hour)).toBe(true);
  expect(isStalled(progressed(first, { at: 1, left: 9, isHeld: false }), hour)).toBe(false);
  // It was not allowed to: that says nothing of it.
  expect(isStalled(progressed(first, { at: hour, left: 10, isHeld: true }), hour)).toBe(false);
});

type World = Awaited<ReturnType<typeof ringWorld>>;

const incident = (at: number, isOver: boolean): Incident => ({
  ...{ region: primary, id: "1f0c9a2b", openedAtMilliseconds: at, seenAtMilliseconds: at },
  ...{ alarmCount: 1, mostAlarms: 1, step: 0, attempt: null, newsAtMilliseconds: at },
  ...{ tried: {}, parked: [], told: [], pagedAtMilliseconds: null, message: null },
  closedAtMilliseconds: isOver ? at : null,
});

describe("the rotation of an encryption ring", () => {
  it("has every row sealed again, and drops a key when no backup reaches back to it", async () => {
    const at = await ringWorld();
    const made: string[] = ["first"];
    for (let number = 1; number <= 5; number += 1) {
      const result = await at.ended(await at.begun(number));
      expect(result).toMatchObject({ end: "retired" });
      made.push(at.ring().primary);
      expect(new Set(at.database.rows)).toEqual(new Set([at.id(at.ring().primary)]));
      expect(at.database.state.permittedUntil).toBeLessThanOrEqual(at.timeline.now());
      await at.days(5);
    }
    // After 20 days backups of 14 reach back to neither of the first two keys any more.
    expect(Object.keys(at.ring().keys)).toEqual(made.slice(2));
    const dates = made.slice(2, -1).map((name) => at.ring().keys[name]);
    for (const key of dates) {
      const { unusedSince = "", mayGoAt = "" } = key ?? {};
      expect(Date.parse(mayGoAt) - Date.parse(unusedSince)).toBe(retentionDays * day + hour);
    }
    expect(at.pages).toEqual([]);
  });

  it("keeps a key for a snapshot that somebody has taken until that is deleted", async () => {
    const at = await ringWorld();
    await at.backups.ask("CreateDBSnapshot", {
      DBInstanceIdentifier: "home",
      DBSnapshotIdentifier: "before-the-merger",
    });
    await at.ended(await at.begun(1));
    await at.days(16);
    const kept = await at.begun(2);
    expect(await at.ended(kept)).toMatchObject({ end: "retired" });
    expect(Object.keys(at.ring().keys)).toContain("first");
    expect(JSON.stringify(await at.journal(kept.run))).toContain(
      "the snapshot before-the-merger in eu-central-1 can be restored",
    );
    at.backups.forget("before-the-merger");
    await at.ended(await at.begun(3));
    expect(Object.keys(at.ring().keys)).not.toContain("first");
  });

  it("keeps every key for a database that was put aside after a failover", async () => {
    const at = await ringWorld();
    await at.backups.putAside("home-quarantine-3");
    await at.ended(await at.begun(1));
    await at.days(16);
    const kept = await at.begun(2);
    expect(await at.ended(kept)).toMatchObject({ end: "retired" });
    expect(Object.keys(at.ring().keys)).toContain("first");
    expect(JSON.stringify(await at.journal(kept.run))).toContain(
      "the instance home-quarantine-3 in eu-central-1 may have rows that need it",
    );
  });

  it.each<[string, (at: World, isOver: boolean) => Promise<unknown>]>([
    [
      "something is deployed",
      ({ table, timeline }, isOver) => {
        const [sinceMilliseconds, longest] = [timeline.now(), timeline.now() + 8 * hour];
        const untilMilliseconds = isOver ? sinceMilliseconds : longest;
        const what = { kind: "deploy", by: "a release", reason: "a new image" } as const;
        return declareUpheaval(table, {
          ...{ ...what, region: primary },
          ...{ sinceMilliseconds, untilMilliseconds },
        });
      },
    ],
    [
      "everything is paused",
      ({ table }, isOver) => {
        const change = { by: "U0ANA", reason: "a strange night", atMilliseconds: 1 };
        return isOver ? resume(table, change) : pause(table, change);
      },
    ],
    [
      "an alarm is up",
      async ({ table, timeline }, isOver) => {
        const seen = await readIncident(table, primary);
        return keepIncident(table, incident(timeline.now(), isOver), seen);
      },
    ],
  ])("waits while %s, and permits nothing meanwhile", async (_what, change) => {
    const at = await ringWorld();
    const order = await at.begun(1);
    const [from, until] = [at.timeline.now() + 500_000, at.timeline.now() + 3 * hour];
    at.timeline.after(from - at.timeline.now(), () => void change(at, false));
    at.timeline.after(until - at.timeline.now(), () => void change(at, true));
    let permitted = 0;
    at.timeline.every(60_000, () => {
      const [time, end] = [at.timeline.now(), at.database.state.permittedUntil];
      // What was permitted just before comes to its end by itself.
      if (time > from + 500_000 && time < until && end > time) permitted += 1;
    });
    expect(await at.ended(order)).toMatchObject({ end: "retired" });
    expect(permitted).toBe(0);
    expect(at.timeline.now()).toBeGreaterThan(until);
  });

  it("ends with people, and every key in the ring, when the application does not know how", async () => {
    const at = await ringWorld();
    at.database.state.isDeaf = true;
    const order = await at.begun(1);
    const result = await at.ended(order);
    expect(result).toMatchObject({ end: "needs-human" });
    expect(at.pages.join()).toMatch(/\d+ rows of public.holders.name \(\d+ by first\)/);
    expect(at.pages.join()).toContain("has sealed none for an hour");
    expect(Object.keys(at.ring().keys)).toContain("first");
    // Somebody mends it, and asks again.
    at.database.state.isDeaf = false;
    expect(await at.ended({ ...order, again: 1 })).toMatchObject({ end: "retired" });
    expect(at.ring().keys.first).toHaveProperty("mayGoAt");
  });

  it("stops when somebody gives its end up, and permits nothing any more", async () => {
    const at = await ringWorld();
    at.database.state.isDeaf = true;
    const order = await at.begun(1);
    const { secret } = order;
    const said = { by: "U0ANA", reason: "the image lacks the hook", mode: "abandon" };
    const asked = { do: "begin", secret, token: token(9), ...said };
    at.timeline.after(2_400_000, () => void at.meanwhile.handle(asked));
    expect(await at.ended(order)).toMatchObject({ end: "abandoned" });
    expect(at.database.state.permittedUntil).toBeLessThanOrEqual(at.timeline.now());
    expect(Object.keys(at.ring().keys)).toHaveLength(2);
    expect(at.pages).toEqual([]);
  });

  it("does not end while one row is sealed by a key that is in no ring, and names it", async () => {
    const at = await ringWorld();
    const order = await at.begun(1);
    await at.ended(order);
    const next = await at.begun(2);
    at.database.state.isDeaf = true;
    for (const row of at.database.rows.keys()) at.database.rows[row] = "0123456789abcdef";
    expect(await at.ended(next)).toMatchObject({ end: "needs-human" });
    expect(at.pages.join()).toContain("by a key that is in no ring (0123456789abcdef)");
    expect(Object.keys(at.ring().keys)).toHaveLength(3);
  });

  it("keeps every key when the database cannot be asked, however old the backups are", async () => {
    const at = await ringWorld();
    await at.ended(await at.begun(1));
    await at.days(16);
    const order = await at.begun(2);
    at.database.state.isAway = true;
    expect(await at.ended(order)).toMatchObject({ end: "needs-human" });
    expect(Object.keys(at.ring().keys)).toHaveLength(3);
  });

  it("comes to the same end, whichever checkpoint its execution is killed at", async () => {
    const quiet = await ringWorld();
    const counted = keptSteps(quiet.timeline);
    await quiet.ended(await quiet.begun(1), counted);
    expect(counted.count()).toBeGreaterThan(30);
    const stride = process.env.EVERY_BLOW ? 1 : 6;
    const wrong: string[] = [];
    for (let number = 0; number < counted.count(); number += stride) {
      const phase = number % 2 === 0 ? "after" : "before";
      const at = await ringWorld();
      const order = await at.begun(1);
      const kept = keptSteps(at.timeline);
      const first = await at.ended(order, kept, { number, phase });
      const second = await at.ended(order, kept);
      const where = `killed ${phase} checkpoint ${number}`;
      if (first !== "died") wrong.push(`${where}: was not`);
      if (second === "died" || second.end !== "retired") wrong.push(`${where}: not retired`);
      if (new Set(at.database.rows).size !== 1) wrong.push(`${where}: rows are left`);
      const [old] = Object.values(at.ring().keys);
      if (old?.mayGoAt === undefined) wrong.push(`${where}: nobody says when the old key may go`);
      if (Object.keys(at.ring().keys).length !== 2) wrong.push(`${where}: a key is gone`);
    }
    expect(wrong).toEqual([]);
  });

  it("comes to the same end, whichever of its questions is not heard or gets no answer", async () => {
    const quiet = await ringWorld();
    await quiet.ended(await quiet.begun(1));
    const asked = quiet.lost.asked;
    expect(asked).toBeGreaterThan(6);
    const wrong: string[] = [];
    for (let call = 1; call <= asked; call += 1) {
      const at = await ringWorld();
      const order = await at.begun(1);
      at.lost.call = call;
      at.lost.when = call % 2 === 0 ? "before" : "after";
      const result = await at.ended(order);
      const where = `question ${call}, ${at.lost.when}`;
      if (result === "died" || result.end !== "retired") wrong.push(`${where}: not retired`);
      if (new Set(at.database.rows).size !== 1) wrong.push(`${where}: rows are left`);
      if (Object.keys(at.ring().keys).length !== 2) wrong.push(`${where}: a key is gone`);
    }
    expect(wrong).toEqual([]);
  });

  it("writes no key into the journal and the checkpoints, only names", async () => {
    const at = await ringWorld();
    const order = await at.begun(1);
    const kept = keptSteps(at.timeline);
    await at.ended(order, kept);
    const texts = JSON.stringify([await at.journal(order.run), kept.results]);
    expect(texts).toContain("All that is sealed is sealed by");
    const found = Object.values(at.ring().keys).filter(({ secret }) => texts.includes(secret));
    expect(found).toEqual([]);
  });
});
