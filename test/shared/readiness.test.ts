import { describe, expect, it } from "vitest";
import type { Check, Readiness } from "../../shared/readiness.ts";
import { readinessLines, staleAfterSeconds, verdictOf } from "../../shared/readiness.ts";

const now = 1_000_000_000;

const check = (name: string, verdict: Check["verdict"] = "ready", ageSeconds = 60): Check => ({
  name,
  verdict,
  detail: `About ${name}.`,
  source: "RDS",
  seenAtMilliseconds: now - ageSeconds * 1000,
});

const kept = (...checks: Check[]): Readiness => ({ region: "b", atMilliseconds: now, checks });

const linesOf = (readiness: Readiness | null) => readinessLines("b", verdictOf(readiness, now));

describe("a verdict", () => {
  it("is the share of the checks that are ready and young", () => {
    const checks = [check("lag"), check("image", "unknown"), check("size", "not-ready")];
    expect(verdictOf(kept(...checks, check("proof")), now)).toMatchObject({
      verdict: "not-ready",
      score: 0.5,
    });
    expect(verdictOf(kept(check("lag")), now)).toMatchObject({ verdict: "ready", score: 1 });
  });

  it("takes a check that is too old for one that was not made", () => {
    const old = kept(check("lag", "ready", staleAfterSeconds + 1), check("size"));
    expect(verdictOf(old, now)).toMatchObject({ verdict: "not-ready", score: 0.5 });
    expect(verdictOf(kept(check("lag", "ready", staleAfterSeconds)), now).score).toBe(1);
  });

  it("is not ready where nobody has ever looked", () => {
    expect(verdictOf(null, now)).toMatchObject({ verdict: "not-ready", score: 0 });
    expect(verdictOf(kept(), now)).toMatchObject({ verdict: "not-ready", score: 0 });
  });
});

describe("the lines of a status", () => {
  it("are one when all is ready, with the age of the oldest look", () => {
    expect(linesOf(kept(check("lag"), check("size", "ready", 300)))).toEqual([
      "b: ready, all 2 checks, the oldest 5 min ago",
    ]);
  });

  it("name what is broken before what is unknown or stale", () => {
    const stale = check("lag", "ready", 1800);
    const lines = linesOf(
      kept(stale, check("image", "unknown"), check("size", "not-ready"), check("x")),
    );
    expect(lines).toEqual([
      "b: NOT READY, 3 of 4 checks fail",
      "size (not-ready): About size.",
      "image (unknown): About image.",
      "lag (stale, 30 min old): About lag.",
    ]);
  });

  it("say so when nobody has ever looked", () => {
    expect(linesOf(null)).toEqual(["b: never looked at, so it counts as NOT READY"]);
  });
});
