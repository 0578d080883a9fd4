import { describe, expect, it } from "vitest";
import { drillArguments } from "../../drills/arguments.ts";
import { ink } from "../../drills/ink.ts";
import { repairing, repairs, storiesNamed } from "../../drills/repairs.ts";
import { repairsClosing } from "../../drills/repairs-closing.ts";
import { repairsPage } from "../../drills/repairs-page.ts";
import {
  type RepairReport,
  type RepairRow,
  repairCommand,
  repairHeadline,
  repairSummary,
} from "../../drills/repairs-report.ts";
import { stories } from "../../drills/repairs-stories.ts";
import { menu } from "../../functions/remediation/actions.ts";
import { playbooks } from "../../functions/remediation/playbooks.ts";
import config from "../../nightshift.config.ts";

const row = (change: Partial<RepairRow> = {}): RepairRow => ({
  name: "sick-instance",
  title: "one sick instance",
  text: "i-1 answers nobody any more",
  brokenAtSeconds: 0,
  endedAtSeconds: 314,
  seconds: 314,
  mustAct: true,
  run: "remediation-eu-central-1-cabbe278-2",
  playbook: "unhealthy-host",
  end: "done",
  code: "healed",
  seen: "one-sick-host: 1 of 4 instances are unhealthy",
  decided: "By itself. It takes no requests as it is.",
  done: "end i-1; platform starts another in its place.",
  proven: "one instance more serves",
  approvedBy: [],
  stretches: [
    { kind: "noticing", fromSeconds: 0, toSeconds: 98 },
    { kind: "deciding", fromSeconds: 98, toSeconds: 100 },
    { kind: "acting", fromSeconds: 100, toSeconds: 131 },
    { kind: "proving", fromSeconds: 131, toSeconds: 314 },
  ],
  attempts: [],
  alarms: 0,
  acknowledged: 922,
  failed: 23,
  ...change,
});

const alone = row({
  name: "pause-pressed",
  title: "one sick instance while Nightshift is paused",
  mustAct: false,
  end: "nothing",
  code: "paused",
  seconds: 29,
  done: "",
});

const report = (change: Partial<RepairReport> = {}): RepairReport => ({
  scenario: "remediation",
  seed: "1",
  speed: 20,
  beganAt: Date.UTC(2026, 10, 22, 3, 0, 0),
  region: "eu-central-1",
  regions: { home: "eu-central-1", standby: "eu-west-1", witness: "eu-west-2" },
  rows: [row(), alone],
  leftOut: [],
  acknowledged: 2000,
  lost: 0,
  failed: 40,
  budget: { used: 1, perHour: 6 },
  journal: { runs: 2, entries: 12, verified: true },
  checks: [{ name: "nothing was lost", held: true, expected: "0", actual: "0" }],
  events: [{ atSeconds: 0, who: "world", kind: "fault", text: "it breaks" }],
  throughput: [
    { atSeconds: -10, acknowledgedPerSecond: 3, failedPerSecond: 0, region: "eu-central-1" },
    { atSeconds: 300, acknowledgedPerSecond: 2, failedPerSecond: 1, region: "eu-central-1" },
  ],
  modelled: "All times are modelled.",
  report: "/reports/report.html",
  ...change,
});

