import { describe, expect, it } from "vitest";
import type { FullReport } from "../../drills/account.ts";
import { drillArguments, helpText } from "../../drills/arguments.ts";
import { closing } from "../../drills/closing.ts";
import { ink } from "../../drills/ink.ts";
import { markdown } from "../../drills/markdown.ts";
import { phasesOf } from "../../drills/phases.ts";
import { scenarioNamed, scenarios } from "../../drills/scenarios.ts";
import { states, transitions } from "../../functions/failover/states.ts";
import config from "../../nightshift.config.ts";
import type { Entry } from "../../shared/journal.ts";

describe("the scenarios of a drill", () => {
  it("are those that the documentation names, each once", () => {
    expect(scenarios.map(({ name }) => name)).toEqual([
      "region-loss",
      "region-cut",
      "switchover",
      "failback",
      "control-plane-loss",
      "orchestrator-crash",
    ]);
  });

  it("let nothing be lost in the planned moves only, and leave the bound to the partition", () => {
    const mayLose = Object.fromEntries(scenarios.map(({ name, mayLose }) => [name, mayLose]));
    expect(mayLose).toEqual({
      "region-loss": "objective",
      "region-cut": "stated",
      switchover: "nothing",
      failback: "nothing",
      "control-plane-loss": "objective",
      "orchestrator-crash": "objective",
    });
  });

  it("are played by operators who may approve, and never by the one who asks for the move", () => {
    const approvers = config.slack.operators.filter(({ may }) => may.includes("approve"));
    const known = approvers.map(({ user }) => user);
    for (const { people } of scenarios) {
      for (const { user, says } of people) {
        expect(known).toContain(user);
        expect(says).toBe("approve");
      }
    }
    for (const name of ["switchover", "failback"]) {
      const planned = scenarioNamed(name).people.map(({ user }) => user);
      expect(planned).not.toContain("U0ANA");
      expect(new Set(planned).size).toBe(config.failover.approvals);
    }
  });

  it("leave nobody in Slack while Slack is silent", () => {
    expect(scenarioNamed("control-plane-loss").people).toEqual([]);
  });

  it("are found by name, and an unknown name is a mistake of whoever asks", () => {
    expect(scenarioNamed("region-cut").name).toBe("region-cut");
    expect(() => scenarioNamed("meteor")).toThrow('no scenario "meteor"');
  });

  it("are told with a line each by --help and for a wrong name", () => {
    const help = helpText(scenarios);
    for (const { name, about } of scenarios) expect(help).toContain(`${name.padEnd(20)}${about}`);
    expect(help.split("\n").every((line) => line.length <= 110)).toBe(true);
    expect(() => drillArguments(["meteor"], scenarios)).toThrow("control-plane-loss");
    expect(drillArguments(["switchover"], scenarios)).toMatchObject({ scenario: "switchover" });
  });
});

const incidentAt = Date.UTC(2026, 10, 22, 2, 0, 0);

/** Entries of a run that goes through these states, ten seconds in each. */
const entriesOf = (path: readonly string[], beginSeconds: number): Entry[] =>
  path.map((from, index) => ({
    run: "failover-2-1",
    sequence: index,
    key: `move ${index}`,
    kind: "did",
    by: "failover in eu-west-1",
    atMilliseconds: incidentAt + (beginSeconds + 10 * index) * 1000,
    text: from,
    ...(index === 0 ? {} : { data: { from: path[index - 1], to: from } }),
    previous: "",
    hash: `hash ${index}`,
  }));

describe("the phases of a run", () => {
  it("have words for every state that is left by a move", () => {
    const left = new Set(transitions.map(({ from }) => from));
    const entries = [...left].flatMap((state) => entriesOf([state, "done"], 5));
    const phases = phasesOf(entries, incidentAt, undefined);
    expect(phases).toHaveLength(1 + left.size);
    expect([...left].length).toBe(states.length - 3);
  });

  it("begin with noticing the loss when the run began after the incident", () => {
    const phases = phasesOf(entriesOf(["proposed", "assessed"], 150), incidentAt, undefined);
    expect(phases).toEqual([
      { name: "notice the loss", on: "safety", startSeconds: 0, seconds: 150 },
      { name: "assess", on: "nightshift", startSeconds: 150, seconds: 10 },
    ]);
  });

  it("lie before the incident as far as a planned move prepares itself", () => {
    const path = ["asking", "approved", "claimed", "draining", "fenced", "promoted"];
    const phases = phasesOf(entriesOf(path, -20), incidentAt, incidentAt + 60_000);
    expect(phases.map(({ name, startSeconds }) => [name, startSeconds])).toEqual([
      ["people approve", -20],
      ["look again, move the lease", -10],
      ["fence the old region", 0],
      ["let the replica catch up", 10],
      ["promote the replica", 20],
      ["old answers run out of caches", 30],
    ]);
  });

  it("name the way back when a planned move is given up", () => {
    const path = ["claimed", "draining", "returning", "aborted"];
    const names = phasesOf(entriesOf(path, -5), incidentAt, undefined).map(({ name }) => name);
    expect(names.slice(1)).toEqual(["let the replica catch up", "give the lease back"]);
  });
});

