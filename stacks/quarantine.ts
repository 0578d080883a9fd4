import type { Output } from "@pulumi/pulumi";
import { databasePort, everywhere } from "./groups.ts";
import type { Network } from "./network.ts";
import type { Named } from "./platform.ts";
import type { Region } from "./regions.ts";
import { named } from "./regions.ts";
import type { Stage } from "./stage.ts";

/** Where copies of the database are, which a restore test makes and takes away. */
export interface Quarantine {
  subnetGroup: Named;
  /** Of the copies: it lets in whoever is in `functionGroup`, and nothing out. */
  securityGroup: Output<string>;
  /** Of the function that looks into them, and of nobody else. */
  functionGroup: Output<string>;
}

/**
 * A copy is production's data with passwords of another day, so nothing of production may take it for the
 * database, and whatever is wrong in it may reach nothing. Neither of the two groups is named by a group
 * of production, nor names one.
 */
export const quarantine = (stage: Stage, region: Region, network: Network): Quarantine => {
  const { provider } = region;
  const { vpcId, isolatedSubnets } = network;
  const functions = new aws.ec2.SecurityGroup(
    named("VerificationGroup", region),
    { name: `${stage.prefix}-verification`, description: "Looks into copies of backups", vpcId },
    { provider },
  );
  const copies = new aws.ec2.SecurityGroup(
    named("CopyGroup", region),
    {
      name: `${stage.prefix}-copies`,
      description: "Copies of backups: they reach nothing",
      vpcId,
      ingress: [
        {
          protocol: "tcp",
          fromPort: databasePort,
          toPort: databasePort,
          securityGroups: [functions.id],
        },
      ],
      egress: [],
    },
    { provider },
  );
  const out = (title: string, port: number, to: object) =>
    new aws.vpc.SecurityGroupEgressRule(
      named(title, region),
      { securityGroupId: functions.id, ipProtocol: "tcp", fromPort: port, toPort: port, ...to },
      { provider },
    );
  out("VerificationToCopies", databasePort, { referencedSecurityGroupId: copies.id });
  // RDS, S3, KMS and Slack have no group.
  out("VerificationToTls", 443, { cidrIpv4: everywhere });
  const name = `${stage.prefix}-copies`;
  const subnets = new aws.rds.SubnetGroup(
    named("CopySubnets", region),
    { name, description: "Copies of backups", subnetIds: isolatedSubnets },
    { provider },
  );
  return {
    subnetGroup: { name, arn: subnets.arn },
    securityGroup: copies.id,
    functionGroup: functions.id,
  };
};
