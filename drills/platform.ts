import { validationRecord } from "../local/aws/acm.ts";
import { engineId } from "../local/aws/rds.ts";
import type { Cloud } from "../local/cloud.ts";
import type { Config } from "../shared/config.ts";
import { buildCaches } from "./caches.ts";
import { keyIn, names } from "./names.ts";

/** One region of the platform, as far as the functions are told of it. */
export interface Site extends DatabaseSite {
  loadBalancerName: string;
  loadBalancer: string;
  targetGroup: string;
  certificate: string;
  /** Names of the zones that instances are in. */
  zones: string[];
  roleRule: string;
  /** Where the region's cache answers; undefined on a platform without caches. */
  cache?: { host: string; port: number } | undefined;
}

/** A region's database and who may come in. */
export interface DatabaseSite {
  region: string;
  databaseId: string;
  /** The database's name among the processes or models under RDS. */
  engineId: string;
  host: string;
  port: number;
  databaseSecurityGroup: string;
  applicationSecurityGroup: string;
}

export interface Platform {
  config: Config;
  home: Site;
  standby: Site;
  /** With the port, so that a browser could open it. */
  publicUrl: string;
  /** Of the public name's records. */
  zoneId: string;
}

/** What differs between a drill with sockets and a simulation without. */
export interface Ground {
  config: Config;
  /** The port that all public listeners share. */
  port: number;
  /** Made by the seed; on a real account Secrets Manager makes them. */
  password(): string;
  slack: { signingSecret: string; botToken: string };
  /** The first token of the caches; a simulation without instances that use one has no caches. */
  cacheToken?: string;
  /** Told as soon as a region's database stands: instances that start later connect to it. */
  onDatabase(site: DatabaseSite): void;
  /** Makes roles and tables in the new home database, as the platform's migrations do. */
  migrate(
    database: { engineId: string; host: string; port: number; masterPassword: string },
    logins: {
      application: string;
      nightshift: string;
    },
  ): Promise<void>;
}

/** Builds the platform: what SST deploys on AWS, without Nightshift. */
export const buildPlatform = async (cloud: Cloud, ground: Ground): Promise<Platform> => {
  const { config } = ground;
  const { primary, standby } = config.regions;
  const passwords = {
    master: ground.password(),
    application: ground.password(),
    nightshift: ground.password(),
  };
  const groups = {
    home: await securityGroups(cloud, primary),
    standby: await securityGroups(cloud, standby),
  };
  const databases = await buildDatabases(cloud, ground, passwords, groups);
  await buildSecrets(cloud, ground, passwords, databases.home);
  const { cacheToken } = ground;
  const caches = cacheToken === undefined ? {} : await buildCaches(cloud, config, cacheToken);
  for (const [side, region] of [
    ["home", primary],
    ["standby", standby],
  ] as const) {
    ground.onDatabase({ region, ...groups[side], ...databases[side] });
  }
  const site = async (region: string, side: "home" | "standby"): Promise<Site> => {
    const front = await buildFront(cloud, ground, region, region === primary);
    const cache = caches[region];
    return { region, ...front, ...groups[side], ...databases[side], cache };
  };
  const platform = {
    config,
    home: await site(primary, "home"),
    standby: await site(standby, "standby"),
    publicUrl: `http://${config.domain.name}:${ground.port}`,
  };
  return { ...platform, zoneId: await buildNames(cloud, ground, platform) };
};

const securityGroups = async (cloud: Cloud, region: string) => {
  const create = async (GroupName: string) => {
    const input = { GroupName, Description: GroupName, VpcId: "vpc-platform" };
    return (await cloud.ask<{ GroupId: string }>("ec2", "CreateSecurityGroup", region, input))
      .GroupId;
  };
  const [applicationSecurityGroup, databaseSecurityGroup, nightshift] = [
    await create("application"),
    await create("database"),
    await create("nightshift-database"),
  ];
  const from = (GroupId: string) => ({
    IpProtocol: "tcp",
    FromPort: 5432,
    ToPort: 5432,
    UserIdGroupPairs: [{ GroupId }],
  });
  await cloud.ask("ec2", "AuthorizeSecurityGroupIngress", region, {
    GroupId: databaseSecurityGroup,
    IpPermissions: [from(applicationSecurityGroup), from(nightshift)],
  });
  await buildTemplate(cloud, region, applicationSecurityGroup);
  return { applicationSecurityGroup, databaseSecurityGroup };
};

