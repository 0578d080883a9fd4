import type { State } from "../functions/failover/states.ts";
import type { Ink, Style } from "./ink.ts";
import { enteredBy } from "./moves.ts";
import type { Moment } from "./recorder.ts";
import type { Sample } from "./report.ts";
import { clip, minutes, offset, padded, plain, width } from "./words.ts";

/** What a drill is about: the same from its first line to its last. */
export interface About {
  scenario: string;
  /** The incident is a handover that people asked for. */
  planned?: boolean;
  seed: string;
  /** Modelled seconds in a real one. */
  speed: number;
  home: string;
  standby: string;
  witness: string;
}

export interface LiveSample extends Omit<Sample, "atSeconds"> {
  atMilliseconds: number;
}

/** What has to happen next, said so that somebody who has just woken up knows whose turn it is. */
const awaited: Record<State, string> = {
  proposed: "Nightshift to look at both regions",
  assessed: "Nightshift to ask for capacity in the standby region",
  warming: "Nightshift to put the plan before people",
  asking: "people to approve the plan in Slack",
  approved: "Nightshift to look once more and move the lease",
  rehearsing: "Nightshift to see whether each later step would be possible",
  "carried-on": "Nightshift to look at what was done before it stopped",
  claimed: "an answer of the old region to its fence",
  isolating: "the old region to have fenced itself, so that there are never two writers",
  draining: "the replica to have everything that was acknowledged",
  returning: "the old region to take writes again",
  fenced: "AWS to promote the replica",
  promoted: "the new primary to take the application's logins",
  writable: "the secrets to name the new primary",
  repointed: "the load balancer to say that this region is active",
  serving: "resolvers to send users to the new region, and a write through the public name",
  hardening: "RDS to give the new primary its backups and protection",
  done: "the drill to see that it lasts",
  aborted: "nothing: the run has ended without a move",
  "needs-human": "A HUMAN: Nightshift has stopped",
};

const standbyIs: Partial<Record<State, string>> = {
  proposed: "assessing",
  warming: "warming up",
  asking: "warming up",
  approved: "warming up",
  claimed: "holds the lease",
  isolating: "holds the lease",
  fenced: "being promoted",
  promoted: "primary, opening",
  writable: "primary",
  repointed: "primary",
  serving: "primary, active",
};

/** What is going on right now, as a few lines that are drawn again and again. */
export const live = (about: About) => {
  const samples: LiveSample[] = [];
  let now = 0;
  let incidentAt: number | undefined;
  let state: State | undefined;
  let since = 0;
  let served: number | undefined;
  let approvals = 0;
  let fenced = false;
  const at = (milliseconds: number) => {
    now = Math.max(now, milliseconds);
  };
  return {
    incident: (atMilliseconds: number) => {
      incidentAt = atMilliseconds;
      if (!state) since = atMilliseconds;
      at(atMilliseconds);
    },
    moment: (moment: Moment) => {
      at(moment.atMilliseconds);
      const entered = enteredBy(moment);
      if (entered) {
        state = entered;
        since = moment.atMilliseconds;
        if (entered === "asking") approvals = 0;
      }
      if (moment.kind === "approval") approvals += 1;
      if (moment.kind === "fence") fenced = true;
      if (moment.kind === "served") served ??= moment.atMilliseconds;
    },
    sample: (sample: LiveSample) => {
      at(sample.atMilliseconds);
      samples.push(sample);
    },
    lines: (columns: number, ink: Ink): string[] => {
      const serving = samples.at(-1)?.region ?? null;
      const facts = { about, now, incidentAt, state, since, served, approvals, fenced, serving };
      return [
        ...boxes(regionsOf(facts), columns, ink),
        ` ${label("users' writes", ink)}${writesOf(samples, about.home, columns - 17, ink)}`,
        ` ${label("waiting for", ink)}${waiting(facts, columns - 17, ink)}`,
        ` ${label("time", ink)}${time(facts, ink)}`,
      ];
    },
  };
};

interface Facts {
  about: About;
  now: number;
  incidentAt: number | undefined;
  state: State | undefined;
  since: number;
  served: number | undefined;
  approvals: number;
  fenced: boolean;
  /** Who acknowledged the latest writes; null when nobody did. */
  serving: string | null;
}

interface Box {
  title: string;
  text: string;
  style: Style;
}

const label = (text: string, ink: Ink): string => ink(padded(text, 16), "dim");

const regionsOf = (facts: Facts): Box[] => {
  const { about, state, serving } = facts;
  const home = homeOf(facts);
  const standby: Omit<Box, "title"> =
    serving === about.standby
      ? { text: "● serves users", style: "green" }
      : {
          text: `○ ${(state && standbyIs[state]) ?? "replica, standing by"}`,
          style: state ? "yellow" : "dim",
        };
  return [
    { title: `${about.home} · home`, ...home },
    { title: `${about.standby} · standby`, ...standby },
    { title: `${about.witness} · witness`, text: "○ watches from outside", style: "dim" },
  ];
};

