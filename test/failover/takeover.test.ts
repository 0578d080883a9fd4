import { describe, expect, it } from "vitest";
import { names } from "../../drills/names.ts";
import type { Observer } from "../../local/aws/endpoint.ts";
import { keepProof, readProof } from "../../shared/proof.ts";
import { brief, entering, expectMoved, expectUntouched, type Stage, stage } from "./stage.ts";

/** Nobody's word reaches the health check that moves users any more. */
const stickChecks = async ({ cloud }: Stage): Promise<void> => {
  type Answer = { HealthChecks: { Id: string; HealthCheckConfig: { Type: string } }[] };
  const { HealthChecks } = await cloud.ask<Answer>("route-53", "ListHealthChecks", "us-east-1", {});
  const moved = HealthChecks.find(({ HealthCheckConfig: { Type } }) => Type === "CALCULATED");
  const input = { HealthCheckId: moved?.Id, Disabled: true };
  await cloud.ask("route-53", "UpdateHealthCheck", "us-east-1", input);
};

/** When records were changed, in modelled milliseconds. */
const recordChanges = () => {
  const times: number[] = [];
  const ground: { at?: Stage } = {};
  const observe: Observer = {
    after: ({ operation }, _input, outcome) => {
      if (operation !== "ChangeResourceRecordSets" || outcome.kind !== "answered") return;
      if (ground.at) times.push(ground.at.timeline.now());
    },
  };
  return { times, ground, hooks: () => ({ observe }) };
};

const reached = async (at: Stage, state: string): Promise<number> =>
  (await at.journal()).find(({ data }) => data?.to === state)?.atMilliseconds ?? Number.NaN;

describe("users who are to be sent to the new region", () => {
  it("are sent by changed records when the health check has not moved them in its time", async () => {
    const { times, ground, hooks } = recordChanges();
    const at = await stage({ policy: brief, hooks });
    ground.at = at;
    await stickChecks(at);
    at.loseHome();
    await at.request();
    const result = await at.ended();
    await expectMoved(at, result);
    // Twice the time of three failed checks and the records' own.
    const { ttlSeconds } = at.platform.config.domain;
    const waited = ((times[0] ?? 0) - (await reached(at, "serving"))) / 1000;
    expect(waited).toBeGreaterThanOrEqual(2 * (30 + ttlSeconds));
    expect(waited).toBeLessThan(2 * (30 + ttlSeconds) + 15);
    expect(result.notes).toContain("The records were changed: health checks did not do it.");
    expect(JSON.stringify(at.slack.messages())).toContain("The records were changed");
  });

  it("are sent by changed records at once where the operator's file says so", async () => {
    const { times, ground, hooks } = recordChanges();
    const at = await stage({ policy: { ...brief, dns: "change-records" }, hooks });
    ground.at = at;
    at.loseHome();
    await at.request();
    await expectMoved(at, await at.ended());
    expect(((times[0] ?? 0) - (await reached(at, "serving"))) / 1000).toBeLessThan(15);
  });

  it("are not said to be sent by changed records when that call was never answered", async () => {
    const { ground, hooks } = recordChanges();
    const at = await stage({ policy: { ...brief, dns: "change-records" }, hooks });
    ground.at = at;
    const match = { operation: "ChangeResourceRecordSets" };
    at.faults.add({ match, kind: "timeout-before" });
    at.loseHome();
    await at.request();
    const result = await at.ended();
    await expectMoved(at, result);
    expect(result.notes.join(" ")).toMatch(
      /The records may have been changed, which gave no answer/,
    );
  });

  it("are left to a human, who is told why, when neither way is there", async () => {
    const at = await stage({ policy: brief });
    await stickChecks(at);
    at.regions.silenceControlPlanes(true);
    at.loseHome();
    await at.request();
    const result = await at.ended();
    expect(result.outcome).toBe("needs-human");
    expect(at.promotions()).toBe(1);
    const said = result.notes.join(" ");
    expect(said).toMatch(/Resolvers that do not answer with the new region: 192\.0\.2\.53/);
    expect(said).toMatch(/The records could not be changed: .*(Timeout|no answer)/);
    const called = at.slack.messages().find(({ text }) => text.includes("needs a human"));
    expect(called?.text).toContain("The records could not be changed");
  });
});

describe("a replica that RDS is at", () => {
  it("is named before anybody approves, and promoted when it can be", async () => {
    const at = await stage({ policy: brief });
    const { region, databaseId } = at.platform.standby;
    at.cloud.databases.startBackup(region, databaseId);
    at.loseHome();
    await at.request();
    await at.reaches("asking");
    expect(JSON.stringify(at.slack.messages())).toContain(
      `${databaseId} is backing-up: the promotion will wait until it is available.`,
    );
    await expectMoved(at, await at.ended());
  });
});

