import { ACMClient, DescribeCertificateCommand } from "@aws-sdk/client-acm";
import { AutoScalingClient, DescribeAutoScalingGroupsCommand } from "@aws-sdk/client-auto-scaling";
import {
  CloudWatchClient,
  GetMetricStatisticsCommand,
  PutMetricDataCommand,
} from "@aws-sdk/client-cloudwatch";
import {
  ConditionalCheckFailedException,
  DynamoDBClient,
  PutItemCommand,
} from "@aws-sdk/client-dynamodb";
import {
  DescribeImagesCommand,
  DescribeLaunchTemplateVersionsCommand,
  EC2Client,
} from "@aws-sdk/client-ec2";
import {
  DescribeListenersCommand,
  DescribeRulesCommand,
  ElasticLoadBalancingV2Client,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import {
  GetHealthCheckCommand,
  ListResourceRecordSetsCommand,
  Route53Client,
} from "@aws-sdk/client-route-53";
import { DescribeSecretCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { clientOptions } from "../../shared/clients.ts";
import { readContact } from "../../shared/contact.ts";
import { coordination } from "../../shared/coordination.ts";
import { keepDemand, readDemand } from "../../shared/demand.ts";
import { readLease } from "../../shared/lease.ts";
import { logger } from "../../shared/log.ts";
import { metricNamespace } from "../../shared/metrics.ts";
import { readProof } from "../../shared/proof.ts";
import { isFailing, keepReadiness, readReadiness } from "../../shared/readiness.ts";
import { registry } from "../../shared/registry-aws.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { linked, regionOf } from "../../shared/runtime.ts";
import { readSettings } from "../../shared/settings.ts";
import { given, isNamed } from "./answers.ts";
import { database } from "./database-aws.ts";
import type { HealthCheckSeen, LaunchSeen, RecordSeen } from "./facts.ts";
import { keepFootprint, readFootprint } from "./footprint.ts";
import type { ReadinessPorts } from "./readiness.ts";

interface ReadinessLink extends Record<string, unknown> {
  databaseId: string;
  autoScalingGroup: string;
  /** ARN of this region's load balancer, and of the listener rule that says its role. */
  loadBalancer: string;
  roleRule: string;
  /** The load balancer's name in each region. */
  loadBalancers: Record<string, string>;
  /** Secrets by name; they have the same name in both regions. */
  secrets: string[];
  /** Of the public name's records. */
  zoneId: string;
}

export const readinessPorts = (runtime: Runtime): ReadinessPorts => {
  const here = regionOf(runtime);
  const { config, clock } = runtime;
  const { primary, standby } = config.regions;
  const link = linked<ReadinessLink>(runtime, "Readiness");
  const table = coordination(runtime);
  const log = logger(runtime);
  return {
    here,
    other: here === primary ? standby : primary,
    clock,
    policy: policyOf(runtime, link),
    readLease: () => readLease(table),
    readContact: async (region) => (await readContact(table, region)) ?? null,
    readDemand: (region) => readDemand(table, region),
    keepDemand: (demand) => keepDemand(table, demand),
    readFootprint: (region) => readFootprint(table, region),
    keepFootprint: (footprint) => keepFootprint(table, footprint),
    readSettings: (region) => readSettings(table, region),
    readProof: (region) => readProof(table, region),
    readReadiness: (region) => readReadiness(table, region),
    keepReadiness: (readiness) => keepReadiness(table, readiness),
    ...database(runtime, here, link.databaseId),
    ...instances(runtime, here, link.autoScalingGroup),
    ...front(runtime, here, link),
    ...secrets(runtime, here, link.secrets),
    ...names(runtime, link.zoneId),
    ...journal(runtime, here),
    ...metrics(runtime, here, link.autoScalingGroup),
    log: (message, fields) => log.info(message, fields),
  };
};

const policyOf = (
  { config }: Runtime,
  { loadBalancers }: ReadinessLink,
): ReadinessPorts["policy"] => {
  const { failover, sizes, domain, objectives, slack, regions } = config;
  const approvers = slack.operators.filter(({ may }) => may.includes("approve"));
  return {
    home: regions.primary,
    standby: regions.standby,
    loadBalancers,
    domain: domain.name,
    ttlSeconds: domain.ttlSeconds,
    wantedCapacity: sizes.application.desired,
    standbyMinimum: sizes.application.standbyMinimum,
    maximumLagSeconds: failover.maximumLagSeconds,
    heartbeatSeconds: failover.heartbeatSeconds,
    isolationSeconds: failover.isolationSeconds,
    isolationMarginSeconds: failover.isolationMarginSeconds,
    approvals: failover.approvals,
    approvers: approvers.length,
    approversWithoutSlack: approvers.filter(({ iam }) => iam !== undefined).length,
    rehearsalDays: objectives.rehearsalDays ?? 90,
  };
};

/** The tag by which a launch template says which container its instances run. */
const imageTag = "nightshift:image";

const instances = (runtime: Runtime, region: string, name: string) => {
  const scaling = new AutoScalingClient(clientOptions(runtime, region));
  const machines = new EC2Client(clientOptions(runtime, region));
  const isInRegistry = registry(runtime, region);
  const group = async () => {
    const { AutoScalingGroups } = await scaling.send(
      new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [name] }),
    );
    return given(AutoScalingGroups?.[0], `of the group ${name}`);
  };
  const stateOf = async (machineImage: string): Promise<string> => {
    try {
      const { Images } = await machines.send(
        new DescribeImagesCommand({ ImageIds: [machineImage] }),
      );
      return Images?.[0]?.State ?? "missing";
    } catch (error) {
      if (isNamed(error, "InvalidAMIID.NotFound", "InvalidAMIID.Unavailable")) return "missing";
      throw error;
    }
  };
  return {
    capacity: async () => {
      const { DesiredCapacity = 0, MaxSize = 0, Instances = [] } = await group();
      const inService = Instances.filter(
        ({ LifecycleState, HealthStatus }) =>
          LifecycleState === "InService" && HealthStatus === "Healthy",
      ).length;
      return { desired: DesiredCapacity, maximum: MaxSize, inService };
    },
    launch: async (): Promise<LaunchSeen> => {
      const { LaunchTemplate: only, MixedInstancesPolicy: mixed } = await group();
      // A group with Spot in it names its template one level further down.
      const LaunchTemplate = only ?? mixed?.LaunchTemplate?.LaunchTemplateSpecification;
      const { LaunchTemplateId, LaunchTemplateName, Version = "$Default" } = LaunchTemplate ?? {};
      const by = LaunchTemplateId ? { LaunchTemplateId } : { LaunchTemplateName };
      const { LaunchTemplateVersions } = await machines.send(
        new DescribeLaunchTemplateVersionsCommand({ ...by, Versions: [Version] }),
      );
      const data = given(LaunchTemplateVersions?.[0]?.LaunchTemplateData, `version ${Version}`);
      const tags = (data.TagSpecifications ?? []).flatMap(({ Tags }) => Tags ?? []);
      const image = tags.find(({ Key }) => Key === imageTag)?.Value ?? null;
      const machineImage = data.ImageId ?? "none";
      const [machineImageState, isImageHere] = await Promise.all([
        stateOf(machineImage),
        image ? isInRegistry(image) : false,
      ]);
      const template = LaunchTemplateName ?? LaunchTemplateId ?? "none";
      return { template, version: Version, machineImage, machineImageState, image, isImageHere };
    },
  };
};

