import { architectureOf, kernel } from "../../stacks/image.ts";
import type { Policy, Violation } from "../policies.ts";
import type { Recording, Resource } from "../recording.ts";
import { preferencesOf, releaseAlarms } from "../release-plan.ts";
import { inputOf, listOf, present, resourcesOf, unlike } from "./resources.ts";

/** What was promised for production, by resource. Zones are three, so two in each are six. */
const promised: readonly { kind: string; name: RegExp; inputs: Record<string, unknown> }[] = [
  {
    kind: "autoscaling/group",
    name: /^ApplicationInPrimary$/,
    inputs: { minSize: 6, desiredCapacity: 6, maxSize: 30, defaultCooldown: 300 },
  },
  {
    kind: "autoscaling/group",
    name: /^ApplicationInStandby$/,
    inputs: { maxSize: 30, defaultCooldown: 300 },
  },
  {
    kind: "rds/instance",
    name: /^PostgresInPrimary$/,
    inputs: { backupRetentionPeriod: 30, multiAz: true },
  },
  {
    kind: "rds/instanceAutomatedBackupsReplication",
    name: /./,
    inputs: { retentionPeriod: 30 },
  },
  {
    kind: "route53/record",
    name: /^PublicNameIn(Primary|Standby)$/,
    inputs: { ttl: 60, type: "CNAME" },
  },
  {
    kind: "elasticache/replicationGroup",
    name: /./,
    inputs: { multiAzEnabled: true, automaticFailoverEnabled: true },
  },
];

/** Of every stage: the same code does the same on smaller machines. */
const always: typeof promised = [
  { kind: "lb/loadBalancer", name: /./, inputs: { enableZonalShift: true } },
  {
    kind: "autoscaling/policy",
    name: /^Scale(Out|In)In/,
    inputs: { policyType: "SimpleScaling", adjustmentType: "ChangeInCapacity", cooldown: 300 },
  },
  {
    kind: "cloudwatch/metricAlarm",
    name: /^ScaleOutAlarmIn/,
    inputs: {
      namespace: "AWS/EC2",
      metricName: "CPUUtilization",
      comparisonOperator: "GreaterThanThreshold",
      threshold: 70,
      period: 60,
      evaluationPeriods: 5,
      datapointsToAlarm: 5,
    },
  },
  {
    kind: "cloudwatch/metricAlarm",
    name: /^ScaleInAlarmIn/,
    inputs: {
      namespace: "AWS/EC2",
      metricName: "CPUUtilization",
      comparisonOperator: "LessThanThreshold",
      threshold: 30,
      period: 60,
      evaluationPeriods: 15,
      datapointsToAlarm: 15,
    },
  },
  {
    kind: "lb/targetGroup",
    name: /^TargetsIn/,
    inputs: { "healthCheck.path": "/health/ready", "healthCheck.matcher": "200" },
  },
];

const keeps = (recording: Recording, promises: typeof promised): Violation[] =>
  promises.flatMap(({ kind, name, inputs }) => {
    const found = resourcesOf(recording, kind).filter((each) => name.test(each.name));
    if (found.length === 0) return [{ resource: `${kind} ${name}`, problem: "is not there" }];
    return found.flatMap((each) => unlike(each, inputs));
  });

/** Each region's alarm has to set off its own policy, in its own region. */
const scalingActs = (recording: Recording): Violation[] =>
  resourcesOf(recording, "cloudwatch/metricAlarm")
    .filter(({ name }) => /^Scale(Out|In)AlarmIn/.test(name))
    .flatMap((alarm) => {
      const policy = resourcesOf(recording, "autoscaling/policy").find(
        ({ name }) => name === alarm.name.replace("Alarm", ""),
      );
      const [action] = (alarm.inputs.alarmActions as string[] | undefined) ?? [];
      const adjustment = Number(policy?.inputs.scalingAdjustment);
      const right = alarm.name.startsWith("ScaleOut") ? adjustment > 0 : adjustment < 0;
      return [
        ...(action?.startsWith(`arn:aws:autoscaling:${alarm.region}:`)
          ? []
          : [{ resource: alarm.name, problem: "sets off nothing in its region" }]),
        ...(right
          ? []
          : [{ resource: alarm.name, problem: `its policy adds ${adjustment} instances` }]),
      ];
    });

const numbers: Policy = {
  name: "the numbers are those that were promised",
  check: (recording) => [
    ...(recording.stage === "production" ? keeps(recording, promised) : []),
    ...keeps(recording, always),
    ...scalingActs(recording),
  ],
};

const number = (resource: Resource, path: string) => Number(inputOf(resource, path));

/** What AWS would refuse in the middle of a deployment, and a mock takes. */
const bounds = (group: Resource): Violation[] => {
  const [least, wanted, most] = ["minSize", "desiredCapacity", "maxSize"].map((path) =>
    number(group, path),
  ) as [number, number, number];
  return least <= wanted && wanted <= most
    ? []
    : [{ resource: group.name, problem: `${least}, ${wanted} and ${most} are out of order` }];
};