describe("the stories of the drill of repairs", () => {
  it("are of playbooks that there are, given the right that the story needs", () => {
    const rights = repairing(config).remediation?.playbooks ?? {};
    for (const { playbook, alarm, expects } of stories) {
      const found = playbooks.find(({ name }) => name === playbook);
      expect(found?.alarms, playbook).toContain(alarm);
      expect(["ask", "automatic"]).toContain(rights[playbook]);
      if (expects.deed) expect(Object.keys(menu)).toContain(expects.deed);
    }
  });

  it("are each told once, and some of them are to be left alone", () => {
    expect(new Set(repairs.stories).size).toBe(stories.length);
    const refused = stories.filter(({ expects }) => expects.deed === null);
    expect(refused.map(({ name }) => name)).toEqual(["most-are-sick", "pause-pressed"]);
  });

  it("fit into what an hour may see, or the last would be refused for that", () => {
    const deeds = stories.filter(({ expects }) => expects.deed !== null).length;
    expect(deeds).toBeLessThanOrEqual(repairing(config).remediation?.actionsPerHour ?? 0);
  });

  it("can be chosen by name, in their own order, and an unknown one is refused", () => {
    const given = ["remediation", "--stories", "pause-pressed,sick-instance"];
    const chosen = drillArguments(given, [repairs]);
    if (chosen === "help") throw new Error("it was no question for help");
    expect(chosen).toMatchObject({ speed: repairs.speed });
    const names = storiesNamed(chosen.stories).map(({ name }) => name);
    expect(names).toEqual(["sick-instance", "pause-pressed"]);
    expect(() => drillArguments(["remediation", "--stories", "meteor"], [repairs])).toThrow(
      'no story "meteor"',
    );
    const others = [{ name: "region-loss", about: "" }];
    expect(() => drillArguments(["region-loss", "--stories", "x"], others)).toThrow("it has none");
  });
});

describe("what the drill of repairs says at its end", () => {
  it("begins with how many were repaired, how soon, and how many left alone", () => {
    const { tone, text } = repairHeadline(report());
    expect(tone).toBe("good");
    expect(text).toBe("1 repaired in 5 min 14 s to 5 min 14 s, 1 rightly left alone");
  });

  it("is bad when one check did not hold, and nothing at all without checks", () => {
    const failed = { name: "no deed", held: false, expected: "none", actual: "1" };
    expect(repairHeadline(report({ checks: [failed] })).tone).toBe("bad");
    expect(repairHeadline(report({ checks: [] })).tone).toBe("unknown");
    expect(repairSummary(report({ checks: [failed] })).held).toBe(false);
    expect(repairSummary(report({ checks: [] })).held).toBe(false);
    expect(repairSummary(report()).held).toBe(true);
  });

  it("tells of each story what was seen, decided, done and proven, inside the width", () => {
    const lines = repairsClosing(report(), 100, ink(false));
    expect(lines.every((line) => line.length <= 100)).toBe(true);
    const text = lines.join("\n");
    for (const word of ["broke", "seen", "decided", "done", "proven", "noticing 1 min 38 s"]) {
      expect(text).toContain(word);
    }
    expect(text).toContain("one sick instance: repaired after 5 min 14 s");
    expect(text).toContain("left alone after 29 s");
  });

  it("names what was left out, and how to run just that again", () => {
    const short = report({ rows: [row()], leftOut: ["alarm-storm"] });
    expect(repairsClosing(short, 100, ink(false)).join("\n")).toContain(
      "Left out of this run: alarm-storm",
    );
    expect(repairCommand(short)).toContain("--stories sick-instance");
    expect(repairCommand(report())).not.toContain("--stories");
  });

  it("says that a deed was done where nothing was to be touched", () => {
    const harmed = report({ rows: [row(), { ...alone, end: "done", code: "healed" }] });
    expect(repairsClosing(harmed, 100, ink(false)).join("\n")).toContain(
      "1 deed where nothing was to be touched",
    );
  });
});

describe("the page of the drill of repairs", () => {
  it("needs nothing from elsewhere, and keeps what came from the run as text", () => {
    const mark = `"><script>alert('&')</script>`;
    const html = repairsPage(
      report({
        seed: mark,
        modelled: mark,
        leftOut: [mark],
        rows: [row({ title: mark, text: mark, seen: mark, decided: mark, run: mark })],
        checks: [{ name: mark, held: false, expected: mark, actual: mark }],
        events: [{ atSeconds: 0, who: mark, kind: "alarm", text: mark }],
      }),
    );
    expect(html).not.toContain("<script");
    expect(html).not.toMatch(/(src|href)=/);
    expect(html).toContain("&#60;script&#62;");
  });

  it("draws a bar for each stretch of each story", () => {
    const bars = repairsPage(report()).match(/<rect class="bar/g) ?? [];
    expect(bars).toHaveLength(8);
  });
});