const front = (runtime: Runtime, region: string, link: ReadinessLink) => {
  const balancers = new ElasticLoadBalancingV2Client(clientOptions(runtime, region));
  const certificates = new ACMClient(clientOptions(runtime, region));
  return {
    role: async () => {
      const { Rules } = await balancers.send(
        new DescribeRulesCommand({ RuleArns: [link.roleRule] }),
      );
      const body = Rules?.[0]?.Actions?.[0]?.FixedResponseConfig?.MessageBody;
      if (body === "active" || body === "renounced") return body;
      throw new Error("the role rule says neither active nor renounced");
    },
    /** The listener's default certificate; others that it may have are for other names. */
    certificate: async () => {
      const { Listeners } = await balancers.send(
        new DescribeListenersCommand({ LoadBalancerArn: link.loadBalancer }),
      );
      const CertificateArn = Listeners?.find(({ Protocol }) => Protocol === "HTTPS")
        ?.Certificates?.[0]?.CertificateArn;
      if (!CertificateArn) return null;
      const { Certificate } = await certificates.send(
        new DescribeCertificateCommand({ CertificateArn }),
      );
      const { Status, DomainName, SubjectAlternativeNames, NotAfter } = Certificate ?? {};
      return {
        status: Status ?? "unknown",
        domains: SubjectAlternativeNames ?? (DomainName ? [DomainName] : []),
        // A certificate that was never issued has no end.
        expiresAtMilliseconds: NotAfter?.getTime() ?? 0,
      };
    },
  };
};

/**
 * Described and never read: no value of a secret comes near this function. A replica is a copy of its
 * primary ("Replicate AWS Secrets Manager secrets across Regions"); that a version keeps its id in it
 * is what is seen, and AWS does not promise it.
 */
const secrets = (runtime: Runtime, region: string, secretNames: string[]) => {
  const client = new SecretsManagerClient(clientOptions(runtime, region));
  const current = async (name: string): Promise<[string, string | null]> => {
    try {
      const found = await client.send(new DescribeSecretCommand({ SecretId: name }));
      const versions = Object.entries(found.VersionIdsToStages ?? {});
      return [name, versions.find(([, stages]) => stages.includes("AWSCURRENT"))?.[0] ?? null];
    } catch (error) {
      if (isNamed(error, "ResourceNotFoundException")) return [name, null];
      throw error;
    }
  };
  return {
    secretVersions: async () => Object.fromEntries(await Promise.all(secretNames.map(current))),
  };
};

