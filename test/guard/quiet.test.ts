import { afterEach, describe, expect, it } from "vitest";
import { names } from "../../drills/names.ts";
import type { Config } from "../../shared/config.ts";
import { claimLease, readLease } from "../../shared/lease.ts";
import { pause } from "../../shared/pause.ts";
import { isQuiet, minimumsAt } from "../../shared/quiet.ts";
import { config, type World, world } from "../simulation/world.ts";

const { minimum, desired, standbyMinimum } = config.sizes.application;
const { primary, standby } = config.regions;
const quietMinimum = 1;
const hour = 3_600_000;

const timeOfDay = (milliseconds: number): string =>
  new Date(milliseconds).toISOString().slice(11, 16);

const open = new Set<World>();
afterEach(async () => {
  for (const one of open) await one.close();
  open.clear();
});

/** The whole platform, whose quiet hours are from the first hour of it to the third. */
const night = async () => {
  const hours: { quiet?: Config["sizes"]["application"]["quiet"] } = {};
  const built = await world({
    seed: "quiet",
    scripts: [],
    plant: (_, runtime, assemble) => {
      const application = { ...config.sizes.application, quiet: hours.quiet };
      return assemble({
        ...runtime,
        config: { ...config, sizes: { ...config.sizes, application } },
      });
    },
  });
  open.add(built);
  const begins = built.timeline.now() + hour;
  hours.quiet = {
    from: timeOfDay(begins),
    until: timeOfDay(begins + 2 * hour),
    minimum: quietMinimum,
  };
  const group = async (region: string) => {
    const answer = await built.cloud.ask("auto-scaling", "DescribeAutoScalingGroups", region, {
      AutoScalingGroupNames: [names.group],
    });
    const { AutoScalingGroups } = answer as {
      AutoScalingGroups: [{ MinSize: number; DesiredCapacity: number }];
    };
    const [{ MinSize, DesiredCapacity }] = AutoScalingGroups;
    return { minimum: MinSize, desired: DesiredCapacity };
  };
  const set = (region: string, sizes: object) =>
    built.cloud.ask("auto-scaling", "UpdateAutoScalingGroup", region, {
      AutoScalingGroupName: names.group,
      ...sizes,
    });
  return { ...built, group, set, later: (hours: number) => built.timeline.advance(hours * hour) };
};

describe("in the quiet hours", () => {
  it("the minimum of the region that serves is smaller, and grows back after them", async () => {
    const at = await night();
    expect(await at.group(primary)).toEqual({ minimum, desired });
    await at.later(1.1);
    // Only what may be taken away by little load: nothing is taken away by the clock.
    expect(await at.group(primary)).toEqual({ minimum: quietMinimum, desired });
    await at.set(primary, { DesiredCapacity: quietMinimum });
    await at.later(2);
    expect(await at.group(primary)).toEqual({ minimum, desired: minimum });
  });

  it("and after them no instance is started behind a fence, and a standby stays one", async () => {
    const at = await night();
    await at.later(1.1);
    const seen = await at.timeline.run(readLease(at.table));
    const nowMilliseconds = at.timeline.now();
    const claim = { region: standby, holder: "a-run", nowMilliseconds };
    await at.timeline.run(claimLease(at.table, seen, claim));
    await at.later(0.1);
    const fenced = { minimum: 0, desired: 0 };
    expect(await at.group(primary)).toEqual(fenced);
    const other = { minimum: standbyMinimum, desired: standbyMinimum };
    for (const _ of [0, 1, 2, 3]) {
      await at.later(0.7);
      expect(await at.group(primary)).toEqual(fenced);
      expect(await at.group(standby)).toEqual(other);
    }
  });

  it("a minimum that somebody has set by hand stays as it is", async () => {
    const at = await night();
    await at.set(primary, { MinSize: minimum + 1 });
    await at.later(1.1);
    expect((await at.group(primary)).minimum).toBe(minimum + 1);
  });

  it("nothing is changed while Nightshift is paused", async () => {
    const at = await night();
    const change = { by: "ana", reason: "a look", atMilliseconds: at.timeline.now() };
    await at.timeline.run(pause(at.table, change));
    await at.later(1.1);
    expect((await at.group(primary)).minimum).toBe(minimum);
  });
});

describe("what the minimum is", () => {
  const at = (time: string) => Date.parse(`2026-03-01T${time}:00Z`);
  const hours = { from: "22:00", until: "05:30", minimum: 3 };
  const withHours: Config = {
    ...config,
    sizes: { ...config.sizes, application: { ...config.sizes.application, quiet: hours } },
  };

  it.each<[string, string, string, boolean]>([
    ["21:59", "22:00", "05:30", false],
    ["22:00", "22:00", "05:30", true],
    ["00:00", "22:00", "05:30", true],
    ["05:29", "22:00", "05:30", true],
    ["05:30", "22:00", "05:30", false],
    ["12:00", "11:00", "13:00", true],
    ["10:59", "11:00", "13:00", false],
    ["13:00", "11:00", "13:00", false],
  ])("at %s depends on hours from %s until %s", (time, from, until, quiet) => {
    expect(isQuiet({ from, until }, at(time))).toBe(quiet);
  });

  it("in the other region does not depend on them, even when users are there", () => {
    expect(minimumsAt(withHours, primary, at("23:00"))).toEqual({ now: 3, otherwise: minimum });
    expect(minimumsAt(withHours, primary, at("12:00"))).toEqual({ now: minimum, otherwise: 3 });
    expect(minimumsAt(withHours, standby, at("23:00"))).toBeNull();
    expect(minimumsAt(config, primary, at("23:00"))).toBeNull();
  });
});
