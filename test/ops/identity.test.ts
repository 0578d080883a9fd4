import { describe, expect, it } from "vitest";
import config from "../../nightshift.config.ts";
import { type Config, ConfigError, defineConfig } from "../../shared/config.ts";

const sessions = "arn:aws:sts::123456789012:assumed-role/operator";

/** The paths that are refused when the operators have these identities, in order. */
const refused = (...iams: string[]): string[] => {
  const operators = config.slack.operators.map(({ iam: _, ...person }, index) => {
    const iam = iams[index];
    return iam === undefined ? person : { ...person, iam };
  });
  const changed: Config = { ...config, slack: { ...config.slack, operators } };
  try {
    defineConfig(changed);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ path }) => path);
    throw error;
  }
  return [];
};

describe("an operator's identity at AWS", () => {
  it("is an IAM user or one session of a role, and may be left out", () => {
    expect(refused()).toEqual([]);
    expect(refused("arn:aws:iam::123456789012:user/people/ana", `${sessions}/ben`)).toEqual([]);
    expect(refused("arn:aws-us-gov:sts::123456789012:assumed-role/operator/ana@x.org")).toEqual([]);
  });

  it.each([
    "arn:aws:iam::123456789012:root",
    "arn:aws:iam::123456789012:role/operator",
    `${sessions}/*`,
    `${sessions}`,
    "arn:aws:sts::*:assumed-role/operator/ana",
    `${sessions}/ana\narn:aws:iam::123456789012:user/eve`,
    "",
  ])("is refused as %j, which names nobody or anybody", (iam) => {
    expect(refused(iam)).toEqual(["slack.operators[0].iam"]);
  });

  it("belongs to one person: else one person could give two approvals", () => {
    expect(refused(`${sessions}/ana`, `${sessions}/ana`)).toEqual(["slack.operators[1].iam"]);
  });
});
