import { describe, expect, it } from "vitest";
import { stepOf } from "../../deploy/release-plan.ts";
import { pause, resume } from "../../shared/pause.ts";
import { minute, stage } from "./release-stage.ts";

type Stage = Awaited<ReturnType<typeof stage>>;

const raise = (at: Stage, region: string, name = "error-rate") =>
  at.cw(region, "SetAlarmState", {
    AlarmName: `nightshift-production-${name}`,
    StateValue: "ALARM",
    StateReason: "of the test",
  });

const both = async (at: Stage) => ({
  home: await at.group(at.home.region),
  standby: await at.group(at.standby.region),
});

const old = {
  home: { version: "1", running: ["1", "1"] },
  standby: { version: "1", running: ["1"] },
};
const fresh = {
  home: { version: "2", running: ["2", "2"] },
  standby: { version: "2", running: ["2"] },
};

describe("a release", () => {
  it("brings the newest version to the region that stands by, and then to the one that serves", async () => {
    const at = await stage();
    const { ended, lines } = at.release();
    expect(await ended()).toBeUndefined();
    expect(await both(at)).toEqual(fresh);
    const [first] = await at.refreshes(at.standby.region);
    const [second] = await at.refreshes(at.home.region);
    expect(Number(second?.StartTime)).toBeGreaterThan(Number(first?.StartTime) + 10 * minute);
    expect(second?.Preferences).toMatchObject({
      AutoRollback: true,
      BakeTime: 600,
      MinHealthyPercentage: 100,
      AlarmSpecification: { Alarms: at.alarms },
    });
    expect(lines[0]).toMatch(
      /^\d\d:\d\d:\d\d {2}eu-west-1 {2}version 2 of platform starts platform@sha256:new$/,
    );
    expect(lines.slice(-3).map((line) => line.slice(10))).toEqual([
      "eu-central-1  instances are being replaced: 0 %, 2 to go",
      "eu-central-1  every instance is new; its alarms are watched for 10 minutes more",
      "eu-central-1  every instance is of version 2",
    ]);
  });

  it("is turned round by an alarm: the version of before runs, the other region is not touched", async () => {
    const at = await stage();
    const { ended, lines } = at.release();
    await at.timeline.advance(8 * minute);
    await raise(at, at.standby.region);
    expect(await ended()).toMatch(
      /^eu-west-1: it was rolled back, and the version of before runs again \(.*production-error-rate\)/,
    );
    expect(await both(at)).toEqual(old);
    expect(await at.refreshes(at.home.region)).toEqual([]);
    expect(lines.join("\n")).toMatch(
      /going back to the version of before: .*production-error-rate/,
    );
  });

  it("that is turned round at home says what the other region runs by then", async () => {
    const at = await stage();
    const { ended, lines } = at.release();
    while (!lines.some((line) => /eu-central-1 {2}every instance is new/.test(line))) {
      await at.timeline.advance(minute);
    }
    await raise(at, at.home.region);
    expect(await ended()).toMatch(
      /^eu-central-1: it was rolled back.* eu-west-1 runs the new vers/,
    );
    expect(await both(at)).toEqual({ home: old.home, standby: fresh.standby });
  });

  it("goes to one region when it is told to, and finds nothing to do the second time", async () => {
    const at = await stage();
    expect(await at.release("--region eu-west-1").ended()).toBeUndefined();
    expect(await both(at)).toEqual({ home: old.home, standby: fresh.standby });
    const again = at.release("--region eu-west-1");
    expect(await again.ended()).toBeUndefined();
    expect(again.lines.at(-1)).toContain("every instance is of version 2 already");
    expect(await at.refreshes(at.standby.region)).toHaveLength(1);
  });

  it("is taken up again by whoever gives the command again", async () => {
    const at = await stage();
    at.release("--region eu-west-1");
    await at.timeline.advance(2 * minute);
    const again = at.release("--region eu-west-1");
    expect(await again.ended()).toBeUndefined();
    expect(again.lines.join("\n")).toContain("it is under way as");
    expect(await at.refreshes(at.standby.region)).toHaveLength(1);
  });

  it("goes on in AWS when whoever has given it looks no more, and says how to stop it there", async () => {
    const at = await stage();
    const { ended, stop } = at.release();
    await at.timeline.advance(2 * minute);
    stop();
    expect(await ended()).toMatch(
      /^eu-west-1: nobody looks any more.* rollback-instance-refresh --region eu-west-1 .*-name platform/,
    );
    await at.timeline.advance(30 * minute);
    expect(await both(at)).toEqual({ home: old.home, standby: fresh.standby });
    expect(await at.refreshes(at.home.region)).toEqual([]);
  });

  it("leaves what was put aside to be looked at where it is", async () => {
    const at = await stage();
    expect(await at.release("--region eu-west-1").ended()).toBeUndefined();
    const [refresh] = await at.refreshes(at.standby.region);
    expect(refresh?.Preferences).toMatchObject({ StandbyInstances: "Ignore" });
  });

  it("does not mix with another version that is on its way", async () => {
    const at = await stage();
    at.release("--region eu-west-1");
    await at.timeline.advance(2 * minute);
    await at.deploy(at.standby.region, "platform@sha256:newer");
    expect(await at.release("--region eu-west-1").ended()).toMatch(/being replaced by version 2/);
  });

  it("waits for nobody where nothing runs", async () => {
    const at = await stage();
    await at.cloud.ask("auto-scaling", "UpdateAutoScalingGroup", at.standby.region, {
      AutoScalingGroupName: "platform",
      MinSize: 0,
      DesiredCapacity: 0,
    });
    await at.timeline.advance(5 * minute);
    expect(await at.release("--region eu-west-1").ended()).toBeUndefined();
    expect(await at.group(at.standby.region)).toEqual({ version: "2", running: [] });
  });

  it("without alarms and without a way back is for the first one", async () => {
    const at = await stage();
    await raise(at, at.standby.region, "unhealthy-hosts");
    expect(await at.release("--region eu-west-1 --first").ended()).toBeUndefined();
    const [refresh] = await at.refreshes(at.standby.region);
    expect(refresh?.Preferences).not.toHaveProperty("AlarmSpecification");
    expect(refresh?.Preferences).not.toHaveProperty("AutoRollback");
  });
});

