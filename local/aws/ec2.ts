import type {
  AuthorizeSecurityGroupEgressCommandInput,
  AuthorizeSecurityGroupEgressCommandOutput,
  AuthorizeSecurityGroupIngressCommandInput,
  AuthorizeSecurityGroupIngressCommandOutput,
  CreateSecurityGroupCommandInput,
  CreateSecurityGroupCommandOutput,
  DescribeInstancesCommandInput,
  DescribeInstancesCommandOutput,
  DescribeSecurityGroupsCommandInput,
  DescribeSecurityGroupsCommandOutput,
  Filter,
  Instance,
  InstanceStateName,
  IpPermission,
  RequestLaunchTemplateData,
  RevokeSecurityGroupEgressCommandInput,
  RevokeSecurityGroupEgressCommandOutput,
  RevokeSecurityGroupIngressCommandInput,
  RevokeSecurityGroupIngressCommandOutput,
  SecurityGroup,
  Tag,
} from "@aws-sdk/client-ec2";
import type { Place } from "../network.ts";
import {
  type Blueprints,
  blueprints,
  establishImage,
  templateData,
  templateOperations,
  templateVersion,
} from "./ec2-templates.ts";
import { pageOf } from "./paging.ts";
import type { Call, Service, Surroundings } from "./service.ts";
import { AwsError } from "./service.ts";

/** A virtual machine, as whoever started it knows it. */
export interface Machine {
  id: string;
  region: Place;
  availabilityZone: string;
  securityGroupIds: string[];
  instanceType: string;
  launchedAt: Date;
  tags: Record<string, string>;
}

/** Who may come in on a port of a security group. */
export interface Ingress {
  sourceGroupIds: string[];
  cidrs: string[];
  port: number;
  /** Last port of the range; equal to `port` for a single one. */
  toPort: number;
}

interface Rule {
  id: string;
  protocol: string;
  from: number;
  to: number;
  group?: string;
  cidr?: string;
  description?: string;
}

interface Group {
  id: string;
  name: string;
  description: string;
  vpcId: string;
  tags: Tag[];
  rules: Rule[];
  /** Shown and not enforced: nothing here asks who is let out. */
  egress: Rule[];
}

interface RegionState extends Blueprints {
  groups: Map<string, Group>;
  machines: Map<string, { machine: Machine; state: InstanceStateName }>;
}

type Region = (region: Place) => RegionState;

/** EC2 models no errors, only codes: they go on the wire as they are written here. */
const refusal = (code: string, message: string) => new AwsError(code, message, { status: 400 });

const hexId = (surroundings: Surroundings, prefix: string) =>
  `${prefix}-0${surroundings.random.bytes(8).toString("hex")}`;

/** Security groups, launch templates, and the list of machines. */
export const ec2 = (surroundings: Surroundings) => {
  const regions = new Map<Place, RegionState>();
  const region: Region = (name) => {
    let state = regions.get(name);
    if (!state) {
      state = { ...blueprints(), groups: new Map(), machines: new Map() };
      regions.set(name, state);
    }
    return state;
  };
  const service: Service = {
    name: "ec2",
    operations: {
      ...groupOperations(surroundings, region),
      ...ruleOperations(surroundings, region),
      ...templateOperations(surroundings, region, () => hexId(surroundings, "lt")),
      DescribeInstances: describeInstances(region),
    },
  };
  return {
    service,
    /** Rules that let somebody into `groupId`, so that whoever owns the port can enforce them. */
    ingressFrom: (place: Place, groupId: string): Ingress[] =>
      permissionsOf(region(place).groups.get(groupId)?.rules ?? [], surroundings.account).map(
        (permission) => ({
          sourceGroupIds: (permission.UserIdGroupPairs ?? []).map((pair) => pair.GroupId ?? ""),
          cidrs: (permission.IpRanges ?? []).map((range) => range.CidrIp ?? ""),
          port: permission.FromPort ?? 0,
          toPort: permission.ToPort ?? 65535,
        }),
      ),
    /** The security groups and the type that a launch template asks for. */
    launchData: (
      place: Place,
      idOrName: string,
      version?: string,
    ): RequestLaunchTemplateData | undefined => templateData(region(place), idOrName, version),
    templateVersion: (place: Place, idOrName: string, version: string): number | undefined =>
      templateVersion(region(place), idOrName, version),
    /** A machine image that is there when a run begins; answers its id. */
    establishImage: (place: Place, name: string): string =>
      establishImage(region(place), { name, owner: surroundings.account }),
    /** As its owner does who has deregistered it. */
    removeImage: (place: Place, id: string) => void region(place).images.delete(id),
    /** To be told of every machine: a new one, and each change of its state. */
    track: (machine: Machine, state: InstanceStateName) => {
      const { machines } = region(machine.region);
      if (state === "terminated") machines.delete(machine.id);
      else machines.set(machine.id, { machine, state });
    },
  };
};

