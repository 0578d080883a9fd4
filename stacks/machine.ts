import type { Output } from "@pulumi/pulumi";
import type { Region } from "./regions.ts";

/**
 * Families with a `g` behind their generation run on Graviton: t4g, m7g, c7gn, r8gd. Source: "Amazon EC2
 * instance type naming conventions".
 */
export const architectureOf = (instanceType: string): "arm64" | "x86_64" =>
  /^[a-z]+\d+g/.test(instanceType) ? "arm64" : "x86_64";

/** The newest Amazon Linux 2023 for this type: a deployment brings its patches along. */
export const machineImage = ({ provider }: Region, instanceType: string): Output<string> =>
  aws.ec2.getAmiOutput(
    {
      owners: ["amazon"],
      mostRecent: true,
      filters: [
        // Not `al2023-ami-minimal-…` or `…-ecs-…`, which have neither docker's package nor the AWS CLI.
        { name: "name", values: [`al2023-ami-2023.*-kernel-*-${architectureOf(instanceType)}`] },
        { name: "architecture", values: [architectureOf(instanceType)] },
      ],
    },
    { provider },
  ).id;
