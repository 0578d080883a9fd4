import {
  dearest,
  hourlyOf,
  hoursPerMonth,
  lambda,
  perHour,
  perMonth,
  regionFactor,
} from "./prices.ts";
import type { Recording, Resource } from "./recording.ts";

/** One line of the estimate. */
export interface Cost {
  region: string;
  what: string;
  dollarsPerMonth: number;
}

export interface Estimate {
  stage: string;
  costs: Cost[];
  dollarsPerMonth: number;
  /** Billed by use, which no declaration tells: not in the sum. */
  byUse: string[];
  /** Kinds that nobody has looked up: `npm run deploy:check` fails for one. */
  unpriced: string[];
}

/** What a stage costs in a month in which nothing happens, from what it would deploy. */
export const estimate = (recording: Recording): Estimate => {
  const costs: Cost[] = [];
  const unpriced = new Set<string>();
  for (const resource of recording.resources) {
    if (!resource.type.startsWith("aws:")) continue;
    const price = pricing[resource.type];
    if (price === undefined) {
      if (!isFree(resource.type)) unpriced.add(resource.type);
      continue;
    }
    const { what, dollars } = price(resource, recording);
    const region = resource.region ?? "global";
    const factor = region === "global" ? 1 : (regionFactor[region] ?? dearest);
    if (Number.isNaN(dollars)) unpriced.add(`${resource.type} (${what})`);
    else if (dollars > 0) costs.push({ region, what, dollarsPerMonth: dollars * factor });
  }
  return {
    stage: recording.stage,
    costs: merged(costs),
    dollarsPerMonth: costs.reduce((sum, { dollarsPerMonth }) => sum + dollarsPerMonth, 0),
    byUse: byUse
      .filter(({ type }) => recording.resources.some((one) => one.type === type))
      .map(say),
    unpriced: [...unpriced].sort(),
  };
};

const merged = (costs: Cost[]): Cost[] => {
  const sums = new Map<string, Cost>();
  for (const cost of costs) {
    const key = `${cost.region} ${cost.what}`;
    const before = sums.get(key);
    if (before) before.dollarsPerMonth += cost.dollarsPerMonth;
    else sums.set(key, { ...cost });
  }
  return [...sums.values()].sort((a, b) => b.dollarsPerMonth - a.dollarsPerMonth);
};

interface Priced {
  what: string;
  /** At us-east-1's prices; not a number when the table lacks its size. */
  dollars: number;
}

type Price = (resource: Resource, recording: Recording) => Priced;

const monthly = (perHourDollars: number) => perHourDollars * hoursPerMonth;
const flat =
  (what: string, dollars: number): Price =>
  () => ({ what, dollars });
const number = (value: unknown): number => Number(value ?? 0);
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

const group: Price = ({ inputs, region }, { resources }) => {
  const template = resources.find(
    (each) => each.type === "aws:ec2/launchTemplate:LaunchTemplate" && each.region === region,
  );
  const type = instanceTypeOf(inputs, template);
  const count = number(inputs.desiredCapacity ?? inputs.minSize);
  const hourly = hourlyOf(type) ?? Number.NaN;
  const disk = 30 * perMonth.volumeGigabyte;
  return { what: "instances of the application", dollars: count * (monthly(hourly) + disk) };
};

const instanceTypeOf = (
  inputs: Record<string, unknown>,
  template: Resource | undefined,
): string => {
  const text = JSON.stringify([inputs, template?.inputs ?? {}]);
  return /"instanceType":"([\w.-]+)"/.exec(text)?.[1] ?? "unknown";
};

const database: Price = ({ inputs }) => {
  const zones = inputs.multiAz === true ? 2 : 1;
  const hourly = hourlyOf(String(inputs.instanceClass)) ?? Number.NaN;
  const storage = number(inputs.allocatedStorage ?? 0) * perMonth.databaseGigabyte;
  const role = inputs.replicateSourceDb === undefined ? "database" : "replica of the database";
  return {
    what: `${role} (${String(inputs.instanceClass)})`,
    dollars: zones * (monthly(hourly) + storage),
  };
};

const cache: Price = ({ inputs }) => {
  const nodes = number(inputs.numCacheClusters ?? 1);
  const hourly = hourlyOf(String(inputs.nodeType)) ?? Number.NaN;
  return { what: `Redis (${String(inputs.nodeType)})`, dollars: nodes * monthly(hourly) };
};

