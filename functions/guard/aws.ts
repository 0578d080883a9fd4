import {
  AutoScalingClient,
  DescribeAutoScalingGroupsCommand,
  UpdateAutoScalingGroupCommand,
} from "@aws-sdk/client-auto-scaling";
import {
  AuthorizeSecurityGroupIngressCommand,
  DescribeSecurityGroupsCommand,
  EC2Client,
  RevokeSecurityGroupIngressCommand,
} from "@aws-sdk/client-ec2";
import {
  DescribeRulesCommand,
  ElasticLoadBalancingV2Client,
  ModifyRuleCommand,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { DescribeDBInstancesCommand, RDSClient } from "@aws-sdk/client-rds";
import { clientOptions, invocation } from "../../shared/clients.ts";
import { readContact, writeContact } from "../../shared/contact.ts";
import { coordination } from "../../shared/coordination.ts";
import { invoker } from "../../shared/invoke.ts";
import { readLease } from "../../shared/lease.ts";
import { logger } from "../../shared/log.ts";
import { readPause } from "../../shared/pause.ts";
import { minimumsAt } from "../../shared/quiet.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { linked, regionOf } from "../../shared/runtime.ts";
import { keepSettings, settingsOf } from "../../shared/settings.ts";
import type { Role } from "./decide.ts";
import type { GuardPorts } from "./guard.ts";

interface GuardedLink extends Record<string, unknown> {
  databaseId: string;
  /** ARN of the listener rule that answers `/.well-known/nightshift/role`. */
  roleRule: string;
  databaseSecurityGroup: string;
  applicationSecurityGroup: string;
  databasePort: number;
  autoScalingGroup: string;
}

export const guardPorts = (runtime: Runtime): GuardPorts => {
  const region = regionOf(runtime);
  const link = linked<GuardedLink>(runtime, "Guarded");
  const database = linked<{ name: string }>(runtime, "DatabaseFunction");
  const table = coordination(runtime);
  const databases = new RDSClient(clientOptions(runtime, region));
  const functions = invoker(runtime, invocation);
  const log = logger(runtime);
  const { isolationSeconds, heartbeatSeconds } = runtime.config.failover;
  return {
    region,
    clock: runtime.clock,
    policy: { isolationSeconds, heartbeatSeconds },
    readLease: () => readLease(table),
    readPause: () => readPause(table),
    minimums: () => minimumsAt(runtime.config, region, runtime.clock.now()),
    readContact: () => readContact(table, region),
    writeContact: (contact) => writeContact(table, contact),
    database: (request) => functions.ask(region, database.name, request),
    databaseSettings: async () => {
      const { DBInstances } = await databases.send(
        new DescribeDBInstancesCommand({ DBInstanceIdentifier: link.databaseId }),
      );
      const instance = DBInstances?.[0];
      if (!instance) throw new Error(`RDS does not know ${link.databaseId} in ${region}`);
      return settingsOf(instance);
    },
    keepSettings: (settings) =>
      keepSettings(table, region, settings, Math.floor(runtime.clock.now())),
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
    restoreIngress: async () => {
      const { applicationSecurityGroup: GroupId, databasePort: port } = link;
      const UserIdGroupPairs = [{ GroupId }];
      const permission = { IpProtocol: "tcp", FromPort: port, ToPort: port, UserIdGroupPairs };
      const authorize = new AuthorizeSecurityGroupIngressCommand({
        GroupId: link.databaseSecurityGroup,
        IpPermissions: [permission],
      });
      // Not looked at first: a look may show the group as it was before it was closed.
      await client.send(authorize).catch((error) => {
        if (!(error instanceof Error && error.name === "InvalidPermission.Duplicate")) throw error;
      });
    },
  };
};

const capacity = (runtime: Runtime, region: string, name: string) => {
  const client = new AutoScalingClient(clientOptions(runtime, region));
  const look = async () => {
    const { AutoScalingGroups } = await client.send(
      new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [name] }),
    );
    const group = AutoScalingGroups?.[0];
    if (!group) throw new Error(`Auto Scaling group ${name} was not found in ${region}`);
    const { DesiredCapacity: desired = 0, MinSize: minimum = 0, Instances = [] } = group;
    return { desired, minimum, running: Instances.length };
  };
  const setMinimum = async (MinSize: number) => {
    const sizes = { AutoScalingGroupName: name, MinSize };
    await client.send(new UpdateAutoScalingGroupCommand(sizes));
  };
  return {
    capacity: look,
    minimum: async () => (await look()).minimum,
    setMinimum,
    emptyCapacity: async () => {
      await client.send(
        new UpdateAutoScalingGroupCommand({
          AutoScalingGroupName: name,
          MinSize: 0,
          DesiredCapacity: 0,
        }),
      );
    },
    restoreCapacity: async (as: "active" | "standby") => {
      const {
        minimum,
        desired: DesiredCapacity,
        standbyMinimum,
      } = runtime.config.sizes.application;
      if (as === "standby") {
        // Without a desired number Auto Scaling raises it to the minimum, and leaves one that is above.
        return setMinimum(standbyMinimum);
      }
      const { desired } = await look();
      const group = { AutoScalingGroupName: name, MinSize: minimum };
      // The minimum in any case, which brings instances up also when the look was an old one; the
      // wanted number only where it was taken away, since load may have asked for more meanwhile.
      await client.send(
        new UpdateAutoScalingGroupCommand(desired === 0 ? { ...group, DesiredCapacity } : group),
      );
    },
  };
};
