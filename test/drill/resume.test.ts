import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { scriptedPeople } from "../../drills/people.ts";
import { recorder } from "../../drills/recorder.ts";
import { regionLoss } from "../../drills/region-loss.ts";
import type { Report } from "../../drills/report.ts";
import { buildWorld, type DrillWorld } from "../../drills/world.ts";
import { seededRandom } from "../../shared/random.ts";

const seed = "resume";
const speed = 20;
/** More would only make the run longer: each costs the start of a process. */
const mostRandomKills = 5;

interface Kill {
  why: "at random" | "just after its call of PromoteReadReplica";
  atMilliseconds: number;
}

/** Kills the worker process that runs the failover at this moment, with SIGKILL. */
const killRun = ({ cloud, timeline }: DrillWorld, why: Kill["why"], kills: Kill[]): boolean => {
  const run = cloud.functions.running().find(({ definition }) => definition.name === "failover");
  if (!run) return false;
  cloud.functions.kill(run.requestId);
  kills.push({ why, atMilliseconds: timeline.now() });
  return true;
};

/** At instants that nobody chose, with pauses in which the run can come some way. */
const killAtRandom = (world: DrillWorld, kills: Kill[]) => {
  const random = seededRandom(`kills ${seed}`);
  const { timeline } = world;
  let notBefore = 0;
  let made = 0;
  return timeline.every(1000, () => {
    if (made >= mostRandomKills || timeline.now() < notBefore || random.fraction() > 0.25) return;
    if (!killRun(world, "at random", kills)) return;
    made += 1;
    notBefore = timeline.now() + random.integer(10, 30) * 1000;
  });
};

describe("a region loss in which the failover's process is killed again and again", () => {
  const kills: Kill[] = [];
  const failures: unknown[] = [];
  let world: DrillWorld;
  let report: Omit<Report, "report">;

  beforeAll(async () => {
    const late: { world?: DrillWorld; seen?: ReturnType<typeof recorder> } = {};
    let promotionsAsked = 0;
    world = await buildWorld({
      seed,
      speed,
      transfersPerSecond: 1,
      log: (line) => late.seen?.line(line),
      onError: (error) => void failures.push(error),
      observe: {
        after: (call, input, outcome, trace) => {
          late.seen?.observe.after?.(call, input, outcome, trace);
          if (call.operation !== "PromoteReadReplica" || !late.world) return undefined;
          promotionsAsked += 1;
          if (promotionsAsked > 1) return undefined;
          killRun(late.world, "just after its call of PromoteReadReplica", kills);
          return "silence";
        },
      },
    });
    late.world = world;
    const seen = recorder(world.timeline.now, () => undefined);
    late.seen = seen;
    const people = scriptedPeople(world, seed);
    const killing = killAtRandom(world, kills);
    const quiet = { onSample: () => undefined, onIncident: () => undefined };
    report = await regionLoss(world, seen, { seed, speed, ...quiet });
    killing.cancel();
    people.stop();
  }, 150_000);

  afterAll(() => world?.close());

  const execution = () =>
    world.cloud.functions.executions(world.platform.standby.region, "failover")[0];

  it("kills the run at three random instants at least, and once in the middle of promoting", () => {
    const reasons = kills.map(({ why }) => why);
    expect(reasons.filter((why) => why === "at random").length).toBeGreaterThanOrEqual(3);
    expect(reasons.filter((why) => why !== "at random")).toHaveLength(1);
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