const anywhere = "0.0.0.0/0";

const groupOperations = (surroundings: Surroundings, region: Region) => ({
  CreateSecurityGroup: (
    input: CreateSecurityGroupCommandInput,
    call: Call,
  ): Omit<CreateSecurityGroupCommandOutput, "$metadata"> => {
    const { groups } = region(call.region);
    const vpcId = input.VpcId ?? "vpc-default";
    for (const group of groups.values()) {
      if (group.name !== input.GroupName || group.vpcId !== vpcId) continue;
      const message = `The security group '${input.GroupName}' already exists for VPC '${vpcId}'`;
      throw refusal("InvalidGroup.Duplicate", message);
    }
    const id = hexId(surroundings, "sg");
    const tags = (input.TagSpecifications ?? []).flatMap(({ Tags }) => Tags ?? []);
    const name = input.GroupName ?? "";
    const description = input.Description ?? "";
    // A new group lets everything out. Source: "Security group rules" in the guide of VPC.
    const egress = [
      { id: `sgr-${id.slice(3)}`, protocol: "-1", from: 0, to: 65535, cidr: anywhere },
    ];
    groups.set(id, { id, name, description, vpcId, tags, rules: [], egress });
    return { GroupId: id, Tags: tags };
  },
  DescribeSecurityGroups: (
    input: DescribeSecurityGroupsCommandInput,
    call: Call,
  ): Omit<DescribeSecurityGroupsCommandOutput, "$metadata"> => {
    const { groups } = region(call.region);
    for (const id of input.GroupIds ?? []) existing(groups, id);
    const wanted = [...groups.values()].filter(
      (group) =>
        (!input.GroupIds?.length || input.GroupIds.includes(group.id)) &&
        (!input.GroupNames?.length || input.GroupNames.includes(group.name)) &&
        (input.Filters ?? []).every((filter) => matches(filter, group)),
    );
    const page = pageOf(wanted, input.NextToken, input.MaxResults ?? 1000);
    return {
      SecurityGroups: page.items.map((group) => shown(group, surroundings.account)),
      ...(page.next ? { NextToken: page.next } : {}),
    };
  },
});

const existing = (groups: Map<string, Group>, id: string | undefined): Group => {
  const group = groups.get(id ?? "");
  if (group) return group;
  throw refusal("InvalidGroup.NotFound", `The security group '${id}' does not exist`);
};

const matches = ({ Name = "", Values = [] }: Filter, group: Group): boolean => {
  const is = (value: string | undefined) => value !== undefined && Values.includes(value);
  if (Name === "group-id") return is(group.id);
  if (Name === "group-name") return is(group.name);
  if (Name === "vpc-id") return is(group.vpcId);
  if (Name === "description") return is(group.description);
  if (Name === "ip-permission.group-id") return group.rules.some((rule) => is(rule.group));
  if (Name.startsWith("tag:")) {
    return is(group.tags.find((tag) => tag.Key === Name.slice(4))?.Value);
  }
  throw refusal("InvalidParameterValue", `The filter '${Name}' is invalid`);
};

const shown = (group: Group, account: string): SecurityGroup => ({
  GroupId: group.id,
  GroupName: group.name,
  Description: group.description,
  VpcId: group.vpcId,
  OwnerId: account,
  Tags: group.tags,
  IpPermissions: permissionsOf(group.rules, account),
  IpPermissionsEgress: permissionsOf(group.egress, account),
});

