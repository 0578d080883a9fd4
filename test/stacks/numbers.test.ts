import { describe } from "vitest";
import { numberPolicies } from "../../deploy/policies/numbers.ts";
import type { Break } from "./breaks.ts";
import { itHolds, set, without } from "./breaks.ts";

const numbers = "that were promised";
const capacity = "scaled and released to";
const image = "same container";
const machine = "line of kernels";

const promise = (name: string, path: string, value: unknown): Break => ({
  what: `${path} of ${name} that is ${JSON.stringify(value)}`,
  policy: numbers,
  change: set(name, path, value),
  says: new RegExp(`${name} ${path} is ${JSON.stringify(value)}`),
});

const breaks: Break[] = [
  promise("ApplicationInPrimary", "minSize", 5),
  promise("ApplicationInPrimary", "maxSize", 31),
  promise("ApplicationInStandby", "maxSize", 6),
  promise("ApplicationInPrimary", "defaultCooldown", 60),
  promise("PostgresInPrimary", "backupRetentionPeriod", 14),
  promise("PostgresInPrimary", "multiAz", false),
  promise("DatabaseBackupsInStandby", "retentionPeriod", 7),
  promise("PublicNameInStandby", "ttl", 300),
  promise("CacheInStandby", "automaticFailoverEnabled", false),
  promise("ScaleOutAlarmInPrimary", "threshold", 80),
  promise("ScaleOutAlarmInStandby", "evaluationPeriods", 3),
  promise("ScaleInAlarmInPrimary", "threshold", 20),
  promise("ScaleInAlarmInPrimary", "evaluationPeriods", 5),
  promise("ScaleInInPrimary", "cooldown", 0),
  promise("TargetsInPrimary", "healthCheck.path", "/health"),
  promise("BalancerInStandby", "enableZonalShift", false),
  {
    what: "a policy that scales the wrong way",
    policy: numbers,
    change: set("ScaleInInStandby", "scalingAdjustment", 1),
    says: /ScaleInAlarmInStandby its policy adds 1 instances/,
  },
  {
    what: "an alarm that sets off nothing",
    policy: numbers,
    change: set("ScaleOutAlarmInStandby", "alarmActions", []),
    says: /ScaleOutAlarmInStandby sets off nothing/,
  },
  {
    what: "a group that is to be larger than it may be",
    policy: capacity,
    change: set("ApplicationInStandby", "desiredCapacity", 31),
    says: /ApplicationInStandby 3, 31 and 30 are out of order/,
  },
  {
    what: "a group in one zone",
    policy: capacity,
    change: set("ApplicationInPrimary", "vpcZoneIdentifiers", ["PrivateSubnetAInPrimary-id"]),
    says: /ApplicationInPrimary is in 1 zones/,
  },
  {
    what: "a release that is watched by an alarm which nobody makes",
    policy: capacity,
    change: without("ErrorRateInStandby"),
    says: /ApplicationInStandby nobody makes the alarm nightshift-production-error-rate/,
  },
  {
    what: "a refresh that the provider would start with the new version saved already",
    policy: capacity,
    change: set("ApplicationInPrimary", "instanceRefresh", { strategy: "Rolling" }),
    says: /ApplicationInPrimary a refresh of the provider rolls back to nothing older/,
  },
  {
    what: "a template without a version to go back to",
    policy: capacity,
    change: set("ApplicationInPrimary", "launchTemplate.version", "$Latest"),
    says: /ApplicationInPrimary a rollback needs a version/,
  },
  {
    what: "a release that goes on before a sick new instance is called sick",
    policy: capacity,
    change: set("ApplicationInStandby", "healthCheckGracePeriod", 330),
    says: /ApplicationInStandby a release would go on after 330 s/,
  },
  {
    what: "a health check that takes longer than until the next one",
    policy: capacity,
    change: set("TargetsInPrimary", "healthCheck.timeout", 10),
    says: /TargetsInPrimary a check would not be over/,
  },
  {
    what: "a region that starts another container",
    policy: image,
    change: set("LaunchTemplateInStandby", "tagSpecifications.0.tags", {
      "nightshift:image": `nightshift-production-application@sha256:${"0".repeat(64)}`,
    }),
    says: /LaunchTemplateInStandby starts another one/,
  },
  {
    what: "a container that is named by a tag that can move",
    policy: image,
    change: set("LaunchTemplateInPrimary", "tagSpecifications.0.tags", {
      "nightshift:image": "nightshift-production-application:latest",
    }),
    says: /LaunchTemplateInPrimary starts "nightshift-production-application:latest"/,
  },
  {
    what: "a machine of another line of kernels, as a look-up that names none would find it",
    policy: machine,
    change: set("LaunchTemplateInStandby", "imageId", "ami-2023.12-kernel-6.18-arm64"),
    says: /^LaunchTemplateInStandby starts ami-2023.12-kernel-6.18-arm64, and not …-kernel-6.12-arm64$/,
  },
  {
    what: "a machine without the parts that its boot needs",
    policy: machine,
    change: set("LaunchTemplateInPrimary", "imageId", "ami-minimal-2023.12-kernel-6.12-arm64"),
    says: /^LaunchTemplateInPrimary starts ami-minimal/,
  },
  {
    what: "a machine of another processor",
    policy: machine,
    change: set("LaunchTemplateInPrimary", "instanceType", "m7i.large"),
    says: /^LaunchTemplateInPrimary starts .*arm64, and not …-kernel-6.12-x86_64$/,
  },
];

describe("numbers", () => itHolds(numberPolicies, breaks));
