import { describe, expect, it } from "vitest";
import { stoppedBecause } from "../../drills/account.ts";
import type { Script } from "../../local/slack/operators.ts";
import operatorsConfig from "../../nightshift.config.ts";
import { ConfigError, defineConfig } from "../../shared/config.ts";
import { verify } from "../../shared/journal.ts";
import { claimLease, readLease, settleLease } from "../../shared/lease.ts";
import { pause } from "../../shared/pause.ts";
import { refusedAnswerLine } from "../../shared/refused-answer.ts";
import { declareUpheaval } from "../../shared/upheaval.ts";
import composite from "../events/alarm-composite.json" with { type: "json" };
import { type Recorded, recordedStage, toldOf } from "./refusals-stage.ts";
import { brief, expectUntouched, quick, type StageOptions } from "./stage.ts";

interface Refused {
  /** The move is refused when… */
  when: string;
  people?: Script[];
  policy?: StageOptions["policy"];
  /** Makes it so, and asks for the move. */
  arrange(at: Recorded): Promise<unknown>;
  /** What a person has to read in Slack, in the journal and in the report. */
  says: RegExp;
}

const approves = (user: string): Script => ({ user, says: "approve", thinksSeconds: [2, 4] });

const seconds = (at: Recorded) => Math.floor(at.timeline.now());

/** There and back within a moment, so that the last move is recent and the lease is at home. */
const moveThereAndBack = async ({ table, timeline, platform }: Recorded): Promise<void> => {
  const { home, standby } = platform;
  for (const [index, { region }] of [standby, home].entries()) {
    const seen = await timeline.run(readLease(table));
    const holder = `failover-${index + 2}-1`;
    const now = Math.floor(timeline.now());
    await timeline.run(claimLease(table, seen, { region, holder, nowMilliseconds: now }));
    await timeline.run(settleLease(table, index + 2, holder, now));
  }
};

const refused: Refused[] = [
  {
    when: "what may be lost is unknown, and nobody has accepted that by name",
    arrange: async (at) => {
      const asks = (_call: unknown, input: unknown) =>
        Buffer.from((input as { Payload?: Uint8Array }).Payload ?? []).includes('"do":"position"');
      at.faults.add({ match: { operation: "Invoke", asks }, kind: "error" });
      at.loseHome();
      await at.request();
    },
    says: /What may be lost is unknown: the replica did not answer .*"unknown-loss"/,
  },
  {
    when: "nobody has approved before the request expired",
    people: [],
    policy: { approvalExpirySeconds: 300 },
    arrange: async (at) => {
      at.loseHome();
      await at.request();
    },
    says: /Nobody approved, and 2 different operators had to within 5 min/,
  },
  {
    when: "only the requester has approved besides one other operator",
    people: quick,
    policy: { approvalExpirySeconds: 300 },
    arrange: async (at) => {
      at.loseHome();
      await at.request("U0ANA");
    },
    says: /Only U0BEN approved, and 2 different operators had to within 5 min/,
  },
  {
    when: "the facts have changed since the approval: somebody has begun a deploy",
    people: [approves("U0ANA")],
    policy: { approvalExpirySeconds: 300 },
    arrange: async (at) => {
      at.loseHome();
      await at.request();
      await at.until(
        "one has approved",
        async () => (await at.requests())[0]?.approvals.length === 1,
      );
      at.people.stop();
      const now = seconds(at);
      const deploy = { region: at.platform.home.region, kind: "deploy" as const, by: "U0CHIARA" };
      const window = { sinceMilliseconds: now, untilMilliseconds: now + 3_600_000 };
      await at.timeline.run(declareUpheaval(at.table, { ...deploy, ...window, reason: "r 4.2" }));
      const [first] = await at.requests();
      await at.answer(first?.planHash ?? "", "U0BEN");
    },
    says: /The facts have changed since the approval, which is void/,
  },
  {
    when: "an operator has rejected the plan",
    people: [approves("U0ANA"), { user: "U0BEN", says: "reject", thinksSeconds: [2, 4] }],
    arrange: async (at) => {
      at.loseHome();
      await at.request();
    },
    says: /Rejected by U0BEN/,
  },
  {
    when: "the last move is so recent that the block period lasts",
    arrange: async (at) => {
      await moveThereAndBack(at);
      await at.request();
    },
    says: /The last failover was \d+ s ago and the block period lasts \d+ s more/,
  },
  {
    when: "Nightshift is paused",
    arrange: async (at) => {
      const why = { by: "U0CHIARA", reason: "schema change" };
      await at.timeline.run(pause(at.table, { ...why, atMilliseconds: seconds(at) }));
      at.loseHome();
      await at.request();
    },
    says: /paused by U0CHIARA: schema change/,
  },
  {
    when: "the replica is being deleted",
    arrange: async (at) => {
      const { region, databaseId } = at.platform.standby;
      const input = { DBInstanceIdentifier: databaseId, SkipFinalSnapshot: true };
      await at.cloud.ask("rds", "DeleteDBInstance", region, input);
      at.loseHome();
      await at.request();
    },
    says: /is deleting; only an available replica can be promoted/,
  },
  {
    when: "the replica was promoted by hand, so that there is none",
    arrange: async (at) => {
      const { region, databaseId } = at.platform.standby;
      const input = { DBInstanceIdentifier: databaseId };
      await at.cloud.ask("rds", "PromoteReadReplica", region, input);
      await at.timeline.advance(900_000);
      at.loseHome();
      await at.request();
    },
    says: /is no replica: there is nothing to promote/,
  },
  {
    when: "a planned move is asked for from a region that is silent",
    arrange: async (at) => {
      // No alarm: its run would have the same name, and this one would be joined to it.
      at.faults.add({ match: { operation: "PutMetricData" }, kind: "error" });
      at.loseHome();
      await at.timeline.advance(300_000);
      await at.request("U0CHIARA", "switchover");
    },
    says: /does not tell of heartbeats, so it cannot give the lease away/,
  },
];