/** EC2 shows rules of the same protocol and ports as one permission. */
const permissionsOf = (rules: Rule[], account: string): IpPermission[] => {
  const byPorts = new Map<string, Required<Pick<IpPermission, "UserIdGroupPairs" | "IpRanges">>>();
  const permissions: IpPermission[] = [];
  for (const rule of rules) {
    const key = `${rule.protocol}/${rule.from}/${rule.to}`;
    let entry = byPorts.get(key);
    if (!entry) {
      entry = { UserIdGroupPairs: [], IpRanges: [] };
      byPorts.set(key, entry);
      // All protocols (-1) have no ports.
      const ports = rule.protocol === "-1" ? {} : { FromPort: rule.from, ToPort: rule.to };
      permissions.push(Object.assign(entry, { IpProtocol: rule.protocol, ...ports }));
    }
    const Description = rule.description;
    if (rule.group) {
      entry.UserIdGroupPairs.push({ GroupId: rule.group, UserId: account, Description });
    } else entry.IpRanges.push({ CidrIp: rule.cidr, Description });
  }
  return permissions;
};

type IngressInput =
  | AuthorizeSecurityGroupIngressCommandInput
  | RevokeSecurityGroupIngressCommandInput
  | AuthorizeSecurityGroupEgressCommandInput
  | RevokeSecurityGroupEgressCommandInput;

/** A request names its rules either as permissions or, for a single range, by loose parameters. */
const rulesOf = (input: IngressInput): Omit<Rule, "id">[] => {
  const loose: IpPermission[] = input.CidrIp
    ? [{ ...input, IpRanges: [{ CidrIp: input.CidrIp }] }]
    : [];
  return [...(input.IpPermissions ?? []), ...loose].flatMap((permission) => {
    const { IpProtocol: protocol = "-1", FromPort: from = 0, ToPort: to = 65535 } = permission;
    const ports = { protocol, from, to };
    return [
      ...(permission.UserIdGroupPairs ?? []).map((pair) => ({
        ...ports,
        group: pair.GroupId ?? "",
        ...(pair.Description ? { description: pair.Description } : {}),
      })),
      ...(permission.IpRanges ?? []).map((range) => ({
        ...ports,
        cidr: range.CidrIp ?? "",
        ...(range.Description ? { description: range.Description } : {}),
      })),
    ];
  });
};

const sameRule = (a: Omit<Rule, "id">, b: Omit<Rule, "id">) =>
  a.protocol === b.protocol &&
  a.from === b.from &&
  a.to === b.to &&
  a.group === b.group &&
  a.cidr === b.cidr;

const inWords = (rule: Omit<Rule, "id">) =>
  `peer: ${rule.group ?? rule.cidr}, ${rule.protocol}, from port: ${rule.from}, ` +
  `to port: ${rule.to}, ALLOW`;

type Side = "rules" | "egress";

const authorize = (
  surroundings: Surroundings,
  groups: Map<string, Group>,
  input: IngressInput,
  side: Side,
): void => {
  const group = existing(groups, input.GroupId);
  const wanted = rulesOf(input);
  if (wanted.length === 0) throw refusal("MissingParameter", "IpPermissions is required");
  for (const rule of wanted) {
    if (rule.group) existing(groups, rule.group);
    if (!group[side].some((kept) => sameRule(kept, rule))) continue;
    const message = `the specified rule "${inWords(rule)}" already exists`;
    throw refusal("InvalidPermission.Duplicate", message);
  }
  group[side].push(...wanted.map((rule) => ({ ...rule, id: hexId(surroundings, "sgr") })));
};

/**
 * As in a VPC that is not the default one: a rule that is not there is an error, and then none is
 * revoked (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RevokeSecurityGroupIngress.html).
 */
