import { describe, expect, it } from "vitest";
import { virtualTimeline } from "../../local/time/virtual.ts";
import type { Wanted } from "../../shared/ensure.ts";
import { ensure } from "../../shared/ensure.ts";
import type { Steps } from "../../shared/steps.ts";
import { directSteps } from "../../shared/steps.ts";
import { clockOn } from "../clock.ts";

interface Door {
  open: boolean;
}

/** A door that opens some time after it was told to, and the calls that were made to it. */
const world = (opensAfterSeconds = 10) => {
  const timeline = virtualTimeline(0);
  const clock = clockOn(timeline);
  const door = { open: false, calls: 0, looks: 0 };
  const wanted: Wanted<Door> = {
    name: "open the door",
    observe: async () => {
      door.looks += 1;
      return { open: door.open };
    },
    satisfied: ({ open }) => open,
    act: async () => {
      door.calls += 1;
      timeline.after(opensAfterSeconds * 1000, () => void (door.open = true));
    },
    within: { seconds: 120, everySeconds: 5 },
  };
  const run = (change: Partial<Wanted<Door>> = {}, steps: Steps = directSteps(clock)) =>
    timeline.run(ensure(steps, clock, { ...wanted, ...change }));
  return { timeline, clock, door, wanted, run };
};

describe("ensure", () => {
  it("does nothing when the world is already as it should be", async () => {
    const { door, run } = world();
    door.open = true;
    expect(await run()).toMatchObject({ is: "ensured", acts: 0 });
    expect(door.calls).toBe(0);
  });

  it("acts once and waits until it shows", async () => {
    const { timeline, door, run } = world();
    expect(await run()).toMatchObject({ is: "ensured", acts: 1, seen: { open: true } });
    expect(door.calls).toBe(1);
    expect(timeline.now()).toBe(10_000);
  });

  it("looks more often once it is near", async () => {
    const { timeline, door, run } = world(21);
    const seldom = { seconds: 120, everySeconds: 10 };
    await run({ within: seldom, near: () => timeline.now() >= 20_000 });
    expect(timeline.now()).toBe(22_000);
    expect(door.looks).toBe(5);
  });

  it("takes a call that timed out after its effect for in doubt, and finds it done", async () => {
    const { door, run, wanted } = world();
    const act = async (seen: Door) => {
      await wanted.act(seen);
      throw new Error("no answer within 5 s");
    };
    expect(await run({ act })).toMatchObject({ is: "ensured", acts: 1 });
    expect(door.calls).toBe(1);
  });

  it("acts again when a call that timed out before its effect does not show", async () => {
    const { door, run, wanted } = world();
    let lost = true;
    const act = async (seen: Door) => {
      if (!lost) return wanted.act(seen);
      lost = false;
      throw new Error("no answer within 5 s");
    };
    const within = { seconds: 120, everySeconds: 5, actAgainAfterSeconds: 30 };
    expect(await run({ act, within })).toMatchObject({ is: "ensured", acts: 2 });
    expect(door.calls).toBe(1);
  });

  it("never acts on what it could not see", async () => {
    const { door, run } = world();
    const observe = async () => {
      throw new Error("throttled");
    };
    const ensured = await run({ observe });
    expect(ensured).toMatchObject({ is: "late", last: { known: false, why: "Error: throttled" } });
    expect(door.calls).toBe(0);
  });

  it("does not act while acting makes no sense on what it sees", async () => {
    const { door, run } = world();
    expect(await run({ due: () => false })).toMatchObject({ is: "late", acts: 0 });
    expect(door.calls).toBe(0);
  });

  it("asks for permission immediately before each act, and ends on a refusal with nothing done", async () => {
    const { door, run } = world();
    const permitted = async () => ({ code: "paused", reason: "Paused by U1." });
    expect(await run({ permitted })).toMatchObject({ is: "refused", refusal: { code: "paused" } });
    expect(door.calls).toBe(0);
  });

  it("gives up at its bound, and says what was last seen and what is in doubt", async () => {
    const { timeline, run } = world();
    const act = async () => {
      throw new Error("access denied");
    };
    expect(await run({ act })).toMatchObject({
      is: "late",
      last: { known: true, value: { open: false } },
      doubt: "Error: access denied",
    });
    expect(timeline.now()).toBeGreaterThanOrEqual(120_000);
    expect(timeline.now()).toBeLessThan(130_000);
  });

  it.each(Array.from({ length: 12 }, (_, index) => index + 1))(
    "opens the door once when it is killed before checkpoint %i and started again",
    async (kill) => {
      const { clock, door, run, timeline } = world(70);
      const kept = new Map<string, string>();
      let checkpoints = 0;
      let killed = false;
      const steps: Steps = {
        ...directSteps(clock),
        step: async (name, act) => {
          const known = kept.get(name);
          if (known !== undefined) return JSON.parse(known);
          const result = await act();
          checkpoints += 1;
          if (checkpoints === kill && !killed) {
            killed = true;
            throw new Error("killed");
          }
          kept.set(name, JSON.stringify(result));
          return JSON.parse(JSON.stringify(result));
        },
      };
      const within = { seconds: 600, everySeconds: 5, actAgainAfterSeconds: 90 };
      const first = await run({ within }, steps).catch((error: Error) => error);
      const ensured = first instanceof Error ? await run({ within }, steps) : first;
      expect(ensured).toMatchObject({ is: "ensured" });
      expect(door.open).toBe(true);
      // Killed right after its act and before its checkpoint, a slice may act once more: that is why
      // every act has to bear repeating.
      expect(door.calls).toBeLessThanOrEqual(kill === 1 ? 2 : 1);
      expect(timeline.now()).toBeLessThan(300_000);
    },
  );
});
