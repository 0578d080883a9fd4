import { describe, expect, it } from "vitest";
import type { Recording } from "../../deploy/recording.ts";
import type { Hop, Opening } from "../../functions/remediation/evidence-path.ts";
import { closedWay } from "../../functions/remediation/path.ts";
import { every, recorded, the } from "./recordings.ts";

const wayIn = (recording: Recording, role: string): Hop[] => {
  const { inputs } = the(recording, `RemediationIn${role}Function`);
  const { variables } = inputs.environment as { variables: Record<string, string> };
  return JSON.parse(variables.SST_RESOURCE_Remediated ?? "{}").path;
};

interface Ingress {
  fromPort: number;
  toPort: number;
  securityGroups?: string[];
}

/** What the rules of a stage let through: both halves of a step. */
const opened = (recording: Recording, { fromGroup, toGroup, port }: Hop) => {
  const rule = (kind: "Egress" | "Ingress", own: string, other: string): boolean =>
    every(recording, `aws:vpc/securityGroup${kind}Rule:SecurityGroup${kind}Rule`).some(
      ({ inputs }) =>
        inputs.securityGroupId === own &&
        inputs.referencedSecurityGroupId === other &&
        inputs.fromPort === port &&
        inputs.toPort === port,
    );
  // The database's way in stands in its group: a fence closes it.
  const listed = every(recording, "aws:ec2/securityGroup:SecurityGroup")
    .filter(({ name }) => `${name}-id` === toGroup)
    .flatMap(({ inputs }) => (inputs.ingress ?? []) as Ingress[])
    .some((each) => each.fromPort === port && each.securityGroups?.includes(fromGroup));
  const opening = (is: boolean): Opening => (is ? "by-group" : "missing");
  return {
    goesOut: opening(rule("Egress", fromGroup, toGroup)),
    comesIn: opening(listed || rule("Ingress", toGroup, fromGroup)),
  };
};

const looked = (recording: Recording, role: string) =>
  wayIn(recording, role).map((hop) => ({ ...hop, ...opened(recording, hop) }));

describe.each(["Primary", "Standby"])("the way of a request in the %s region", (role) => {
  const ends = ["the application", "the database", "the cache"];

  it("is open, step by step, as repairs expect it", async () => {
    const hops = looked(await recorded("production"), role);
    expect(hops.map(({ from, to, port }) => `${from} to ${to} at ${port}`)).toEqual([
      "the load balancer to the application at 8080",
      "the application to the database at 5432",
      "functions to the database at 5432",
      "the application to the cache at 6379",
      "functions to the cache at 6379",
    ]);
    const fence = { region: "eu-central-1", isHere: true, state: "held", isClosed: false } as const;
    const path = { known: true, value: { hops, fence }, source: "EC2", atMilliseconds: 0 } as const;
    expect(closedWay(path, ends, "eu-central-1")).toBeNull();
  });

  it("would be found closed without the rule that lets the cache be reached", async () => {
    const recording = await recorded("production");
    const gone = the(recording, `ApplicationToCacheInIn${role}`);
    recording.resources = recording.resources.filter((each) => each !== gone);
    const closed = looked(recording, role).filter(({ comesIn }) => comesIn === "missing");
    expect(closed.map(({ from, to }) => [from, to])).toEqual([["the application", "the cache"]]);
  });
});
