import { describe, expect, it } from "vitest";
import type { Call } from "../../local/aws/service.ts";
import { breaches } from "../simulation/invariants.ts";
import { calmMove, simulate } from "../simulation/simulate.ts";
import type { CrashPoint } from "../simulation/storm.ts";
import type { HookTools } from "../simulation/world.ts";
import { labelOf } from "./faults-stage.ts";
import { brief, expectMoved, lostWrites, stage } from "./stage.ts";

/** Real time for dozens of runs, on a machine that does something else as well. */
const manyRuns = 120_000;

/** A planned move under load that is killed there once; whether it came to that. */
const killedAt = async (point: CrashPoint): Promise<boolean> => {
  const { facts } = await simulate({ ...calmMove, seed: 1, crashes: { exactly: [point] } });
  const what = JSON.stringify(point);
  expect(breaches(facts), what).toEqual([]);
  expect(facts, what).toMatchObject({ outcome: "done", promotions: 1, lost: [], served: true });
  expect(facts.kills.length, what).toBeLessThanOrEqual(1);
  return facts.kills.length === 1;
};

describe("a planned move whose process is killed at a checkpoint", () => {
  it.each<"before" | "after">(["before", "after"])(
    "ends done with every acknowledged write kept, wherever it is killed %s one",
    async (phase) => {
      let number = 1;
      while (await killedAt({ at: "checkpoint", phase, number })) number += 1;
      // Fewer would mean that the move has not been walked through.
      expect(number - 1).toBeGreaterThan(35);
    },
    manyRuns,
  );
});

type Visit = (label: string) => boolean;

/** Kills whoever has just made a call that `visit` picks. */
const killing = ({ requestOf, kill }: HookTools, visit: Visit) => ({
  observe: {
    after: async (call: Call, input: unknown, _outcome: unknown, caller = "") => {
      if (caller === "" || !visit(labelOf(call, input, caller))) return undefined;
      const requestId = requestOf(caller);
      if (requestId === undefined) return undefined;
      kill(requestId);
      return "silence" as const;
    },
  },
});

/** A planned move under load, on a stage whose functions are watched. */
const moved = async (visit: Visit): Promise<void> => {
  let begun = false;
  const at = await stage({
    policy: brief,
    writesPerSecond: 1,
    hooks: (tools) => killing(tools, (label) => begun && visit(label)),
  });
  at.users.start();
  await at.timeline.advance(5000);
  begun = true;
  await at.request("U0CHIARA", "switchover", ["readiness"]);
  await expectMoved(at, await at.ended());
  expect(lostWrites(at, at.platform.standby)).toEqual([]);
  await at.leave();
};

/** Reads change nothing, so a death after one is the death after the call before it. */
const changes = /Promote|Set|Update|Put|Stop|Modify|Revoke|Authorize|Invoke|Send/;

const callsOfOthers = async (): Promise<string[]> => {
  const labels = new Set<string>();
  await moved((label) => !labels.add(label));
  return [...labels].filter((label) => !label.startsWith("failover@") && changes.test(label));
};

describe("a planned move in which another function dies right after a change it made", () => {
  it(
    "ends done with one promotion and every acknowledged write kept",
    async () => {
      const labels = await callsOfOthers();
      for (const label of labels) {
        let killed = false;
        try {
          await moved((here) => !killed && here === label && (killed = true));
        } catch (cause) {
          throw new Error(`killed after ${label}: ${String(cause)}`, { cause });
        }
        expect(killed, `${label} was called`).toBe(true);
      }
      const functions = new Set(labels.map((label) => label.split("@")[0]));
      expect([...functions]).toEqual(expect.arrayContaining(["guard", "slack", "canary"]));
      expect(labels.length).toBeGreaterThan(15);
    },
    manyRuns,
  );
});
