import { beforeAll, describe, expect, it } from "vitest";
import { everyBlow } from "../remediation/blows.ts";
import { callsOf, lived } from "./disturbed.ts";

/** `EVERY_BLOW=1` tries all there is, which takes minutes; else every so many of them. */
const isWhole = process.env.EVERY_BLOW === "1";
const stride = isWhole ? 1 : 9;
const manyRuns = 900_000;

let labels: string[] = [];
beforeAll(async () => {
  labels = await callsOf();
}, manyRuns);

describe("a restore test that is disturbed", () => {
  it("makes the calls that are struck here", () => {
    expect(labels.length).toBeGreaterThan(20);
    for (const call of ["RestoreDBInstanceToPointInTime", "DeleteDBInstance", "PutObject"]) {
      expect(labels.join()).toContain(call);
    }
  });

  it(
    "ends with a verdict, leaves nothing and touches nothing else, whatever fails and wherever it dies",
    async () => {
      const found: string[] = [];
      const seen = { struck: 0, verified: 0, checkpoints: 0 };
      let isPast = false;
      for (const [index, blow] of everyBlow(labels).entries()) {
        if (index % stride !== 0) continue;
        if (isPast && blow.is === "killed-at-checkpoint") continue;
        const { end, code, hits, wrongs } = await lived(blow);
        found.push(...wrongs.map((wrong) => `${JSON.stringify(blow)}: ${wrong}`));
        if (blow.is === "killed-at-checkpoint") {
          isPast = hits === 0;
          seen.checkpoints += hits;
        }
        if (hits === 0) continue;
        seen.struck += 1;
        if (end === "verified") seen.verified += 1;
        else if (isWhole) console.log(JSON.stringify(blow), end, code);
      }
      expect(found).toEqual([]);
      expect(seen.checkpoints).toBeGreaterThan(isWhole ? 30 : 4);
      expect(seen.struck).toBeGreaterThan(isWhole ? 200 : 20);
      // A minute without one call, or a death, is no reason to call backups bad.
      expect(seen.verified / seen.struck).toBeGreaterThan(0.85);
    },
    manyRuns,
  );
});
