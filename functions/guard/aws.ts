import {
  AutoScalingClient,
  DescribeAutoScalingGroupsCommand,
  UpdateAutoScalingGroupCommand,
} from "@aws-sdk/client-auto-scaling";
import {
  DescribeSecurityGroupsCommand,
  EC2Client,
  RevokeSecurityGroupIngressCommand,
} from "@aws-sdk/client-ec2";
import {
  DescribeRulesCommand,
  ElasticLoadBalancingV2Client,
  ModifyRuleCommand,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { clientOptions, invocation } from "../../shared/clients.ts";
import { readContact, writeContact } from "../../shared/contact.ts";
import { coordination } from "../../shared/coordination.ts";
import { invoker } from "../../shared/invoke.ts";
import { readLease } from "../../shared/lease.ts";
import { logger } from "../../shared/log.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { linked, regionOf } from "../../shared/runtime.ts";
import type { Role } from "./decide.ts";
import type { GuardPorts } from "./guard.ts";

interface GuardedLink extends Record<string, unknown> {
  /** ARN of the listener rule that answers `/.well-known/nightshift/role`. */
  roleRule: string;
  databaseSecurityGroup: string;
  applicationSecurityGroup: string;
  autoScalingGroup: string;
}

export const guardPorts = (runtime: Runtime): GuardPorts => {
  const region = regionOf(runtime);
  const link = linked<GuardedLink>(runtime, "Guarded");
  const database = linked<{ name: string }>(runtime, "DatabaseFunction");
  const table = coordination(runtime);
  const functions = invoker(runtime, invocation);
  const log = logger(runtime);
  const { isolationSeconds, heartbeatSeconds } = runtime.config.failover;
  return {
    region,
    clock: runtime.clock,
    policy: { isolationSeconds, heartbeatSeconds },
    readLease: () => readLease(table),
    readContact: () => readContact(table, region),
    writeContact: (contact) => writeContact(table, contact),
    database: (request) => functions.ask(region, database.name, request),
    ...roleRule(runtime, region, link.roleRule),
    ...ingress(runtime, region, link),
    ...capacity(runtime, region, link.autoScalingGroup),
    memory: {},
    log: (message, fields) => log.info(message, fields),
  };
};

const roleRule = (runtime: Runtime, region: string, rule: string) => {
  const client = new ElasticLoadBalancingV2Client(clientOptions(runtime, region));
  return {
    role: async (): Promise<Role> => {
      const { Rules } = await client.send(new DescribeRulesCommand({ RuleArns: [rule] }));
      const body = Rules?.[0]?.Actions?.[0]?.FixedResponseConfig?.MessageBody;
      if (body !== "active" && body !== "renounced") {
        throw new Error(`the role rule ${rule} says neither "active" nor "renounced"`);
      }
      return body;
    },
    setRole: async (role: Role) => {
      const FixedResponseConfig = {
        StatusCode: "200",
        ContentType: "text/plain",
        MessageBody: role,
      };
      const Actions = [{ Type: "fixed-response" as const, FixedResponseConfig }];
      await client.send(new ModifyRuleCommand({ RuleArn: rule, Actions }));
    },
  };
};

/** Only the rules that let the application in are closed: Nightshift's own way in stays. */
const ingress = (runtime: Runtime, region: string, link: GuardedLink) => {
  const client = new EC2Client(clientOptions(runtime, region));
  const rules = async () => {
    const { SecurityGroups } = await client.send(
      new DescribeSecurityGroupsCommand({ GroupIds: [link.databaseSecurityGroup] }),
    );
    const permissions = SecurityGroups?.[0]?.IpPermissions;
    if (!permissions) throw new Error(`security group ${link.databaseSecurityGroup} was not found`);
    return permissions.flatMap((permission) => {
      const pairs = (permission.UserIdGroupPairs ?? []).filter(
        (pair) => pair.GroupId === link.applicationSecurityGroup,
      );
      const { IpProtocol, FromPort, ToPort } = permission;
      return pairs.length > 0 ? [{ IpProtocol, FromPort, ToPort, UserIdGroupPairs: pairs }] : [];
    });
  };
  return {
    openIngress: async () => (await rules()).length,
    closeIngress: async () => {
      const IpPermissions = await rules();
      if (IpPermissions.length === 0) return;
      await client.send(
        new RevokeSecurityGroupIngressCommand({
          GroupId: link.databaseSecurityGroup,
          IpPermissions,
        }),
      );
    },
  };
};

const capacity = (runtime: Runtime, region: string, name: string) => {
  const client = new AutoScalingClient(clientOptions(runtime, region));
  return {
    capacity: async () => {
      const { AutoScalingGroups } = await client.send(
        new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [name] }),
      );
      const group = AutoScalingGroups?.[0];
      if (!group) throw new Error(`Auto Scaling group ${name} was not found in ${region}`);
      return { desired: group.DesiredCapacity ?? 0, running: group.Instances?.length ?? 0 };
    },
    emptyCapacity: async () => {
      await client.send(
        new UpdateAutoScalingGroupCommand({
          AutoScalingGroupName: name,
          MinSize: 0,
          DesiredCapacity: 0,
        }),
      );
    },
  };
};
