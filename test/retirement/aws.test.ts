import { expect, it } from "vitest";
import { settlingSeconds } from "../../shared/freeze.ts";
import type { HookTools } from "../simulation/world.ts";
import { order, primary, stage, standby, type Wanted } from "./stage.ts";

interface Killed {
  phase: "before" | "after";
  number: number;
}

/** An overlap whose execution is killed at one checkpoint, or at none. */
const lived = async (blow?: Killed, told?: Wanted["told"]) => {
  let [last, hits] = [0, 0];
  const hooks = (_tools: HookTools) => ({
    lambda: {
      onCheckpoint: ({ phase, number }: { phase: string; number: number }) => {
        last = Math.max(last, number);
        if (hits > 0 || phase !== blow?.phase || number !== blow.number) return undefined;
        hits += 1;
        return "kill" as const;
      },
    },
  });
  const at = await stage({ hooks, ...(told ? { told } : {}) });
  try {
    await at.start();
    const result = await at.ended();
    // What has just ended is minded until what it did has settled.
    await at.timeline.advance(settlingSeconds * 1000);
    const freezes = (await at.held()).flat().filter(({ what }) => what === "rotation");
    return { result, hits, last, freezes, happened: at.happened, pages: at.pages() };
  } finally {
    await at.close();
  }
};

/** Every checkpoint takes a minute; this many of them each time, in turn before and after. */
const stride = process.env.EVERY_BLOW ? 1 : 5;

const firstOf = (happened: readonly string[], what: string) => happened.indexOf(what);

it("ends an overlap on real fleets and databases, whichever of its steps it is killed at", async () => {
  const quiet = await lived();
  expect(quiet.result).toMatchObject({ end: "retired" });
  expect(quiet.last).toBeGreaterThan(15);
  const wrong: string[] = [];
  for (let number = 1; number <= quiet.last; number += stride) {
    const phase = number % 2 === 0 ? "before" : "after";
    const { result, hits, freezes, happened, pages } = await lived({ phase, number });
    const where = `killed ${phase} checkpoint ${number}`;
    if (hits !== 1) wrong.push(`${where}: was not`);
    if (result.end !== "retired") wrong.push(`${where}: ${result.end} ${result.notes.join(" ")}`);
    if (freezes.length > 0) wrong.push(`${where}: repairs are still held back`);
    if (pages.length > 0) wrong.push(`${where}: people were called`);
    const proven = firstOf(happened, `prove in ${standby}`);
    if (firstOf(happened, `retire in ${primary}`) < proven) wrong.push(`${where}: too early`);
  }
  expect(wrong).toEqual([]);
}, 60_000);

it("ends a compromised value at once and once, whichever of its steps it is killed at", async () => {
  const told: Wanted["told"] = (_region, asked) =>
    asked === "prove" ? { did: "It is there.", isCompromised: true } : undefined;
  const quiet = await lived(undefined, told);
  expect(quiet.result).toMatchObject({ end: "retired" });
  expect(quiet.last).toBeGreaterThan(12);
  const wrong: string[] = [];
  for (let number = 1; number <= quiet.last; number += stride) {
    const phase = number % 2 === 0 ? "before" : "after";
    const { result, hits, freezes, happened, pages } = await lived({ phase, number }, told);
    const where = `killed ${phase} checkpoint ${number}`;
    if (hits !== 1) wrong.push(`${where}: was not`);
    if (result.end !== "retired") wrong.push(`${where}: ${result.end} ${result.notes.join(" ")}`);
    if (freezes.length > 0) wrong.push(`${where}: repairs are still held back`);
    if (pages.length > 0) wrong.push(`${where}: people were called`);
    const retired = firstOf(happened, `retire in ${primary}`);
    for (const region of [primary, standby]) {
      const expelled = firstOf(happened, `expel in ${region}`);
      if (retired < 0 || expelled < retired) wrong.push(`${where}: sessions of ${region} first`);
    }
  }
  expect(wrong).toEqual([]);
}, 60_000);

it("looks again while somebody is still on the old login, who is gone later", async () => {
  let looks = 0;
  const busy = { refused: { code: "still-in-use", reason: "2 sessions are still on app_b." } };
  const at = await stage({
    told: (_region, asked) => {
      if (asked !== "retire" || looks >= 4) return undefined;
      looks += 1;
      return busy;
    },
  });
  await at.start();
  expect(await at.ended()).toMatchObject({ end: "retired" });
  expect(at.happened.filter((what) => what === `retire in ${primary}`)).toHaveLength(5);
  expect(at.pages()).toEqual([]);
  await at.close();
});

it("calls people at the deadline, and is carried on by the next execution of the same run", async () => {
  let isBusy = true;
  const busy = { refused: { code: "still-in-use", reason: "2 sessions are still on app_b." } };
  const at = await stage({
    told: (_r, asked) => (asked === "retire" && isBusy ? busy : undefined),
  });
  await at.start();
  expect(await at.ended()).toMatchObject({ end: "needs-human", notes: [busy.refused.reason] });
  expect(at.pages().join()).toContain("2 sessions are still on app_b");
  isBusy = false;
  await at.start();
  expect(await at.ended()).toMatchObject({ end: "needs-human" });
  await at.start({ again: 1 });
  expect(await at.ended()).toMatchObject({ run: order.run, end: "retired" });
  await at.close();
});
