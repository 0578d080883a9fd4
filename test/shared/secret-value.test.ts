import { describe, expect, it } from "vitest";
import { parseSecret } from "../../shared/secret-value.ts";

describe("a secret that was edited by hand", () => {
  it.each([
    '{"username":"app_a","password":hunter2pw,"host":"x"}',
    '"hunter2pw"',
    '["hunter2pw"]',
    "null",
    "",
  ])("is refused without a word of what is in it: %j", (text) => {
    let said = "";
    try {
      parseSecret("platform/database", text);
    } catch (error) {
      said = String((error as Error).stack);
    }
    expect(said).toContain("the secret platform/database is not");
    expect(said).not.toContain("hunter2");
  });

  it("is read when it is an object", () => {
    expect(parseSecret("platform/database", '{"username":"app_a"}')).toEqual({
      username: "app_a",
    });
  });
});
