import { describe, expect, it } from "vitest";
import { permitted } from "../../functions/remediation/guarding.ts";
import type { Work } from "../../functions/remediation/remediation.ts";

interface Now {
  state: string;
  key: string;
  held: string | null;
}

/** As much of a run as is asked right before a change. */
const working = (alarm: Now, readAbort: () => Promise<unknown>, phase = "acting") =>
  ({
    playbook: { despite: [] },
    run: { name: "run", phase, wish: { subject: { alarm: "alarm" }, key: "first" } },
    ports: {
      clock: { now: () => 0 },
      readFreezes: async () => [],
      alarm: async () => alarm,
      readPause: async () => ({ is: "running" }),
      readAbort,
    },
  }) as unknown as Work;

const rings: Now = { state: "ALARM", key: "first", held: null };
const nobody = async () => undefined;
const silent = () => Promise.reject(new Error("ThrottlingException"));

describe("a change that is about to be made, also for a second time", () => {
  it("may be made while its alarm rings as it did and nobody forbids it", async () => {
    expect(await permitted(working(rings, nobody))).toBeUndefined();
  });

  it("may not once the alarm is well, rings anew, or is held", async () => {
    const code = async (alarm: Partial<Now>) =>
      (await permitted(working({ ...rings, ...alarm }, nobody)))?.code;
    expect(await code({ state: "OK" })).toBe("superseded");
    expect(await code({ key: "second" })).toBe("superseded");
    expect(await code({ held: "a mute rule" })).toBe("held");
  });

  it("may not when somebody has stopped its run, nor while that cannot be read", async () => {
    const word = async () => ({ by: "U0ANA", reason: "stop", atMilliseconds: 0 });
    expect((await permitted(working(rings, word)))?.code).toBe("aborted");
    expect((await permitted(working(rings, silent)))?.code).toBe("abort-unknown");
  });

  it("may be taken back whatever the alarm and whoever has stopped the run", async () => {
    const well = { ...rings, state: "OK" };
    expect(await permitted(working(well, silent, "undoing"))).toBeUndefined();
  });
});