const endpoint: Price = ({ inputs }) => {
  const isInterface = inputs.vpcEndpointType === "Interface";
  const zones = list(inputs.subnetIds).length;
  return {
    what: "VPC endpoints",
    dollars: isInterface ? zones * monthly(perHour.interfaceEndpointPerZone) : 0,
  };
};

const healthCheck: Price = ({ inputs }) => {
  const features = [
    String(inputs.type).startsWith("HTTPS"),
    String(inputs.type).endsWith("STR_MATCH"),
    number(inputs.requestInterval) === 10,
  ].filter(Boolean).length;
  return {
    what: "health checks",
    dollars: perMonth.healthCheck + features * perMonth.healthCheckFeature,
  };
};

const secret: Price = ({ inputs }) => ({
  what: "secrets",
  dollars: (1 + list(inputs.replicas).length) * perMonth.secret,
});

/** A guard beats a whole minute each minute; every other scheduled function is done in seconds. */
const schedule: Price = ({ name, inputs }) => {
  const minutes = /rate\((\d+) minute/.exec(String(inputs.scheduleExpression))?.[1];
  const runs = minutes ? (60 / Number(minutes)) * hoursPerMonth : 31;
  const seconds = /^Guard/.test(name) ? 58 : 5;
  const each = lambda.requestMillion / 1e6 + seconds * 0.5 * lambda.gigabyteSecond;
  return { what: "scheduled functions", dollars: runs * each };
};

/** Each night in the region that stands by, of the usual class; larger databases take longer to be read. */
const restoreTest = { instanceClass: "db.t4g.medium", hoursADay: 2 } as const;
const daysPerMonth = hoursPerMonth / 24;

/** A copy is there for some hours of each day, with storage as large as production's. */
const copies: Price = ({ name }, recording) => {
  const { instanceClass, hoursADay } = restoreTest;
  const what = `restore tests (${instanceClass}, ${hoursADay} h/day)`;
  if (!name.startsWith("CopySubnetsInStandby")) return { what, dollars: 0 };
  const hourly = hourlyOf(instanceClass) ?? Number.NaN;
  const storage = (storageOf(recording) * perMonth.databaseGigabyte) / hoursPerMonth;
  return { what, dollars: hoursADay * daysPerMonth * (hourly + storage) };
};

/** What each kind costs while nothing happens. */
const pricing: Record<string, Price> = {
  "aws:autoscaling/group:Group": group,
  "aws:ec2/natGateway:NatGateway": flat("NAT gateways", monthly(perHour.natGateway)),
  "aws:ec2/eip:Eip": flat("public addresses", monthly(perHour.publicAddress)),
  "aws:ec2/vpcEndpoint:VpcEndpoint": endpoint,
  "aws:ec2/instance:Instance": ({ inputs }) => ({
    what: `instance (${String(inputs.instanceType)})`,
    dollars: monthly(hourlyOf(String(inputs.instanceType)) ?? Number.NaN),
  }),
  // Three zones have a public address each.
  "aws:lb/loadBalancer:LoadBalancer": flat(
    "load balancer",
    monthly(perHour.loadBalancer + perHour.loadBalancerUnit + 3 * perHour.publicAddress),
  ),
  "aws:rds/instance:Instance": database,
  "aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication": (_, all) => ({
    what: "replicated backups of the database",
    dollars: storageOf(all) * perMonth.backupGigabyte,
  }),
  // By vCPU of the database: two are the least that is billed.
  "aws:rds/subnetGroup:SubnetGroup": copies,
  "aws:rds/proxy:Proxy": flat("RDS Proxy", monthly(2 * perHour.proxyVcpu)),
  "aws:elasticache/replicationGroup:ReplicationGroup": cache,
  "aws:route53/healthCheck:HealthCheck": healthCheck,
  "aws:route53/zone:Zone": flat("hosted zone", perMonth.zone),
  "aws:secretsmanager/secret:Secret": secret,
  "aws:kms/key:Key": flat("keys", perMonth.key),
  "aws:kms/replicaKey:ReplicaKey": flat("keys", perMonth.key),
  "aws:cloudwatch/metricAlarm:MetricAlarm": flat("alarms", perMonth.alarm),
  "aws:cloudwatch/compositeAlarm:CompositeAlarm": flat("alarms", perMonth.compositeAlarm),
  "aws:cloudwatch/dashboard:Dashboard": flat("dashboards", perMonth.dashboard),
  "aws:scheduler/schedule:Schedule": schedule,
};

/** One backup of the whole database; a longer history costs what has changed since. */
const storageOf = ({ resources }: Recording): number =>
  number(
    resources.find(
      ({ type, inputs }) =>
        type === "aws:rds/instance:Instance" && inputs.replicateSourceDb === undefined,
    )?.inputs.allocatedStorage,
  );

interface ByUse {
  type: string;
  what: string;
  because: string;
}

const byUse: ByUse[] = [
  {
    type: "aws:lambda/function:Function",
    what: "functions",
    because: "events beyond the schedules",
  },
  {
    type: "aws:dynamodb/table:Table",
    what: "tables",
    because: "requests: a few dollars for a guard each minute",
  },
  { type: "aws:s3/bucket:Bucket", what: "buckets", because: "what is stored, 0.023 a gigabyte" },
  {
    type: "aws:s3/bucketV2:BucketV2",
    what: "buckets",
    because: "what is stored, 0.023 a gigabyte",
  },
  {
    type: "aws:ecr/repository:Repository",
    what: "images",
    because: "what is stored, 0.10 a gigabyte",
  },
  {
    type: "aws:cloudwatch/logGroup:LogGroup",
    what: "logs",
    because: "what is written, 0.50 a gigabyte",
  },
  { type: "aws:sqs/queue:Queue", what: "dead letters", because: "nothing while nothing fails" },
  { type: "aws:sns/topic:Topic", what: "alarm messages", because: "what is sent" },
];

const say = ({ what, because }: ByUse) => `${what}: ${because}`;

/** Kinds that AWS does not bill by themselves. */
const freeKinds = [
  /^aws:iam\//,
  /^aws:acm\//,
  /^aws:appautoscaling\//,
  /^aws:autoscaling\/(policy|schedule|lifecycleHook|notification|attachment):/,
  /^aws:backup\//,
  /^aws:cloudwatch\/(eventRule|eventTarget|eventBus|eventBusPolicy):/,
  /^aws:cloudwatch\/(logSubscriptionFilter|logResourcePolicy|logMetricFilter):/,
  /^aws:dynamodb\/(tableItem|resourcePolicy|tableReplica|tag):/,
  /^aws:ec2\/(vpc|subnet|routeTable|route|routeTableAssociation|internetGateway|flowLog|networkAcl):/,
  /^aws:ec2\/(securityGroup|securityGroupRule|launchTemplate|defaultSecurityGroup|vpcDhcpOptions):/,
  /^aws:ec2\/(vpcEndpointRouteTableAssociation|vpcEndpointSubnetAssociation|sourceDestCheck):/,
  /^aws:ecr\/(lifecyclePolicy|repositoryPolicy|registryPolicy|replicationConfiguration):/,
  /^aws:ecr\/registryScanningConfiguration:/,
  /^aws:elasticache\/(subnetGroup|parameterGroup|user|userGroup):/,
  /^aws:kms\/(alias|keyPolicy|grant):/,
  /^aws:lambda\/(alias|permission|functionEventInvokeConfig|functionUrl|provisionedConcurrencyConfig):/,
  /^aws:lb\/(listener|listenerRule|listenerCertificate|targetGroup|targetGroupAttachment):/,
  /^aws:rds\/(parameterGroup|optionGroup|proxyTarget|proxyDefaultTargetGroup|eventSubscription):/,
  /^aws:route53\/(record|keySigningKey|hostedZoneDnsSec):/,
  /^aws:s3\/(bucket[A-Z]\w*|bucketObjectv2|accountPublicAccessBlock):/,
  /^aws:scheduler\/scheduleGroup:/,
  /^aws:secretsmanager\/(secretVersion|secretPolicy|secretRotation):/,
  /^aws:sns\/(topicPolicy|topicSubscription):/,
  /^aws:sqs\/(queuePolicy|redrivePolicy|redriveAllowPolicy):/,
  /^aws:ssm\/document:/,
  /^aws:vpc\/(securityGroupIngressRule|securityGroupEgressRule):/,
  /^aws:xray\//,
];

const isFree = (type: string): boolean =>
  byUse.some((each) => each.type === type) || freeKinds.some((kind) => kind.test(type));
