import {
  DescribeSecurityGroupsCommand,
  EC2Client,
  type IpPermission,
  type SecurityGroup,
} from "@aws-sdk/client-ec2";
import { clientOptions } from "../../shared/clients.ts";
import { readContact } from "../../shared/contact.ts";
import { coordination } from "../../shared/coordination.ts";
import { readLease } from "../../shared/lease.ts";
import { observed } from "../../shared/outcome.ts";
import type { Runtime } from "../../shared/runtime.ts";
import type { RemediatedLink } from "./aws.ts";
import type { FenceSeen, Hop, HopSeen, Opening, PathSeen } from "./evidence-path.ts";

/** The security groups on the way of a request, and whether a guard has closed one of them on purpose. */
export const pathLooks = (runtime: Runtime, region: string, link: RemediatedLink) => {
  const machines = new EC2Client(clientOptions(runtime, region));
  const table = coordination(runtime);
  const fence = async (): Promise<FenceSeen> => {
    const [lease, contact] = await Promise.all([readLease(table), readContact(table, region)]);
    return {
      region: lease.region,
      isHere: lease.region === region,
      state: lease.state,
      isClosed: (contact?.fence ?? []).some(
        ({ layer, result }) => layer === "security-group" && result === "fenced",
      ),
    };
  };
  return {
    path: async (): Promise<PathSeen> => {
      const { path } = link;
      if (!path || path.length === 0) throw new Error("the security groups are not linked");
      const GroupIds = [...new Set(path.flatMap(({ fromGroup, toGroup }) => [fromGroup, toGroup]))];
      const [{ SecurityGroups }, closed] = await Promise.all([
        machines.send(new DescribeSecurityGroupsCommand({ GroupIds })),
        observed("coordination table", runtime.clock.now, fence),
      ]);
      const groups = new Map((SecurityGroups ?? []).map((group) => [group.GroupId, group]));
      return {
        hops: path.map((hop) => hopOf(hop, groups)),
        fence: closed.known ? closed.value : { why: closed.why },
      };
    },
  };
};

const hopOf = (hop: Hop, groups: ReadonlyMap<string | undefined, SecurityGroup>): HopSeen => {
  const [from, to] = [groups.get(hop.fromGroup), groups.get(hop.toGroup)];
  if (!from || !to) {
    throw new Error(`EC2 does not know the security group ${from ? hop.toGroup : hop.fromGroup}`);
  }
  return {
    ...hop,
    goesOut: openingOf(from.IpPermissionsEgress, hop.port, hop.toGroup),
    comesIn: openingOf(to.IpPermissions, hop.port, hop.fromGroup),
  };
};

/** Whose addresses they are is not looked into: what lets addresses through is there, and no more is said. */
const openingOf = (
  permissions: IpPermission[] | undefined,
  port: number,
  group: string,
): Opening => {
  const fitting = (permissions ?? []).filter((each) => isFor(each, port));
  const pairs = fitting.flatMap(({ UserIdGroupPairs }) => UserIdGroupPairs ?? []);
  if (pairs.some(({ GroupId }) => GroupId === group)) return "by-group";
  const addresses = fitting.flatMap(({ IpRanges, Ipv6Ranges, PrefixListIds }) => [
    ...(IpRanges ?? []),
    ...(Ipv6Ranges ?? []),
    ...(PrefixListIds ?? []),
  ]);
  return addresses.length > 0 ? "by-address" : "missing";
};

/** -1 is every protocol, and then there are no ports. Source: "IpPermission" in the EC2 API reference. */
const isFor = ({ IpProtocol, FromPort, ToPort }: IpPermission, port: number): boolean => {
  if (IpProtocol === "-1") return true;
  if (IpProtocol !== "tcp") return false;
  return (FromPort ?? 0) <= port && port <= (ToPort ?? 65_535);
};
