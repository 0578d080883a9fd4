import { describe, expect, it } from "vitest";
import { page } from "../../drills/page.ts";
import type { RunEvent } from "../../drills/report.ts";
import { axisOf } from "../../drills/timeline.ts";
import { headline, verdicts } from "../../drills/verdict.ts";
import { transitions } from "../../functions/failover/states.ts";
import { sample } from "./sample.ts";

const because = (on: string, to: string): string => {
  const row = transitions.find((each) => each.on === on && each.to === to);
  if (!row) throw new Error(`no move on ${on} to ${to}`);
  return row.because;
};
const told = (text: string): RunEvent[] => [{ atSeconds: 240, who: "failover", kind: "did", text }];

describe("the page of a region that was lost", () => {
  it("says what the promotion rested on when no layer of the fence could be reached", () => {
    const silence = because("waited", "fenced");
    expect(page(sample({ events: told(silence) }))).toContain(
      `Why it was safe to promote, from +04:00: ${silence}`,
    );
    expect(page(sample())).toContain("does not say why it was safe to promote");
    expect(page(sample({ promotions: 0 }))).not.toContain("safe to promote");
  });

  it("puts a loss into its headline, and not in green when it is beyond the objective", () => {
    const lost = sample({ lost: 543, rpoSeconds: 181 });
    expect(headline(lost)).toEqual({
      tone: "unknown",
      text: "Served again after 7 min 25 s, 543 writes lost",
    });
    expect(headline(sample({ lost: 3, rpoSeconds: 2 })).tone).toBe("good");
    expect(headline(sample({ lost: 3, rpoSeconds: null })).tone).toBe("unknown");
  });

  it("puts the failed checks before those that held", () => {
    const html = page(
      sample({
        checks: [
          { name: "first and fine", held: true, expected: "1", actual: "1" },
          { name: "second and broken", held: false, expected: "1", actual: "2" },
        ],
      }),
    );
    expect(html.indexOf("second and broken")).toBeLessThan(html.indexOf("first and fine"));
  });
});

describe("the page of a planned handover", () => {
  const approving = { name: "people approve", startSeconds: -45, seconds: 43 };
  const handover = sample({
    planned: true,
    lossBoundSeconds: 0,
    phases: [approving, ...sample().phases],
  });

  it("speaks of a handover, never of a region that was lost", () => {
    const html = page(handover);
    expect(html).toContain("handover");
    expect(html).not.toMatch(/region lost|was lost \(/);
    expect(verdicts(handover)[0]?.text).toContain("began to hand over");
    expect(verdicts(handover)[2]?.text).toBe(
      "That nothing can be lost was stated before approval.",
    );
  });

  it("draws the whole of what came before the handover", () => {
    expect(axisOf(handover).from).toBeLessThanOrEqual(-45);
  });
});
