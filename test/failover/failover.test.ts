import { describe, expect, it } from "vitest";
import type { Observer } from "../../local/aws/endpoint.ts";
import type { Script } from "../../local/slack/operators.ts";
import { pause } from "../../shared/pause.ts";
import {
  brief,
  expectLeaseAtHome,
  expectMoved,
  expectServedBy,
  expectUntouched,
  quick,
  type Stage,
  stage,
  told,
} from "./stage.ts";

const nobody: Script[] = [];
const approves = (user: string): Script => ({ user, says: "approve", thinksSeconds: [2, 4] });
const rejects = (user: string): Script => ({ user, says: "reject", thinksSeconds: [2, 4] });

/** The outcome of each call of PromoteReadReplica, in order. */
const promoteCalls = () => {
  const outcomes: string[] = [];
  const observe: Observer = {
    after: (call, _input, outcome) => {
      if (call.operation !== "PromoteReadReplica") return;
      outcomes.push(outcome.kind === "refused" ? outcome.error.name : outcome.kind);
    },
  };
  return { outcomes, hooks: () => ({ observe }) };
};

const pausedBy = (at: Stage, by: string) =>
  at.timeline.run(
    pause(at.table, { by, reason: "we look first", atMilliseconds: Math.floor(at.timeline.now()) }),
  );

describe("a region that is lost", () => {
  it("moves to the standby region by its own alarms, after two people have approved", async () => {
    const at = await stage();
    at.users.start();
    await at.timeline.advance(30_000);
    at.loseHome();
    await at.until("a run is started", () => at.executions().length > 0);
    const result = await at.ended();
    await expectMoved(at, result);
    expect(result.approvedBy.toSorted()).toEqual(["U0ANA", "U0BEN"]);
    expect(result).toMatchObject({ promoteCalls: 1, unrecorded: 0 });
    await at.timeline.advance(180_000);
    expect(at.users.acknowledged.at(-1)?.region).toBe(at.platform.standby.region);
  });

  it("states what may be lost in the journal before the replica is promoted", async () => {
    const at = await stage({ policy: brief });
    at.loseHome();
    await at.request();
    await at.ended();
    const entries = await at.journal();
    const sequence = (found: (typeof entries)[number] | undefined) => found?.sequence ?? Number.NaN;
    const asked = sequence(entries.find(({ data }) => data?.to === "asking"));
    const loss = entries.find(({ key }) => key === "loss");
    expect(loss?.data).toMatchObject({ loss: { verdict: "within" }, position: { known: true } });
    expect(sequence(entries.find(({ data }) => data?.plan))).toBeLessThan(asked);
    expect(sequence(loss)).toBeLessThan(
      sequence(entries.find(({ data }) => data?.to === "promoted")),
    );
  });

  it("is one run however often its alarm's event is delivered, and an operator asks as well", async () => {
    let doubled = 0;
    const at = await stage({
      hooks: () => ({
        lambda: {
          duplicate: ({ name }, payload) => {
            const isAlarm = name === "detection" && payload.includes("Alarm State Change");
            if (isAlarm) doubled += 1;
            return isAlarm;
          },
        },
      }),
    });
    at.loseHome();
    await at.until("a run is started", () => at.executions().length > 0);
    expect(doubled).toBe(1);
    const again = await at.timeline.run(at.people.command("U0ANA", "failover it is gone"));
    expect(again.body).toMatch(/failover-2-1 was asked for before, so nothing new was started/);
    await expectMoved(at, await at.ended());
    expect(at.executions()).toHaveLength(1);
  });

  it("is moved once when the same run is started twice at the same moment", async () => {
    const at = await stage({ policy: brief });
    at.loseHome();
    expect(new Set([await at.request(), await at.request()])).toEqual(new Set(["failover-2-1"]));
    await expectMoved(at, await at.ended());
    expect(at.executions()).toHaveLength(1);
  });
});

