import { describe, expect, it } from "vitest";
import { policyOf } from "../../functions/verification/aws.ts";
import { checksOf } from "../../functions/verification/checks/all.ts";
import config from "../../nightshift.config.ts";
import { type Config, ConfigError, defineConfig } from "../../shared/config.ts";
import { checkNames } from "../../shared/config-verification.ts";

const refused = (verification: Config["verification"]) => {
  try {
    defineConfig({ ...config, verification });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ path }) => path);
    throw error;
  }
};

describe("what the operator's file says of restore tests", () => {
  it("refuses a check that is left out under a name that there is not, with its place", () => {
    expect(refused({ leftOut: ["large-objects", "index-sound"] })).toEqual([
      "verification.leftOut[1]",
    ]);
    expect(refused({ leftOut: ["assertion-sums"] })).toEqual(["verification.leftOut[0]"]);
    const assertions = [{ name: "sums", sql: "select 0", expect: "0" }];
    expect(refused({ leftOut: ["assertion-sums", "large-objects"], assertions })).toEqual([]);
  });

  it("knows every check that there is by its name", () => {
    const all = checksOf({
      identity: "app.example.com",
      appendOnly: [{ table: "public.transfers", column: "booked_at" }],
      ciphertext: [{ table: "public.cards", column: "number", format: "fernet" }],
    });
    expect(all.map(({ name }) => name)).toEqual(checkNames);
  });

  it("holds a restore against objectives of its own, and not against those of a failover", () => {
    expect(policyOf(config)).toMatchObject({ rtoSeconds: 4 * 3600, rpoSeconds: 3600 });
    const objectives = { rtoSeconds: 7200, rpoSeconds: 900 };
    const given = defineConfig({ ...config, verification: { objectives } });
    expect(policyOf(given)).toMatchObject(objectives);
  });
});
