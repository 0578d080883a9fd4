import { describe, expect, it } from "vitest";
import config from "../../nightshift.config.ts";
import { stageOf } from "../../stacks/stage.ts";
import { every, recorded } from "./recordings.ts";

const longest = "a-stage-of-them";

describe("the name of a stage", () => {
  it.each(["production", "ana", "a", "pr-12", "b2b-3", longest])("may be %s", (name) => {
    expect(stageOf(name, config)).toMatchObject({ name, prefix: `nightshift-${name}` });
  });

  it.each([
    ["ends in a hyphen", "ana-"],
    ["begins with a hyphen", "-ana"],
    ["has two hyphens in a row", "ana--two"],
    ["begins with a digit", "1st"],
    ["has a capital letter", "Ana"],
    ["has an underscore", "ana_two"],
    ["is empty", ""],
    ["is one letter too long", `${longest}e`],
  ])("is refused when it %s", (_what, name) => {
    expect(() => stageOf(name, config)).toThrow(
      `--stage ${name}: a stage is named by 1 to 15 small letters and digits`,
    );
  });

  it("leaves room for the longest name that it is part of, in the region with the longest name", async () => {
    const recording = await recorded("production");
    const lengths = every(recording, "aws:s3/bucket:Bucket").map(
      ({ inputs, region }) =>
        String(inputs.bucket).length -
        String(region).length +
        "ap-southeast-1".length -
        recording.stage.length +
        longest.length,
    );
    expect(Math.max(...lengths)).toBe(63);
  });
});