const revoke = (groups: Map<string, Group>, input: IngressInput, side: Side): void => {
  const group = existing(groups, input.GroupId);
  const ids = "SecurityGroupRuleIds" in input ? input.SecurityGroupRuleIds : undefined;
  const named = (ids ?? []).map((id) => {
    const rule = group[side].find((kept) => kept.id === id);
    if (rule) return rule;
    const message = `The security group rule ID '${id}' does not exist`;
    throw refusal("InvalidSecurityGroupRuleId.NotFound", message);
  });
  const described = rulesOf(input).map((wanted) => {
    const rule = group[side].find((kept) => sameRule(kept, wanted));
    if (rule) return rule;
    const message = "The specified rule does not exist in this security group.";
    throw refusal("InvalidPermission.NotFound", message);
  });
  const gone = new Set([...named, ...described]);
  group[side] = group[side].filter((rule) => !gone.has(rule));
};

const ruleOperations = (surroundings: Surroundings, region: Region) => {
  const groupsAt = (call: Call) => region(call.region).groups;
  return {
    AuthorizeSecurityGroupIngress: (
      input: AuthorizeSecurityGroupIngressCommandInput,
      call: Call,
    ): Omit<AuthorizeSecurityGroupIngressCommandOutput, "$metadata"> => {
      authorize(surroundings, groupsAt(call), input, "rules");
      return { Return: true };
    },
    AuthorizeSecurityGroupEgress: (
      input: AuthorizeSecurityGroupEgressCommandInput,
      call: Call,
    ): Omit<AuthorizeSecurityGroupEgressCommandOutput, "$metadata"> => {
      authorize(surroundings, groupsAt(call), input, "egress");
      return { Return: true };
    },
    RevokeSecurityGroupIngress: (
      input: RevokeSecurityGroupIngressCommandInput,
      call: Call,
    ): Omit<RevokeSecurityGroupIngressCommandOutput, "$metadata"> => {
      revoke(groupsAt(call), input, "rules");
      return { Return: true };
    },
    RevokeSecurityGroupEgress: (
      input: RevokeSecurityGroupEgressCommandInput,
      call: Call,
    ): Omit<RevokeSecurityGroupEgressCommandOutput, "$metadata"> => {
      revoke(groupsAt(call), input, "egress");
      return { Return: true };
    },
  };
};

const describeInstances =
  (region: Region) =>
  (
    input: DescribeInstancesCommandInput,
    call: Call,
  ): Omit<DescribeInstancesCommandOutput, "$metadata"> => {
    const { machines } = region(call.region);
    for (const id of input.InstanceIds ?? []) {
      if (machines.has(id)) continue;
      throw refusal("InvalidInstanceID.NotFound", `The instance ID '${id}' does not exist`);
    }
    const found = [...machines.values()]
      .filter(({ machine }) => !input.InstanceIds?.length || input.InstanceIds.includes(machine.id))
      .filter((entry) => (input.Filters ?? []).every((filter) => machineMatches(filter, entry)));
    const page = pageOf(found, input.NextToken, input.MaxResults ?? 1000);
    return {
      Reservations: page.items.map(({ machine, state }) => ({
        ReservationId: `r-${machine.id.slice(2)}`,
        Instances: [machineShown(machine, state)],
      })),
      ...(page.next ? { NextToken: page.next } : {}),
    };
  };

const machineMatches = (
  { Name = "", Values = [] }: Filter,
  { machine, state }: { machine: Machine; state: InstanceStateName },
): boolean => {
  const is = (value: string | undefined) => value !== undefined && Values.includes(value);
  if (Name === "instance-id") return is(machine.id);
  if (Name === "instance-state-name") return is(state);
  if (Name === "availability-zone") return is(machine.availabilityZone);
  if (Name.startsWith("tag:")) return is(machine.tags[Name.slice(4)]);
  throw refusal("InvalidParameterValue", `The filter '${Name}' is invalid`);
};

const machineShown = (machine: Machine, state: InstanceStateName): Instance => ({
  InstanceId: machine.id,
  InstanceType: machine.instanceType as Instance["InstanceType"],
  LaunchTime: machine.launchedAt,
  Placement: { AvailabilityZone: machine.availabilityZone },
  State: { Name: state },
  SecurityGroups: machine.securityGroupIds.map((GroupId) => ({ GroupId })),
  Tags: Object.entries(machine.tags).map(([Key, Value]) => ({ Key, Value })),
});
