import { describe, expect, it } from "vitest";
import type { CanaryPorts, Told } from "../../functions/canary/canary.ts";
import { look } from "../../functions/canary/canary.ts";
import type { Look } from "../../functions/canary/decide.ts";
import { judgeActive, judgePublic, judgeRegion } from "../../functions/canary/decide.ts";
import { type Stage, stage } from "../failover/stage.ts";

const answered = (status: number, body: string): Look => ({ status, body, detail: "answered" });
const silent: Look = { status: null, body: "", detail: "TimeoutError: no answer" };

describe("what a canary makes of one look", () => {
  it.each([
    ["active", answered(200, "active"), true],
    ["renounced", answered(200, "renounced"), true],
    ["active, with a line break", answered(200, "active\n"), true],
    ["nothing", silent, false],
    ["503 of a load balancer without instances", answered(503, "Service Unavailable"), false],
    ["200 of somebody else's page", answered(200, "<html>active</html>"), false],
    ["active with the wrong status", answered(500, "active"), false],
    ["an empty page", answered(200, ""), false],
  ])("takes a region that answers %s for reachable or not", (_says, seen, well) => {
    expect(judgeRegion(seen).well).toBe(well);
  });

  it.each([
    [answered(200, "ready"), true],
    [answered(503, "database"), false],
    [answered(301, ""), false],
    [silent, false],
  ])("takes the public name for well only when the application is ready (%#)", (seen, well) => {
    expect(judgePublic(seen).well).toBe(well);
  });

  it("says of a silent region why it thinks so", () => {
    expect(judgeRegion(silent).because).toBe("TimeoutError: no answer");
  });

  it("notices that nobody is active although every region can be reached", () => {
    const renounced = { place: "home", look: answered(200, "renounced") };
    expect(judgeActive([renounced, { ...renounced, place: "standby" }]).well).toBe(false);
    const active = { place: "standby", look: answered(200, "active") };
    expect(judgeActive([renounced, active])).toEqual({ well: true, because: "standby is active" });
    expect(judgeActive([{ place: "home", look: silent }]).well).toBe(false);
  });
});

describe("one look of a canary", () => {
  const ports = (observer: string, reported: Told[][]): CanaryPorts => ({
    observer,
    regions: ["home", "standby"],
    lookAtRegion: async (region) => (region === "home" ? silent : answered(200, "renounced")),
    lookAtPublicName: async () => answered(200, "ready"),
    reportTo: ["standby"],
    report: async (_region, told) => void reported.push(told),
  });
  const regionsIn = (told: Told[]) =>
    told.flatMap(({ subject }) => (subject.kind === "region" ? [subject.region] : []));

  it("reports everything in one go", async () => {
    const reported: Told[][] = [];
    await look(ports("witness", reported));
    expect(reported).toHaveLength(1);
    const wells = (reported[0] ?? []).map(({ subject, verdict }) => [subject, verdict.well]);
    expect(wells).toEqual(
      expect.arrayContaining([
        [{ kind: "public" }, true],
        [{ kind: "active" }, false],
        [{ kind: "region", region: "home" }, false],
        [{ kind: "region", region: "standby" }, true],
      ]),
    );
  });

  it("is no witness of the region that it stands in itself", async () => {
    const reported: Told[][] = [];
    await look(ports("standby", reported));
    expect(regionsIn(reported[0] ?? [])).toEqual(["home"]);
  });

  it("fails when it cannot report, so that its silence is seen", async () => {
    const report = () => Promise.reject(new Error("CloudWatch is away"));
    await expect(look({ ...ports("witness", []), report })).rejects.toThrow(/is away/);
  });

  it.each([
    ["is well itself when the region that it sees lost takes no report", ["home"], false],
    ["fails when a region that it sees well takes no report", ["standby"], true],
    ["fails when no region takes a report, whatever it sees", ["home", "standby"], true],
  ])("%s", async (_what, deaf, fails) => {
    const report = async (region: string) => {
      if (deaf.includes(region)) throw new Error(`${region} takes nothing`);
    };
    const reportTo = ["home", "standby"];
    const looked = look({ ...ports("witness", []), reportTo, report }).then(
      () => false,
      () => true,
    );
    expect(await looked).toBe(fails);
  });
});