/** Whom Auto Scaling does not call sick yet must not be the reason that an old instance goes. */
const warmUp = (group: Resource): Violation[] => {
  const grace = number(group, "healthCheckGracePeriod");
  return [true, false]
    .map((isFirst) => Number(preferencesOf(isFirst, []).InstanceWarmup))
    .filter((warmup) => !(warmup > grace))
    .map((warmup) => ({
      resource: group.name,
      problem: `a release would go on after ${warmup} s, and a sick instance is none for ${grace} s`,
    }));
};

/**
 * A release needs its alarms: AWS does not begin a refresh that watches one it lacks. And a deployment must
 * not refresh by itself, since the provider saves the new version first, so that a rollback would go to
 * the broken one (terraform-provider-aws#34189).
 */
const releases = (recording: Recording): Violation[] => {
  const alarms = resourcesOf(recording, "cloudwatch/metricAlarm");
  return resourcesOf(recording, "autoscaling/group").flatMap((group) => [
    ...warmUp(group),
    ...(group.inputs.instanceRefresh
      ? [{ resource: group.name, problem: "a refresh of the provider rolls back to nothing older" }]
      : []),
    ...releaseAlarms(recording.stage)
      .filter(
        (name) =>
          !alarms.some(({ inputs, region }) => inputs.name === name && region === group.region),
      )
      .map((name) => ({ resource: group.name, problem: `nobody makes the alarm ${name} there` })),
    ...(/^\$/.test(String(versionOf(group)))
      ? [{ resource: group.name, problem: "a rollback needs a version by its number" }]
      : []),
  ]);
};

const versionOf = (group: Resource): unknown =>
  inputOf(group, "launchTemplate.version") ??
  inputOf(group, "mixedInstancesPolicy.launchTemplate.launchTemplateSpecification.version");

const zones = (recording: Recording): Violation[] =>
  resourcesOf(recording, "autoscaling/group", "lb/loadBalancer").flatMap((one) => {
    const subnets = (one.inputs.vpcZoneIdentifiers ?? one.inputs.subnets ?? []) as string[];
    const places = resourcesOf(recording, "ec2/subnet").filter(
      ({ name, region }) => subnets.includes(`${name}-id`) && region === one.region,
    );
    const different = new Set(places.map(({ inputs }) => inputs.availabilityZone));
    return different.size === 3
      ? []
      : [{ resource: one.name, problem: `is in ${different.size} zones, not in three` }];
  });

const capacity: Policy = {
  name: "groups can be scaled and released to as they are declared, over three zones",
  check: (recording) => [
    ...present(recording, { "autoscaling/group": 2 }),
    ...resourcesOf(recording, "autoscaling/group").flatMap(bounds),
    ...releases(recording),
    ...zones(recording),
    ...resourcesOf(recording, "lb/targetGroup").flatMap((one) =>
      number(one, "healthCheck.timeout") < number(one, "healthCheck.interval")
        ? []
        : [{ resource: one.name, problem: "a check would not be over when the next one begins" }],
    ),
  ],
};

/** Whatever a template says runs must be one and the same in both regions. */
const sameImage: Policy = {
  name: "both regions start the same container, by its digest",
  check: (recording) => {
    const templates = resourcesOf(recording, "ec2/launchTemplate");
    const images = templates.map((template) => ({ template, image: imageOf(template) }));
    return [
      ...images
        .filter(({ image }) => !/^[a-z0-9-]+@sha256:[0-9a-f]{64}$/.test(image))
        .map(({ template: { name }, image }) => ({ resource: name, problem: `starts "${image}"` })),
      ...images
        .filter(({ image }) => image !== images[0]?.image)
        .map(({ template: { name } }) => ({ resource: name, problem: "starts another one" })),
    ];
  },
};

const imageOf = (template: Resource): string => {
  const instance = listOf(template.inputs.tagSpecifications).find(
    ({ resourceType }) => resourceType === "instance",
  );
  return String(
    (instance?.tags as Record<string, unknown> | undefined)?.["nightshift:image"] ?? "",
  );
};

/** What a machine starts from: one line of kernels, for the processor that it has. */
const sameMachine: Policy = {
  name: "every machine starts the line of kernels that is named, for its own processor",
  check: (recording) => [
    ...present(recording, { "ec2/launchTemplate": 2 }),
    ...resourcesOf(recording, "ec2/launchTemplate", "ec2/instance").flatMap(({ name, inputs }) => {
      const image = String(inputs.imageId ?? inputs.ami);
      const wanted = `-kernel-${kernel}-${architectureOf(String(inputs.instanceType))}`;
      return /^ami-\d/.test(image) && image.endsWith(wanted)
        ? []
        : [{ resource: name, problem: `starts ${image}, and not …${wanted}` }];
    }),
  ],
};

export const numberPolicies: readonly Policy[] = [numbers, capacity, sameImage, sameMachine];
