import type { DescribeSecurityGroupsCommandOutput } from "@aws-sdk/client-ec2";
import { describe, expect, it } from "vitest";
import { ec2 } from "../../local/aws/ec2.ts";
import { around, asking, failure, home, standby } from "./asking.ts";

const setUp = () => {
  const { surroundings } = around();
  const cloud = ec2(surroundings);
  const ask = asking(cloud.service);
  const create = (GroupName: string) =>
    String(ask("CreateSecurityGroup", { GroupName, Description: "d", VpcId: "vpc-1" }).GroupId);
  const application = create("application");
  const database = create("database");
  const entry = {
    IpProtocol: "tcp",
    FromPort: 5432,
    ToPort: 5432,
    UserIdGroupPairs: [{ GroupId: application }],
  };
  ask("AuthorizeSecurityGroupIngress", { GroupId: database, IpPermissions: [entry] });
  const show = (input: object) =>
    ask("DescribeSecurityGroups", input) as unknown as DescribeSecurityGroupsCommandOutput;
  return { cloud, ask, show, create, application, database, entry };
};

describe("security groups", () => {
  it("tells who may come in, and that nobody may after the rule is revoked", () => {
    const { cloud, ask, show, application, database } = setUp();
    const rule = { sourceGroupIds: [application], cidrs: [], port: 5432, toPort: 5432 };
    expect(cloud.ingressFrom(home, database)).toEqual([rule]);
    const IpPermissions = show({ GroupIds: [database] }).SecurityGroups?.[0]?.IpPermissions;
    ask("RevokeSecurityGroupIngress", { GroupId: database, IpPermissions });
    expect(cloud.ingressFrom(home, database)).toEqual([]);
    expect(cloud.ingressFrom(standby, database)).toEqual([]);
  });

  it("refuses to open twice and to close what is closed, and then changes nothing", () => {
    const { cloud, ask, application, database, entry } = setUp();
    const twice = () =>
      ask("AuthorizeSecurityGroupIngress", {
        GroupId: database,
        IpPermissions: [{ IpProtocol: "tcp", FromPort: 1, ToPort: 1, IpRanges: [] }, entry],
      });
    expect(failure(twice)).toMatchObject({ name: "InvalidPermission.Duplicate", status: 400 });
    const unknown = { ...entry, FromPort: 1, ToPort: 1 };
    const close = () =>
      ask("RevokeSecurityGroupIngress", { GroupId: database, IpPermissions: [entry, unknown] });
    expect(failure(close)).toMatchObject({ name: "InvalidPermission.NotFound" });
    expect(cloud.ingressFrom(home, database)[0]?.sourceGroupIds).toEqual([application]);
  });

  it("lets everything out of a new group, until that rule is exchanged for another", () => {
    const { ask, show, application, database } = setUp();
    const out = () =>
      show({ GroupIds: [application] }).SecurityGroups?.[0]?.IpPermissionsEgress ?? [];
    const every = { IpProtocol: "-1", IpRanges: [{ CidrIp: "0.0.0.0/0" }] };
    expect(out()).toMatchObject([every]);
    const to = { IpProtocol: "tcp", FromPort: 5432, ToPort: 5432 };
    const entry = { ...to, UserIdGroupPairs: [{ GroupId: database }] };
    ask("AuthorizeSecurityGroupEgress", { GroupId: application, IpPermissions: [entry] });
    ask("RevokeSecurityGroupEgress", { GroupId: application, IpPermissions: [every] });
    expect(out()).toMatchObject([entry]);
    const again = () =>
      ask("RevokeSecurityGroupEgress", { GroupId: application, IpPermissions: [every] });
    expect(failure(again)).toMatchObject({ name: "InvalidPermission.NotFound", status: 400 });
  });

  it("shows rules of the same ports as one permission, and pages through groups", () => {
    const { ask, show, create, database, entry } = setUp();
    const other = create("other");
    const pair = { ...entry, UserIdGroupPairs: [{ GroupId: other, Description: "jobs" }] };
    ask("AuthorizeSecurityGroupIngress", { GroupId: database, IpPermissions: [pair] });
    ask("AuthorizeSecurityGroupIngress", {
      GroupId: database,
      IpProtocol: "tcp",
      FromPort: 5432,
      ToPort: 5432,
      CidrIp: "10.0.0.0/8",
    });
    const [group] =
      show({ Filters: [{ Name: "group-name", Values: ["database"] }] }).SecurityGroups ?? [];
    expect(group?.IpPermissions).toHaveLength(1);
    expect(group?.IpPermissions?.[0]?.UserIdGroupPairs).toHaveLength(2);
    expect(group?.IpPermissions?.[0]?.IpRanges).toHaveLength(1);
    const first = show({ MaxResults: 2 });
    expect(first.SecurityGroups).toHaveLength(2);
    expect(show({ NextToken: first.NextToken }).SecurityGroups).toHaveLength(1);
  });

  it("names a group that does not exist and a filter that it does not know", () => {
    const { ask, create } = setUp();
    const groups = () => ask("DescribeSecurityGroups", { GroupIds: ["sg-none"] });
    expect(failure(groups)).toMatchObject({ name: "InvalidGroup.NotFound" });
    const filters = [{ Name: "colour", Values: ["red"] }];
    const filter = () => ask("DescribeSecurityGroups", { Filters: filters });
    expect(failure(filter)).toMatchObject({ name: "InvalidParameterValue" });
    expect(failure(() => create("database"))).toMatchObject({ name: "InvalidGroup.Duplicate" });
  });
});

describe("launch templates", () => {
  it("are found by id and by name, and only in their region", () => {
    const { cloud, ask } = setUp();
    const data = { InstanceType: "m7g.large", SecurityGroupIds: ["sg-1"] };
    const input = { LaunchTemplateName: "application", LaunchTemplateData: data };
    ask("CreateLaunchTemplate", input);
    const names = { LaunchTemplateNames: ["application"] };
    expect(ask("DescribeLaunchTemplates", names).LaunchTemplates).toHaveLength(1);
    expect(cloud.launchData(home, "application")).toEqual(data);
    expect(failure(() => ask("DescribeLaunchTemplates", names, standby)).name).toBe(
      "InvalidLaunchTemplateName.NotFoundException",
    );
    expect(failure(() => ask("CreateLaunchTemplate", input)).name).toBe(
      "InvalidLaunchTemplateName.AlreadyExistsException",
    );
  });
});
