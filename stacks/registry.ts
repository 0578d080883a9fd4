import type { Output } from "@pulumi/pulumi";
import { keepsake } from "./keepsake.ts";
import { accountOf } from "./permissions.ts";
import type { Named } from "./platform.ts";
import type { Region, Regions } from "./regions.ts";
import { named } from "./regions.ts";
import type { Stage } from "./stage.ts";

/** Where images of the application are pushed to, under one name in both regions. */
export const registry = (stage: Stage, { primary, standby }: Regions) => {
  const home = repository(stage, primary);
  const other = repository(stage, standby);
  if (stage.replicatesImages) {
    // Both ways: after a failover somebody pushes to the standby region. A replicated image is not
    // replicated again. Source: "Private image replication in Amazon ECR".
    replicate(primary, standby);
    replicate(standby, primary);
  }
  return { home, standby: other };
};

/** `url` is where images are pulled from in this region. */
export interface Repository extends Named {
  url: Output<string>;
}

const repository = (stage: Stage, region: Region): Repository => {
  const { provider } = region;
  const name = `${stage.prefix}-application`;
  const made = new aws.ecr.Repository(
    named("Repository", region),
    {
      name,
      // What was tested under a tag is what runs under it.
      imageTagMutability: "IMMUTABLE",
      imageScanningConfiguration: { scanOnPush: true },
      encryptionConfigurations: [{ encryptionType: "AES256" }],
      forceDelete: !stage.isProduction,
    },
    { provider, ...keepsake(stage) },
  );
  new aws.ecr.LifecyclePolicy(
    named("RepositoryLifecycle", region),
    {
      repository: made.name,
      policy: JSON.stringify({
        rules: [
          {
            rulePriority: 1,
            description: "What was never tagged is what a failed push left",
            selection: {
              tagStatus: "untagged",
              countType: "sinceImagePushed",
              countUnit: "days",
              countNumber: 7,
            },
            action: { type: "expire" },
          },
          {
            rulePriority: 2,
            description: "A hundred images to go back to",
            selection: { tagStatus: "any", countType: "imageCountMoreThan", countNumber: 100 },
            action: { type: "expire" },
          },
        ],
      }),
    },
    { provider },
  );
  return { name, arn: made.arn, url: made.repositoryUrl };
};

/** For every stage of the account: there is one list in a region, and the last one written holds. */
const replicate = (from: Region, to: Region): void => {
  new aws.ecr.ReplicationConfiguration(
    named("ImageReplication", from),
    {
      replicationConfiguration: {
        rules: [
          {
            destinations: [{ region: to.name, registryId: accountOf(from) }],
            repositoryFilters: [{ filter: "nightshift-", filterType: "PREFIX_MATCH" }],
          },
        ],
      },
    },
    { provider: from.provider },
  );
};
