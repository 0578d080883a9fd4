import { describe, expect, it } from "vitest";
import { lsnOf } from "../../functions/failover/fencing.ts";
import { seededRandom } from "../../shared/random.ts";
import type { Facts } from "../simulation/evidence.ts";
import { breaches } from "../simulation/invariants.ts";
import { planned, type Scenario } from "../simulation/scenario.ts";
import { simulate } from "../simulation/simulate.ts";
import { none, type Weather } from "../simulation/storm.ts";
import { config } from "../simulation/world.ts";

const seeds = 24;

/** Real time for all of them, on a machine that does something else as well. */
const minute = 60_000;

/** Now and then a call fails: what AWS is like on an ordinary day. */
const mild: Weather = {
  rules: [
    { kind: "throttle", probability: 0.02 },
    { kind: "error", probability: 0.01 },
    { kind: "timeout-before", probability: 0.005 },
    { kind: "timeout-after", probability: 0.005 },
    { kind: "stale", probability: 0.02 },
    { kind: "slow", probability: 0.05, milliseconds: 1500 },
  ],
  delivery: {},
};

/**
 * In every third seed the replica shows writes up to two minutes late: about as long as a planned move
 * waits for the end of the log, so that some are given up.
 */
const storyOf = (seed: number): Partial<Scenario> => {
  const random = seededRandom(`switchover ${seed}`);
  const lags = seed % 3 === 0;
  return {
    ...planned,
    baselineSeconds: lags ? 320 : random.integer(130, 200),
    replayDelaySeconds: lags ? random.integer(114, 133) : random.integer(0, 10),
    healedAfterSeconds: 600,
  };
};

const moved = async (seed: number): Promise<Facts> => {
  const scenario = storyOf(seed);
  return (await simulate({ seed, scenario, weather: mild, crashes: none })).facts;
};

/** Where the old log ended when it was fenced, and where the replica was when it was promoted. */
const positionsOf = ({ runs }: Facts): { fenced?: string; promotedAt?: string } => {
  const journal = runs.at(-1)?.journal ?? [];
  const fenced = journal.findLast(({ data }) => data?.fencedLsn)?.data?.fencedLsn;
  const loss = journal.find(({ key }) => key === "loss")?.data as
    | { position?: { value?: { lsn?: string } } }
    | undefined;
  const lsn = loss?.position?.value?.lsn;
  return {
    ...(typeof fenced === "string" ? { fenced } : {}),
    ...(lsn === undefined ? {} : { promotedAt: lsn }),
  };
};

/** Acknowledged in the last seconds before the lease was claimed: a move without load shows nothing. */
const underLoad = ({ notes, acknowledged }: Facts): number => {
  const claimedAt = notes.leases.find(({ state }) => state === "moving")?.atMilliseconds ?? 0;
  return acknowledged.filter(
    ({ acknowledgedAt }) => acknowledgedAt <= claimedAt && acknowledgedAt > claimedAt - 5000,
  ).length;
};

const all: Facts[] = [];
for (let seed = 1; seed <= seeds; seed += 1) all.push(await moved(seed));

const done = all.filter(({ outcome }) => outcome === "done");
const givenUp = all.filter(({ outcome }) => outcome === "aborted");
const counted = `${done.length} done, ${givenUp.length} given up`;

describe(
  `planned switchovers with users who write each second (${seeds} seeds: ${counted})`,
  () => {
    it("lose no acknowledged write and break no invariant, however they end", () => {
      for (const facts of all) {
        expect(breaches(facts), `seed ${facts.seed}`).toEqual([]);
        expect(facts.lost, `seed ${facts.seed}`).toEqual([]);
        expect(facts.served, `seed ${facts.seed}: users are served`).toBe(true);
      }
      const acknowledged = all.reduce((sum, facts) => sum + facts.acknowledged.length, 0);
      expect(acknowledged).toBeGreaterThan(seeds * 200);
    });

    it("end both ways and no third one: most are done, and some are given up", () => {
      expect(done.length + givenUp.length, counted).toBe(seeds);
      expect(done.length, counted).toBeGreaterThanOrEqual(seeds / 2);
      expect(givenUp.length, counted).toBeGreaterThanOrEqual(3);
    });

    it("promote only a replica that stands where the old log ended, or beyond", () => {
      for (const facts of done) {
        const { fenced, promotedAt } = positionsOf(facts);
        const what = `seed ${facts.seed}: ${promotedAt} after ${fenced}`;
        expect(facts.promotions, what).toBe(1);
        expect(fenced, what).toBeDefined();
        expect(lsnOf(promotedAt ?? "") >= lsnOf(fenced ?? ""), what).toBe(true);
        expect(facts.notes.promoteCalls.map(({ missing }) => missing)).toEqual(
          facts.notes.promoteCalls.map(() => 0),
        );
        expect(underLoad(facts), what).toBeGreaterThan(2);
      }
    });

    it("leave home serving and promote nothing when they are given up, and say why", () => {
      for (const { seed, promotions, notes, lease, runs } of givenUp) {
        expect(promotions, `seed ${seed}`).toBe(0);
        expect(notes.promoteCalls, `seed ${seed}`).toEqual([]);
        expect(lease, `seed ${seed}`).toMatchObject({
          region: config.regions.primary,
          state: "held",
        });
        expect(runs.at(-1)?.result?.notes.join(" "), `seed ${seed}`).toMatch(/replica|unreachable/);
      }
      // Nearly all of them had moved the lease already, and gave it back.
      const returned = givenUp.filter(({ lease }) => lease.epoch > 1);
      expect(returned.length, counted).toBeGreaterThanOrEqual(2);
    });
  },
  minute,
);
