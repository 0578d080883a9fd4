import { beforeAll, describe, expect, it } from "vitest";
import { measureOverhead, type Overhead } from "../../bench/overhead.ts";

const sum = (values: object): number =>
  (Object.values(values) as number[]).reduce((total, each) => total + each, 0);

describe("what a failover takes", () => {
  let measured: Overhead;
  beforeAll(async () => {
    measured = await measureOverhead(8);
  }, 60_000);

  it("is AWS's own time and the time in which AWS waited, to the second", () => {
    for (const course of [...measured.nightshift, ...measured.byHand]) {
      const { servedSeconds, criticalSeconds, overheadSeconds, critical, waits } = course;
      expect(criticalSeconds).toBeCloseTo(sum(critical), 6);
      expect(overheadSeconds).toBeCloseTo(sum(waits), 6);
      expect(Math.abs(servedSeconds - criticalSeconds - overheadSeconds)).toBeLessThan(0.5);
    }
  });

  it("is no more than 5 % above AWS's own time, in every one of them", () => {
    expect(measured.mostOverheadPercent).toBeLessThan(5);
  });

  it("rests on the same times of AWS by hand", () => {
    measured.nightshift.forEach(({ critical }, at) => {
      const byHand = measured.byHand[at]?.critical;
      expect(byHand?.isolationSeconds).toBeCloseTo(critical.isolationSeconds, 3);
      // Known to a tenth of a second.
      expect(byHand?.promotionSeconds).toBeCloseTo(critical.promotionSeconds, 0);
    });
  });

  it("is less than by hand", () => {
    expect(measured.ratio).toBeGreaterThan(1);
    for (const steps of measured.ticked) {
      expect(steps.map(({ step }) => step).slice(-3)).toEqual([
        "secrets",
        "traffic",
        "verification",
      ]);
    }
  });
});
