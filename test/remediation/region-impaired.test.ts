import { describe, expect, it } from "vitest";
import type { LostRegionSeen } from "../../functions/remediation/evidence-database.ts";
import { regionImpaired } from "../../functions/remediation/playbooks/region-impaired/playbook.ts";
import { playbook } from "../../functions/remediation/playbooks.ts";
import type { Result } from "../../functions/remediation/remediation.ts";
import { minute, now, outcomeOf, type Seen, verdictOf } from "./facts.ts";
import { type Stage, stage } from "./stage.ts";

const one = playbook(regionImpaired);
const lost = "eu-central-1";
const alarm = `nightshift-region-lost-${lost}`;
const sinceMilliseconds = now - 5 * minute;
const about = {
  region: "eu-west-1",
  alarm,
  kind: "region-lost",
  resource: lost,
  sinceMilliseconds,
};

const seen = (more: Partial<LostRegionSeen> = {}): Seen => ({
  lostRegion: {
    lease: { region: lost, state: "held", holder: "deploy", settledSeconds: null },
    pause: { is: "running" },
    proposal: null,
    run: null,
    ...more,
  },
});

const proposal = { key: `${alarm}@${sinceMilliseconds}`, run: "failover-2-1" };
const line = { text: "Two people are asked.", atMilliseconds: now, ended: false };
const settled = (settledSeconds: number) => ({
  lease: { region: lost, state: "held" as const, holder: "failover-2-1", settledSeconds },
});

describe("the playbook region-impaired", () => {
  it.each<[what: string, seen: Seen, is: string, then: string]>([
    [
      "detection has proposed a run for this very alarm",
      seen({ proposal, run: line }),
      "proposed",
      "nothing",
    ],
    ["the run has not written yet", seen({ proposal }), "proposed", "nothing"],
    [
      "the run has ended and users are still there",
      seen({ proposal, run: { ...line, ended: true } }),
      "proposal-ended",
      "people",
    ],
    [
      "a run was proposed for an earlier alarm only",
      seen({ proposal: { ...proposal, key: `${alarm}@1` } }),
      "not-proposed",
      "people",
    ],
    ["detection has proposed nothing in five minutes", seen(), "not-proposed", "people"],
    [
      "Nightshift is paused",
      seen({
        pause: { is: "paused", by: "U0ANA", reason: "a test", sinceMilliseconds: 0 } as never,
      }),
      "held-back",
      "nothing",
    ],
    [
      "the pause switch cannot be read",
      seen({ pause: { is: "unknown", why: "silence" } }),
      "held-back",
      "nothing",
    ],
    ["the lease has just come to rest", seen(settled(60)), "held-back", "nothing"],
    ["the lease came to rest an hour ago", seen(settled(3600)), "not-proposed", "people"],
    [
      "the lease is on its way",
      seen({
        lease: {
          region: "eu-west-1",
          state: "moving",
          holder: "failover-2-1",
          settledSeconds: null,
        },
      }),
      "moving",
      "nothing",
    ],
    [
      "it is the standby that is lost",
      seen({
        lease: { region: "eu-west-1", state: "held", holder: "failover-2-1", settledSeconds: 9999 },
      }),
      "standby-lost",
      "passed",
    ],
    ["nobody knows who may write", { lostRegion: undefined }, "unknown", "nothing"],
  ])("when %s", (_what, facts, is, then) => {
    expect(outcomeOf(one, facts, about)).toEqual([is, then]);
  });

  it("waits for three rounds of detection before it calls anybody", () => {
    const early = { ...about, sinceMilliseconds: now - 2 * minute };
    expect(outcomeOf(one, seen(), early)).toEqual(["just-rung", "nothing"]);
  });

  it("names the run in which people are asked, and has no deed of its own", () => {
    const { finding, decision } = verdictOf(one, seen({ proposal, run: line }), about);
    expect(finding.says).toContain("failover-2-1 is proposed: Two people are asked.");
    expect(finding.advice.join(" ")).toContain("npm run ops -- journal failover-2-1");
    expect(decision.kind).toBe("refuse");
    expect(regionImpaired.decide).toEqual({});
  });
});

const attempts = async (at: Stage) => {
  const { region: standby } = at.platform.standby;
  const { executions, finished } = at.cloud.functions;
  await at.until("somebody has looked", () => executions(standby, "remediation").length > 0);
  const [first] = executions(standby, "remediation");
  if (!first) throw new Error("nobody has looked");
  const { result } = await at.timeline.run(finished(first.arn), 600_000);
  return JSON.parse(result ?? "{}") as Result;
};

describe("a home region that is lost", () => {
  it("is looked at in the standby region, which links detection's run and does nothing itself", async () => {
    const at = await stage({ rights: { "region-impaired": "automatic" } });
    at.regions.set(at.region, "dead");
    const result = await attempts(at);
    expect(result).toMatchObject({ playbook: "region-impaired", end: "nothing", acts: 0 });
    expect(result.notes.join(" ")).toMatch(/failover-2-1 is proposed|Detection looks each minute/);
    expect(at.cloud.functions.executions(at.platform.standby.region, "failover")).toHaveLength(1);
    expect(at.bugs).toEqual([]);
  });
});
