import { describe, expect, it } from "vitest";
import { approvesQuickly, rejectsQuickly, type Stage, stage } from "./stage.ts";

const fill = (at: Stage, usedPercent: number, growsGigabytesPerHour = 5) =>
  at.cloud.databases.strain(at.region, at.platform.home.databaseId, {
    usedPercent,
    growsGigabytesPerHour,
  });

const allocated = async (at: Stage): Promise<number> => {
  const { DBInstances } = await at.cloud.ask<{ DBInstances: { AllocatedStorage: number }[] }>(
    "rds",
    "DescribeDBInstances",
    at.region,
    { DBInstanceIdentifier: at.platform.home.databaseId },
  );
  return DBInstances[0]?.AllocatedStorage ?? 0;
};

describe("a database that fills up", () => {
  it("is grown by a fifth after one yes, and has room again", async () => {
    const at = await stage({ people: [approvesQuickly] });
    fill(at, 88, 4);
    const result = await at.ended();
    expect(result).toMatchObject({ end: "done", code: "healed", approvedBy: ["U0ANA"], acts: 1 });
    expect(await allocated(at)).toBe(120);
    expect(at.bugs).toEqual([]);
  });

  it("is asked about also where the file says automatic: it cannot be made smaller", async () => {
    const at = await stage({
      rights: { "database-storage": "automatic" },
      people: [rejectsQuickly],
    });
    fill(at, 90);
    expect(await at.ended()).toMatchObject({ end: "needs-human", code: "rejected", acts: 0 });
    expect(await allocated(at)).toBe(100);
  });

  it("is not grown past what the operator's file allows", async () => {
    const at = await stage({
      people: [approvesQuickly],
      config: (config) => ({
        ...config,
        sizes: {
          ...config.sizes,
          database: { ...config.sizes.database, maximumStorageGigabytes: 105 },
        },
      }),
    });
    fill(at, 90);
    const result = await at.ended();
    expect(result).toMatchObject({ end: "needs-human", code: "not-actionable", acts: 0 });
    expect(result.notes[0]).toContain("at-the-limit");
    expect(await allocated(at)).toBe(100);
  });

  it("is not grown twice when the call that grew it gave no answer", async () => {
    const at = await stage({ people: [approvesQuickly] });
    let modified = 0;
    at.faults.add({
      match: { service: "rds", operation: "ModifyDBInstance", asks: () => (modified += 1) > 0 },
      kind: "timeout-after",
      times: 3,
    });
    fill(at, 88, 4);
    expect(await at.ended()).toMatchObject({ end: "done", code: "healed" });
    expect(modified).toBeGreaterThan(0);
    expect(await allocated(at)).toBe(120);
  });
});
