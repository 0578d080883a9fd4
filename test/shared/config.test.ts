import { describe, expect, it } from "vitest";
import production from "../../nightshift.config.ts";
import { type Config, ConfigError, defineConfig } from "../../shared/config.ts";

/** The production file with some fields changed by path. */
const changed = (changes: Record<string, unknown>): Config => {
  const copy = structuredClone(production) as unknown as Record<string, unknown>;
  for (const [path, value] of Object.entries(changes)) {
    const keys = path.split(".");
    const last = keys.pop() ?? "";
    const parent = keys.reduce((at, key) => at[key] as Record<string, unknown>, copy);
    if (value === undefined) delete parent[last];
    else parent[last] = value;
  }
  return copy as unknown as Config;
};

const problems = (changes: Record<string, unknown>) => {
  try {
    defineConfig(changed(changes));
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
};

/** A certificate of the primary region. */
const primary = `arn:aws:acm:eu-central-1:123456789012:certificate/${"0".repeat(36)}`;

const operator = (user: string, ...may: string[]) => ({ user, name: user, may });

describe("nightshift.config.ts", () => {
  it("is valid as it stands", () => {
    expect(defineConfig(production)).toEqual(production);
  });

  it.each([
    [{ "failover.isolationSeconds": "3m" }, "failover.isolationSeconds", '"3m"', /30 to 3600/],
    [{ "failover.isolationSeconds": 5 }, "failover.isolationSeconds", "5", /30 to 3600/],
    [{ "failover.heartbeatSeconds": 7 }, "failover.heartbeatSeconds", "7", /5, 6, 10/],
    [{ "failover.approvals": 0 }, "failover.approvals", "0", /1, 2/],
    [{ "failover.dns": "both" }, "failover.dns", '"both"', /"health-check", "change-records"/],
    [{ "failover.resolvers": ["one.one"] }, "failover.resolvers[0]", '"one.one"', /1\.1\.1\.1/],
    [{ "domain.name": undefined }, "domain.name", "nothing", /app\.example\.com/],
    [{ "domain.zone": "example.org" }, "domain.name", '"app.example.com"', /example\.org/],
    [{ "domain.tll": 5 }, "domain.tll", "a field of that name", /spelling/],
    [{ alerts: undefined }, "alerts", "nothing", /alerts\.emails, one address or more/],
    [{ "alerts.emails": [] }, "alerts.emails", "[]", /alerts\.emails, one address or more/],
    [{ "alerts.emails": ["night"] }, "alerts.emails[0]", '"night"', /an e-mail address/],
    [{ "slack.channel": "#operations" }, "slack.channel", '"#operations"', /C012AB3CD/],
    [{ "sizes.application.desired": 1 }, "sizes.application.desired", "1", /6 to 30/],
    [{ "sizes.application.maximum": 1 }, "sizes.application.maximum", "1", /6 or more/],
    [
      { "regions.standby": "eu-north-1" },
      "regions.standby",
      '"eu-north-1"',
      /eu-west-1, eu-west-2/,
    ],
    [{ "domain.name": "example.com" }, "domain.name", '"example.com"', /ends in \.example\.com/],
    [{ "domain.certificates": { primary } }, "domain.certificates.standby", "nothing", /the ARN/],
    [
      { "domain.certificates": { primary, standby: primary } },
      "domain.certificates.standby",
      expect.stringContaining(":eu-central-1:"),
      /a certificate in eu-west-1/,
    ],
    [{ "application.image": "latest" }, "application.image", '"latest"', /a digest/],
    [{ "sizes.application.standbyMinimum": 7 }, "sizes.application.standbyMinimum", "7", /0 to 6/],
    [
      { "sizes.application.spot": { onDemandBase: 5, instanceTypes: ["m7g.large"] } },
      "sizes.application.spot.onDemandBase",
      "5",
      /6 to 30 .*never Spot/,
    ],
    [
      { "sizes.application.quiet": { from: "22:00", until: "05:00", minimum: 7 } },
      "sizes.application.quiet.minimum",
      "7",
      /1 to 6/,
    ],
    [
      { "sizes.application.quiet": { from: "0 22 * * *", until: "05:00", minimum: 3 } },
      "sizes.application.quiet.from",
      '"0 22 * * *"',
      /a time of day in UTC such as 22:00/,
    ],
    [
      { "sizes.application.quiet": { from: "05:00", until: "05:00", minimum: 3 } },
      "sizes.application.quiet.until",
      '"05:00"',
      /another time/,
    ],
    [
      { "sizes.database.storageGigabytes": 600 },
      "sizes.database.maximumStorageGigabytes",
      "500",
      /600/,
    ],
    [{ "sizes.cache.nodes": 0 }, "sizes.cache.nodes", "0", /1 to 6/],
    [{ "records.logsDays": 30 }, "records.logsDays", "30", /31 or more/],
    [{ "regions.witness": "us-east-1" }, "regions.witness", '"us-east-1"', /eu-west-2, eu-west-3/],
    [{ "regions.standby": "eu-central-1" }, "regions.standby", '"eu-central-1"', /eu-west-1/],
    [{ "regions.primary": "sa-east-1" }, "regions.primary", '"sa-east-1"', /strong consistency/],
  ])("is refused with %j: field, value and what is allowed", (change, path, given, allowed) => {
    expect(problems(change)).toContainEqual({
      path,
      given,
      allowed: expect.stringMatching(allowed),
    });
  });

  it("is refused once, with every wrong field", () => {
    const change = { "objectives.rtoSeconds": -1, "slack.workspace": "x", "domain.ttlSeconds": 0 };
    expect(problems(change).map(({ path }) => path)).toEqual([
      "domain.ttlSeconds",
      "objectives.rtoSeconds",
      "slack.workspace",
    ]);
    expect(() => defineConfig(changed(change))).toThrow(
      /nightshift\.config\.ts is refused:\n {2}domain\.ttlSeconds: given 0; allowed: a whole/,
    );
  });

  it("is refused when isolation alone takes longer than the recovery objective", () => {
    expect(problems({ "objectives.rtoSeconds": 200 })[0]?.path).toBe("failover.isolationSeconds");
  });

  it("is refused with too few people to approve what one of them requests", () => {
    const two = [operator("U0ANA", "request", "approve"), operator("U0BEN", "approve")];
    expect(problems({ "slack.operators": two })).toMatchObject([
      { path: "slack.operators", given: "2 who may approve" },
    ]);
    const apart = [
      operator("U0EVA", "request"),
      ...two.map(({ user }) => operator(user, "approve")),
    ];
    expect(problems({ "slack.operators": apart })).toEqual([]);
  });

  it("does not count one person twice", () => {
    const twice = ["U0ANA", "U0BEN", "U0ANA"].map((user) => operator(user, "request", "approve"));
    expect(problems({ "slack.operators": twice }).map(({ path }) => path)).toEqual([
      "slack.operators[2].user",
      "slack.operators",
    ]);
  });
});
