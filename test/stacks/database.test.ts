import { describe, expect, it } from "vitest";
import { databasePolicies } from "../../deploy/policies/database.ts";
import type { Break } from "./breaks.ts";
import { itHolds, set } from "./breaks.ts";
import { every, recorded, the } from "./recordings.ts";

const ready = "replicated, promoted";
const secret = "no secret stands";

const one = (what: string, path: string, value: unknown, says: RegExp, name: string): Break => ({
  what,
  policy: ready,
  change: set(name, path, value),
  says,
});

const breaks: Break[] = [
  one("a smaller replica", "instanceClass", "db.t4g.micro", /instanceClass/, "PostgresInStandby"),
  one("a replica that backs itself up", "backupRetentionPeriod", 7, /is 7/, "PostgresInStandby"),
  one("a replica of nothing", "replicateSourceDb", undefined, /one primary/, "PostgresInStandby"),
  one("a password that RDS keeps", "manageMasterUserPassword", true, /keep/, "PostgresInPrimary"),
  one("a misspelt engine", "engine", "postgresql", /engine is/, "PostgresInPrimary"),
  one("a class that AWS lacks", "instanceClass", "db.r7g.larg", /no class/, "PostgresInPrimary"),
  one("a primary without backups", "backupRetentionPeriod", 0, /no back/, "PostgresInPrimary"),
  one("no monitoring", "monitoringInterval", 0, /monitoringInterval/, "PostgresInStandby"),
  one(
    "a log that PostgreSQL lacks",
    "enabledCloudwatchLogsExports",
    ["slowquery"],
    /no log slowquery/,
    "PostgresInPrimary",
  ),
  one(
    "maintenance in the middle of the backup",
    "maintenanceWindow",
    "sun:02:30-sun:03:30",
    /maintained while/,
    "PostgresInPrimary",
  ),
  one(
    "a slot that may fill the disk",
    "parameters",
    [{ name: "rds.force_ssl", value: "1" }],
    /max_slot_wal_keep_size is not 51200/,
    "DatabaseParametersInPrimary",
  ),
  {
    what: "statements in the log",
    policy: ready,
    change: (recording) => {
      const { inputs } = the(recording, "DatabaseParametersInPrimary");
      (inputs.parameters as object[]).push({ name: "log_statement", value: "all" });
    },
    says: /log_statement would log values/,
  },
  {
    what: "a secret in user data",
    policy: secret,
    change: set(
      "LaunchTemplateInPrimary",
      "userData",
      Buffer.from("export SECRET_KEY=(random)").toString("base64"),
    ),
    says: /LaunchTemplateInPrimary tells a secret/,
  },
  {
    what: "a secret in a function's environment",
    policy: secret,
    change: set("GuardInPrimaryFunction", "environment.variables.TOKEN", "(random)"),
    says: /GuardInPrimaryFunction tells a secret/,
  },
];

describe("the database", () => {
  itHolds(databasePolicies, breaks);

  it("is replicated from its ARN to a key of the standby region", async () => {
    const { inputs, region } = the(await recorded("production"), "PostgresInStandby");
    expect(region).toBe("eu-west-1");
    expect(inputs.replicateSourceDb).toBe(
      "arn:aws:rds:eu-central-1:123456789012:db:nightshift-production-database",
    );
    expect(inputs.kmsKeyId).toMatch(/^arn:aws:kms:eu-west-1:/);
    // RDS takes neither from a replica's creator.
    expect(inputs).not.toHaveProperty("username");
    expect(inputs).not.toHaveProperty("engine");
  });

  it("is trusted by the functions that talk to it, which ask who it is", async () => {
    const recording = await recorded("production");
    for (const name of ["DatabaseInPrimaryFunction", "DatabaseInStandbyFunction"]) {
      const { variables } = the(recording, name).inputs.environment as {
        variables: Record<string, string>;
      };
      expect(variables.SST_RESOURCE_Database).toContain('"tls":"verify-full"');
      expect(variables.NODE_EXTRA_CA_CERTS).toBe("/var/runtime/ca-cert.pem");
    }
  });

  it("has parameters of one name in both regions, since a promotion applies a name", async () => {
    const groups = every(await recorded("production"), "aws:rds/parameterGroup:ParameterGroup");
    expect(groups.map(({ inputs }) => inputs.name)).toEqual([
      "nightshift-production-postgres17",
      "nightshift-production-postgres17",
    ]);
    expect(groups[0]?.inputs.parameters).toEqual(groups[1]?.inputs.parameters);
  });
});
