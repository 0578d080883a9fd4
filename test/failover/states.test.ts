import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { activities } from "../../functions/failover/activities.ts";
import type { State } from "../../functions/failover/states.ts";
import {
  diagram,
  isFinal,
  states,
  transition,
  transitions,
} from "../../functions/failover/states.ts";

const going = states.filter((state) => !isFinal(state));

describe("the table of states", () => {
  it("has an activity for every state that is not an end, and for no other", () => {
    expect(Object.keys(activities).sort()).toEqual([...going].sort());
  });

  it("knows every ending once", () => {
    const keys = transitions.map(({ from, on }) => `${from} ${on}`);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it("reaches every state from the beginning", () => {
    const reached = new Set<State>(["proposed"]);
    for (let size = 0; size < reached.size; ) {
      size = reached.size;
      for (const { from, to } of transitions) if (reached.has(from)) reached.add(to);
    }
    expect([...reached].sort()).toEqual([...states].sort());
  });

  it("has a way to an end from every state", () => {
    const ends = new Set<State>(states.filter(isFinal));
    for (let size = 0; size < ends.size; ) {
      size = ends.size;
      for (const { from, to } of transitions) if (ends.has(to)) ends.add(from);
    }
    expect([...ends].sort()).toEqual([...states].sort());
  });

  it("never calls a move reversible once the replica may have been promoted", () => {
    const past = new Set<State>(["promoted"]);
    for (let size = 0; size < past.size; ) {
      size = past.size;
      for (const { from, to } of transitions) if (past.has(from)) past.add(to);
    }
    for (const row of transitions) {
      if (past.has(row.from) && !isFinal(row.from))
        expect(row, row.because).toMatchObject({ reversible: false });
    }
    expect(past.has("aborted")).toBe(false);
  });

  it("has a row for every ending that an activity can give", () => {
    const source = ["prepare", "fencing", "takeover", "permitted", "rehearse"]
      .map((name) => new URL(`../../functions/failover/${name}.ts`, import.meta.url))
      .map((file) => readFileSync(file, "utf8"))
      .join("\n");
    const endings = new Set(
      [...source.matchAll(/\bon: (?:\w+ \? )?"([a-z-]+)"(?: : "([a-z-]+)")?/g)].flatMap((match) => [
        match[1],
        match[2],
      ]),
    );
    endings.delete(undefined);
    const known = new Set<string>(transitions.map(({ on }) => on));
    expect([...endings].filter((ending) => !known.has(ending ?? ""))).toEqual([]);
    expect(endings.size).toBeGreaterThan(12);
  });

  it("refuses an ending that it does not know", () => {
    expect(() => transition("fenced", "guessed")).toThrow(/no row for "guessed" in state "fenced"/);
  });

  it("is drawn in ARCHITECTURE.md exactly as it is", () => {
    const text = readFileSync(new URL("../../docs/ARCHITECTURE.md", import.meta.url), "utf8");
    expect(text).toContain(`\`\`\`mermaid\n${diagram()}\n\`\`\``);
  });
});