describe("a move that is refused, with its reason in Slack, in the journal and in the report", () => {
  it.each(refused)("when $when", async ({ people = quick, policy = {}, arrange, says }) => {
    const at = await recordedStage({ people, policy: { ...brief, ...policy } });
    await arrange(at);
    const result = await at.ended();
    expect(result.outcome).toBe("aborted");
    expect(result.promoteCalls).toBe(0);
    const told = await toldOf(at, result);
    expect(told.slack, "in Slack").toMatch(says);
    expect(told.journal, "in the journal").toMatch(says);
    expect(told.report, "in the report").toMatch(says);
    expect((await at.lease()).region).toBe(at.platform.home.region);
  });
});

describe("a request that starts no run, with its reason where people and auditors look", () => {
  it("refuses the approval of the one who asked: to them, in log, journal and report", async () => {
    const policy = { ...brief, approvalExpirySeconds: 300 };
    const at = await recordedStage({ people: [approves("U0ANA")], policy });
    at.loseHome();
    await at.request("U0ANA");
    await at.until("it was pressed", () => at.people.presses().length > 0);
    await at.timeline.advance(2000);
    const says = /You asked for this, so somebody else has to approve it/;
    const whisper = at.slack.messages().find(({ onlyFor }) => onlyFor === "U0ANA");
    expect(whisper?.text).toMatch(says);
    expect(at.lines.find((line) => line.includes("answer refused"))).toContain("own-request");
    expect((await at.requests())[0]?.approvals).toEqual([]);
    const told = await toldOf(at, await at.ended());
    expect(told.journal).toMatch(says);
    expect(told.report).toMatch(/Did not count: approve of U0ANA at [-+:\d]+\. You asked for this/);
    // Whoever looks at why the run has ended is told of its end, not of what somebody pressed.
    expect(told.report).toMatch(/Nobody approved, and 2 different operators had to within 5 min/);
    expect(verify(await at.journal())).toMatchObject({ ok: true });
  });

  it("is not taken for the end of a run that had ended before", () => {
    const end = { key: "move 3", text: "Ended.", data: { notes: ["Undone: all of it"] } };
    const late = refusedAnswerLine({
      ...{ user: "U0ANA", says: "approve", planHash: "ab".repeat(32), atMilliseconds: 0 },
      refusal: { code: "expired", reason: "This request has expired." },
    });
    expect(stoppedBecause([end, late])).toBe("Ended. Undone: all of it.");
  });

  it("moves nobody on the word of one observer, and tells people so", async () => {
    const at = await recordedStage({ policy: brief });
    const { home, config } = at.platform;
    // The witness cannot tell anybody what it sees.
    at.faults.add({
      match: { operation: "PutMetricData", from: config.regions.witness },
      kind: "error",
    });
    at.loseHome();
    await at.until("people are told", () =>
      at.slack.messages().some(({ text }) => text.includes(home.region)),
    );
    const says = new RegExp(`eu-west-1 has seen since .* that ${home.region} does not answer`);
    const told = at.slack.messages().find(({ text }) => says.test(text))?.text;
    expect(told).toMatch(/Nothing is moved on that alone: look, and ask for a failover/);
    const logged = at.lines.find((line) => line.includes("people are told"));
    expect(logged).toMatch(/"page":"disagreement".*Nothing is moved on that alone/);
    expect(at.executions()).toEqual([]);
    await expectUntouched(at);
  });

  it("writes into the log of decisions that one observer is not enough", async () => {
    const at = await recordedStage();
    const { standby, home } = at.platform;
    await at.cloud.ask("lambda", "Invoke", standby.region, {
      FunctionName: "detection",
      InvocationType: "Event",
      Payload: Buffer.from(JSON.stringify(alarmEvent(`nightshift-region-lost-${home.region}`))),
    });
    await at.timeline.advance(5000);
    const decision = at.lines.find((line) => line.includes("no failover is proposed"));
    expect(decision).toContain("one-observer");
    expect(decision).toContain("2 observers must see it; it is seen by: none.");
    expect(at.executions()).toEqual([]);
  });

  it("says who has paused it, and why, to whoever asks how things stand", async () => {
    const at = await recordedStage({ policy: brief });
    await at.timeline.run(at.people.command("U0BEN", "pause schema change"));
    const { body } = await at.timeline.run(at.people.command("U0ANA", "status"));
    expect(body).toMatch(/paused by U0BEN: schema change/);
  });
});

/** The documented event, for our own alarm. */
const alarmEvent = (alarmName: string) => {
  const { value, reason, timestamp } = composite.detail.state;
  const state = { value, reason, timestamp };
  return { ...composite, detail: { ...composite.detail, alarmName, state } };
};

describe("an operator's file that is not valid", () => {
  const { failover } = operatorsConfig;

  it.each<[string, unknown, RegExp]>([
    ["one approval of nobody", { failover: { ...failover, approvals: 0 } }, /failover\.approvals/],
    [
      "an isolation shorter than a guard's minute",
      { failover: { ...failover, isolationSeconds: 10 } },
      /failover\.isolationSeconds/,
    ],
    [
      "the witness in the home region",
      { regions: { ...operatorsConfig.regions, witness: operatorsConfig.regions.primary } },
      /regions/,
    ],
  ])("is refused before anything is deployed or run, by name: %s", (_what, change, says) => {
    const file = { ...operatorsConfig, ...(change as object) };
    expect(() => defineConfig(file)).toThrow(ConfigError);
    expect(() => defineConfig(file)).toThrow(says);
  });
});
