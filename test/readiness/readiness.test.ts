import { describe, expect, it } from "vitest";
import { names } from "../../drills/names.ts";
import { keepSettings } from "../../shared/settings.ts";
import type { Stage } from "../failover/stage.ts";
import { checkOf, kept, look, lookAll, looked, metric } from "./stage.ts";

const dayMilliseconds = 86_400_000;

type Break = (at: Stage) => Promise<unknown> | unknown;

const healthChecks = async ({ cloud }: Stage) => {
  const { HealthChecks } = await cloud.ask<{
    HealthChecks: { Id: string; HealthCheckConfig: { Type: string } }[];
  }>("route-53", "ListHealthChecks", "us-east-1", {});
  return HealthChecks;
};

const changeRecord = async (at: Stage, change: object): Promise<void> => {
  const { zoneId } = at.platform;
  const ask = <Output>(operation: string, input: object) =>
    at.cloud.ask<Output>("route-53", operation, "us-east-1", { HostedZoneId: zoneId, ...input });
  const { ResourceRecordSets } = await ask<{ ResourceRecordSets: { Failover?: string }[] }>(
    "ListResourceRecordSets",
    {},
  );
  const secondary = ResourceRecordSets.find(({ Failover }) => Failover === "SECONDARY");
  const ResourceRecordSet = { ...secondary, ...change };
  await ask("ChangeResourceRecordSets", {
    ChangeBatch: { Changes: [{ Action: "UPSERT", ResourceRecordSet }] },
  });
};

const ofStandby = (at: Stage) => at.platform.standby.region;
const standbyCertificate = async (at: Stage): Promise<string> => {
  const { region, loadBalancer } = at.platform.standby;
  const { Listeners } = await at.cloud.ask<{
    Listeners: { Certificates: { CertificateArn: string }[] }[];
  }>("elastic-load-balancing-v2", "DescribeListeners", region, { LoadBalancerArn: loadBalancer });
  return Listeners[0]?.Certificates[0]?.CertificateArn ?? "";
};

const newImage: Break = async ({ cloud, platform: { standby } }) => {
  const image = `${names.image.repository}@sha256:${"0".repeat(64)}`;
  const Tags = [{ Key: "nightshift:image", Value: image }];
  cloud.images.establish(standby.region, names.image.repository, {
    digest: `sha256:${"0".repeat(64)}`,
  });
  await cloud.ask("ec2", "CreateLaunchTemplateVersion", standby.region, {
    LaunchTemplateName: names.group,
    LaunchTemplateData: {
      ImageId: cloud.machines.establishImage(standby.region, "newer"),
      TagSpecifications: [{ ResourceType: "instance", Tags }],
    },
  });
  await cloud.ask("auto-scaling", "UpdateAutoScalingGroup", standby.region, {
    AutoScalingGroupName: names.group,
    LaunchTemplate: { LaunchTemplateName: names.group, Version: "2" },
  });
};

