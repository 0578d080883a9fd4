import { describe, expect, it } from "vitest";
import type { Facts } from "../../functions/readiness/facts.ts";
import type { Fact } from "../../shared/outcome.ts";
import { change, facts, failing, keptAt, known, lookedAt, position, seen } from "./facts.ts";

describe("what nobody can tell", () => {
  const silent = (fact: Fact<unknown>): Fact<never> => ({
    known: false,
    why: "TimeoutError: no answer",
    source: fact.source,
    atMilliseconds: fact.atMilliseconds,
  });

  it.each<[keyof Omit<Facts, "lease">, string[]]>([
    ["replica", ["replica", "size"]],
    ["maintenance", ["replica"]],
    ["position", ["lag"]],
    ["contact", ["lag", "guards"]],
    ["ownContact", ["guards"]],
    ["settings", ["settings"]],
    ["parameterGroup", ["settings"]],
    ["backups", ["backups"]],
    ["demand", ["capacity"]],
    ["capacity", ["capacity"]],
    ["launch", ["image"]],
    ["secrets", ["secrets"]],
    ["certificate", ["certificate"]],
    ["traffic", ["traffic"]],
    ["role", ["roles"]],
    ["footprint", ["size", "settings", "backups", "image", "secrets", "roles"]],
    ["coordination", ["tables"]],
    ["journal", ["tables"]],
    ["proof", ["proof"]],
  ])("is unknown, and never ready, when %s could not be asked", (fact, names) => {
    const checks = seen({ [fact]: silent(facts[fact]) });
    expect(failing(checks)).toEqual(names.map((name) => `${name} unknown`));
    for (const name of names) {
      const found = checks.find((each) => each.name === name);
      expect(found?.detail).toContain("TimeoutError: no answer");
      expect(found?.source).toContain(facts[fact].source);
    }
  });

  it("is unknown what the active region has not told", () => {
    const parts = ["database", "databaseResource", "settings", "image", "secrets", "role"];
    const blank = Object.fromEntries(parts.map((part) => [part, null]));
    const unknowns = ["size", "settings", "backups", "image", "secrets", "roles"].map(
      (name) => `${name} unknown`,
    );
    expect(failing(seen(change.footprint(blank)))).toEqual(unknowns);
    expect(failing(seen({ footprint: known("coordination table", null) }))).toEqual(unknowns);
    expect(failing(seen({ demand: known("coordination table", null) }))).toEqual([
      "capacity unknown",
    ]);
  });

  it("is unknown which container a template without the tag would start", () => {
    expect(failing(seen(change.launch({ image: null })))).toEqual(["image unknown"]);
  });

  it("is unknown how far a replica without a heartbeat is behind", () => {
    const blank = { ...position(0), heartbeat: null };
    expect(failing(seen({ position: known("database", blank) }))).toEqual(["lag unknown"]);
  });
});

describe("the age of a check", () => {
  it("is that of the oldest thing it rests on, whoever saw it", () => {
    const at = new Map(seen({}).map(({ name, seenAtMilliseconds }) => [name, seenAtMilliseconds]));
    for (const name of ["size", "settings", "backups", "capacity", "image", "secrets", "roles"]) {
      expect([name, at.get(name)]).toEqual([name, keptAt]);
    }
    for (const name of ["replica", "lag", "certificate", "traffic", "guards", "tables", "proof"]) {
      expect([name, at.get(name)]).toEqual([name, lookedAt]);
    }
  });
});