/** What instances start from. Their tag says which container they run, the same in every region. */
const buildTemplate = async (cloud: Cloud, region: string, securityGroup: string) => {
  const { repository, digest, machine } = names.image;
  cloud.images.establish(region, repository, { digest });
  const Tags = [{ Key: "nightshift:image", Value: `${repository}@${digest}` }];
  await cloud.ask("ec2", "CreateLaunchTemplate", region, {
    LaunchTemplateName: names.group,
    LaunchTemplateData: {
      InstanceType: "m7g.large",
      ImageId: cloud.machines.establishImage(region, machine),
      SecurityGroupIds: [securityGroup],
      TagSpecifications: [{ ResourceType: "instance", Tags }],
    },
  });
};

type Groups = Record<"home" | "standby", Awaited<ReturnType<typeof securityGroups>>>;

const buildDatabases = async (
  cloud: Cloud,
  ground: Ground,
  passwords: Record<"master" | "application" | "nightshift", string>,
  groups: Groups,
) => {
  const { primary, standby } = ground.config.regions;
  const { instanceClass, storageGigabytes, multiAz, backupRetentionDays } =
    ground.config.sizes.database;
  const homeId = `${names.database}-${primary}`;
  const standbyId = `${names.database}-${standby}`;
  const common = {
    Engine: "postgres",
    DBInstanceClass: instanceClass,
    AllocatedStorage: storageGigabytes,
    DBParameterGroupName: names.parameterGroup,
    StorageEncrypted: true,
  };
  for (const region of [primary, standby]) {
    cloud.databases.establishParameterGroup(region, names.parameterGroup);
  }
  // Both stand already: waiting for modelled hours of creation shows nothing about a failover.
  const home = await cloud.databases.establish(primary, {
    ...common,
    DBInstanceIdentifier: homeId,
    DBName: names.database,
    KmsKeyId: keyIn(primary, "data"),
    MasterUsername: names.master,
    MasterUserPassword: passwords.master,
    MultiAZ: multiAz,
    BackupRetentionPeriod: backupRetentionDays,
    DeletionProtection: true,
    VpcSecurityGroupIds: [groups.home.databaseSecurityGroup],
  });
  const homeSite = siteOf(primary, homeId, home);
  await ground.migrate({ ...homeSite, masterPassword: passwords.master }, passwords);
  const replica = await cloud.databases.establishReplica(standby, {
    DBInstanceIdentifier: standbyId,
    SourceDBInstanceIdentifier: `arn:aws:rds:${primary}:${names.account}:db:${homeId}`,
    DBInstanceClass: instanceClass,
    DBParameterGroupName: names.parameterGroup,
    KmsKeyId: keyIn(standby, "data"),
    VpcSecurityGroupIds: [groups.standby.databaseSecurityGroup],
  });
  cloud.databases.establishBackupCopy(
    standby,
    { region: primary, id: homeId },
    { BackupRetentionPeriod: backupRetentionDays, KmsKeyId: keyIn(standby, "data") },
  );
  return { home: homeSite, standby: siteOf(standby, standbyId, replica) };
};

const siteOf = (
  region: string,
  databaseId: string,
  {
    Endpoint,
  }: { Endpoint?: { Address?: string | undefined; Port?: number | undefined } | undefined },
) => {
  if (!Endpoint?.Address || !Endpoint.Port) throw new Error(`${databaseId} has no endpoint`);
  const { Address: host, Port: port } = Endpoint;
  return { databaseId, engineId: engineId(region, databaseId), host, port };
};

