import type { Fact } from "../../shared/outcome.ts";
import type { HopSeen, PathSeen } from "./evidence-path.ts";

/** What the way to the database or the cache lacks, and who has taken it away. */
export interface Closed {
  /**
   * `fence`: the guard, on purpose, and it opens it again. `somebody`: nobody of Nightshift. `unknown`: it
   * cannot be told, since neither lease nor guard could be asked.
   */
  by: "fence" | "somebody" | "unknown";
  says: string;
  advice: string[];
}

interface Rule {
  hop: HopSeen;
  /** The half that lacks it. */
  half: "in" | "out";
}

const missingRules = (hops: readonly HopSeen[]): Rule[] =>
  hops.flatMap((hop): Rule[] => [
    ...(hop.goesOut === "missing" ? [{ hop, half: "out" as const }] : []),
    ...(hop.comesIn === "missing" ? [{ hop, half: "in" as const }] : []),
  ]);

/** The guard takes this one away and no other: the way of the application into the database. */
const isFences = ({ hop, half }: Rule): boolean =>
  half === "in" && hop.from === "the application" && hop.to === "the database";

/**
 * What is missing of the steps that end in one of `to`. Null while nothing is missing, and when it could
 * not be looked at: what was not seen closes no way.
 */
export const closedWay = (
  path: Fact<PathSeen>,
  to: readonly string[],
  region: string,
): Closed | null => {
  if (!path.known) return null;
  const missing = missingRules(path.value.hops.filter((hop) => to.includes(hop.to)));
  if (missing.length === 0) return null;
  const others = missing.filter((rule) => !isFences(rule));
  const { fence } = path.value;
  const says = missing.map(saysOf).join("; ");
  if (others.length === 0 && "why" in fence) {
    return {
      by: "unknown",
      says: `${says}, and whether a guard has closed it is unknown`,
      advice: [],
    };
  }
  if (others.length === 0 && !("why" in fence) && fence.isClosed) {
    const where = fence.isHere ? "here" : `in ${fence.region}`;
    return {
      by: "fence",
      says: `${says}: the guard has closed it on purpose, and the lease is ${where} (${fence.state})`,
      advice: ["A fence is opened by the guard and by nobody else: docs/runbook/failover.md."],
    };
  }
  const named = "why" in fence || !fence.isClosed ? missing : others;
  return { by: "somebody", says, advice: adviceOf(named, region) };
};

const saysOf = ({ hop, half }: Rule): string => {
  const { from, fromGroup, to, toGroup, port } = hop;
  return half === "in"
    ? `${toGroup} of ${to} does not let ${fromGroup} of ${from} in on port ${port}`
    : `${fromGroup} of ${from} does not let it out to ${toGroup} of ${to} on port ${port}`;
};

const adviceOf = (missing: readonly Rule[], region: string): string[] => {
  const calls = new Set(
    missing.map(({ half }) => `RevokeSecurityGroup${half === "in" ? "Ingress" : "Egress"}`),
  );
  return [
    ...[...calls].map(
      (call) =>
        `Who took it away: aws cloudtrail lookup-events --region ${region} ` +
        `--lookup-attributes AttributeKey=EventName,AttributeValue=${call}`,
    ),
    ...missing.map((rule) => `To put it back: ${orderOf(rule, region)}`),
  ];
};

const orderOf = ({ hop, half }: Rule, region: string): string => {
  const { fromGroup, toGroup, port } = hop;
  const [group, other] = half === "in" ? [toGroup, fromGroup] : [fromGroup, toGroup];
  const way = half === "in" ? "ingress" : "egress";
  return (
    `aws ec2 authorize-security-group-${way} --region ${region} --group-id ${group} ` +
    `--ip-permissions 'IpProtocol=tcp,FromPort=${port},ToPort=${port},` +
    `UserIdGroupPairs=[{GroupId=${other}}]'`
  );
};

const everything = ["the application", "the database", "the cache"];

/** What of the way is not as it was deployed, for people; nothing where all of it is, or was not seen. */
export const wayWords = (path: Fact<PathSeen> | undefined, region: string): string[] => {
  if (!path) return [];
  const closed = closedWay(path, everything, region);
  return [...(closed ? [`${closed.says}.`] : []), ...byAddress(path)];
};

/** What is reached by addresses where the stack has it by group: it works, and is not what was deployed. */
const byAddress = (path: Fact<PathSeen>): string[] =>
  path.known
    ? path.value.hops
        .filter(({ comesIn }) => comesIn === "by-address")
        .map(
          ({ from, to, toGroup, port }) =>
            `${toGroup} lets ${from} into ${to} on port ${port} by address, not by group: somebody did that.`,
        )
    : [];
