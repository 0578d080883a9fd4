import {
  DescribeImagesCommand,
  ECRClient,
  ImageNotFoundException,
  RepositoryNotFoundException,
} from "@aws-sdk/client-ecr";
import { clientOptions } from "./clients.ts";
import type { Runtime } from "./runtime.ts";

/** Whether a region's registry has a container, by `repository@sha256:…`. */
export const registry = (runtime: Runtime, region: string) => {
  const client = new ECRClient(clientOptions(runtime, region));
  return async (image: string): Promise<boolean> => {
    const [repositoryName, imageDigest] = image.split("@");
    const wanted = { repositoryName, imageIds: [{ imageDigest }] };
    try {
      const { imageDetails } = await client.send(new DescribeImagesCommand(wanted));
      return (imageDetails ?? []).length > 0;
    } catch (error) {
      if (error instanceof ImageNotFoundException) return false;
      if (error instanceof RepositoryNotFoundException) return false;
      throw error;
    }
  };
};
