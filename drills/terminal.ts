import { closing } from "./closing.ts";
import { type Ink, ink, type Style } from "./ink.ts";
import { type About, type LiveSample, live } from "./live.ts";
import { enteredBy } from "./moves.ts";
import type { Moment } from "./recorder.ts";
import type { EventKind, Report } from "./report.ts";
import { clip, offset, padded, plain, wrap } from "./words.ts";

/** Where a drill is shown. */
export interface Screen {
  write(text: string): void;
  columns: number;
  /** Whether the cursor may be moved. */
  isTty: boolean;
  /** Without it only plain lines are written. */
  colour: boolean;
}

/** A mark that is readable without colour too, and how the line is written. */
const looks: Record<EventKind, { mark: string; styles: Style[] }> = {
  incident: { mark: "✗", styles: ["red", "bold"] },
  fault: { mark: "✗", styles: ["red", "bold"] },
  alarm: { mark: "!", styles: ["yellow"] },
  asked: { mark: "?", styles: ["yellow", "bold"] },
  approval: { mark: "✓", styles: ["cyan", "bold"] },
  fence: { mark: "■", styles: ["bold"] },
  promotion: { mark: "▲", styles: ["bold"] },
  dns: { mark: "→", styles: ["bold"] },
  served: { mark: "✓", styles: ["green", "bold"] },
  saw: { mark: "·", styles: [] },
  decided: { mark: "›", styles: [] },
  did: { mark: "›", styles: [] },
  refused: { mark: "✗", styles: ["red"] },
  failed: { mark: "✗", styles: ["red", "bold"] },
  aws: { mark: "·", styles: ["dim"] },
  message: { mark: "·", styles: ["dim"] },
};

/** Moves that end in one of the drawn instants look like it; the mark beside them is left out. */
const decisive: Partial<Record<string, EventKind>> = { fenced: "fence", promoted: "promotion" };

const columnsLimit = 120;
const whoColumns = 21;
/** A line that was among so many before it is a repeat, and only counted. */
const memory = 8;

const cursor = {
  hide: "\u001b[?25l",
  show: "\u001b[?25h",
  eraseBelow: "\u001b[J",
  eraseRest: "\u001b[K",
  save: "\u001b7",
  back: "\u001b8",
  up: (lines: number) => `\r\u001b[${lines}A`,
};

/** What the small area at the bottom is told, and what it shows. */
export type Status = Pick<ReturnType<typeof live>, "incident" | "moment" | "sample" | "lines">;

/**
 * A drill as it is told on a terminal: lines that scroll, and under them, where the cursor may be
 * moved, a small area that shows what is going on right now. It never reads a clock and never waits:
 * it draws when it is told something.
 */
export const terminal = (screen: Screen, about: About, status: Status = live(about)) => {
  const paint = ink(screen.colour);
  const columns = () => Math.min(screen.columns, columnsLimit);
  const area = liveArea(screen, status, paint, columns);
  const fold = folding();
  let incidentAt: number | undefined;
  let silent = false;
  let lastMove = "";
  let begun = false;

  const begin = (): string[] => {
    if (begun) return [];
    begun = true;
    return heading(about, columns(), paint);
  };
  const repeats = () => {
    const left = fold.flush();
    return left > 0 ? [paint(`${" ".repeat(9)}… ${left} more of the same`, "dim")] : [];
  };
  const tell = (moment: Moment) => {
    const { who, kind, text, atMilliseconds } = moment;
    // The recorder tells of a decisive move twice: as the journal has it, and as a mark.
    if (lastMove === `${kind} ${atMilliseconds}`) return area.draw([]);
    const expected = about.planned && kind === "incident";
    const shown = expected ? "decided" : (decisive[enteredBy(moment) ?? ""] ?? kind);
    lastMove = shown === kind || expected ? "" : `${shown} ${atMilliseconds}`;
    if (fold.isRepeat(`${who}\n${kind}\n${text}`)) return area.draw([]);
    const time = incidentAt === undefined ? "before" : offset((atMilliseconds - incidentAt) / 1000);
    area.draw([...begin(), ...repeats(), ...eventLines(time, who, shown, text, columns(), paint)]);
  };
  const end = (written: (columns: number, ink: Ink) => string[]) => {
    area.close();
    screen.write([...repeats(), ...written(columns(), paint)].join("\n").concat("\n"));
  };
  return {
    /** What is being prepared, before the run. */
    stage: (text: string) => area.print([...begin(), paint(clip(plain(text), columns()), "dim")]),
    /** A line of the journal or an event in the world, as it happens. */
    moment: (moment: Moment) => {
      area.status.moment(moment);
      tell(moment);
    },
    /** From here on times are shown as `+mm:ss`. */
    incident: (atMilliseconds: number) => {
      incidentAt = atMilliseconds;
      area.status.incident(atMilliseconds);
      area.draw(begin());
    },
    sample: (sample: LiveSample) => {
      area.status.sample(sample);
      const stopped = incidentAt !== undefined && sample.acknowledgedPerSecond === 0;
      if (stopped && !silent) {
        silent = true;
        const text = "No write is acknowledged any more";
        const kind = about.planned ? "did" : "fault";
        return tell({ who: "users", kind, text, atMilliseconds: sample.atMilliseconds });
      }
      area.draw([]);
    },
    /** A line for the person who is watching. */
    say: (line: string) =>
      area.draw([...wrap(plain(line), columns()).map((l) => paint(l, "cyan"))]),
    summary: (report: Report) => end((...space) => closing(report, ...space)),
    /** The last lines, written for the width of the screen. */
    end: (written: (columns: number, ink: Ink) => string[]) => end(written),
    /** Leaves the terminal as it was found. May be called again. */
    close: () => area.close(),
  };
};

