import { describe, expect, it } from "vitest";
import { type State, transitions } from "../../functions/failover/states.ts";
import { carriedOn, type Stop, stopped } from "./carry-on-stage.ts";
import { expectLeaseAtHome, expectMoved, expectServedBy, type Stage } from "./stage.ts";

const abortRead = /GetItem abort/;
const leaseRead = /GetItem lease/;
const emergency = (since: Stop["trouble"]["since"], calls: RegExp, more: Partial<Stop> = {}) =>
  ({ move: "emergency", trouble: { since, calls }, ...more }) satisfies Stop;
const switchover = (since: State, calls: RegExp, more: Partial<Stop> = {}) =>
  ({ move: "switchover", trouble: { since, calls }, ...more }) satisfies Stop;

/** No answer of home's guard for three times: a planned move is given up. */
const homeIsMute = /Invoke guard obey in eu-central-1/;

/** How each row of the table that asks for a human after the claim comes to be. */
const stops: Record<string, Stop> = {
  "claimed failed": emergency("claimed", abortRead),
  "isolating failed": emergency("isolating", abortRead),
  "returning failed": switchover("returning", /UpdateItem lease/, {
    always: homeIsMute,
    ends: "aborted",
  }),
  "returning late": switchover("claimed", homeIsMute, { ends: "aborted" }),
  "fenced failed": {
    move: "emergency",
    trouble: { since: "loss", calls: leaseRead, after: 1 },
  },
  "fenced late": emergency("fenced", /PromoteReadReplica/),
  "promoted failed": switchover("promoted", leaseRead),
  "promoted late": emergency("promoted", /Invoke database probeWrite/),
  "writable failed": emergency("writable", leaseRead),
  "writable late": emergency("writable", /PutSecretValue/),
  "repointed failed": emergency("repointed", /UpdateItem lease/),
  "repointed late": emergency("repointed", /Invoke guard obey/),
  "serving failed": emergency("serving", leaseRead, {
    policy: { dns: "change-records" },
    stuck: true,
  }),
  "serving late": emergency("serving", /ChangeResourceRecordSets/, { stuck: true }),
  "hardening failed": emergency("hardening", leaseRead),
  "hardening late": emergency("hardening", /ModifyDBInstance/),
};

/** Those of a run that was carried on before, as what it stops for then. */
const stopsAgain: Record<string, { first: string; trouble: Stop["trouble"] }> = {
  "carried-on failed": {
    first: "claimed failed",
    trouble: { since: "carried-on", calls: /UpdateItem lease/ },
  },
  "carried-on refused": {
    first: "claimed failed",
    trouble: { since: "carried-on", calls: /Invoke database position/ },
  },
  "carried-on late": {
    first: "fenced late",
    trouble: { since: "carried-on", calls: /DescribeDBInstances/ },
  },
  "warming failed": {
    first: "isolating failed",
    trouble: { since: "warming", calls: /UpdateItem approval/ },
  },
  "asking failed": {
    first: "claimed failed",
    trouble: { since: "asking", calls: /GetItem approval/ },
  },
  "approved failed": {
    first: "fenced late",
    trouble: { since: "approved", calls: abortRead },
  },
};

/** Rows that no fault leads to once the lease is claimed, and why. */
const unreachable: Record<string, string> = {
  "assessed failed": "the standby region has its capacity already: one look ends it",
  "draining failed": "it looks only, and a look that fails is one that is made again",
};

const ways = transitions.filter(({ to }) => to !== "needs-human");

/** Every state that a run can be in once it has claimed the lease. */
const afterClaim = (): Set<State> => {
  const reached = new Set<State>(["claimed", "carried-on"]);
  for (let size = 0; size < reached.size; ) {
    size = reached.size;
    for (const { from, to } of ways) if (reached.has(from)) reached.add(to);
  }
  return reached;
};

/** Where only endings lead that a run under a claim never gives. */
const notUnderClaim: readonly State[] = ["proposed", "rehearsing"];

const rows = (): string[] => {
  const states = afterClaim();
  return transitions
    .filter(({ from, to }) => to === "needs-human" && states.has(from))
    .filter(({ from }) => !notUnderClaim.includes(from))
    .map(({ from, on }) => `${from} ${on}`);
};

const expectEnded = async (at: Stage, ends: Stop["ends"] = "done") => {
  const result = await at.ended();
  expect(result.outcome, result.notes.join(" ")).toBe(ends);
  if (ends === "aborted") {
    await expectLeaseAtHome(at);
    expect(await at.desired()).toBe(1);
    await expectServedBy(at, at.platform.home);
    return;
  }
  await expectMoved(at, result);
  await expectServedBy(at, at.platform.standby);
};

const rowOf = async (at: Stage): Promise<string> => {
  const data = (await at.journal()).findLast(({ data }) => data?.to)?.data;
  return `${data?.from} ${data?.on}`;
};

describe("a run that has asked for a human after its claim", () => {
  it("is brought there by every row of the table that leads there", () => {
    const known = [...Object.keys(stops), ...Object.keys(stopsAgain), ...Object.keys(unreachable)];
    expect(known.sort()).toEqual(rows().sort());
  });

  it.each(Object.entries(stops))("goes on to its end after %s", async (row, stop) => {
    const { at, result, heal } = await stopped(stop);
    expect(result.outcome).toBe("needs-human");
    expect(await rowOf(at)).toBe(row);
    const called = at.slack.messages().filter(({ text }) => text.includes("needs a human"));
    expect(called.at(-1)?.text).toContain("/nightshift carry-on failover-2-1");
    heal();
    await carriedOn(at);
    await expectEnded(at, stop.ends);
  });

  it.each(Object.entries(stopsAgain))(
    "goes on to its end when it was carried on before and stopped: %s",
    async (row, { first, trouble }) => {
      const { at, heal, trouble: begin } = await stopped(stops[first] as Stop);
      heal();
      begin(trouble);
      expect((await carriedOn(at)).outcome).toBe("needs-human");
      expect(await rowOf(at)).toBe(row);
      heal();
      await carriedOn(at);
      expect(at.executions().at(-1)?.name).toBe("failover-2-1-again-2");
      await expectEnded(at);
    },
  );
});
