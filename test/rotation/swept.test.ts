import { describe, expect, it } from "vitest";
import type { RotationsKept, SweepPorts } from "../../functions/sweep/sweep.ts";
import { sweep } from "../../functions/sweep/sweep.ts";
import { virtualTimeline } from "../../local/time/virtual.ts";
import { clockOn } from "../clock.ts";

const well: RotationsKept = { stale: [], stuck: [], unrotated: [], mended: [] };

/** A region in which nothing is left over and no backup is due. */
const swept = async (rotations: () => Promise<RotationsKept | null>) => {
  const timeline = virtualTimeline(Date.UTC(2026, 10, 22, 3));
  const published: Record<string, number> = {};
  const told: string[] = [];
  const ports: SweepPorts = {
    clock: clockOn(timeline),
    region: "eu-central-1",
    instances: async () => [],
    isInJournal: async () => false,
    fate: async () => "none",
    record: async () => undefined,
    destroy: async () => undefined,
    holder: async () => null,
    release: async () => undefined,
    speak: async () => undefined,
    drift: async () => [],
    isNews: async () => false,
    activeRegion: async () => "eu-central-1",
    standing: async () => ({ last: null, verifiedAtMilliseconds: null }),
    start: async () => undefined,
    rotations,
    publish: async (values) => void Object.assign(published, values),
    tell: async (text) => void told.push(text),
  };
  await timeline.run(sweep(ports), 3_600_000);
  return { published, told: told.join() };
};

describe("the hourly sweep", () => {
  it("publishes how many rotations are stale, stuck and missing", async () => {
    const found = { ...well, stale: ["a"], stuck: ["b", "c"], unrotated: ["d", "e", "f"] };
    const { published, told } = await swept(async () => found);
    expect(published).toMatchObject({ StaleSecrets: 1, StuckRotations: 2, UnrotatedSecrets: 3 });
    expect(told).toBe("");
  });

  it("publishes zeros where all is well, since nothing at all would be an alarm", async () => {
    const { published } = await swept(async () => well);
    expect(published).toMatchObject({ StaleSecrets: 0, StuckRotations: 0, UnrotatedSecrets: 0 });
  });

  it("publishes none of them when the rotation function says nothing, and says so", async () => {
    const { published, told } = await swept(() => Promise.reject(new Error("it has timed out")));
    expect(published).not.toHaveProperty("StaleSecrets");
    expect(published).toHaveProperty("LeftoverCopies");
    expect(told).toContain("look after the rotations: Error: it has timed out.");
  });

  it("tells people what it has put right", async () => {
    const { told } = await swept(async () => ({ ...well, mended: ["platform/cache is rotated."] }));
    expect(told).toContain("platform/cache is rotated.");
  });
});
