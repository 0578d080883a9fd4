import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { knownMetrics } from "../../deploy/policies/metrics.ts";
import type { Recording, Resource } from "../../deploy/recording.ts";
import config from "../../nightshift.config.ts";
import { connectionLimit } from "../../stacks/alarms/connections.ts";
import { every, recorded } from "./recordings.ts";

const { primary, standby, witness } = config.regions;

interface Shown {
  metric: string;
  statistic: unknown;
  when: string;
  during: string;
  silence: unknown;
}

const signs: Record<string, string> = {
  GreaterThanThreshold: ">",
  LessThanThreshold: "<",
  LessThanLowerOrGreaterThanUpperThreshold: "unlike",
};

const shown = ({ inputs }: Resource): Shown => {
  const { metricQueries, datapointsToAlarm, evaluationPeriods } = inputs;
  const queries = (metricQueries ?? []) as { expression?: string; metric?: { period: number } }[];
  const period = inputs.period ?? queries.find(({ metric }) => metric)?.metric?.period;
  return {
    metric: String(inputs.metricName ?? queries.find(({ expression }) => expression)?.expression),
    statistic: inputs.statistic ?? inputs.extendedStatistic,
    when: `${signs[String(inputs.comparisonOperator)]} ${inputs.threshold ?? "usual"}`,
    during: `${datapointsToAlarm} of ${evaluationPeriods} x ${period} s`,
    silence: inputs.treatMissingData,
  };
};

const named = (recording: Recording, region: string, name: string): Shown | undefined => {
  const full = `nightshift-${recording.stage}-${name}`;
  const found = every(recording, "aws:cloudwatch/metricAlarm:MetricAlarm").find(
    (each) => each.region === region && each.inputs.name === full,
  );
  return found && shown(found);
};

const gigabyte = 1024 ** 3;
const { storageGigabytes, instanceClass } = config.sizes.database;

/** What issue and design ask for, in figures. */
const wanted: [name: string, metric: string, when: string, during: string, silence: string][] = [
  ["error-rate", "HTTPCode", "> 1", "3 of 5 x 60 s", "notBreaching"],
  ["latency", "TargetResponseTime", "> 1", "3 of 5 x 60 s", "notBreaching"],
  ["requests", "ANOMALY_DETECTION_BAND(m, 4)", "unlike usual", "3 of 3 x 300 s", "notBreaching"],
  ["unhealthy-hosts", "UnHealthyHostCount", "> 0", "5 of 5 x 60 s", "notBreaching"],
  ["instance-cpu", "CPUUtilization", "> 85", "3 of 3 x 300 s", "notBreaching"],
  ["instance-memory", "mem_used_percent", "> 85", "2 of 3 x 300 s", "notBreaching"],
  [
    "zone-hosts-1",
    "IF(unhealthy > 1, 100 * (unhealthy - 1) / (unhealthy + healthy - 1), 0)",
    "> 50",
    "3 of 5 x 60 s",
    "notBreaching",
  ],
  [
    "zone-errors-3",
    "100 * FILL(application, 0) / requests",
    "> 5",
    "3 of 5 x 60 s",
    "notBreaching",
  ],
  ["triage-silent", "Invocations", "< 1", "3 of 3 x 60 s", "breaching"],
  ["triage-throttles", "Throttles", "> 0", "5 of 5 x 60 s", "notBreaching"],
  ["triage-rule", "FailedInvocations", "> 0", "1 of 1 x 60 s", "notBreaching"],
  [
    "remediation-runs-failed",
    "FILL(failed, 0) + FILL(late, 0)",
    "> 0",
    "1 of 5 x 60 s",
    "notBreaching",
  ],
  ["certificate", "DaysToExpiry", "< 21", "1 of 1 x 86400 s", "ignore"],
  ["database-cpu", "CPUUtilization", "> 85", "3 of 3 x 300 s", "notBreaching"],
  [
    "database-connections",
    "DatabaseConnections",
    `> ${Math.floor(0.8 * connectionLimit(instanceClass))}`,
    "3 of 5 x 60 s",
    "notBreaching",
  ],
  ["database-refusals", "ConnectionsRefused", "> 5", "2 of 3 x 60 s", "notBreaching"],
  [
    "database-storage",
    "FreeStorageSpace",
    `< ${Math.floor(0.15 * storageGigabytes * gigabyte)}`,
    "2 of 3 x 300 s",
    "notBreaching",
  ],
  ["replica-lag", "ReplicaLag", "> 60", "5 of 5 x 60 s", "notBreaching"],
  ["cache-memory-1", "DatabaseMemoryUsagePercentage", "> 80", "2 of 3 x 300 s", "notBreaching"],
  ["cache-evictions-1", "Evictions", "> 0", "2 of 3 x 300 s", "notBreaching"],
  ["not-ready", "Readiness", "< 1", "3 of 3 x 300 s", "breaching"],
  ["page-due", "PageDue", "> 0", "1 of 1 x 60 s", "notBreaching"],
  ["verification-overdue", "HoursSinceBackupsVerified", "> 26", "2 of 2 x 3600 s", "breaching"],
  ["verification-red", "BackupsVerified", "< 1", "1 of 1 x 3600 s", "ignore"],
  ["verification-rto", "RestoreRtoMet", "< 1", "1 of 1 x 3600 s", "ignore"],
  ["verification-rpo", "RestoreRpoMet", "< 1", "1 of 1 x 3600 s", "ignore"],
  ["settings-drift", "SettingsDrift", "> 0", "1 of 1 x 3600 s", "ignore"],
  ["verification-copies-left", "LeftoverCopies", "> 0", "1 of 1 x 3600 s", "notBreaching"],
  ["rotation-stale", "StaleSecrets", "> 0", "2 of 2 x 3600 s", "breaching"],
  ["rotation-stuck", "StuckRotations", "> 0", "2 of 2 x 3600 s", "breaching"],
  ["rotation-missing", "UnrotatedSecrets", "> 0", "2 of 2 x 3600 s", "breaching"],
  ["sweep-silent", "Invocations", "< 1", "3 of 3 x 3600 s", "breaching"],
  ["guard-silent", "Invocations", "< 1", "3 of 3 x 60 s", "breaching"],
  [
    "guard-dead-letters",
    "ApproximateNumberOfMessagesVisible",
    "> 0",
    "1 of 1 x 60 s",
    "notBreaching",
  ],
  ["failover-errors", "Errors", "> 0", "1 of 1 x 60 s", "notBreaching"],
  ["readiness-silent", "Invocations", "< 1", "3 of 3 x 300 s", "breaching"],
  ["schedules-dropped", "InvocationDroppedCount", "> 0", "1 of 1 x 60 s", "notBreaching"],
];

