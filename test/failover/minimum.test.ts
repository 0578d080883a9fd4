import { describe, expect, it } from "vitest";
import { names } from "../../drills/names.ts";
import type { FaultKind } from "../../local/aws/faults.ts";
import { config } from "../simulation/world.ts";
import { brief, entering, expectMoved, type Stage, type StageOptions, stage } from "./stage.ts";

const { minimum, standbyMinimum } = config.sizes.application;
const { standby } = config.regions;

const moved = async (hooks?: StageOptions["hooks"], before?: (at: Stage) => void) => {
  const at = await stage({ policy: brief, ...(hooks ? { hooks } : {}) });
  before?.(at);
  at.loseHome();
  await at.request();
  const result = await at.ended();
  await expectMoved(at, result);
  return { at, result };
};

/** As a policy of the group does in a quiet night, one instance at a time. */
const scaleIn = (at: Stage) =>
  at.cloud.ask("auto-scaling", "SetDesiredCapacity", standby, {
    AutoScalingGroupName: names.group,
    DesiredCapacity: minimum - 1,
  });

const update = (at: Stage, sizes: { MinSize?: number; MaxSize?: number }) =>
  at.cloud.ask("auto-scaling", "UpdateAutoScalingGroup", standby, {
    AutoScalingGroupName: names.group,
    ...sizes,
  });

describe("the minimum of the region that users are sent to", () => {
  it("is the active region's, and scaling in cannot go below it", async () => {
    const raised: number[] = [];
    const ground: { at?: Stage } = {};
    const { at, result } = await moved(
      () => ({
        // Before users are sent: the region serves from then on.
        observe: entering("serving", async () =>
          raised.push((await ground.at?.minimumOf(standby)) ?? 0),
        ),
      }),
      (it) => void (ground.at = it),
    );
    expect(standbyMinimum).toBeLessThan(minimum);
    expect(raised).toEqual([minimum]);
    expect(await at.minimumOf(standby)).toBe(minimum);
    await expect(async () => scaleIn(at)).rejects.toThrow(/below min value/);
    expect(result.notes.join(" ")).not.toContain("minimum");
  });

  it("stays what somebody has raised it to beyond that", async () => {
    const ground: { at?: Stage } = {};
    const { at } = await moved(
      () => ({
        observe: entering("promoted", () => ground.at && update(ground.at, { MinSize: 3 })),
      }),
      (it) => void (ground.at = it),
    );
    expect(await at.minimumOf(standby)).toBe(3);
  });

  it("is raised as far as the group's own maximum allows", async () => {
    const ground: { at?: Stage } = {};
    const { at, result } = await moved(
      () => ({
        observe: entering("promoted", async () => {
          if (!ground.at) return;
          await ground.at.cloud.ask("auto-scaling", "SetDesiredCapacity", standby, {
            AutoScalingGroupName: names.group,
            DesiredCapacity: 1,
          });
          await update(ground.at, { MinSize: 0, MaxSize: 1 });
        }),
      }),
      (it) => void (ground.at = it),
    );
    expect(await at.minimumOf(standby)).toBe(1);
    expect(result.notes.join(" ")).not.toContain("Mind: the minimum");
  });

  it.each<FaultKind>(["error", "throttle", "timeout-before"])(
    "does not keep users waiting when Auto Scaling answers with %s, and people are told at the end",
    async (kind) => {
      const { at, result } = await moved(undefined, ({ faults }) => {
        const match = { operation: "UpdateAutoScalingGroup", region: standby };
        faults.add({ match, kind });
      });
      expect(await at.minimumOf(standby)).toBe(standbyMinimum);
      const told = `Mind: the minimum of ${standby} is not known to be ${minimum} instances`;
      expect(result.notes.join(" ")).toContain(told);
      expect(result.notes.join(" ")).not.toMatch(/\.\s*\./);
      expect(JSON.stringify(at.slack.messages())).toContain(told);
      const times = (await at.journal()).flatMap(({ data, atMilliseconds }) =>
        data?.to === "repointed" || data?.to === "serving" ? [atMilliseconds] : [],
      );
      expect(((times[1] ?? Infinity) - (times[0] ?? 0)) / 1000).toBeLessThan(90);
    },
  );

  it.each(["before", "after"] as const)(
    "is the active region's when the run is killed just %s it raises it",
    async (phase) => {
      let seen = 0;
      const { at } = await moved(({ kill, requestOf }) => {
        const hook = (operation: string, trace: string | undefined) => {
          const isIt = operation === "UpdateAutoScalingGroup" && trace?.includes("/failover/");
          if (!isIt || !trace) return undefined;
          seen += 1;
          const requestId = requestOf(trace);
          if (seen > 1 || requestId === undefined) return undefined;
          kill(requestId);
          return "silence" as const;
        };
        return {
          observe:
            phase === "before"
              ? { before: async ({ operation }, _input, trace) => hook(operation, trace) }
              : { after: async ({ operation }, _input, _answer, trace) => hook(operation, trace) },
        };
      });
      // Killed before its effect it has to be asked for again; after it, what is seen is enough.
      expect(seen).toBe(phase === "before" ? 2 : 1);
      expect(await at.minimumOf(standby)).toBe(minimum);
    },
  );
});
