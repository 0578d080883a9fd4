import { describe, expect, it } from "vitest";
import { independence, unusedExceptions } from "../../deploy/policies/independence.ts";
import type { Recording } from "../../deploy/recording.ts";
import config from "../../nightshift.config.ts";
import { broken, every, recorded } from "./recordings.ts";

const { primary, standby } = config.regions;

const put = (name: string, from: string, to: string) => (recording: Recording) =>
  broken(recording, name, (resource) => {
    const text = JSON.stringify(resource.inputs);
    expect(text).toContain(from);
    resource.inputs = JSON.parse(text.replaceAll(from, to));
  });

describe("a failover to the standby region", () => {
  it.each(["production", "personal"] as const)(
    "needs nothing in the primary region nor in us-east-1, in stage %s",
    async (stage) => {
      expect(independence.check(await recorded(stage))).toEqual([]);
    },
  );

  it("makes use of every exception that is granted", async () => {
    expect(unusedExceptions(await recorded("production"))).toEqual([]);
  });

  it("does not need Route 53's control plane, which stands in us-east-1", () => {
    // Records are changed only where this says so, or when the checks have not moved users in time.
    expect(config.failover.dns).toBe("health-check");
  });

  it("has its code, its network, its queue and its log where it runs", async () => {
    const recording = await recorded("production");
    const jobs = every(recording, "aws:lambda/function:Function").filter(
      ({ region, parent }) => region === standby && parent.includes("sst:aws:Function"),
    );
    expect(jobs.map(({ inputs }) => String(inputs.name).split("-").at(-1)).sort()).toEqual([
      "canary",
      "database",
      "detection",
      "failover",
      "guard",
      "readiness",
      "remediation",
      "retirement",
      "rotation",
      "slack",
      "sweep",
      "triage",
      "verification",
    ]);
    for (const { inputs } of jobs) expect(inputs.s3Bucket).toContain(standby);
  });

  it.each<[string, (recording: Recording) => Recording]>([
    [
      "a secret of home",
      put("FailoverInStandbyMay", `secretsmanager:${standby}`, `secretsmanager:${primary}`),
    ],
    [
      "a journal of home",
      put(
        "FailoverInStandbyMay",
        `dynamodb:${standby}:123456789012:table/nightshift-production-journal`,
        `dynamodb:${primary}:123456789012:table/nightshift-production-journal`,
      ),
    ],
    [
      "a link to home's database",
      put("DatabaseInStandbyFunction", `.${standby}.rds`, `.${primary}.rds`),
    ],
    [
      "a door that reads home's secret",
      put("SlackInStandbyFunction", `secretsmanager:${standby}`, `secretsmanager:${primary}`),
    ],
    [
      "a schedule with a queue at home",
      put("DetectionScheduleInStandby", `sqs:${standby}`, `sqs:${primary}`),
    ],
    [
      "an alarm that tells home",
      put("OtherRegionLostInStandby", `sns:${standby}`, `sns:${primary}`),
    ],
    ["a key at home", put("DetectionInStandbyMay", `kms:${standby}`, `kms:${primary}`)],
    [
      "a rule in us-east-1",
      put("GuardInStandbyMay", `elasticloadbalancing:${standby}`, "elasticloadbalancing:us-east-1"),
    ],
    [
      "the witness's canary with a queue at home",
      put("CanaryInWitnessFunction", "sqs:eu-west-2", `sqs:${primary}`),
    ],
  ])("would not be independent with %s", async (_what, make) => {
    expect(independence.check(make(await recorded("production")))).not.toEqual([]);
  });
});