describe("people who do not agree", () => {
  it("aborts the run and takes the warming back when one operator rejects", async () => {
    const at = await stage({ people: [approves("U0ANA"), rejects("U0BEN")] });
    at.loseHome();
    await at.request();
    await at.reaches("asking");
    expect(await at.desired()).toBe(2);
    const result = await at.ended();
    expect(result.outcome).toBe("aborted");
    expect(result.notes.join(" ")).toMatch(/Rejected by U0BEN.*back at 1 instances/);
    await expectUntouched(at);
  });

  it("aborts the run when nobody has answered before the request expires", async () => {
    const at = await stage({ people: nobody, policy: { approvalExpirySeconds: 300 } });
    at.loseHome();
    await at.request();
    const startedAt = at.timeline.now();
    expect((await at.ended()).outcome).toBe("aborted");
    const tookSeconds = (at.timeline.now() - startedAt) / 1000;
    expect(tookSeconds).toBeGreaterThanOrEqual(300);
    expect(tookSeconds).toBeLessThan(420);
    await expectUntouched(at);
  });

  it("does not count the approval of the one who asked", async () => {
    const at = await stage({ people: quick, policy: { approvalExpirySeconds: 300 } });
    at.loseHome();
    await at.timeline.run(at.people.command("U0ANA", "failover the region is gone"));
    expect((await at.ended()).outcome).toBe("aborted");
    const [request] = await at.requests();
    expect(request?.requester).toBe("U0ANA");
    expect(request?.approvals.map(({ user }) => user)).toEqual(["U0BEN"]);
    expect(at.slack.messages().find(({ onlyFor }) => onlyFor === "U0ANA")?.text).toMatch(
      /somebody else/,
    );
    await expectUntouched(at);
  });

  it("does not count one operator twice", async () => {
    const people = [approves("U0BEN"), approves("U0BEN")];
    const at = await stage({ people, policy: { approvalExpirySeconds: 300 } });
    at.loseHome();
    await at.request();
    expect((await at.ended()).outcome).toBe("aborted");
    await expectUntouched(at);
  });

  it("lets the next run have a name of its own after one that was aborted", async () => {
    const at = await stage({ people: [rejects("U0BEN")], policy: brief });
    at.loseHome();
    expect(await at.request()).toBe("failover-2-1");
    await at.ended();
    expect(await at.request()).toBe("failover-2-2");
  });
});

describe("a run that is stopped", () => {
  it("moves nothing when it is paused while people are asked, even if they approve", async () => {
    const at = await stage({ policy: brief });
    at.loseHome();
    await at.request();
    await at.reaches("asking");
    await pausedBy(at, "U0CHIARA");
    const result = await at.ended();
    expect(result.outcome).toBe("aborted");
    expect(result.notes.join(" ")).toContain("paused by U0CHIARA");
    expect(at.promotions()).toBe(0);
    expect(await at.lease()).toMatchObject({ epoch: 1, state: "held" });
    // The brake stops the undoing, too, and that is said.
    expect(result.notes.join(" ")).toContain("still has the capacity");
  });

  // Once it asked a human here. Nothing was promoted, so the lease can go back, and then nobody has
  // to decide anything in a hurry.
  it("gives the lease back when it is paused after it has moved it, and promotes nothing", async () => {
    const at = await stage({ policy: brief });
    at.loseHome();
    await at.request();
    await at.reaches("claimed");
    await pausedBy(at, "U0CHIARA");
    const result = await at.ended();
    expect(result.outcome).toBe("aborted");
    expect(result.notes.join(" ")).toMatch(/eu-central-1 does not answer.*opens by itself/);
    expect((await at.journal()).some(({ data }) => told(data).includes("paused by U0CHIARA"))).toBe(
      true,
    );
    // The brake stops the undoing, too, and that is said.
    expect(result.notes.join(" ")).toContain("still has the capacity");
    await expectLeaseAtHome(at);
  });

  it("has home open and serving again when it was paused after the lease had moved", async () => {
    const at = await stage({ policy: brief });
    at.users.start();
    await at.request();
    await at.reaches("claimed");
    await pausedBy(at, "U0CHIARA");
    expect((await at.ended()).outcome).toBe("aborted");
    await expectLeaseAtHome(at);
    await expectServedBy(at, at.platform.home);
  });

  it("does not use an approval for facts that have changed: the home region has come back", async () => {
    const at = await stage({
      people: [approves("U0ANA")],
      policy: { ...brief, approvalExpirySeconds: 600 },
    });
    at.loseHome();
    await at.timeline.advance(180_000);
    await at.request();
    await at.until(
      "one has approved",
      async () => (await at.requests())[0]?.approvals.length === 1,
    );
    at.people.stop();
    at.regions.set(at.platform.home.region, "up");
    // Its database starts and its guard tells of a heartbeat.
    await at.timeline.advance(240_000);
    const [first] = await at.requests();
    await at.answer(first?.planHash ?? "", "U0BEN");
    await at.until("a second plan", async () => (await at.requests()).length === 2);
    const second = (await at.requests()).find(({ planHash }) => planHash !== first?.planHash);
    expect(second?.approvals).toEqual([]);
    const plans = (await at.journal()).flatMap(({ data }) =>
      data?.plan ? [data.plan as { warnings: string[] }] : [],
    );
    expect(plans.map(({ warnings }) => warnings.some((text) => text.includes("is alive")))).toEqual(
      [false, true],
    );
    expect((await at.ended()).outcome).toBe("aborted");
    await expectUntouched(at);
  });

  it("asks a human in Slack when the journal falls silent after the claim", async () => {
    const at = await stage({ policy: brief });
    at.loseHome();
    await at.request();
    await at.reaches("claimed");
    const asks = (_call: unknown, input: unknown, who = "") =>
      who.includes("/failover/") && JSON.stringify(input).includes("journal");
    at.faults.add({ match: { operation: "PutItem", asks }, kind: "error" });
    const result = await at.ended();
    expect(result.outcome).toBe("needs-human");
    expect(result.unrecorded).toBeGreaterThan(0);
    expect(at.promotions()).toBe(0);
    expect(JSON.stringify(at.slack.messages())).toContain("needs a human");
  });

  it("asks a human when the replica cannot be promoted in time, and names the doubt", async () => {
    const at = await stage({ policy: brief });
    at.faults.add({ match: { operation: "PromoteReadReplica" }, kind: "error" });
    at.loseHome();
    await at.request();
    const result = await at.ended();
    expect(result.outcome).toBe("needs-human");
    expect(result.notes.join(" ")).toMatch(/"isReplica":true.*InternalFailure/);
    expect(at.promotions()).toBe(0);
    expect(await at.lease()).toMatchObject({ epoch: 2, state: "moving" });
  });
});

