import { describe, expect, it } from "vitest";
import { expectRebuilt, type Stage, stage } from "./rebuild-stage.ts";

interface RecordSet {
  SetIdentifier?: string;
  HealthCheckId?: string;
  ResourceRecords?: { Value: string }[];
}

const recordSets = async ({ cloud, platform }: Stage): Promise<RecordSet[]> => {
  const input = { HostedZoneId: platform.zoneId };
  const { ResourceRecordSets } = await cloud.ask<{ ResourceRecordSets: RecordSet[] }>(
    "route-53",
    "ListResourceRecordSets",
    "us-east-1",
    input,
  );
  return ResourceRecordSets.filter(({ SetIdentifier }) => SetIdentifier);
};

const valuesOf = (sets: readonly RecordSet[]) =>
  sets.map(({ ResourceRecords, HealthCheckId }) => [
    ResourceRecords?.[0]?.Value,
    HealthCheckId !== undefined,
  ]);

/** The run changes the records at once, as when the health checks do not move users. */
const changed = async (): Promise<Stage> => {
  const at = await stage(undefined, { policy: { dns: "change-records" } });
  await at.lostAndBack();
  const there = at.standby.loadBalancerName;
  expect(valuesOf(await recordSets(at))).toEqual([
    [there, false],
    [there, false],
  ]);
  return at;
};

describe("records of the public name that a run has changed", () => {
  it("are put back by the rebuild, and no resolver notices", async () => {
    const at = await changed();
    const answers = new Set<string>();
    const watching = at.timeline.every(5000, () => {
      const { records } = at.cloud.names.answer(at.platform.config.domain.name, "A");
      answers.add(records.map(({ value }) => value).join(" "));
    });
    const result = await at.rebuild();
    await at.timeline.advance(120_000);
    watching.cancel();
    await expectRebuilt(at, result);
    expect(valuesOf(await recordSets(at))).toEqual([
      [at.home.loadBalancerName, true],
      [at.standby.loadBalancerName, false],
    ]);
    // One and the same answer throughout: the active region's.
    expect(answers.size).toBe(1);
    const [there = ""] = at.cloud.balancers.addressesOf(at.standby.loadBalancerName);
    expect([...answers][0]).toContain(there);
    expect(result.notes.join(" ")).not.toContain("records");
  });

  it("stay as they are when the health checkers would send users elsewhere, and that is told", async () => {
    const at = await changed();
    const { HealthChecks } = await at.cloud.ask<{
      HealthChecks: { Id: string; HealthCheckConfig: { Type: string } }[];
    }>("route-53", "ListHealthChecks", "us-east-1", {});
    for (const { Id, HealthCheckConfig } of HealthChecks) {
      if (HealthCheckConfig.Type === "CALCULATED") continue;
      await at.cloud.ask("route-53", "UpdateHealthCheck", "us-east-1", {
        HealthCheckId: Id,
        SearchString: "something that nobody says",
      });
    }
    await at.timeline.advance(120_000);
    const result = await at.rebuild();
    expect(result.outcome).toBe("done");
    expect(result.notes.join(" ")).toMatch(
      /Left: the records .*health check is healthy and would send users to/,
    );
    expect(valuesOf(await recordSets(at)).map(([, checked]) => checked)).toEqual([false, false]);
  });

  it("stay as they are while Route 53's control plane is silent, and the rebuild is done", async () => {
    const at = await changed();
    at.regions.silenceControlPlanes(true);
    const result = await at.rebuild();
    expect(result.outcome).toBe("done");
    expect(result.notes.join(" ")).toContain("records of the public name could not be seen");
  });
});