export type Terminal = ReturnType<typeof terminal>;

/** The part at the bottom that is drawn anew; lines are put above it. */
const liveArea = (screen: Screen, status: Status, paint: Ink, columns: () => number) => {
  const movable = screen.isTty && screen.colour;
  let drawn = 0;
  let open = false;
  let closed = false;

  const erase = () => (drawn > 0 ? cursor.up(drawn) + cursor.eraseBelow : "");
  const text = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join("");
  // Leaves the line under the area alone: somebody may be typing an answer there.
  const over = (lines: readonly string[]) =>
    cursor.save +
    cursor.up(drawn) +
    lines.map((l) => l + cursor.eraseRest).join("\n") +
    cursor.back;
  const draw = (lines: readonly string[]) => {
    if (!movable || closed) {
      if (lines.length > 0) screen.write(text(lines));
      return;
    }
    // One column is left free: a full line makes some terminals wrap.
    const below = ["", ...status.lines(columns() - 1, paint)];
    // In one piece, so that nobody sees a half-drawn screen.
    if (lines.length === 0 && below.length === drawn) screen.write(over(below));
    else screen.write((open ? "" : cursor.hide) + erase() + text(lines) + text(below));
    open = true;
    drawn = below.length;
  };
  return {
    status,
    draw,
    /** Lines before there is anything to show under them. */
    print: (lines: readonly string[]) => (open ? draw(lines) : screen.write(text(lines))),
    close: () => {
      if (open && !closed) screen.write(erase() + cursor.show);
      drawn = 0;
      closed = true;
    },
  };
};

/** Tells what was seen a moment ago from what is new, and counts what it keeps back. */
const folding = () => {
  const recent: string[] = [];
  let repeats = 0;
  return {
    isRepeat: (line: string): boolean => {
      const known = recent.includes(line);
      if (known) repeats += 1;
      else if (recent.push(line) > memory) recent.shift();
      return known;
    },
    flush: (): number => {
      const left = repeats;
      repeats = 0;
      return left;
    },
  };
};

const heading = (
  { scenario, seed, speed, home, standby, witness }: About,
  columns: number,
  paint: Ink,
) => [
  `${paint("Nightshift", "bold")}  drill ${paint(plain(scenario), "bold")}`,
  paint(
    clip(
      `home ${home} · standby ${standby} · witness ${witness} · seed ${plain(seed)} · ` +
        `time runs ${speed} times as fast`,
      columns,
    ),
    "dim",
  ),
  "",
];

const eventLines = (
  time: string,
  who: string,
  kind: EventKind,
  text: string,
  columns: number,
  paint: Ink,
): string[] => {
  const { mark, styles } = looks[kind];
  const indent = 7 + 2 + whoColumns + 1;
  const [first = "", ...more] = wrap(plain(text), Math.max(30, columns - indent));
  return [
    `${paint(padded(time, 7), "dim")}${paint(mark, ...styles)} ` +
      `${paint(padded(plain(who), whoColumns), "dim")} ${paint(first, ...styles)}`,
    ...more.map((line) => `${" ".repeat(indent)}${paint(line, ...styles)}`),
  ];
};