const buildSecrets = async (
  cloud: Cloud,
  ground: Ground,
  passwords: Record<"application" | "nightshift", string>,
  home: { host: string; port: number },
) => {
  const { primary, standby } = ground.config.regions;
  const { host, port } = home;
  const [role] = names.roles;
  const database = names.database;
  const values = {
    [names.secrets.application]: {
      username: role,
      password: passwords.application,
      host,
      port,
      database,
    },
    [names.secrets.nightshift]: { username: names.nightshiftLogin, password: passwords.nightshift },
    [names.secrets.slack]: ground.slack,
  };
  for (const [Name, value] of Object.entries(values)) {
    await cloud.ask("secrets-manager", "CreateSecret", primary, {
      Name,
      SecretString: JSON.stringify(value),
      // The SDK makes one by itself; it becomes the id of the first version.
      ClientRequestToken: `first-version-of-${Name.replace("/", "-")}`.padEnd(32, "-"),
      KmsKeyId: keyIn(primary, "secrets"),
      AddReplicaRegions: [{ Region: standby, KmsKeyId: keyIn(standby, "secrets") }],
    });
  }
};

/** Load balancer, its role rule, and the instances behind it. */
const buildFront = async (cloud: Cloud, ground: Ground, region: string, isHome: boolean) => {
  const { minimum, desired, maximum, standbyMinimum } = ground.config.sizes.application;
  const { LoadBalancers } = await cloud.ask<{
    LoadBalancers: { LoadBalancerArn: string; DNSName: string }[];
  }>("elastic-load-balancing-v2", "CreateLoadBalancer", region, { Name: names.loadBalancer });
  const [balancer] = LoadBalancers;
  const { TargetGroups } = await cloud.ask<{ TargetGroups: { TargetGroupArn: string }[] }>(
    "elastic-load-balancing-v2",
    "CreateTargetGroup",
    region,
    {
      Name: names.group,
      Protocol: "HTTP",
      Port: 8080,
      VpcId: "vpc-platform",
      HealthCheckPath: "/health/ready",
      HealthCheckIntervalSeconds: 10,
      HealthyThresholdCount: 2,
      UnhealthyThresholdCount: 3,
      HealthCheckTimeoutSeconds: 5,
    },
  );
  const TargetGroupArn = TargetGroups[0]?.TargetGroupArn ?? "";
  const LoadBalancerArn = balancer?.LoadBalancerArn ?? "";
  const DomainName = ground.config.domain.name;
  const certificate = cloud.certificates.establish(region, {
    DomainName,
    InUseBy: [LoadBalancerArn],
  });
  const listener = { LoadBalancerArn, TargetGroupArn, CertificateArn: certificate };
  const roleRule = await buildListener(cloud, region, listener, isHome);
  const zones = ["a", "b", "c"].map((zone) => `${region}${zone}`);
  await cloud.ask("auto-scaling", "CreateAutoScalingGroup", region, {
    AutoScalingGroupName: names.group,
    MinSize: isHome ? minimum : standbyMinimum,
    MaxSize: maximum,
    DesiredCapacity: isHome ? desired : standbyMinimum,
    AvailabilityZones: zones,
    LaunchTemplate: { LaunchTemplateName: names.group, Version: "1" },
    TargetGroupARNs: [TargetGroupArn],
    HealthCheckType: "ELB",
    HealthCheckGracePeriod: 300,
  });
  return {
    loadBalancerName: balancer?.DNSName ?? "",
    loadBalancer: LoadBalancerArn,
    targetGroup: TargetGroupArn,
    certificate,
    zones,
    roleRule,
  };
};

