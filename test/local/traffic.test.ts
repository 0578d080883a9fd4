import {
  DescribeAutoScalingGroupsCommand,
  UpdateAutoScalingGroupCommand,
} from "@aws-sdk/client-auto-scaling";
import {
  AuthorizeSecurityGroupIngressCommand,
  CreateLaunchTemplateCommand,
  CreateSecurityGroupCommand,
  DescribeInstancesCommand,
  DescribeSecurityGroupsCommand,
  EC2Client,
  RevokeSecurityGroupIngressCommand,
} from "@aws-sdk/client-ec2";
import {
  DescribeRulesCommand,
  DescribeTargetHealthCommand,
  ModifyRuleCommand,
  RuleNotFoundException,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import {
  GetChangeCommand,
  GetHealthCheckStatusCommand,
  InvalidChangeBatch,
  ListHealthChecksCommand,
  ListHostedZonesByNameCommand,
  ListResourceRecordSetsCommand,
} from "@aws-sdk/client-route-53";
import { describe, expect, it } from "vitest";
import { reconcile } from "../../local/load/reconcile.ts";
import { home, standby } from "./asking.ts";
import { minute, name, platform, twoRegions, words } from "./fixtures/traffic.ts";

/** Kills home under load; some minutes later standby says `active`. */
const loseHome = async (seed = 1) => {
  const cloud = await twoRegions(seed);
  const { timeline, faults, load, second, settled } = cloud;
  load.start();
  await timeline.advance(2 * minute);
  const incidentAt = timeline.now();
  faults.set(home, "dead");
  await timeline.advance(5 * minute);
  const promotedAt = timeline.now();
  const command = new ModifyRuleCommand({ RuleArn: second.rule, Actions: words("active") });
  await settled(second.balancers.send(command));
  await timeline.advance(5 * minute);
  await settled(load.stop());
  const { acknowledged } = load;
  const held = { surviving: new Set(cloud.stores.get(standby)?.keys() ?? []) };
  const loadEndedAt = load.report().endedAt;
  const evidence = { acknowledged, held, oldRegion: home, newRegion: standby, loadEndedAt };
  return { cloud, load, result: reconcile({ ...evidence, incidentAt, promotedAt }), promotedAt };
};

describe("traffic between two regions, on virtual time", () => {
  it("moves with the role rule, within the check and the TTL, and not before", async () => {
    const { load, result } = await loseHome();
    // A threshold of three checks every 10 s, the rule's way to the nodes, and 30 s in caches.
    expect(result.rtoSeconds).toBeGreaterThan(5 * 60 + 20);
    expect(result.rtoSeconds).toBeLessThan(5 * 60 + 75);
    expect(result.splitBrain).toEqual([]);
    // The stores are not replicated here: all that home had acknowledged is lost, and counted.
    expect(result.lost.every((write) => write.region === home)).toBe(true);
    expect(result.lost.length).toBeGreaterThan(100);
    expect(load.report().longestOutage?.seconds).toBeGreaterThan(300);
  });

  it("gives the same acknowledgements for the same seed, other ones for another", async () => {
    const [one, two, other] = [await loseHome(7), await loseHome(7), await loseHome(8)];
    expect(one.load.acknowledged).toEqual(two.load.acknowledged);
    expect(one.load.acknowledged).not.toEqual(other.load.acknowledged);
  });
});

describe("through the SDK's clients", () => {
  it("Auto Scaling and EC2 show the same instances", async () => {
    const { options, settled, first } = await twoRegions();
    const { AutoScalingGroups } = await settled(
      first.scaling.send(new DescribeAutoScalingGroupsCommand({})),
    );
    const [group] = AutoScalingGroups ?? [];
    expect(group?.CreatedTime).toBeInstanceOf(Date);
    const ids = group?.Instances?.map(({ InstanceId }) => InstanceId);
    expect(ids).toHaveLength(2);
    const machines = new EC2Client(options(home));
    const { Reservations } = await settled(machines.send(new DescribeInstancesCommand({})));
    expect(
      Reservations?.flatMap(({ Instances }) => Instances?.map((one) => one.InstanceId)),
    ).toEqual(ids);
    const refused = settled(
      first.scaling.send(
        new UpdateAutoScalingGroupCommand({
          AutoScalingGroupName: "application",
          DesiredCapacity: 99,
        }),
      ),
    );
    await expect(refused).rejects.toMatchObject({ name: "ValidationError" });
  });

  it("security groups open and close", async () => {
    const { options, settled, machines } = await platform();
    const client = new EC2Client(options(home));
    const create = async (GroupName: string) => {
      const command = new CreateSecurityGroupCommand({
        GroupName,
        Description: "d",
        VpcId: "vpc-1",
      });
      return (await settled(client.send(command))).GroupId ?? "";
    };
    const [application, GroupId] = [await create("application"), await create("database")];
    const IpPermissions = [
      {
        IpProtocol: "tcp",
        FromPort: 5432,
        ToPort: 5432,
        UserIdGroupPairs: [{ GroupId: application }],
      },
    ];
    const open = new AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions });
    await settled(client.send(open));
    expect(machines.ingressFrom(home, GroupId)).toMatchObject([{ sourceGroupIds: [application] }]);
    await expect(settled(client.send(open))).rejects.toMatchObject({
      name: "InvalidPermission.Duplicate",
    });
    const { SecurityGroups } = await settled(
      client.send(new DescribeSecurityGroupsCommand({ GroupIds: [GroupId] })),
    );
    const close = { GroupId, IpPermissions: SecurityGroups?.[0]?.IpPermissions };
    await settled(client.send(new RevokeSecurityGroupIngressCommand(close)));
    expect(machines.ingressFrom(home, GroupId)).toEqual([]);
    const data = { InstanceType: "m7g.large" as const };
    await settled(
      client.send(
        new CreateLaunchTemplateCommand({
          LaunchTemplateName: "application",
          LaunchTemplateData: data,
        }),
      ),
    );
    expect(machines.launchData(home, "application")).toEqual(data);
  });

  it("load balancers show rules and target health, with typed errors", async () => {
    const { settled, first } = await twoRegions();
    const { Rules } = await settled(
      first.balancers.send(new DescribeRulesCommand({ RuleArns: first.rule ? [first.rule] : [] })),
    );
    expect(Rules?.[0]?.Actions?.[0]?.FixedResponseConfig?.MessageBody).toBe("active");
    const { TargetHealthDescriptions } = await settled(
      first.balancers.send(
        new DescribeTargetHealthCommand({ TargetGroupArn: first.TargetGroupArn }),
      ),
    );
    const states = TargetHealthDescriptions?.map(({ TargetHealth }) => TargetHealth?.State);
    expect(states).toEqual(["healthy", "healthy"]);
    const unknown = new ModifyRuleCommand({ RuleArn: "arn:none", Actions: words("x") });
    await expect(settled(first.balancers.send(unknown))).rejects.toBeInstanceOf(
      RuleNotFoundException,
    );
  });

  it("Route 53 shows zones, records, changes and checks, with typed errors", async () => {
    const { settled, zone } = await twoRegions();
    const { client, HostedZoneId } = zone;
    const { HostedZones } = await settled(
      client.send(new ListHostedZonesByNameCommand({ DNSName: "example.com" })),
    );
    expect(HostedZones).toMatchObject([{ Id: HostedZoneId, Name: "example.com." }]);
    const { ChangeInfo } = await settled(client.send(new GetChangeCommand({ Id: zone.changeId })));
    expect(ChangeInfo?.Status).toBe("INSYNC");
    const { ResourceRecordSets } = await settled(
      client.send(new ListResourceRecordSetsCommand({ HostedZoneId, StartRecordName: name })),
    );
    expect(ResourceRecordSets).toMatchObject([
      { Failover: "PRIMARY", TTL: 30 },
      { Failover: "SECONDARY" },
    ]);
    const again = await settled(client.send(zone.change)).catch((error: unknown) => error);
    expect(again).toBeInstanceOf(InvalidChangeBatch);
    expect(again).toMatchObject({
      messages: [expect.stringContaining("already exists"), expect.anything()],
    });
    const { HealthChecks } = await settled(client.send(new ListHealthChecksCommand({})));
    expect(HealthChecks).toHaveLength(3);
    const status = new GetHealthCheckStatusCommand({ HealthCheckId: HealthChecks?.[0]?.Id });
    const { HealthCheckObservations } = await settled(client.send(status));
    expect(HealthCheckObservations?.[0]?.StatusReport?.Status).toContain("Failure");
  });
});