const broken: [check: string, what: string, breakIt: Break, detail: RegExp][] = [
  [
    "replica",
    "its nightly backup runs",
    ({ cloud, platform: { standby } }) =>
      cloud.databases.startBackup(standby.region, standby.databaseId),
    /backing-up/,
  ],
  [
    "replica",
    "AWS has announced to maintain it within the hour",
    ({ cloud, timeline, platform: { standby } }) =>
      cloud.databases.planMaintenance(
        `arn:aws:rds:${standby.region}:${names.account}:db:${standby.databaseId}`,
        { Action: "os-upgrade", CurrentApplyDate: new Date(timeline.now() + 600_000) },
      ),
    /os-upgrade is due/,
  ],
  [
    "backups",
    "their replication was stopped",
    ({ cloud, platform: { home, standby } }) =>
      cloud.ask("rds", "StopDBInstanceAutomatedBackupsReplication", standby.region, {
        SourceDBInstanceArn: `arn:aws:rds:${home.region}:${names.account}:db:${home.databaseId}`,
      }),
    /are retained, not replicating/,
  ],
  [
    "size",
    "the primary was given more storage",
    async ({ cloud, timeline, platform: { home } }) => {
      await cloud.ask("rds", "ModifyDBInstance", home.region, {
        DBInstanceIdentifier: home.databaseId,
        AllocatedStorage: 200,
        ApplyImmediately: true,
      });
      await timeline.advance(900_000);
    },
    /200 GiB/,
  ],
  [
    "settings",
    "the primary's parameter group is not in the standby region",
    async ({ table, timeline, platform: { home }, items }) => {
      const kept = (await items(names.coordination)).find(
        ({ id }) => id === `settings#${home.region}`,
      );
      const settings = { ...(kept?.settings as object), parameterGroup: "platform-18" };
      await timeline.run(keepSettings(table, home.region, settings as never, timeline.now()));
    },
    /platform-18 is not in/,
  ],
  [
    "capacity",
    "yesterday's peak was more than the standby may run",
    ({ cloud, timeline, platform: { home } }) =>
      cloud.metrics.put(home.region, "AWS/AutoScaling", [
        {
          MetricName: "GroupInServiceInstances",
          Dimensions: [{ Name: "AutoScalingGroupName", Value: names.group }],
          Timestamp: new Date(timeline.now() - 20 * 3_600_000),
          Value: 9,
        },
      ]),
    /may run 8 instances, and .* has needed 9/,
  ],
  [
    "image",
    "a lifecycle policy has removed the container",
    ({ cloud, platform: { standby } }) =>
      cloud.images.remove(standby.region, names.image.repository, names.image.digest),
    /not in the registry/,
  ],
  [
    "image",
    "somebody has deregistered the machine image",
    async ({ cloud, platform: { standby } }) => {
      const { LaunchTemplateVersions } = await cloud.ask<{
        LaunchTemplateVersions: { LaunchTemplateData: { ImageId: string } }[];
      }>("ec2", "DescribeLaunchTemplateVersions", standby.region, {
        LaunchTemplateName: names.group,
      });
      const id = LaunchTemplateVersions[0]?.LaunchTemplateData.ImageId ?? "";
      cloud.machines.removeImage(standby.region, id);
    },
    /is missing/,
  ],
  ["image", "only the standby was deployed to", newImage, /deploy the same to both/],
  [
    "certificate",
    "it is about to end",
    async (at) =>
      at.cloud.certificates.change(ofStandby(at), await standbyCertificate(at), {
        NotAfter: new Date(at.timeline.now() + 5 * dayMilliseconds),
      }),
    /ends in \d days/,
  ],
  [
    "certificate",
    "it is for another name",
    async (at) =>
      at.cloud.certificates.change(ofStandby(at), await standbyCertificate(at), {
        SubjectAlternativeNames: ["www.example.com"],
      }),
    /not for app\.example\.com/,
  ],
  [
    "traffic",
    "somebody has disabled the health check that moves users",
    async (at) => {
      const checks = await healthChecks(at);
      const moved = checks.find(({ HealthCheckConfig }) => HealthCheckConfig.Type === "CALCULATED");
      const input = { HealthCheckId: moved?.Id, Disabled: true };
      await at.cloud.ask("route-53", "UpdateHealthCheck", "us-east-1", input);
    },
    /never turns/,
  ],
  ["traffic", "a record is kept for an hour", (at) => changeRecord(at, { TTL: 3600 }), /3600 s/],
  [
    "roles",
    "the standby says that it is active",
    async ({ cloud, platform: { standby } }) => {
      const FixedResponseConfig = { StatusCode: "200", MessageBody: "active" };
      await cloud.ask("elastic-load-balancing-v2", "ModifyRule", standby.region, {
        RuleArn: standby.roleRule,
        Actions: [{ Type: "fixed-response", FixedResponseConfig }],
      });
    },
    /says active/,
  ],
  [
    "proof",
    "nobody has rehearsed for half a year",
    async ({ table, timeline, platform: { standby } }) => {
      const set = { atMilliseconds: timeline.now() - 180 * dayMilliseconds };
      await timeline.run(table.write(`proof#${standby.region}`, { set }));
    },
    /rehearse again/,
  ],
];

describe("a look at a platform that is well", () => {
  it("finds the standby region ready, tells it, and logs it once", async () => {
    const at = await looked();
    const { standby } = at.platform;
    expect(await lookAll(at)).toMatchObject({ does: "scores", verdict: "ready", score: 1 });
    const told = () => at.lines.filter((line) => line.includes("readiness has changed")).length;
    const before = told();
    expect(await lookAll(at)).toMatchObject({ region: standby.region, failing: [] });
    expect(told()).toBe(before);
    const own = { Name: "Region", Value: standby.region };
    expect(await metric(at, "Readiness", standby.region, own)).toBe(1);
    expect(await metric(at, "ReadinessChecksFailing", standby.region, own)).toBe(0);
    // Logs are uploaded every five minutes.
    const age = await metric(at, "BackupReplicationAgeSeconds", standby.region, own);
    expect(age).toBeLessThanOrEqual(300);
  });

  it("keeps in the active region what the other one needs when it is gone", async () => {
    const at = await looked();
    const { home } = at.platform;
    expect(await look(at, home.region)).toMatchObject({ region: home.region, does: "keeps" });
    const items = await at.items(names.coordination);
    expect(items.find(({ id }) => id === `demand#${home.region}`)).toMatchObject({
      peakInstances: 2,
    });
    const footprint = items.find(({ id }) => id === `footprint#${home.region}`);
    expect(footprint).toMatchObject({
      database: { instanceClass: "db.r7g.large", storageGigabytes: 100 },
      image: `${names.image.repository}@${names.image.digest}`,
      role: "active",
    });
    expect(Object.keys(footprint?.secrets as object)).toEqual(Object.values(names.secrets));
  });

  it("adds nothing to the journal and keeps no value of a secret", async () => {
    const at = await looked();
    await lookAll(at);
    expect(await at.journal()).toEqual([]);
    const text = JSON.stringify([await at.items(names.coordination), at.lines]);
    for (const secret of at.secrets) expect(text).not.toContain(secret);
  });
});

