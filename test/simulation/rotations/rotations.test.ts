import { describe, expect, it } from "vitest";
import { rotationStatements } from "../../../functions/rotation/logins.ts";
import type { Connect } from "../../../shared/runtime.ts";
import type { Plant } from "../world.ts";
import { breaches } from "./invariants.ts";
import { calm, simulateRotations } from "./simulate.ts";

const minute = 60_000;

describe("a night of rotations", () => {
  it("ends with the old login retired when nothing befalls it", async () => {
    const { night } = await simulateRotations({ seed: "calm", ...calm });
    expect(breaches(night)).toEqual([]);
    expect(night.ends.map(({ end }) => end)).toEqual(["retired"]);
    expect(night.rotated.every(({ isCurrent }) => isCurrent)).toBe(true);
  });

  // 6: home is lost in an overlap; 16: in the exchange, among many kills; 19: three of one ring.
  it.each([6, 16, 19])(
    "breaks no invariant, whatever seed %i draws",
    async (seed) => {
      const { night } = await simulateRotations({ seed });
      expect(breaches(night)).toEqual([]);
      expect(night.looks).toBeGreaterThan(2);
    },
    minute,
  );

  it(
    "is the same again for the same seed",
    async () => {
      const first = await simulateRotations({ seed: 14 });
      await simulateRotations({ seed: "in between", ...calm });
      const again = await simulateRotations({ seed: 14 });
      expect(again.trace).toEqual(first.trace);
      expect(first.trace.length).toBeGreaterThan(50);
    },
    minute,
  );
});

/** Takes the password from the login that is in use, and not from the one before. */
const takesTheWrongOne = (connect: Connect): Connect => {
  const other: Record<string, string> = { app_a: "app_b", app_b: "app_a" };
  return async (target) => {
    const session = await connect(target);
    return {
      end: session.end,
      query: (text, values = []) => {
        const [login, verifier] = values.map(String);
        const isEnd = text === rotationStatements.nameLogin && verifier === "";
        return session.query(text, isEnd ? [other[login ?? ""], ""] : values);
      },
    };
  };
};

it("finds a rotation that locks out whoever logs in with the current value", async () => {
  const plant: Plant = (definition, runtime, assemble) => {
    const { connect } = runtime;
    const isIts = definition.name === "rotation" && connect !== undefined;
    return assemble(isIts ? { ...runtime, connect: takesTheWrongOne(connect) } : runtime);
  };
  const { night } = await simulateRotations({ seed: "planted", ...calm, plant });
  expect(breaches(night).map(({ risk }) => risk)).toContain("locked-out");
});