describe("a replica that is busy", () => {
  it("is promoted once its backup is over, and not asked to before", async () => {
    const { outcomes, hooks } = promoteCalls();
    const at = await stage({ policy: brief, hooks });
    at.loseHome();
    await at.request();
    await at.reaches("claimed");
    const { region, databaseId } = at.platform.standby;
    at.cloud.databases.startBackup(region, databaseId);
    await at.reaches("fenced");
    expect(at.promotions()).toBe(0);
    await expectMoved(at, await at.ended());
    expect(outcomes).toEqual(["answered"]);
  });
});

describe("a failover while something else is broken as well", () => {
  it("ends done when Slack falls silent after the approval", async () => {
    const at = await stage({ policy: brief });
    at.loseHome();
    await at.request();
    await at.reaches("approved");
    at.slack.silence(true);
    await expectMoved(at, await at.ended());
  });

  it("ends done with approvals by another door when Slack is silent from the start", async () => {
    const at = await stage({ people: nobody, policy: brief });
    at.slack.silence(true);
    at.loseHome();
    await at.request();
    await at.reaches("asking");
    const [request] = await at.requests();
    for (const user of ["U0ANA", "U0BEN"]) await at.answer(request?.planHash ?? "", user);
    const result = await at.ended();
    await expectMoved(at, result);
    expect(at.slack.messages()).toEqual([]);
  });

  it("ends done with the control planes of us-east-1 silent", async () => {
    const at = await stage({ policy: brief });
    at.regions.silenceControlPlanes(true);
    at.loseHome();
    await at.request();
    await expectMoved(at, await at.ended());
  });

  it("promotes once when the answer to the promotion is lost", async () => {
    const { outcomes, hooks } = promoteCalls();
    const at = await stage({ policy: brief, hooks });
    const match = { operation: "PromoteReadReplica" };
    at.faults.add({ match, kind: "timeout-after", times: 1 });
    at.loseHome();
    await at.request();
    await expectMoved(at, await at.ended());
    expect(outcomes[0]).toBe("silent");
    expect(outcomes.filter((outcome) => outcome === "answered")).toEqual([]);
  });

  it("asks for the promotion again when the first call was lost on its way", async () => {
    const { outcomes, hooks } = promoteCalls();
    const at = await stage({ policy: brief, hooks });
    const match = { operation: "PromoteReadReplica" };
    at.faults.add({ match, kind: "timeout-before", times: 1 });
    at.loseHome();
    await at.request();
    await expectMoved(at, await at.ended());
    expect(outcomes).toEqual(["silent", "answered"]);
  });

  it.each([1, 2, 3])("ends done with every fifth call throttled (%i)", async (seed) => {
    const at = await stage({ seed, policy: brief });
    at.faults.add({ kind: "throttle", probability: 0.2 });
    at.loseHome();
    await at.request();
    await expectMoved(at, await at.ended());
  });
});
