import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { conduct } from "../../drills/course.ts";
import { orchestratorCrash } from "../../drills/orchestrator-crash.ts";
import { scriptedPeople } from "../../drills/people.ts";
import { type Recorder, recorder } from "../../drills/recorder.ts";
import type { Report } from "../../drills/report.ts";
import { buildWorld, type DrillWorld } from "../../drills/world.ts";

const seed = "resume";
const speed = 20;

describe("a region loss in which the failover's process is killed again and again", () => {
  const failures: unknown[] = [];
  let world: DrillWorld;
  let report: Omit<Report, "report">;

  beforeAll(async () => {
    let seen: Recorder | undefined;
    world = await buildWorld({
      seed,
      speed,
      transfersPerSecond: 1,
      log: (line) => seen?.line(line),
      onError: (error) => void failures.push(error),
      observe: { after: (...call) => seen?.observe.after(...call) },
    });
    seen = recorder(world.timeline.now, () => undefined);
    const people = scriptedPeople(world, seed, orchestratorCrash.people);
    const quiet = { onSample: () => undefined, onIncident: () => undefined };
    report = await conduct(orchestratorCrash, world, seen, { seed, speed, ...quiet });
    people.stop();
  }, 150_000);

  afterAll(() => world?.close());

  const execution = () =>
    world.cloud.functions.executions(world.platform.standby.region, "failover")[0];

  it("kills the run at three random instants at least, and once in the middle of promoting", () => {
    const kills = report.events.filter(({ text }) => text.startsWith("Kill "));
    expect(kills.filter(({ text }) => text.includes("random")).length).toBeGreaterThanOrEqual(3);
    expect(kills.filter(({ text }) => text.includes("promotion has begun"))).toHaveLength(1);
    // Every kill was followed by another invocation of the same execution.
    expect(execution()?.invocations).toBeGreaterThan(kills.length);
    expect(failures).toEqual([]);
  });

  it("ends done, by one execution, with the replica promoted once", () => {
    const { standby } = world.platform;
    expect(report).toMatchObject({ outcome: "done", promotions: 1, splitBrain: 0 });
    expect(world.cloud.databases.promotions(standby.databaseId, standby.region)).toBe(1);
    expect(world.cloud.functions.executions(standby.region, "failover")).toHaveLength(1);
    expect(execution()?.status).toBe("SUCCEEDED");
  });

  it("holds every check of the drill, the journal and the count of writes included", () => {
    const broken = report.checks.filter(({ held }) => !held);
    expect(broken).toEqual([]);
    expect(report.checks.length).toBeGreaterThan(10);
    expect(report.acknowledged).toBeGreaterThan(50);
  });
});