/** Answers the ARN of the rule that says the region's role. */
const buildListener = async (
  cloud: Cloud,
  region: string,
  given: { LoadBalancerArn: string; TargetGroupArn: string; CertificateArn: string },
  isHome: boolean,
): Promise<string> => {
  const { LoadBalancerArn, TargetGroupArn, CertificateArn } = given;
  const { Listeners } = await cloud.ask<{ Listeners: { ListenerArn: string }[] }>(
    "elastic-load-balancing-v2",
    "CreateListener",
    region,
    {
      LoadBalancerArn,
      // TLS as on AWS, as far as the API tells of it: here it ends before the load balancer.
      Protocol: "HTTPS",
      Port: 443,
      Certificates: [{ CertificateArn }],
      DefaultActions: [{ Type: "forward", TargetGroupArn }],
    },
  );
  const { Rules } = await cloud.ask<{ Rules: { RuleArn: string }[] }>(
    "elastic-load-balancing-v2",
    "CreateRule",
    region,
    {
      ListenerArn: Listeners[0]?.ListenerArn,
      Priority: 1,
      Conditions: [{ Field: "path-pattern", Values: ["/.well-known/nightshift/role"] }],
      Actions: [
        {
          Type: "fixed-response",
          FixedResponseConfig: {
            StatusCode: "200",
            ContentType: "text/plain",
            MessageBody: isHome ? "active" : "renounced",
          },
        },
      ],
    },
  );
  return Rules[0]?.RuleArn ?? "";
};

/**
 * The records and health checks of the design: PRIMARY moves only on somebody's explicit word, and
 * SECONDARY has no check.
 */
const buildNames = async (
  cloud: Cloud,
  { config, port }: Ground,
  platform: Pick<Platform, "home" | "standby">,
): Promise<string> => {
  const ask = <Output>(operation: string, input: object) =>
    cloud.ask<Output>("route-53", operation, "us-east-1", input);
  const { HostedZone } = await ask<{ HostedZone: { Id: string } }>("CreateHostedZone", {
    Name: config.domain.zone,
    CallerReference: "platform",
  });
  const check = async (CallerReference: string, HealthCheckConfig: object) => {
    const input = { CallerReference, HealthCheckConfig };
    return (await ask<{ HealthCheck: { Id: string } }>("CreateHealthCheck", input)).HealthCheck.Id;
  };
  const says = (site: Site, role: string) =>
    check(`${site.region} ${role}`, {
      Type: "HTTP_STR_MATCH",
      FullyQualifiedDomainName: site.loadBalancerName,
      Port: port,
      ResourcePath: "/.well-known/nightshift/role",
      SearchString: role,
      RequestInterval: 10,
      FailureThreshold: 3,
    });
  const moved = await check("moved", {
    Type: "CALCULATED",
    ChildHealthChecks: [
      await says(platform.standby, "active"),
      await says(platform.home, "renounced"),
    ],
    HealthThreshold: 1,
    Inverted: true,
  });
  // Names and not aliases: an alias that takes part in failover has to follow the health of its
  // targets as well, so a home region that is merely sick would move users.
  const record = (site: Site, failover: "PRIMARY" | "SECONDARY") => ({
    Action: "UPSERT",
    ResourceRecordSet: {
      Name: config.domain.name,
      Type: "CNAME",
      TTL: config.domain.ttlSeconds,
      SetIdentifier: site.region,
      Failover: failover,
      ResourceRecords: [{ Value: site.loadBalancerName }],
      ...(failover === "PRIMARY" ? { HealthCheckId: moved } : {}),
    },
  });
  const { Name, Type, Value } = validationRecord(config.domain.name);
  const ResourceRecordSet = { Name, Type, TTL: 300, ResourceRecords: [{ Value }] };
  await ask("ChangeResourceRecordSets", {
    HostedZoneId: HostedZone.Id,
    ChangeBatch: {
      Changes: [
        record(platform.home, "PRIMARY"),
        record(platform.standby, "SECONDARY"),
        // By it ACM knows that the name is ours.
        { Action: "UPSERT", ResourceRecordSet },
      ],
    },
  });
  return HostedZone.Id;
};
