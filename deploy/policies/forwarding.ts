import type { Policy, Violation } from "../policies.ts";
import type { Recording, Resource } from "../recording.ts";
import { grantsOf } from "./grants.ts";
import { inputOf, resourcesOf } from "./resources.ts";

interface Pattern {
  source?: string[];
  region?: string[];
}

const patternOf = (rule: Resource): Pattern =>
  JSON.parse(String(rule.inputs.eventPattern)) as Pattern;

/** The rules that alarms set off, each with what it sets off. */
const alarmRules = (recording: Recording) =>
  resourcesOf(recording, "cloudwatch/eventRule")
    .filter((rule) => patternOf(rule).source?.includes("aws.cloudwatch"))
    .flatMap((rule) =>
      resourcesOf(recording, "cloudwatch/eventTarget")
        .filter(({ inputs, region }) => region === rule.region && inputs.rule === rule.inputs.name)
        .map((target) => ({ rule, target, arn: String(target.inputs.arn) })),
    );

const regionNamed = (recording: Recording, role: "primary" | "standby"): string =>
  String(
    recording.resources.find(
      ({ type, name }) => type === "pulumi:providers:aws" && name === `In${role}`,
    )?.inputs.region,
  );

const isBusIn = (arn: string, region: string): boolean =>
  new RegExp(`^arn:aws:events:${region}:\\d{12}:event-bus/default$`).test(arn);

/** The region that would take over is told of home's alarms, by a role that may do just that. */
const forwarded: Policy = {
  name: "alarms of the home region are told to the standby region's event bus, and to no other",
  check: (recording): Violation[] => {
    const [home, standby] = [regionNamed(recording, "primary"), regionNamed(recording, "standby")];
    const sent = alarmRules(recording).filter(({ arn }) => arn.includes(":event-bus/"));
    const right = sent.filter(
      ({ rule, arn }) => rule.region === home && isBusIn(arn, standby) && onlyOwn(rule),
    );
    return [
      ...(right.length === 1
        ? []
        : [
            {
              resource: "ForwardAlarms",
              problem: `${right.length} rules of ${home} tell ${standby}`,
            },
          ]),
      ...sent
        .filter((each) => !right.includes(each))
        .map(({ target }) => ({ resource: target.name, problem: "is not how it is designed" })),
      ...right.flatMap(({ target, arn }) => senders(recording, target, arn)),
    ];
  },
};

const senders = (recording: Recording, target: Resource, bus: string): Violation[] => {
  const role = resourcesOf(recording, "iam/role").find(({ inputs }) =>
    String(inputOf(target, "roleArn")).endsWith(`:role/${inputs.name}`),
  );
  const policies = resourcesOf(recording, "iam/rolePolicy")
    .filter(({ inputs }) => inputs.role === `${role?.name}-id`)
    .map(({ name }) => name);
  const granted = grantsOf(recording).filter(({ policy }) => policies.includes(policy));
  const isRight =
    granted.length === 1 &&
    granted[0]?.action === "events:PutEvents" &&
    granted[0].resource === bus;
  return isRight ? [] : [{ resource: target.name, problem: "its role may not do just that" }];
};

/** A forwarded alarm keeps the name of the region that it is from. Source: "AWS service event metadata". */
const onlyOwn = (rule: Resource): boolean => {
  const { region = [] } = patternOf(rule);
  return region.length === 1 && region[0] === rule.region;
};

/** The other region's alarms are for its own functions: nobody repairs across regions. */
const ownOnly: Policy = {
  name: "an alarm sets a function off in its own region only, also when another bus is told of it",
  check: (recording): Violation[] =>
    alarmRules(recording)
      .filter(({ rule, arn }) => arn.includes(":function:") && !onlyOwn(rule))
      .map(({ rule }) => ({ resource: rule.name, problem: "heeds alarms of other regions" })),
};

export const forwardingPolicies: readonly Policy[] = [forwarded, ownOnly];
