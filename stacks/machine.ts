import type { Output } from "@pulumi/pulumi";
import { architectureOf, imageNameFor } from "./image.ts";
import type { Region } from "./regions.ts";

/**
 * The newest Amazon Linux 2023 for this type. A deployment only puts it into a new version of the
 * template: it runs from the next release of the application on, under the watch of its alarms.
 */
export const machineImage = ({ provider }: Region, instanceType: string): Output<string> =>
  aws.ec2.getAmiOutput(
    {
      owners: ["amazon"],
      mostRecent: true,
      filters: [
        { name: "name", values: [imageNameFor(instanceType)] },
        { name: "architecture", values: [architectureOf(instanceType)] },
      ],
    },
    { provider },
  ).id;
