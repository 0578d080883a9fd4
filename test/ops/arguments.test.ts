import { describe, expect, it } from "vitest";
import { opsArguments, UsageError, usage } from "../../ops/arguments.ts";
import { columns, wrapped } from "../../ops/text.ts";

const read = (line: string, environment = {}) => opsArguments(line.split(" "), environment);

describe("the command line", () => {
  it("takes a move in the words that Slack takes", () => {
    expect(read("failover accept:unknown-loss the region is dark --json")).toEqual({
      command: { verb: "failover", reason: "the region is dark", overrides: ["unknown-loss"] },
      names: {
        table: "nightshift-production-coordination",
        journal: "nightshift-production-journal",
        function: "nightshift-production-failover:live",
        verification: "nightshift-production-verification:live",
        rotation: "nightshift-production-rotation",
      },
      stage: "production",
      json: true,
    });
  });

  it("takes names from options before the environment", () => {
    const environment = { NIGHTSHIFT_TABLE: "of-environment", NIGHTSHIFT_JOURNAL: "book" };
    expect(read("status --table of-option --function move", environment)).toMatchObject({
      names: { table: "of-option", journal: "book", function: "move" },
    });
  });

  it("calls what was deployed under another stage by the name of that stage", () => {
    expect(read("status --stage ana")).toMatchObject({
      stage: "ana",
      names: { table: "nightshift-ana-coordination", function: "nightshift-ana-failover:live" },
    });
  });

  it.each([
    ["", "No verb|no verb"],
    ["move it", 'no verb "move"'],
    ["failover", "Say why"],
    ["rebuild", "Say why"],
    ["maintenance", "1 to 1440 minutes"],
    ["maintenance 10", "Say why"],
    ["pause", "Say why"],
    ["approve", "12 to 64 digits"],
    ["approve abc", "12 to 64 digits"],
    [`approve ${"a".repeat(12)} ${"b".repeat(12)}`, "12 to 64 digits"],
    ["journal run", "failover-2-1"],
    ["status now", "takes nothing more"],
    ["status --force", "Unknown option '--force'"],
    ["status --table a;b", "no name"],
  ])("refuses %j with what is possible", (line, why) => {
    expect(() => read(line)).toThrow(UsageError);
    expect(() => read(line)).toThrow(new RegExp(why));
    expect(() => read(line)).toThrow("npm run ops -- status");
  });

  it.each([
    ["rebuild home is back", { verb: "rebuild", reason: "home is back" }],
    ["rehearse yearly test", { verb: "rehearse", reason: "yearly test", overrides: [] }],
    ["abort rebuild-2-1 enough", { verb: "abort", run: "rebuild-2-1", reason: "enough" }],
    ["abort enough of it", { verb: "abort", reason: "enough of it" }],
    ["maintenance 30 kernel", { verb: "maintenance", minutes: 30, reason: "kernel" }],
    ["maintenance end", { verb: "maintenance", minutes: 0, reason: "" }],
    ["journal rebuild-2-1", { verb: "journal", run: "rebuild-2-1" }],
  ])("understands %j", (line, command) => {
    expect(read(line)).toMatchObject({ command });
  });

  it("has a help that fits a terminal", () => {
    expect(read("help")).toBe("help");
    expect(read("failover --help")).toBe("help");
    for (const line of usage.split("\n")) expect(line.length).toBeLessThanOrEqual(columns);
  });
});

describe("a sentence on the terminal", () => {
  it("is broken at spaces, and in a word only when the word is too long", () => {
    expect(wrapped("one two three", 7)).toEqual(["one two", "three"]);
    expect(wrapped("abcdefghij", 4)).toEqual(["abcd", "efgh", "ij"]);
  });

  it("moves no cursor, whatever somebody has typed", () => {
    expect(wrapped("dark\u001b[2J\r\nregion\u202e!", 80)).toEqual(["dark [2J region !"]);
  });
});