/** Records of one name; more than these are no failover pair. */
const recordLimit = 10;

const names = (runtime: Runtime, zoneId: string) => {
  const client = new Route53Client(clientOptions(runtime, "us-east-1"));
  const { name } = runtime.config.domain;
  const configOf = async (HealthCheckId: string) => {
    const { HealthCheck } = await client.send(new GetHealthCheckCommand({ HealthCheckId }));
    return given(HealthCheck?.HealthCheckConfig, `of the health check ${HealthCheckId}`);
  };
  const checkOf = async (id: string): Promise<HealthCheckSeen> => {
    const config = await configOf(id);
    const children = await Promise.all((config.ChildHealthChecks ?? []).map(configOf));
    return {
      type: config.Type ?? "unknown",
      inverted: config.Inverted ?? false,
      disabled: config.Disabled ?? false,
      threshold: config.HealthThreshold ?? 0,
      children: children.map((child) => ({
        type: child.Type ?? "unknown",
        host: child.FullyQualifiedDomainName ?? "",
        path: child.ResourcePath ?? "",
        says: child.SearchString ?? "",
        disabled: child.Disabled ?? false,
      })),
    };
  };
  return {
    traffic: async () => {
      const { ResourceRecordSets } = await client.send(
        new ListResourceRecordSetsCommand({
          HostedZoneId: zoneId,
          StartRecordName: name,
          MaxItems: recordLimit,
        }),
      );
      const records = (ResourceRecordSets ?? [])
        .filter((set) => set.Name?.replace(/\.$/, "") === name && set.Failover !== undefined)
        .map(
          (set): RecordSeen => ({
            region: set.SetIdentifier ?? "",
            failover: set.Failover ?? "",
            ttlSeconds: set.TTL ?? 0,
            values: (set.ResourceRecords ?? []).map(({ Value }) => Value ?? ""),
            healthCheck: set.HealthCheckId ?? null,
          }),
        );
      const id = records.find(({ failover }) => failover === "PRIMARY")?.healthCheck;
      return { records, check: id ? await checkOf(id) : null };
    },
  };
};

const journal = (runtime: Runtime, region: string) => {
  const client = new DynamoDBClient(clientOptions(runtime, region));
  const { name } = linked<{ name: string }>(runtime, "JournalTable");
  return {
    /**
     * A write whose condition never holds. It asks for the permission and the table that an entry
     * needs, and leaves nothing in a book that nobody may strike out of.
     */
    tryJournal: async () => {
      const put = new PutItemCommand({
        TableName: name,
        Item: { run: { S: `readiness-${region}` }, sequence: { N: "0" } },
        ConditionExpression: "attribute_exists(#run)",
        ExpressionAttributeNames: { "#run": "run" },
      });
      try {
        await client.send(put);
      } catch (error) {
        if (!(error instanceof ConditionalCheckFailedException)) throw error;
      }
    },
  };
};

const daySeconds = 86_400;
const metricPeriodSeconds = 300;

const metrics = (runtime: Runtime, here: string, group: string) => {
  const client = new CloudWatchClient(clientOptions(runtime, here));
  return {
    /** There only where the group's metrics are switched on: EnableMetricsCollection, by the minute. */
    peakInstances: async () => {
      const now = runtime.clock.now();
      const { Datapoints } = await client.send(
        new GetMetricStatisticsCommand({
          Namespace: "AWS/AutoScaling",
          MetricName: "GroupInServiceInstances",
          Dimensions: [{ Name: "AutoScalingGroupName", Value: group }],
          StartTime: new Date(now - daySeconds * 1000),
          EndTime: new Date(now),
          Period: metricPeriodSeconds,
          Statistics: ["Maximum"],
        }),
      );
      const seen = (Datapoints ?? []).flatMap(({ Maximum }) => Maximum ?? []);
      return seen.length > 0 ? Math.max(...seen) : null;
    },
    /** By the judged region for people, and by who tells for the alarm, which is there in any case. */
    report: async (...[region, { score, checks }, age]: Parameters<ReadinessPorts["report"]>) => {
      const values = {
        Readiness: score,
        ReadinessChecksFailing: checks.filter(isFailing).length,
        ...(age === null ? {} : { BackupReplicationAgeSeconds: age }),
      };
      const dimensions = [[{ Name: "Region", Value: region }], [{ Name: "Observer", Value: here }]];
      const MetricData = Object.entries(values).flatMap(([MetricName, Value]) =>
        dimensions.map((Dimensions) => ({
          MetricName,
          Value,
          Dimensions,
          Timestamp: new Date(runtime.clock.now()),
        })),
      );
      await client.send(
        new PutMetricDataCommand({ Namespace: metricNamespace(runtime), MetricData }),
      );
    },
  };
};
