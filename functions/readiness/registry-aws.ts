import { DescribeImagesCommand, ECRClient } from "@aws-sdk/client-ecr";
import { clientOptions } from "../../shared/clients.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { isNamed } from "./answers.ts";

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
      if (isNamed(error, "ImageNotFoundException", "RepositoryNotFoundException")) return false;
      throw error;
    }
  };
};