describe("a canary that is cut off itself", () => {
  it("fails, although the regions that take no report are the ones it sees lost", async () => {
    const cut: CanaryPorts = {
      observer: "witness",
      regions: ["home", "standby"],
      lookAtRegion: async () => silent,
      lookAtPublicName: async () => silent,
      reportTo: ["home", "standby"],
      report: () => Promise.reject(new Error("CloudWatch is away")),
    };
    await expect(look(cut)).rejects.toThrow(/is away/);
  });
});

describe("a canary on the platform", () => {
  const invoke = async ({ cloud, timeline }: Stage, region: string) => {
    const asked = cloud.ask<{ Payload: Uint8Array; FunctionError?: string }>(
      "lambda",
      "Invoke",
      region,
      { FunctionName: "canary", Payload: Buffer.from("{}") },
    );
    const { Payload, FunctionError } = await timeline.run(asked, 60_000);
    return { failed: FunctionError !== undefined, text: Buffer.from(Payload).toString() };
  };

  /** The newest value of a metric in the region that would have to decide. */
  const metric = async (at: Stage, name: string, observer: string, of?: string) => {
    const now = at.timeline.now();
    const Dimensions = [
      ...(of ? [{ Name: "Region", Value: of }] : []),
      { Name: "Observer", Value: observer },
    ];
    type Answer = { Datapoints: { Timestamp: Date; Maximum: number }[] };
    const { Datapoints } = await at.cloud.ask<Answer>(
      "cloudwatch",
      "GetMetricStatistics",
      at.platform.standby.region,
      {
        Namespace: "Nightshift",
        MetricName: name,
        Dimensions,
        StartTime: new Date(now - 300_000),
        EndTime: new Date(now + 60_000),
        Period: 60,
        Statistics: ["Maximum"],
      },
    );
    return Datapoints.toSorted((a, b) => a.Timestamp.getTime() - b.Timestamp.getTime()).at(-1)
      ?.Maximum;
  };

  const alarm = async (at: Stage): Promise<string | undefined> => {
    type Answer = { CompositeAlarms: { StateValue: string }[] };
    const { CompositeAlarms } = await at.cloud.ask<Answer>(
      "cloudwatch",
      "DescribeAlarms",
      at.platform.standby.region,
      { AlarmTypes: ["CompositeAlarm"] },
    );
    return CompositeAlarms[0]?.StateValue;
  };

  it("sees all well, and after the loss that the region does not answer", async () => {
    const at = await stage();
    const { home, config } = at.platform;
    const { witness } = config.regions;
    expect((await invoke(at, witness)).failed).toBe(false);
    expect(await metric(at, "RegionReachable", witness, home.region)).toBe(1);
    expect(await metric(at, "PublicNameServes", witness)).toBe(1);
    expect(await metric(at, "SomebodyActive", witness)).toBe(1);
    at.loseHome();
    await at.timeline.advance(60_000);
    expect((await invoke(at, witness)).failed).toBe(false);
    expect(await metric(at, "RegionReachable", witness, home.region)).toBe(0);
    expect(await metric(at, "PublicNameServes", witness)).toBe(0);
    expect(await metric(at, "SomebodyActive", witness)).toBe(0);
  });

  it("fails as a function when its region's CloudWatch takes no report", async () => {
    const at = await stage();
    const { witness } = at.platform.config.regions;
    at.faults.add({ match: { service: "monitoring", from: witness }, kind: "error" });
    const { failed, text } = await invoke(at, witness);
    expect(failed).toBe(true);
    expect(text).toContain("InternalFailure");
  });

  it("makes no region lost when the other canary cannot report", async () => {
    const at = await stage();
    const { witness } = at.platform.config.regions;
    at.faults.add({ match: { service: "monitoring", from: witness }, kind: "error" });
    at.loseHome();
    await at.timeline.advance(900_000);
    expect(await alarm(at)).not.toBe("ALARM");
    expect(at.executions()).toEqual([]);
  });

  it("makes no region lost when it is cut off itself", async () => {
    const at = await stage();
    at.regions.set(at.platform.config.regions.witness, "cut");
    await at.timeline.advance(900_000);
    expect(await alarm(at)).not.toBe("ALARM");
    expect(at.executions()).toEqual([]);
  });
});
