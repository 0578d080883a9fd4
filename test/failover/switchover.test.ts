import { describe, expect, it } from "vitest";
import type { State } from "../../functions/failover/states.ts";
import { keepDemand } from "../../shared/demand.ts";
import { keepReadiness, type Readiness } from "../../shared/readiness.ts";
import { declareUpheaval } from "../../shared/upheaval.ts";
import {
  brief,
  entering,
  expectLeaseAtHome,
  expectMoved,
  expectServedBy,
  expectUntouched,
  lostWrites,
  type Stage,
  stage,
} from "./stage.ts";

const refusals = async (at: Stage): Promise<string[]> =>
  (await at.journal()).flatMap(({ data }) =>
    ((data?.refusals ?? []) as { code: string }[]).map(({ code }) => code),
  );

interface PlanTold {
  capacity: number;
  capacityWhy: string;
  warnings: string[];
}

const plans = async (at: Stage): Promise<PlanTold[]> =>
  (await at.journal()).flatMap(({ data }) => (data?.plan ? [data.plan as PlanTold] : []));

/** A stage on which something happens at the instant at which the run enters a state. */
const staged = async (state: State, act: (at: Stage) => unknown) => {
  const ground: { at?: Stage } = {};
  const hooks = () => ({ observe: entering(state, () => ground.at && act(ground.at)) });
  ground.at = await stage({ policy: brief, hooks });
  return ground.at;
};

/** What the newest look has found; as old as a second, so that it follows what was kept before. */
const found = (at: Stage, change: Partial<Readiness["checks"][number]>): Promise<void> => {
  const atMilliseconds = Math.floor(at.timeline.now()) - 1000;
  const check = {
    name: "image",
    verdict: "ready" as const,
    detail: "the image of the new version is missing",
    source: "ECR",
    seenAtMilliseconds: atMilliseconds,
    ...change,
  };
  const { region } = at.platform.standby;
  return at.timeline.run(keepReadiness(at.table, { region, atMilliseconds, checks: [check] }));
};

describe("a planned move that is refused", () => {
  it("is refused when home is silent, since it cannot give the lease away", async () => {
    const at = await stage({ policy: brief });
    at.loseHome();
    await at.timeline.advance(180_000);
    await at.request("U0CHIARA", "switchover");
    expect((await at.ended()).outcome).toBe("aborted");
    expect(await refusals(at)).toEqual(["home-silent"]);
    await expectUntouched(at);
  });

  it("is refused when the replica is further behind than the operator allows", async () => {
    const at = await stage({ policy: brief });
    at.engine.delayReplay(at.platform.standby.engineId, 300_000);
    await at.timeline.advance(240_000);
    await at.request("U0CHIARA", "switchover");
    expect((await at.ended()).outcome).toBe("aborted");
    expect(await refusals(at)).toEqual(["lag"]);
    await expectUntouched(at);
  });

  it("is refused while a check of the other region is red, and names the check", async () => {
    const at = await stage({ policy: brief });
    await found(at, { verdict: "not-ready" });
    await at.request("U0CHIARA", "switchover");
    const result = await at.ended();
    expect(result.outcome).toBe("aborted");
    expect(await refusals(at)).toEqual(["not-ready"]);
    expect(result.notes.join(" ")).toMatch(/image \(not-ready\): the image.*"readiness"/);
    await expectUntouched(at);
  });

  it("is refused when nobody has looked for a quarter of an hour", async () => {
    const at = await stage({ policy: brief });
    await found(at, {});
    await at.timeline.advance(1_000_000);
    await at.request("U0CHIARA", "switchover");
    expect((await at.ended()).notes.join(" ")).toMatch(/stale, 17 min old/);
    expect(await refusals(at)).toEqual(["not-ready"]);
  });

  it("goes on with a red check that was accepted by name", async () => {
    const at = await stage({ policy: brief });
    await found(at, { verdict: "not-ready" });
    await at.request("U0CHIARA", "switchover", ["readiness"]);
    await expectMoved(at, await at.ended());
    const [plan] = await plans(at);
    expect(plan?.warnings.join(" ")).toMatch(/image is not-ready, looked at \d+ s ago in ECR/);
  });
});

