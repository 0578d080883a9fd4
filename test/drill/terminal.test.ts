import { describe, expect, it } from "vitest";
import { enteredBy } from "../../drills/moves.ts";
import type { Moment } from "../../drills/recorder.ts";
import { terminal } from "../../drills/terminal.ts";
import { transitions } from "../../functions/failover/states.ts";
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

/** A screen on which the cursor may move, and what was written to it since it was last read. */
const live = (change: { planned?: boolean } = {}) => {
  let written = "";
  const write = (part: string) => {
    written += part;
  };
  const screen = terminal(
    { write, columns: 100, isTty: true, colour: true },
    { ...about, ...change },
  );
  const users = (seconds: number, region: string | null) =>
    screen.sample({
      atMilliseconds: start + seconds * 1000,
      acknowledgedPerSecond: region ? 3 : 0,
      failedPerSecond: region ? 0 : 3,
      region,
    });
  const read = () => {
    const raw = written;
    written = "";
    return raw;
  };
  return { screen, users, read, words: () => read().replace(colours, "") };
};
const because = (on: string, to: string): string =>
  transitions.find((row) => row.on === on && row.to === to)?.because ?? "no such move";

describe("the live area under the lines", () => {
  it("says whose turn it is, and how many have approved", () => {
    const { screen, words } = live();
    screen.incident(start);
    expect(words()).toContain("observers outside to agree that the region is gone");
    screen.moment(moment(140, because("ask", "asking"), "asked"));
    expect(words()).toContain("people to approve the plan in Slack  for 00:00");
    screen.moment({ ...moment(170, "U0ANA approves", "approval"), who: "operator U0ANA" });
    expect(words()).toContain("people to approve the plan in Slack (1 approved)  for 00:30");
  });

  it("does not say that users are not served while a region that is cut off still serves them", () => {
    const { screen, users, words } = live();
    screen.incident(start);
    users(5, "eu-central-1");
    const cut = words();
    expect(cut).toContain("cut off, serves users");
    expect(cut).toContain("users are served by eu-central-1");
    users(10, null);
    expect(words()).toContain("users are not served");
  });

  it("shows a planned handover as what was wanted, without a single alarming mark", () => {
    const { screen, users, words } = live({ planned: true });
    screen.moment(moment(-40, because("ask", "asking"), "asked"));
    expect(words()).toContain("people to approve");
    screen.incident(start);
    screen.moment(moment(0, "The lease moves", "incident"));
    users(5, "eu-central-1");
    users(10, null);
    const text = words();
    expect(text).toContain("hands over");
    expect(text).toContain("since the handover");
    expect(text).not.toMatch(/✗|lost/);
  });

  it("draws over itself without touching the line in which somebody types an answer", () => {
    const { screen, users, read } = live();
    screen.incident(start);
    users(5, null);
    read();
    users(10, null);
    const again = read();
    expect(again.startsWith(`${escapeCode}7`)).toBe(true);
    expect(again.endsWith(`${escapeCode}8`)).toBe(true);
    expect(again).not.toContain(`${escapeCode}[J`);
  });

  it("fits into the columns of the screen, whatever the run is doing", () => {
    const { screen, users, words } = live();
    screen.incident(start);
    for (const [index, row] of transitions.entries()) {
      screen.moment(moment(index * 10, row.because));
      users(index * 10 + 5, index % 3 === 0 ? "eu-central-1" : null);
    }
    const lines = words().replaceAll(new RegExp(`${escapeCode}(\\[[?0-9]*[a-zA-Z]|[78])`, "g"), "");
    expect(lines.split(/[\n\r]/).filter((line) => [...line].length > 100)).toEqual([]);
  });
});

describe("the lines of a drill", () => {
  it("tells a decisive move once, although the journal and the drill's own mark both tell of it", () => {
    const { screen, words } = live();
    screen.incident(start);
    screen.moment(moment(470, because("promoted", "promoted")));
    screen.moment(moment(470, "The replica is a primary.", "promotion"));
    const text = words();
    expect(text).toContain("▲");
    expect(text).not.toContain("The replica is a primary.");
  });

  it("counts repeats instead of writing them", () => {
    const { screen, words } = live();
    screen.incident(start);
    for (const seconds of [1, 2, 3, 4]) screen.moment(moment(seconds, "The same again", "aws"));
    screen.moment(moment(5, "Something new"));
    const text = words();
    expect(text.match(/The same again/g)).toHaveLength(1);
    expect(text).toContain("… 3 more of the same");
  });

  it("knows every move of a failover by its sentence", () => {
    expect(transitions.map(({ because: text }) => enteredBy({ text }))).toEqual(
      transitions.map(({ to }) => to),
    );
  });
});