describe("within one look the standby region is not ready when", () => {
  it.each(broken)("%s: %s", async (check, _what, breakIt, detail) => {
    const at = await looked();
    expect((await lookAll(at)).failing).toEqual([]);
    // Metrics are told by the minute.
    await at.timeline.advance(60_000);
    await breakIt(at);
    const report = await lookAll(at);
    expect(report).toMatchObject({ verdict: "not-ready" });
    expect(report.failing).toContain(check);
    expect(await checkOf(at, check)).toMatchObject({ verdict: "not-ready" });
    expect((await checkOf(at, check)).detail).toMatch(detail);
    const region = ofStandby(at);
    const failing = await metric(at, "ReadinessChecksFailing", region, {
      Name: "Observer",
      Value: region,
    });
    expect(failing).toBe(report.failing.length);
    expect(at.bugs).toEqual([]);
  });

  it("secrets: a rotation has not arrived there yet, and is again when it has", async () => {
    const at = await looked();
    const { home } = at.platform;
    await at.cloud.ask("secrets-manager", "PutSecretValue", home.region, {
      SecretId: names.secrets.application,
      SecretString: "{}",
      ClientRequestToken: "rotated-version-of-the-secret-0001",
    });
    at.regions.set(home.region, "cut");
    at.regions.set(home.region, "up");
    expect((await lookAll(at)).failing).toEqual(["secrets"]);
    await at.timeline.advance(15_000);
    expect((await lookAll(at)).failing).toEqual([]);
  });
});

describe("what a silent source makes of a look", () => {
  it.each([
    ["rds", ["replica", "size", "settings", "backups"]],
    ["lambda", ["lag"]],
    ["autoscaling", ["capacity", "image"]],
    ["ec2", ["image"]],
    ["ecr", ["image"]],
    // The database function needs its own secret to ask the replica.
    ["secretsmanager", ["lag", "secrets"]],
    ["acm", ["certificate"]],
    ["elasticloadbalancing", ["certificate", "roles"]],
    ["route53", ["traffic"]],
  ])("%s: unknown, which is not ready", async (service, unknown) => {
    const at = await looked();
    await lookAll(at);
    at.faults.add({ match: { service, from: ofStandby(at) }, kind: "error" });
    const report = await look(at, ofStandby(at));
    expect(report.failing).toEqual(unknown);
    for (const name of unknown)
      expect(await checkOf(at, name)).toMatchObject({ verdict: "unknown" });
  });

  it("fails as a function when the coordination table takes nothing, which is seen", async () => {
    const at = await looked();
    at.faults.add({ match: { service: "dynamodb", from: ofStandby(at) }, kind: "error" });
    await expect(look(at, ofStandby(at))).rejects.toThrow(/no replica of/);
  });
});

describe("a region that is lost", () => {
  it("leaves a verdict behind that gets old by itself", async () => {
    const at = await looked({ people: [] });
    await lookAll(at);
    at.loseHome();
    await at.timeline.advance(200_000);
    const soon = await look(at, ofStandby(at));
    expect(soon.failing).toEqual(["replica", "guards"]);
    await at.timeline.advance(900_000);
    const later = await look(at, ofStandby(at));
    // What only the lost region could tell is stale by now, and stale is not ready.
    expect(later.failing).toEqual(
      expect.arrayContaining(["size", "settings", "backups", "capacity", "image", "secrets"]),
    );
    expect((await kept(at, ofStandby(at))).checks).toHaveLength(15);
    // What was copied before is still there, and gets old.
    await at.timeline.advance(3_600_000);
    await look(at, ofStandby(at));
    expect((await checkOf(at, "backups")).detail).toMatch(/end \d+ min ago/);
    const own = { Name: "Observer", Value: ofStandby(at) };
    const age = await metric(at, "BackupReplicationAgeSeconds", ofStandby(at), own);
    expect(age).toBeGreaterThan(4000);
    expect(age).toBeLessThan(6000);
  });
});