describe("a release is refused", () => {
  const untouched = async (at: Stage, says: RegExp) => {
    expect(await at.release().ended()).toMatch(says);
    expect(await at.refreshes(at.standby.region)).toEqual([]);
    expect(await at.refreshes(at.home.region)).toEqual([]);
  };

  it("while Nightshift is paused", async () => {
    const at = await stage();
    const change = { by: "ana", reason: "a look", atMilliseconds: at.timeline.now() };
    await at.timeline.run(pause(at.table, change));
    await untouched(at, /paused by ana: a look/);
    await at.timeline.run(resume(at.table, { ...change, atMilliseconds: at.timeline.now() + 1 }));
    expect(await at.release().ended()).toBeUndefined();
  });

  it("while a failover moves users, and stops when one begins", async () => {
    const at = await stage();
    const moving = (state: string) =>
      at.timeline.run(at.table.write("lease", { set: { state, holder: "failover-2-1" } }));
    const { ended } = at.release();
    await at.timeline.advance(2 * minute);
    await moving("moving");
    expect(await ended()).toMatch(/^eu-west-1: a failover has begun; .* is left to AWS/);
    expect(await at.refreshes(at.home.region)).toEqual([]);
    await moving("held");
    const other = await stage();
    await other.timeline.run(
      other.table.write("lease", { set: { state: "moving", holder: "failover-2-1" } }),
    );
    await untouched(other, /failover-2-1 is moving users/);
  });

  it("while an alarm is raised that would turn it round at once", async () => {
    const at = await stage();
    await raise(at, at.standby.region);
    await untouched(at, /production-error-rate is raised before anything was replaced/);
  });

  it("as the first one where instances are well: it would take all of them away", async () => {
    const at = await stage();
    expect(await at.release("--first").ended()).toMatch(/instances there are well/);
    expect(await at.refreshes(at.standby.region)).toEqual([]);
  });

  it("when an alarm is missing", async () => {
    const at = await stage();
    await at.cw(at.standby.region, "DeleteAlarms", { AlarmNames: [at.alarms[1]] });
    await untouched(at, /there is no alarm nightshift-production-latency: deploy first/);
  });

  it("for a group that starts whatever is newest: there would be nothing to go back to", () => {
    const group = { desired: 2, template: "platform", version: "$Latest", running: ["1", "1"] };
    const newest = { version: "2", image: "platform@sha256:new" };
    expect(stepOf(group, newest, undefined, new Map(), false)).toMatchObject({ is: "refused" });
  });

  it.each([
    ["--region eu-west-2", "eu-west-2 is neither eu-central-1 nor eu-west-1"],
    ["--regoin eu-west-1", "usage: npm run release"],
  ])("with %s", async (line, says) => {
    const at = await stage();
    expect(() => at.release(line)).toThrow(says);
  });
});