describe("a new primary", () => {
  it("is left without settings that nobody has kept, and a human is told so", async () => {
    const at = await stage({ policy: brief });
    const { region } = at.platform.standby;
    const Key = { id: { S: `settings#${at.platform.home.region}` } };
    await at.cloud.ask("dynamodb", "DeleteItem", region, { TableName: names.coordination, Key });
    at.loseHome();
    await at.request();
    const result = await at.ended();
    expect(result.outcome).toBe("needs-human");
    expect(result.notes.join(" ")).toMatch(
      /Nobody knows the old primary's settings \(never kept\)/,
    );
    expect(await at.lease()).toMatchObject({ epoch: 2, state: "held", region });
  });

  it("keeps the proof that moving here works, once it has its settings", async () => {
    const at = await stage({ policy: brief });
    const { region } = at.platform.standby;
    await at.timeline.run(
      keepProof(at.table, { region, run: "rehearsal-2-1", kind: "rehearsal", atMilliseconds: 1 }),
    );
    at.loseHome();
    const run = await at.request();
    await expectMoved(at, await at.ended());
    const proof = await at.timeline.run(readProof(at.table, region));
    expect(proof).toMatchObject({ region, run, kind: "emergency" });
    expect(proof?.atMilliseconds).toBeGreaterThan(at.timeline.now() - 600_000);
  });

  it("has its instances ordered again when somebody has taken them away meanwhile", async () => {
    const ground: { at?: Stage } = {};
    const hooks = () => ({
      observe: entering("promoted", () =>
        ground.at?.cloud.ask("auto-scaling", "SetDesiredCapacity", "eu-west-1", {
          AutoScalingGroupName: names.group,
          DesiredCapacity: 1,
        }),
      ),
    });
    const at = await stage({ policy: brief, hooks });
    ground.at = at;
    at.loseHome();
    await at.request();
    await expectMoved(at, await at.ended());
    expect(await at.desired()).toBe(2);
  });
});

describe("a home region that comes back before the promotion", () => {
  it("gives the replica what it lacks, and then it is promoted", async () => {
    const ground: { at?: Stage } = {};
    const hooks = () => ({
      observe: entering("isolating", () => {
        const { timeline, regions, platform } = ground.at as Stage;
        timeline.after(20_000, () => regions.set(platform.home.region, "up"));
      }),
    });
    const at = await stage({
      policy: { isolationSeconds: 240, isolationMarginSeconds: 120 },
      hooks,
    });
    ground.at = at;
    at.users.start();
    await at.timeline.advance(60_000);
    at.regions.set(at.platform.home.region, "cut", { usersReachIt: true });
    // Users go on writing what never leaves the region.
    await at.timeline.advance(40_000);
    await at.request();
    const result = await at.ended();
    await expectMoved(at, result);
    const moves = (await at.journal()).flatMap(({ data }) => (data?.to ? [String(data.to)] : []));
    expect(moves.slice(moves.indexOf("isolating"))).toEqual(
      expect.arrayContaining(["isolating", "draining", "fenced", "promoted"]),
    );
    const drained = (await at.journal()).find(({ data }) => data?.from === "draining");
    expect(drained?.data).toMatchObject({ on: "drained" });
    at.users.stop();
    const kept = new Set(at.engine.history(at.platform.standby.engineId).map(({ key }) => key));
    expect(at.users.acknowledged.filter(({ id }) => !kept.has(id))).toEqual([]);
  });
});

describe("a run that fails before the claim", () => {
  it("frees its name when it asks for a human, so that the next request is a run of its own", async () => {
    const at = await stage({ policy: brief, people: [] });
    at.loseHome();
    expect(await at.request()).toBe("failover-2-1");
    await at.reaches("asking");
    const [asked] = await at.requests();
    const Key = { id: { S: `approval#${asked?.planHash}` } };
    const TableName = names.coordination;
    await at.cloud.ask("dynamodb", "DeleteItem", "eu-west-1", { TableName, Key });
    const result = await at.ended();
    expect(result).toMatchObject({ outcome: "needs-human", epoch: null });
    expect(result.notes.join(" ")).toMatch(
      /While asking: .*has vanished.*Undone: eu-west-1 is back at 1 instances/,
    );
    await expectUntouched(at);
    expect(await at.request()).toBe("failover-2-2");
  });
});