describe("alarms", () => {
  it.each(wanted)("%s is there in both regions, with the figures of the design", async (...row) => {
    const [name, metric, when, during, silence] = row;
    const recording = await recorded("production");
    for (const region of [primary, standby]) {
      const found = named(recording, region, name);
      if (name !== "error-rate") expect(found?.metric).toBe(metric);
      expect(found, `${name} in ${region}`).toMatchObject({ when, during, silence });
    }
  });

  it("measure errors as a share of all requests, also of those that no instance got", async () => {
    const { metric } = named(await recorded("production"), primary, "error-rate") ?? {};
    expect(metric).toBe("100 * (FILL(application, 0) + FILL(balancer, 0)) / FILL(requests, 1)");
  });

  it("are on metrics of Nightshift that its functions put under these very names", () => {
    const { metrics = [], source = "" } = knownMetrics.Nightshift ?? {};
    const text = source
      .split(", ")
      .map((file) => readFileSync(join(import.meta.dirname, "..", "..", file), "utf8"))
      .join();
    const unheard = metrics.filter((name) => !new RegExp(`\\b${name}\\b`).test(text));
    expect(metrics.length).toBeGreaterThan(5);
    expect(unheard).toEqual([]);
  });

  it("watch each node of the cache", async () => {
    const recording = await recorded("production");
    const nodes = every(recording, "aws:cloudwatch/metricAlarm:MetricAlarm").filter(
      ({ region, inputs }) => region === primary && inputs.metricName === "Evictions",
    );
    const [cache] = every(recording, "aws:elasticache/replicationGroup:ReplicationGroup");
    expect(nodes).toHaveLength(Number(cache?.inputs.numCacheClusters));
  });

  it("watch the canary where nothing else of the platform is", async () => {
    const recording = await recorded("production");
    expect(named(recording, witness, "canary-silent")).toMatchObject({ silence: "breaching" });
    expect(named(recording, witness, "latency")).toBeUndefined();
  });

  it("are mailed to whom the operator's file names, and to nobody else", async () => {
    const type = "aws:sns/topicSubscription:TopicSubscription";
    const recording = await recorded("production");
    const { emails } = config.alerts;
    expect(emails).not.toEqual([]);
    const found = every(recording, type).map(({ region, inputs }) => [region, inputs.endpoint]);
    const wanted = [primary, standby, witness].flatMap((region) =>
      emails.map((email) => [region, email]),
    );
    expect(found.sort()).toEqual(wanted.sort());
  });

  it("count connections that the database refuses in its own log", async () => {
    const filters = every(
      await recorded("production"),
      "aws:cloudwatch/logMetricFilter:LogMetricFilter",
    );
    expect(filters.map(({ inputs }) => inputs.logGroupName)).toEqual([
      expect.stringMatching(/^\/aws\/rds\/instance\/.+\/postgresql$/),
      expect.stringMatching(/^\/aws\/rds\/instance\/.+\/postgresql$/),
    ]);
  });
});

describe("the connections of a database class", () => {
  // By AWS's formula over the memory of the class, in GiB: 1, 16, 128.
  it.each([
    ["db.t4g.micro", 112],
    ["db.r7g.large", 1802],
    ["db.m7g.8xlarge", 5000],
  ])("of %s are %i at most", (instanceClass, limit) => {
    expect(connectionLimit(instanceClass)).toBe(limit);
  });
});

describe("a dashboard", () => {
  it.each([
    ["primary", primary],
    ["standby", standby],
  ])(
    "of the %s region answers first whether a failover would work and whether all is well",
    async (_role, region) => {
      const found = every(await recorded("production"), "aws:cloudwatch/dashboard:Dashboard").find(
        (each) => each.region === region,
      );
      const { widgets } = JSON.parse(String(found?.inputs.dashboardBody)) as {
        widgets: {
          x: number;
          y: number;
          width: number;
          properties: { title: string; alarms?: string[] };
        }[];
      };
      const [takeover, users] = widgets;
      expect(takeover?.properties.title).toMatch(/failover/);
      expect(takeover?.properties.alarms?.join()).toMatch(/not-ready.*region-lost/);
      expect(users?.properties.alarms?.join()).toMatch(/error-rate/);
      for (const { x, width } of widgets) expect(x + width).toBeLessThanOrEqual(24);
      // A widget of alarms shows a hundred of them.
      for (const { properties } of widgets) {
        expect(properties.alarms?.length ?? 1).toBeGreaterThan(0);
        expect(properties.alarms?.length ?? 0).toBeLessThanOrEqual(100);
      }
    },
  );
});
