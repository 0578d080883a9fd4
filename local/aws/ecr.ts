import type {
  DescribeImagesCommandInput,
  DescribeImagesCommandOutput,
  ImageDetail,
} from "@aws-sdk/client-ecr";
import type { Place } from "../network.ts";
import { pageOf } from "./paging.ts";
import type { Call, Service, Surroundings } from "./service.ts";
import { AwsError } from "./service.ts";

export interface Ecr {
  service: Service;
  /** An image that was pushed, or replicated, before a run begins. */
  establish(region: Place, repository: string, image: { digest: string; tags?: string[] }): void;
  /** As a lifecycle policy does that keeps too few. */
  remove(region: Place, repository: string, digest: string): void;
}

/** The registry of each region: which images are in which repository. */
export const ecr = ({ timeline, account }: Surroundings): Ecr => {
  const repositories = new Map<string, Map<string, ImageDetail>>();
  const find = (region: Place, name: string | undefined): Map<string, ImageDetail> => {
    const found = repositories.get(`${region}/${name}`);
    if (found) return found;
    const message = `The repository with name '${name}' does not exist in the registry with id '${account}'`;
    throw new AwsError("RepositoryNotFoundException", message, { status: 400 });
  };
  return {
    service: {
      name: "ecr",
      operations: {
        /** An image that is asked for and is not there is an error. */
        DescribeImages: (
          input: DescribeImagesCommandInput,
          { region }: Call,
        ): Omit<DescribeImagesCommandOutput, "$metadata"> => {
          const images = [...find(region, input.repositoryName).values()];
          const wanted = (input.imageIds ?? []).map(({ imageDigest, imageTag }) => {
            const found = images.find(
              (image) =>
                (imageDigest === undefined || image.imageDigest === imageDigest) &&
                (imageTag === undefined || image.imageTags?.includes(imageTag)),
            );
            if (found) return found;
            const id = `imageDigest:'${imageDigest ?? "null"}', imageTag:'${imageTag ?? "null"}'`;
            throw new AwsError(
              "ImageNotFoundException",
              `The image with imageId {${id}} does not exist`,
              {
                status: 400,
              },
            );
          });
          if (wanted.length > 0) return { imageDetails: wanted };
          const page = pageOf(images, input.nextToken, input.maxResults ?? 100);
          return { imageDetails: page.items, ...(page.next ? { nextToken: page.next } : {}) };
        },
      },
    },
    establish: (region, repository, { digest, tags = [] }) => {
      const key = `${region}/${repository}`;
      const images = repositories.get(key) ?? new Map<string, ImageDetail>();
      repositories.set(key, images);
      images.set(digest, {
        registryId: account,
        repositoryName: repository,
        imageDigest: digest,
        imageTags: tags,
        imagePushedAt: new Date(timeline.now()),
      });
    },
    remove: (region, repository, digest) => void find(region, repository).delete(digest),
  };
};
