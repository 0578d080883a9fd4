import { describe } from "vitest";
import { forwardingPolicies } from "../../deploy/policies/forwarding.ts";
import type { Break } from "./breaks.ts";
import { itHolds, set, without } from "./breaks.ts";
import { the } from "./recordings.ts";

const forwarded = "told to the standby region's event bus";
const own = "in its own region only";

const breaks: Break[] = [
  {
    what: "that nobody tells the standby region",
    policy: forwarded,
    change: without("ForwardAlarmsTargetInPrimary"),
    says: /^ForwardAlarms 0 rules of eu-central-1 tell eu-west-1$/,
  },
  {
    what: "a rule that tells its own bus",
    policy: forwarded,
    change: (recording) => {
      const { inputs } = the(recording, "ForwardAlarmsTargetInPrimary");
      inputs.arn = String(inputs.arn).replace("eu-west-1", "eu-central-1");
    },
    says: /^ForwardAlarmsTargetInPrimary is not how it is designed$/m,
  },
  {
    what: "a rule that would pass on what it was told itself",
    policy: forwarded,
    change: (recording) => {
      const { inputs } = the(recording, "ForwardAlarmsInPrimary");
      inputs.eventPattern = String(inputs.eventPattern).replace('"region":["eu-central-1"],', "");
    },
    says: /^ForwardAlarmsTargetInPrimary is not how it is designed$/m,
  },
  {
    what: "a role that may send to every bus",
    policy: forwarded,
    change: (recording) => {
      const { inputs } = the(recording, "ForwardAlarmsMayInPrimary");
      inputs.policy = String(inputs.policy).replace("event-bus/default", "event-bus/*");
    },
    says: /^ForwardAlarmsTargetInPrimary its role may not do just that$/,
  },
  {
    what: "a target without a role",
    policy: forwarded,
    change: set("ForwardAlarmsTargetInPrimary", "roleArn", undefined),
    says: /^ForwardAlarmsTargetInPrimary its role may not do just that$/,
  },
  {
    what: "a function that the other region's alarms would set off",
    policy: own,
    change: (recording) => {
      const { inputs } = the(recording, "RegionLostInStandby");
      inputs.eventPattern = String(inputs.eventPattern).replace('"region":["eu-west-1"],', "");
    },
    says: /^RegionLostInStandby heeds alarms of other regions$/,
  },
];

describe("alarms of the other region", () => itHolds(forwardingPolicies, breaks));
