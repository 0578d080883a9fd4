import type { Script } from "../local/slack/operators.ts";
import type { Recorder } from "./recorder.ts";
import { acts } from "./rotation-acts.ts";
import { rotationChecks } from "./rotation-checks.ts";
import { type CourseOptions, conductRotation } from "./rotation-course.ts";
import { gatherRotations } from "./rotation-findings.ts";
import { hurry } from "./rotation-platform.ts";
import { type RotationReport, writeRotations } from "./rotation-report.ts";
import type { DrillWorld } from "./world.ts";

/** Every secret rotated under load, with what may be in the way. */
export const rotation = {
  name: "rotation",
  about: "every secret is rotated under load, one after the other: logins, caches, keys, Slack's",
  acts: acts.length,
  people: [] as readonly Script[],
};

const modelled =
  "All times are modelled: those of AWS are drawn from the ranges in local/aws/durations.ts. Replaced " +
  `instances have warmed up ${hurry} times sooner than asked for, the old login has to be unused for 60 s ` +
  "and a session lives 60 s, so that an overlap can be watched. The quarter of an hour for which nothing " +
  "is begun after instances were replaced is left out, and nobody looks whether a region is lost.";

/** Rotates all of them, judges it, and writes the report. `logged`: all lines of the functions. */
export const drillRotation = async (
  world: DrillWorld,
  seen: Recorder,
  options: CourseOptions & { speed: number; directory: string; logged: readonly string[] },
): Promise<RotationReport> => {
  const drilled = await conductRotation(world, seen, options);
  const findings = await gatherRotations(drilled, options.logged);
  const { firstAt, rows, logins, samples } = findings;
  const since = <Thing extends { atMilliseconds: number }>({ atMilliseconds, ...rest }: Thing) => ({
    ...rest,
    atSeconds: (atMilliseconds - firstAt) / 1000,
  });
  const { primary: home, standby, witness } = world.config.regions;
  const { acknowledged, failed } = world.users.report();
  return writeRotations(
    {
      scenario: rotation.name,
      seed: options.seed,
      speed: options.speed,
      beganAt: firstAt,
      regions: { home, standby, witness },
      rows,
      logins: { tried: logins.tried, failed: logins.failed.length },
      acknowledged,
      failed,
      checks: rotationChecks(findings),
      events: seen.moments.toSorted((a, b) => a.atMilliseconds - b.atMilliseconds).map(since),
      throughput: samples.map(since),
      modelled,
    },
    options.directory,
  );
};