const homeOf = ({ about, incidentAt, serving, fenced }: Facts): Omit<Box, "title"> => {
  const serves = serving === about.home;
  if (incidentAt === undefined) {
    return { text: serves ? "● serves users" : "● primary", style: "green" };
  }
  if (about.planned) {
    return fenced
      ? { text: "○ left, takes no writes", style: "dim" }
      : { text: "● hands over", style: "yellow" };
  }
  // A region may be cut off from its peers and still reach its users.
  if (serves && !fenced) return { text: "✗ cut off, serves users", style: "yellow" };
  return { text: fenced ? "✗ lost, takes no writes" : "✗ lost", style: "red" };
};

const boxes = (regions: readonly Box[], columns: number, ink: Ink): string[] => {
  const inside = Math.max(12, Math.floor((columns - 1) / regions.length) - 3);
  const top = regions.map(({ title, style }) => {
    const name = clip(plain(title), inside - 3);
    return ink(`╭ ${name} ${"─".repeat(Math.max(0, inside - width(name) - 2))}╮`, style);
  });
  const middle = regions.map(
    ({ text, style }) =>
      `${ink("│", style)} ${ink(padded(text, inside - 1), style, "bold")}${ink("│", style)}`,
  );
  const bottom = regions.map(({ style }) => ink(`╰${"─".repeat(inside)}╯`, style));
  return [top, middle, bottom].map((row) => ` ${row.join(" ")}`);
};

const heights = "▁▂▃▄▅▆▇█";

/** Users' writes as a line of small bars, and how many there are now. */
export const writesOf = (
  samples: readonly LiveSample[],
  home: string,
  columns: number,
  ink: Ink,
): string => {
  const words = rate(samples.at(-1));
  const cells = cellsOf(samples, Math.max(10, columns - 24));
  const most = Math.max(0.1, ...cells.map(({ acknowledgedPerSecond: each }) => each));
  let line = "";
  for (const { acknowledgedPerSecond, failedPerSecond, region } of cells) {
    const level = Math.round((acknowledgedPerSecond / most) * (heights.length - 1));
    if (acknowledgedPerSecond > 0) {
      line += ink(heights[level] ?? "█", region === home ? "blue" : "green");
    } else {
      line += failedPerSecond > 0 ? ink("·", "red") : ink("·", "dim");
    }
  }
  return `${line}  ${words}`;
};

/** The whole run always fits: when it grows too long, each cell stands for more of it. */
const cellsOf = (samples: readonly LiveSample[], most: number): LiveSample[] => {
  const size = Math.max(1, Math.ceil(samples.length / most));
  const cells: LiveSample[] = [];
  for (let start = 0; start < samples.length; start += size) {
    const group = samples.slice(start, start + size);
    const last = group.at(-1);
    if (!last) break;
    const mean = (of: (sample: LiveSample) => number) =>
      group.reduce((sum, sample) => sum + of(sample), 0) / group.length;
    cells.push({
      ...last,
      acknowledgedPerSecond: mean((sample) => sample.acknowledgedPerSecond),
      failedPerSecond: mean((sample) => sample.failedPerSecond),
    });
  }
  return cells;
};

const rate = (sample: LiveSample | undefined): string => {
  if (!sample) return "";
  const { acknowledgedPerSecond, failedPerSecond } = sample;
  if (acknowledgedPerSecond > 0) return `${acknowledgedPerSecond.toFixed(1)}/s acknowledged`;
  return failedPerSecond > 0 ? `none, ${failedPerSecond.toFixed(1)}/s fail` : "";
};

const waiting = (facts: Facts, columns: number, ink: Ink): string => {
  const { incidentAt, state, since, now, approvals, served } = facts;
  // A planned move has its plan and its approvals before the handover.
  if (incidentAt === undefined && !state) {
    return ink(`the ${incidentOf(facts)}: all is well so far`, "dim");
  }
  const so = `for ${minutes((now - since) / 1000)}`;
  let words = state ? awaited[state] : "observers outside to agree that the region is gone";
  if (state === "asking" && approvals > 0) words += ` (${approvals} approved)`;
  if (state === "done" && served === undefined)
    words = "resolvers' caches to forget the old region";
  const style: Style[] = state === "needs-human" ? ["red", "bold"] : ["bold"];
  const rest = state === "done" && served !== undefined ? "" : ink(`  ${so}`, "dim");
  return `${ink(clip(words, columns - 12), ...style)}${rest}`;
};

const incidentOf = ({ about }: Pick<Facts, "about">): string =>
  about.planned ? "handover" : "loss";

const time = ({ about, now, incidentAt, served, serving }: Facts, ink: Ink): string => {
  const incident = incidentOf({ about });
  if (incidentAt === undefined) return ink(`before the ${incident}`, "dim");
  const since = offset((now - incidentAt) / 1000);
  let words = ink("users are not served", "red");
  if (serving !== null) words = ink(`users are served by ${serving}`, "yellow");
  if (served !== undefined) {
    words = ink(`users were served again after ${minutes((served - incidentAt) / 1000)}`, "green");
  }
  return `${ink(since, "bold")}${ink(` since the ${incident}, modelled`, "dim")}   ${words}`;
};
