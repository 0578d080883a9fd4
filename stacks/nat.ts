import { readFileSync } from "node:fs";
import type { Output } from "@pulumi/pulumi";
import { machineImage } from "./machine.ts";
import type { Region } from "./regions.ts";
import { named } from "./regions.ts";
import type { Stage } from "./stage.ts";

/**
 * The cheap way out of a personal stage: the smallest instance, which passes on what others send. Its
 * network interface, for the routes.
 */
export const natInstance = (
  stage: Stage,
  region: Region,
  at: { vpcId: Output<string>; cidr: string; subnetId: Output<string> },
): Output<string> => {
  const { provider } = region;
  const group = new aws.ec2.SecurityGroup(
    named("NatGroup", region),
    {
      name: `${stage.prefix}-nat`,
      description: "Passes on what comes from within the network",
      vpcId: at.vpcId,
      ingress: [{ protocol: "-1", fromPort: 0, toPort: 0, cidrBlocks: [at.cidr] }],
      egress: [{ protocol: "-1", fromPort: 0, toPort: 0, cidrBlocks: ["0.0.0.0/0"] }],
    },
    { provider },
  );
  const instance = new aws.ec2.Instance(
    named("NatInstance", region),
    {
      ami: machineImage(region, "t4g.nano"),
      instanceType: "t4g.nano",
      subnetId: at.subnetId,
      vpcSecurityGroupIds: [group.id],
      sourceDestCheck: false,
      associatePublicIpAddress: true,
      metadataOptions: { httpTokens: "required", httpPutResponseHopLimit: 1 },
      rootBlockDevice: { encrypted: true, volumeType: "gp3" },
      userData: readFileSync(`${$cli.paths.root}/stacks/nat.sh`, "utf8"),
      tags: { Name: `${stage.prefix}-nat` },
    },
    // A newer image is no reason to cut everybody off.
    { provider, ignoreChanges: ["ami"] },
  );
  return instance.primaryNetworkInterfaceId;
};
