import type { Policy, Violation } from "../policies.ts";
import type { Recording, Resource } from "../recording.ts";
import { listOf, resourcesOf, unlike } from "./resources.ts";

const named = (recording: Recording, kind: string, name: string): Resource | undefined =>
  resourcesOf(recording, kind).find((each) => each.name === name);

const rolePath = "/.well-known/nightshift/role";

/** The records of the public name, whose health check speaks for one of them only. */
const records = (recording: Recording): Violation[] =>
  [
    ["PublicNameInPrimary", "PRIMARY", "RegionalNameInPrimary", "Moved-id"],
    ["PublicNameInStandby", "SECONDARY", "RegionalNameInStandby", undefined],
  ].flatMap(([name = "", type, regional = "", healthCheckId]) => {
    const record = named(recording, "route53/record", name);
    const target = named(recording, "route53/record", regional);
    if (!record || !target) return [{ resource: name, problem: "is not there" }];
    const [policy] = listOf(record.inputs.failoverRoutingPolicies);
    const values = (record.inputs.records ?? []) as unknown[];
    return [
      ...unlike(record, { type: "CNAME", healthCheckId, setIdentifier: record.region }),
      ...(policy?.type === type ? [] : [{ resource: name, problem: `is not ${type}` }]),
      ...(values.length === 1 && values[0] === target.inputs.name
        ? []
        : [{ resource: name, problem: `does not lead to ${String(target.inputs.name)}` }]),
    ];
  });

/** An alias that follows its target's health would move users away from a region that is merely sick. */
const regionalNames = (recording: Recording): Violation[] =>
  resourcesOf(recording, "route53/record")
    .filter(({ name }) => /^RegionalNameIn(Primary|Standby)$/.test(name))
    .flatMap((record) =>
      listOf(record.inputs.aliases).flatMap(({ evaluateTargetHealth, name }) => [
        ...(evaluateTargetHealth === false
          ? []
          : [{ resource: record.name, problem: "follows the health of instances" }]),
        ...(String(name).includes(`.${record.region}.elb.`)
          ? []
          : [{ resource: record.name, problem: `leads out of ${record.region}` }]),
      ]),
    );

const checks = (recording: Recording): Violation[] => {
  const moved = named(recording, "route53/healthCheck", "Moved");
  if (!moved) return [{ resource: "Moved", problem: "is not there" }];
  const children = (moved.inputs.childHealthchecks ?? []) as string[];
  return [
    ...unlike(moved, { type: "CALCULATED", invertHealthcheck: true, childHealthThreshold: 1 }),
    ...[
      ["StandbySaysActive", "RegionalNameInStandby", "active"],
      ["HomeSaysRenounced", "RegionalNameInPrimary", "renounced"],
    ].flatMap(([name = "", regional = "", word]) => {
      const child = named(recording, "route53/healthCheck", name);
      if (!child) return [{ resource: name, problem: "is not there" }];
      return [
        ...(children.includes(`${name}-id`)
          ? []
          : [{ resource: "Moved", problem: `does not listen to ${name}` }]),
        ...unlike(child, {
          resourcePath: rolePath,
          searchString: word,
          fqdn: named(recording, "route53/record", regional)?.inputs.name,
          // Route 53 knows 10 and 30 seconds, and 1 to 10 failures: HealthCheckConfig in its API.
          requestInterval: 10,
          failureThreshold: 3,
        }),
      ];
    }),
    ...(children.length === 2
      ? []
      : [{ resource: "Moved", problem: `listens to ${children.length} checks, not to two` }]),
  ];
};

/** The first words, before any guard has spoken. */
const words = (recording: Recording): Violation[] =>
  [
    ["RoleRuleInPrimary", "active"],
    ["RoleRuleInStandby", "renounced"],
  ].flatMap(([name = "", word]) => {
    const rule = named(recording, "lb/listenerRule", name);
    const [action] = listOf(rule?.inputs.actions);
    const [condition] = listOf(rule?.inputs.conditions);
    const said = (action?.fixedResponse as Record<string, unknown> | undefined)?.messageBody;
    const paths = (condition?.pathPattern as { values?: unknown[] } | undefined)?.values ?? [];
    return [
      ...(said === word ? [] : [{ resource: name, problem: `says ${String(said)} at first` }]),
      ...(paths.length === 1 && paths[0] === rolePath
        ? []
        : [{ resource: name, problem: `answers on ${JSON.stringify(paths)}` }]),
    ];
  });

/** A certificate for the public name and the region's own: checks ask for the second one by SNI. */
const certificates = (recording: Recording): Violation[] =>
  ["Primary", "Standby"].flatMap((role) => {
    const certificate = named(recording, "acm/certificate", `TlsCertificateIn${role}`);
    const listener = named(recording, "lb/listener", `HttpsIn${role}`);
    if (!certificate) {
      // The operator's own ones: no more can be seen of them than that they are given.
      return listener?.inputs.certificateArn
        ? []
        : [{ resource: `HttpsIn${role}`, problem: "has no certificate" }];
    }
    const names = [
      certificate.inputs.domainName,
      ...((certificate.inputs.subjectAlternativeNames ?? []) as unknown[]),
    ];
    return ["PublicNameIn", "RegionalNameIn"].flatMap((title) => {
      const wanted = named(recording, "route53/record", `${title}${role}`)?.inputs.name;
      return names.includes(wanted)
        ? []
        : [{ resource: certificate.name, problem: `is not for ${String(wanted)}` }];
    });
  });

const followsTheLease: Policy = {
  name: "the public name moves on somebody's explicit word only",
  check: (recording) => [
    ...records(recording),
    ...regionalNames(recording),
    ...checks(recording),
    ...words(recording),
    ...certificates(recording),
  ],
};

export const trafficPolicies: readonly Policy[] = [followsTheLease];
