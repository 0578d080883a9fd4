import type { Job } from "../job.ts";
import { job } from "../job.ts";
import { coordinationLink, functionLink } from "../links.ts";
import { call, coordinate, securityGroupArn } from "../permissions.ts";
import type { Platform, Site } from "../platform.ts";
import type { Stage } from "../stage.ts";

/** Keeps a region true to the lease, and can close it by itself: all that it touches is in there. */
export const guard = (stage: Stage, platform: Platform, site: Site, database: Job): Job =>
  job(stage, site.region, {
    name: "guard",
    // A minute of beats, and the fence at the end of it.
    timeoutSeconds: 120,
    // The next minute's beat comes in any case: an old one would only stand in its way.
    events: { retries: 0, maximumAgeSeconds: 60 },
    links: {
      ...coordinationLink(platform),
      DatabaseFunction: functionLink(database),
      Guarded: {
        databaseId: site.databaseId,
        roleRule: site.roleRuleArn,
        databaseSecurityGroup: site.databaseSecurityGroup,
        applicationSecurityGroup: site.applicationSecurityGroup,
        databasePort: site.databasePort,
        autoScalingGroup: site.group,
      },
    },
    may: [
      coordinate(platform),
      call("BeatAndFenceInTheDatabase", database),
      {
        sid: "KeepTheDatabasesSettings",
        actions: ["rds:DescribeDBInstances"],
        resources: [site.databaseArn],
      },
      {
        sid: "SeeWhatIsOpen",
        actions: [
          "autoscaling:DescribeAutoScalingGroups",
          "ec2:DescribeSecurityGroups",
          "elasticloadbalancing:DescribeRules",
        ],
        resources: ["*"],
      },
      {
        sid: "KeepTheRoleTrueToTheLease",
        actions: ["elasticloadbalancing:ModifyRule"],
        resources: [site.roleRuleArn],
      },
      {
        sid: "CloseAndOpenTheWayToTheDatabase",
        actions: ["ec2:RevokeSecurityGroupIngress", "ec2:AuthorizeSecurityGroupIngress"],
        resources: [securityGroupArn(site.region, site.databaseSecurityGroup)],
      },
      {
        sid: "EmptyAndFillTheGroup",
        actions: ["autoscaling:UpdateAutoScalingGroup"],
        resources: [site.groupArn],
      },
    ],
  });
