import { describe, expect, it } from "vitest";
import { judge } from "../../functions/failover/decide.ts";
import { isForWant, untilRead } from "../../functions/failover/unread.ts";
import { virtualTimeline } from "../../local/time/virtual.ts";
import type { Contact } from "../../shared/contact.ts";
import { directSteps } from "../../shared/steps.ts";
import { clockOn } from "../clock.ts";
import { known, lost, now, policy, trigger, unknown, wish } from "./facts.ts";
import { brief, expectMoved, expectUntouched, quick, type Stage, stage } from "./stage.ts";

const refusalsOf = (facts: ReturnType<typeof lost>, kind: "emergency" | "switchover") => {
  const decision = judge(facts, policy, wish(trigger, kind), now);
  return decision.kind === "refuse" ? decision.refusals : [];
};

const why = "TimeoutError: no answer";

describe("a refusal for want of a fact", () => {
  it.each([
    ["the lease", "emergency", { lease: unknown(why) }],
    ["the pause switch", "emergency", { pause: { is: "unknown" as const, why } }],
    ["the replica", "emergency", { replica: unknown(why) }],
    ["where the replica stands", "emergency", { position: unknown(why) }],
    ["the last contact", "emergency", { contact: unknown(why) }],
    ["the last contact of a region to be left", "switchover", { contact: unknown(why) }],
    ["all of them", "emergency", { replica: unknown(why), position: unknown(why) }],
  ] as const)("may be lifted by another look: %s", (_what, kind, change) => {
    const facts = { ...lost(), ...change };
    const refusals = refusalsOf(facts, kind);
    expect(refusals).not.toEqual([]);
    expect(isForWant(refusals, facts)).toBe(true);
  });

  it("is not lifted when something known forbids the move as well", () => {
    const replica = known({ id: "db", status: "failed", isReplica: true, replicating: false });
    const facts = { ...lost(), replica, position: unknown(why) };
    expect(refusalsOf(facts, "emergency").map(({ code }) => code)).toEqual([
      "not-promotable",
      "lag-unknown",
    ]);
    expect(isForWant(refusalsOf(facts, "emergency"), facts)).toBe(false);
  });

  it("is none when the fact was read and is no good: a contact that was never made", () => {
    const facts = { ...lost(), contact: known<Contact | null>(null) };
    expect(refusalsOf(facts, "emergency").map(({ code }) => code)).toEqual(["lag-unknown"]);
    expect(isForWant(refusalsOf(facts, "emergency"), facts)).toBe(false);
  });

  it("does not steer people to an emergency when only the contact could not be read", () => {
    const facts = { ...lost(), contact: unknown(why) };
    const [refusal] = refusalsOf(facts, "switchover");
    expect(refusal?.code).toBe("contact-unknown");
    expect(refusal?.reason).toContain(why);
    expect(refusal?.reason).not.toMatch(/failover|lost|silent/);
  });
});

describe("looking again", () => {
  it("looks every ten seconds and ends with its time, however long a look takes", async () => {
    const looksIn = async (lookSeconds: number): Promise<number> => {
      const timeline = virtualTimeline(now);
      const clock = clockOn(timeline);
      let looks = 0;
      const look = async () => {
        looks += 1;
        await clock.sleep(lookSeconds * 1000);
        return { again: true };
      };
      await timeline.run(untilRead({ steps: directSteps(clock), clock }, "look", 60, look));
      return looks;
    };
    expect(await looksIn(0)).toBe(7);
    expect(await looksIn(30)).toBe(2);
    expect(await looksIn(300)).toBe(1);
  });
});

/** No function can ask the replica where it stands. Gives the way to end that. */
const hidePosition = (at: Stage) => {
  const asks = (_call: unknown, input: unknown) =>
    Buffer.from((input as { Payload?: Uint8Array }).Payload ?? []).includes('"do":"position"');
  return at.faults.add({ match: { operation: "Invoke", asks }, kind: "error" });
};

describe("a run that cannot read what it needs", () => {
  it("goes on when it can be read a minute later", async () => {
    const at = await stage({ policy: brief });
    at.loseHome();
    const end = hidePosition(at);
    await at.request();
    await at.timeline.advance(60_000);
    end();
    await expectMoved(at, await at.ended());
  });

  it("refuses after two minutes of looking, and not before", async () => {
    const at = await stage({ policy: brief });
    at.loseHome();
    hidePosition(at);
    await at.request();
    const askedAt = at.timeline.now();
    await at.timeline.advance(90_000);
    expect(await at.state()).toBe("proposed");
    const result = await at.ended();
    expect(result.notes.join()).toMatch(/is unknown: the replica did not answer/);
    const refused = (await at.journal()).find(({ data }) => data?.to === "aborted");
    const seconds = ((refused?.atMilliseconds ?? 0) - askedAt) / 1000;
    expect(seconds).toBeGreaterThan(115);
    expect(seconds).toBeLessThan(160);
    await expectUntouched(at);
  });

  it("obeys a word to stop at once, and does not look on", async () => {
    const at = await stage({ policy: brief });
    at.loseHome();
    hidePosition(at);
    const run = await at.request();
    await at.timeline.advance(20_000);
    await at.abort(run);
    const saidAt = at.timeline.now();
    const result = await at.ended();
    expect(result).toMatchObject({ outcome: "aborted" });
    expect(result.notes.join()).toContain("Aborted by U0ANA: we look first");
    const ended = (await at.journal()).find(({ data }) => data?.to === "aborted");
    expect(((ended?.atMilliseconds ?? 0) - saidAt) / 1000).toBeLessThan(15);
  });

  it("keeps the approval when a fact cannot be read for a moment after it", async () => {
    const at = await stage({ policy: brief, people: quick });
    at.loseHome();
    await at.request();
    await at.until("people are asked", async () => (await at.requests()).length > 0);
    const asks = (_call: unknown, input: unknown) => JSON.stringify(input).includes("upheaval#");
    const end = at.faults.add({ match: { operation: "GetItem", asks }, kind: "error" });
    await at.reaches("approved");
    await at.timeline.advance(30_000);
    end();
    const result = await at.ended();
    await expectMoved(at, result);
    expect(await at.requests()).toHaveLength(1);
  });
});

describe("a run that never saw the lease", () => {
  it("frees its name, so that the next one can begin", async () => {
    const at = await stage({ policy: brief });
    const asks = (_call: unknown, input: unknown, who = "") =>
      who.includes("/failover/") && JSON.stringify(input).includes('"lease"');
    const end = at.faults.add({ match: { operation: "GetItem", asks }, kind: "error" });
    expect(await at.request("U0CHIARA", "switchover")).toBe("failover-2-1");
    await at.timeline.advance(100_000);
    // It can be read again just when the run takes back what it has done.
    await at.abort("failover-2-1");
    end();
    expect((await at.ended()).outcome).toBe("aborted");
    expect(await at.request("U0CHIARA", "switchover")).toBe("failover-2-2");
  });
});

describe("a request that Slack did not take", () => {
  it("is shown again while people can still answer it", async () => {
    const at = await stage({ policy: brief });
    at.loseHome();
    at.slack.silence(true);
    await at.request();
    await at.reaches("asking");
    await at.timeline.advance(90_000);
    expect(at.people.presses()).toEqual([]);
    at.slack.silence(false);
    await expectMoved(at, await at.ended());
    expect(at.people.presses().length).toBeGreaterThan(1);
  });
});
