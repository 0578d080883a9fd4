import { describe, expect, it } from "vitest";
import { drillArguments, UsageError } from "../../drills/arguments.ts";

const known = [
  { name: "region-loss", about: "a region dies" },
  { name: "region-cut", about: "a region is cut off" },
];
const complaint = (...given: string[]) => {
  try {
    drillArguments(given, known);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  return "accepted";
};

describe("the command line of a drill", () => {
  it("takes a scenario and fills in the rest", () => {
    expect(drillArguments(["region-loss"], known)).toEqual({
      scenario: "region-loss",
      seed: "1",
      speed: 15,
      json: false,
      interactive: false,
    });
  });

  it("lists the known scenarios for one that it does not know", () => {
    expect(complaint("meteor")).toContain('no scenario "meteor"');
    for (const { name } of known) expect(complaint("meteor")).toContain(name);
  });

  it("says so when no scenario is named, or two", () => {
    expect(complaint()).toContain("No scenario was named");
    expect(complaint("region-loss", "region-cut")).toContain("One scenario at a time");
  });

  it.each(["0", "21", "-3", "fast", ""])(
    "refuses the speed %j and names what is possible",
    (speed) => {
      expect(complaint("region-loss", `--speed=${speed}`)).toContain("from 1 to 20");
    },
  );

  it.each(["", "a seed", "../../etc", "x".repeat(41)])("refuses the seed %j", (seed) => {
    expect(complaint("region-loss", `--seed=${seed}`)).toContain("up to 40 letters and digits");
  });

  it("refuses an option that does not exist by its name", () => {
    expect(complaint("region-loss", "--sped", "3")).toContain("--sped");
  });

  it("does not mix a program's output with a person's decisions", () => {
    expect(complaint("region-loss", "--json", "--interactive")).toContain("do not go together");
  });

  it("answers a call for help before it complains", () => {
    expect(drillArguments(["--help"], known)).toBe("help");
  });
});