describe("an emergency", () => {
  it("is never refused for a red check, and those who approve read of it", async () => {
    const at = await stage({ policy: brief });
    await found(at, { verdict: "unknown" });
    at.loseHome();
    await at.request();
    await expectMoved(at, await at.ended());
    expect((await plans(at))[0]?.warnings.join(" ")).toContain("image is unknown");
    expect(JSON.stringify(at.slack.messages())).toContain("mind: Readiness: image is unknown");
  });

  it("brings up what users needed in the last day, and says where the number is from", async () => {
    const at = await stage({ policy: brief });
    const { region } = at.platform.home;
    const atMilliseconds = Math.floor(at.timeline.now());
    await at.timeline.run(keepDemand(at.table, { region, peakInstances: 3, atMilliseconds }));
    at.loseHome();
    await at.request();
    await expectMoved(at, await at.ended());
    expect(await at.desired()).toBe(3);
    const [plan] = await plans(at);
    expect(plan).toMatchObject({ capacity: 3 });
    expect(plan?.capacityWhy).toMatch(/^3, since eu-central-1 had 3 in service at its peak/);
  });

  it("names a deploy of home as what the observers may see", async () => {
    const at = await stage({ policy: brief });
    const { region } = at.platform.home;
    const now = Math.floor(at.timeline.now());
    const window = { sinceMilliseconds: now - 60_000, untilMilliseconds: now + 3_600_000 };
    const deploy = { kind: "deploy" as const, by: "release", reason: "version 7", ...window };
    await at.timeline.run(declareUpheaval(at.table, { region, ...deploy }));
    at.loseHome();
    await at.request();
    await expectMoved(at, await at.ended());
    expect((await plans(at))[0]?.warnings.join(" ")).toMatch(
      /A deploy of eu-central-1 is under way since .*by release: version 7/,
    );
  });
});

describe("a planned move that is given up", () => {
  it("gives the lease back when replication is cut between the fence and the end of the log", async () => {
    const at = await staged("draining", ({ engine, platform }) =>
      engine.delayReplay(platform.standby.engineId, 3_600_000),
    );
    at.users.start();
    await at.request("U0CHIARA", "switchover");
    const result = await at.ended();
    expect(result.outcome).toBe("aborted");
    const said = result.notes.join(" ");
    expect(said).toMatch(/The replica has not reached .*eu-central-1 is active again at epoch 3/);
    expect(said).toContain("Undone: eu-west-1 is back at 1 instances.");
    await expectLeaseAtHome(at);
    expect(await at.desired()).toBe(1);
    await expectServedBy(at, at.platform.home);
    expect(lostWrites(at, at.platform.home)).toEqual([]);
  });

  it("gives the lease back when home does not prove its fence, and says which layer", async () => {
    const at = await stage({ policy: brief });
    at.users.start();
    const { region } = at.platform.home;
    const match = { operation: "Invoke", region, from: at.platform.standby.region };
    at.faults.add({ match, kind: "error", times: 3 });
    await at.request("U0CHIARA", "switchover");
    const result = await at.ended();
    expect(result.outcome).toBe("aborted");
    expect(result.notes.join(" ")).toMatch(/logins: unreachable/);
    await expectLeaseAtHome(at);
    expect(await at.desired()).toBe(1);
    await expectServedBy(at, at.platform.home);
  });

  it("says what was undone when home has its lease and nobody hears from it", async () => {
    const at = await stage({ policy: brief });
    const match = { operation: "Invoke", region: at.platform.home.region, from: "eu-west-1" };
    at.faults.add({ match, kind: "error" });
    await at.request("U0CHIARA", "switchover");
    const result = await at.ended();
    expect(result.outcome).toBe("needs-human");
    const said = result.notes.join(" ");
    expect(said).toMatch(/logins: unreachable.*has the lease again and did not say/);
    expect(said).toContain("Undone: eu-west-1 is back at 1 instances.");
    await expectLeaseAtHome(at);
    expect(await at.desired()).toBe(1);
    const called = at.slack.messages().find(({ text }) => text.includes("needs a human"));
    expect(called?.text).toContain("Undone: eu-west-1 is back");
  });

  it("touches nothing when it cannot read whose the lease is by then", async () => {
    const at = await staged("approved", ({ faults }) =>
      faults.add({ match: { operation: "GetItem", from: "eu-west-1" }, kind: "error" }),
    );
    await at.request("U0CHIARA", "switchover");
    const result = await at.ended();
    expect(result.outcome).toBe("needs-human");
    expect(result.notes.join(" ")).toMatch(
      /Left: eu-west-1 stays as it is, since this run may have claimed the lease, which cannot be read/,
    );
    expect(await at.desired()).toBe(2);
  });

  it("leaves the other region as it is when another run has moved there meanwhile", async () => {
    const at = await staged("returning", ({ regions, platform }) =>
      regions.set(platform.home.region, "dead"),
    );
    const match = { operation: "Invoke", region: at.platform.home.region, from: "eu-west-1" };
    at.faults.add({ match, kind: "error", times: 3 });
    at.users.start();
    await at.request("U0CHIARA", "switchover");
    const [given] = at.executions();
    const ended = await at.timeline.run(at.cloud.functions.finished(given?.arn ?? ""), 3_600_000);
    expect(JSON.parse(ended.result ?? "{}")).toMatchObject({
      outcome: "needs-human",
      notes: expect.arrayContaining([
        expect.stringMatching(/^Left: eu-west-1 stays as it is: .* by failover-4-1\.$/),
      ]),
    });
    await at.until("the second run has ended", async () => (await at.lease()).state === "held");
    expect(await at.lease()).toMatchObject({ epoch: 4, region: at.platform.standby.region });
    expect(await at.desired()).toBe(2);
    await expectServedBy(at, at.platform.standby);
  });
});
