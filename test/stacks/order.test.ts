import { describe, expect } from "vitest";
import { orderPolicies } from "../../deploy/policies/order.ts";
import type { Recording } from "../../deploy/recording.ts";
import type { Break } from "./breaks.ts";
import { itHolds, like, set } from "./breaks.ts";
import { the } from "./recordings.ts";

const permitted = "made after its role may send";
const named = "named by its name";
const monitored = "may monitor it";
const gateway = "the way to it";

/** Takes the wait for one thing away from another. */
const hasty =
  (name: string, ...before: string[]) =>
  (recording: Recording): void => {
    const resource = the(recording, name);
    const urns = before.map((each) => the(recording, each).urn);
    for (const urn of urns) expect(resource.dependencies).toContain(urn);
    resource.dependencies = resource.dependencies.filter((each) => !urns.includes(each));
  };

const breaks: Break[] = [
  {
    what: "a function that does not wait for its role's policy",
    policy: permitted,
    change: hasty("GuardInPrimaryFunction", "GuardInPrimaryMayRun"),
    says: /^GuardInPrimaryFunction may be made before its role may sqs:SendMessage on .*letters$/,
  },
  {
    what: "a function in a network that does not wait for its role's policy",
    policy: permitted,
    change: hasty("DatabaseInStandbyFunction", "DatabaseInStandbyMayRun"),
    says: /^DatabaseInStandbyFunction may be made before its role may ec2:CreateNetworkInterface on \*$/,
  },
  {
    what: "a policy that it waits for, and that allows another queue",
    policy: permitted,
    change: (recording) => {
      const { inputs } = the(recording, "CanaryInWitnessMayRun");
      inputs.policy = String(inputs.policy).replaceAll("canary-dead-letters", "guard-dead-letters");
    },
    says: /^CanaryInWitnessFunction may be made before/,
  },
  {
    what: "the policy of another role",
    policy: permitted,
    change: set("DetectionInPrimaryMayRun", "role", "GuardInPrimaryRole-id"),
    says: /^DetectionInPrimaryFunction may be made before/,
  },
  {
    what: "events of a database that is not there yet",
    policy: named,
    change: hasty("DatabaseEventsInStandby", "PostgresInStandby"),
    says: /^DatabaseEventsInStandby does not wait for PostgresInStandby$/,
  },
  {
    what: "a replica of a database that is not there yet",
    policy: named,
    change: hasty("PostgresInStandby", "PostgresInPrimary"),
    says: /^PostgresInStandby does not wait for PostgresInPrimary$/m,
  },
  {
    what: "a reader of a database that is not there yet",
    policy: named,
    change: (recording) => {
      const { identifier } = the(recording, "PostgresInPrimary").inputs;
      like("PostgresInPrimary", { replicateSourceDb: identifier })(recording);
      const reader = the(recording, "AnotherPostgresInPrimary");
      Object.assign(reader, { urn: `${reader.urn}-reader` });
    },
    says: /^AnotherPostgresInPrimary does not wait for PostgresInPrimary$/,
  },
  {
    what: "a right to call a function that is not there yet",
    policy: named,
    change: hasty("RegionLostMayInPrimary", "DetectionInPrimaryFunction"),
    says: /^RegionLostMayInPrimary does not wait for DetectionInPrimaryFunction$/,
  },
  {
    what: "a right to call a function that nobody makes",
    policy: named,
    change: set("RegionLostMayInStandby", "function", "nightshift-production-detective"),
    says: /^RegionLostMayInStandby nobody makes nightshift-production-detective$/,
  },
  {
    what: "a function that may write a log before its log group is there",
    policy: named,
    change: hasty("SlackInPrimaryMayRun", "SlackInPrimaryLogs"),
    says: /^SlackInPrimaryFunction does not wait for SlackInPrimaryLogs$/m,
  },
  {
    what: "a database whose role may not monitor it yet",
    policy: monitored,
    change: hasty("PostgresInPrimary", "DatabaseMonitoringMay"),
    says: /^PostgresInPrimary may be made before its role may monitor it$/,
  },
  {
    what: "a gateway for private subnets before there is a way to the internet",
    policy: gateway,
    change: hasty("NatBInPrimary", "ToInternetInPrimary"),
    says: /^NatBInPrimary does not wait for ToInternetInPrimary$/,
  },
  {
    what: "an address in a network without a gateway",
    policy: gateway,
    change: hasty("NatAddressCInStandby", "InternetInStandby"),
    says: /^NatAddressCInStandby does not wait for InternetInStandby$/,
  },
  {
    what: "a load balancer in a network without a gateway",
    policy: gateway,
    change: hasty("BalancerInStandby", "ToInternetInStandby"),
    says: /^BalancerInStandby does not wait for InternetInStandby$/m,
  },
  {
    what: "a personal stage's way out before there is one",
    policy: gateway,
    stage: "personal",
    change: hasty("NatInstanceInPrimary", "ToInternetInPrimary"),
    says: /^NatInstanceInPrimary does not wait for ToInternetInPrimary$/m,
  },
];

describe("the order in which a deployment makes things", () => itHolds(orderPolicies, breaks));
