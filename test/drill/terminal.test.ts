import { describe, expect, it } from "vitest";
import type { Moment } from "../../drills/recorder.ts";
import { terminal } from "../../drills/terminal.ts";
import { marked, sample } from "./sample.ts";

const about = {
  scenario: "region-loss",
  seed: "1",
  speed: 15,
  home: "eu-central-1",
  standby: "eu-west-1",
  witness: "eu-west-2",
};
const start = Date.UTC(2026, 10, 22, 3, 0, 0);
const moment = (seconds: number, text: string, kind: Moment["kind"] = "did"): Moment => ({
  who: "failover in eu-west-1",
  kind,
  text,
  atMilliseconds: start + seconds * 1000,
});

/** Everything that a run writes to a screen of that kind. */
const shown = (
  how: { isTty: boolean; colour: boolean },
  report = sample(),
  text = "The plan is made.",
) => {
  let written = "";
  const write = (part: string) => {
    written += part;
  };
  const screen = terminal({ write, columns: 100, ...how }, about);
  screen.stage("Building the platform");
  screen.moment(moment(-5, text));
  screen.incident(start);
  screen.moment(moment(0, "eu-central-1 loses its power", "incident"));
  for (const seconds of [0, 5, 10]) {
    screen.sample({
      atMilliseconds: start + seconds * 1000,
      acknowledgedPerSecond: 0,
      failedPerSecond: 3,
      region: null,
    });
  }
  screen.moment(moment(151, `Later: ${text}`));
  screen.say("Your decision");
  screen.summary(report);
  screen.close();
  screen.close();
  return written;
};

const escapeCode = "\u001b";
const colours = new RegExp(`${escapeCode}\\[[0-9;]*m`, "g");
const visibleColours = new RegExp(`${escapeCode}\\[[0-9;]*[1-9][0-9;]*m`);

describe("the terminal of a drill", () => {
  it("writes plain lines of at most 100 columns where nobody sits in front of it", () => {
    const lines = shown({ isTty: false, colour: false }).split("\n");
    expect(lines.join("\n")).not.toContain(escapeCode);
    expect(lines.filter((line) => [...line].length > 100)).toEqual([]);
    expect(lines.some((line) => line.startsWith("+02:31"))).toBe(true);
  });

  it("tells time from the incident on, and the verdict, the figures and how to repeat it at the end", () => {
    const text = shown({ isTty: false, colour: false });
    expect(text).toContain("Served again after 7 min 25 s");
    expect(text).toContain("None of 437 acknowledged writes was lost.");
    expect(text).toContain("/reports/report.html");
    expect(text).toContain("npm run drill -- region-loss --seed 1");
  });

  it("leaves the cursor visible and the colours off, also when it is closed twice", () => {
    const text = shown({ isTty: true, colour: true });
    const hidden = text.lastIndexOf(`${escapeCode}[?25l`);
    expect(text.lastIndexOf(`${escapeCode}[?25h`)).toBeGreaterThanOrEqual(hidden);
    const coloured = text.match(colours) ?? [];
    expect(coloured.length).toBeGreaterThan(0);
  });

  it("shows no colour where none is wanted, not even on a screen", () => {
    expect(shown({ isTty: true, colour: false })).not.toMatch(visibleColours);
  });

  it("lets no text move the cursor or recolour the screen", () => {
    const evil = `${escapeCode}[2J${escapeCode}[31mowned\u0007\r\n`;
    const text = shown({ isTty: false, colour: false }, marked(evil), evil);
    expect(text).not.toContain(escapeCode);
    expect(text).not.toContain("\u0007");
    expect(text).not.toContain("\r");
  });

  it("puts a check that did not hold where it cannot be missed", () => {
    const failed = sample({
      checks: [
        { name: "the run ended done", held: true, expected: "done", actual: "done" },
        { name: "promoted once", held: false, expected: "1", actual: "2" },
      ],
    });
    const text = shown({ isTty: false, colour: false }, failed);
    expect(text).toMatch(/1 of 2 checks did not hold/i);
    expect(text).toContain("promoted once");
    expect(text).toMatch(/expected\W+1/i);
  });
});