const report: FullReport = {
  run: "failover-2-1",
  outcome: "done",
  scenario: "switchover",
  seed: 1,
  speed: 15,
  incidentAt,
  incident: { kind: "planned", text: "The lease moves" },
  regions: { home: "eu-central-1", standby: "eu-west-1", witness: "eu-west-2" },
  rtoSeconds: 188,
  rtoFromApprovalSeconds: 191.4,
  longestOutageSeconds: null,
  failures: { "503": 1200, ETIMEDOUT: 3 },
  rpoSeconds: 0,
  lossBoundSeconds: 0,
  statement: "Nothing can be lost.",
  objectives: { rtoSeconds: 1800, rpoSeconds: 60 },
  acknowledged: 641,
  lost: 0,
  splitBrain: 0,
  promotions: 1,
  phases: [
    { name: "people approve", on: "people", startSeconds: -24, seconds: 23 },
    { name: "promote the replica", on: "aws", startSeconds: 10, seconds: 175 },
  ],
  events: [
    { atSeconds: -30, who: "failover in eu-west-1", kind: "saw", text: "U0ANA: | tables\n# <b>" },
    { atSeconds: 0, who: "world", kind: "incident", text: "not of the journal" },
  ],
  fence: [{ layer: "logins", result: "fenced", detail: "0 open" }],
  approvals: [{ user: "U0BEN", atSeconds: -6 }],
  checks: [
    { name: "fine", held: true, expected: "1", actual: "1" },
    { name: "broken", held: false, expected: "0", actual: "7" },
  ],
  throughput: [],
  journal: { entries: 16, verified: true },
  modelled: "All times are modelled.",
  report: "/somewhere/report.html",
};

describe("the report as Markdown", () => {
  const text = markdown(report);
  const sectionOf = (title: string) => text.split(`## ${title}\n`)[1]?.split("\n## ")[0] ?? "";

  it("has the answer first, and then every part of the report", () => {
    expect(text.split("\n")[0]).toMatch(/^# switchover: Served again after 3 min 08 s/);
    const titles = text.split("\n").filter((line) => line.startsWith("## "));
    expect(titles).toEqual([
      "## Figures",
      "## Where the time went",
      "## Checks",
      "## Fence of the old region",
      "## Approvals",
      "## Journal",
    ]);
  });

  it("counts recovery from the incident and from the approval", () => {
    expect(sectionOf("Figures")).toContain("recovery time from the incident | 3 min 08 s | 30 min");
    expect(sectionOf("Figures")).toContain("recovery time from the approval | 3 min 11 s |");
    expect(sectionOf("Figures")).toContain("without an acknowledged write | none |");
    expect(sectionOf("Figures")).toContain("not acknowledged | 1,200 × 503, 3 × ETIMEDOUT |");
  });

  it("shows a check that failed before those that held", () => {
    expect(sectionOf("Checks")).toMatch(/✗ \| broken \| 0 \| 7 \|\n\| ✓ \| fine/);
  });

  it("keeps what an operator wrote as text, in one row, whatever they wrote", () => {
    const journal = sectionOf("Journal");
    expect(journal).toContain("U0ANA: \\| tables \\# \\<b\\> |");
    expect(journal).not.toContain("not of the journal");
    expect(journal).toContain("16 entries, chain verified.");
  });

  it("says so when a figure is missing or nothing was recorded", () => {
    const empty = markdown({
      ...report,
      rtoSeconds: null,
      rtoFromApprovalSeconds: null,
      lossBoundSeconds: null,
      approvals: [],
      journal: { entries: 0, verified: false },
    });
    expect(empty).toContain("| recovery time from the incident | not served |");
    expect(empty).toContain("| recovery time from the approval | unknown |");
    expect(empty).toContain("| stated before approval | not stated |");
    expect(empty).toContain("## Approvals\n\nNone.");
    expect(empty).toContain("chain **broken**");
  });
});

describe("the end of a drill in a terminal", () => {
  it("draws bars of phases before the incident inside the width", () => {
    const lines = closing(report, 100, ink(false));
    const bars = lines.filter((line) => line.includes("█"));
    expect(bars).toHaveLength(2);
    expect(bars.every((line) => line.length <= 100)).toBe(true);
    expect(bars[0]?.indexOf("█")).toBeLessThan(bars[1]?.indexOf("█") ?? 0);
  });
});
