import type { Output } from "@pulumi/pulumi";
import { keepsake } from "./keepsake.ts";
import type { GlobalTable } from "./platform.ts";
import type { Region, Regions } from "./regions.ts";
import type { Stage } from "./stage.ts";

/**
 * The table that all regions agree on, with multi-Region strong consistency: three full replicas, since
 * DynamoDB's own witness can be neither read nor written. Such tables have no TTL and no transactions.
 * Encrypted with DynamoDB's own key, so that the lease needs no key service of any region. Source:
 * "Multi-Region strong consistency (MRSC)" in the developer guide of DynamoDB.
 *
 * Both replicas of such a table are made in one request, which says nothing of deletion protection, and
 * the provider makes up for it on a later update only: after the first deployment just the primary
 * region's replica is protected, until docs/DEPLOY.md's step for the other two is done. Source:
 * `createReplicas` and `updateReplica` in internal/service/dynamodb/table.go of the Terraform provider.
 */
export const coordination = (stage: Stage, regions: Regions): GlobalTable => {
  const { primary, standby, witness } = regions;
  const name = `${stage.prefix}-coordination`;
  const table = new aws.dynamodb.Table(
    "Coordination",
    {
      name,
      billingMode: "PAY_PER_REQUEST",
      hashKey: "id",
      attributes: [{ name: "id", type: "S" }],
      replicas: [standby, witness].map((region) => replica(stage, region, "STRONG")),
      ...kept(stage),
    },
    { provider: primary.provider, ...keepsake(stage) },
  );
  firstLease(stage, primary, table);
  return { name, arns: arnsOf(table.arn, primary, [standby, witness]) };
};

/** Append-only. One run is written in one region, so it needs no agreement between them. */
export const journal = (stage: Stage, { primary, standby }: Regions): GlobalTable => {
  const name = `${stage.prefix}-journal`;
  const table = new aws.dynamodb.Table(
    "Journal",
    {
      name,
      billingMode: "PAY_PER_REQUEST",
      hashKey: "run",
      rangeKey: "sequence",
      attributes: [
        { name: "run", type: "S" },
        { name: "sequence", type: "N" },
      ],
      // A global table replicates by its stream.
      streamEnabled: true,
      streamViewType: "NEW_AND_OLD_IMAGES",
      replicas: [replica(stage, standby, "EVENTUAL")],
      ...kept(stage),
    },
    { provider: primary.provider, ...keepsake(stage) },
  );
  return { name, arns: arnsOf(table.arn, primary, [standby]) };
};

const kept = ({ isProduction }: Stage) => ({
  pointInTimeRecovery: { enabled: true },
  deletionProtectionEnabled: isProduction,
});

const replica = (
  { isProduction }: Stage,
  { name }: Region,
  consistencyMode: "STRONG" | "EVENTUAL",
) => ({
  regionName: name,
  consistencyMode,
  pointInTimeRecovery: true,
  deletionProtectionEnabled: isProduction,
  propagateTags: true,
});

const arnsOf = (arn: Output<string>, own: Region, others: Region[]) =>
  Object.fromEntries(
    [own, ...others].map(({ name }) => [
      name,
      arn.apply((text) => text.replace(`:${own.name}:`, `:${name}:`)),
    ]),
  );

/**
 * The lease as `grantFirst` in shared/lease.ts writes it. Made once, with a condition that there is
 * none; from then on only a failover changes it, and no deployment looks at it again.
 */
const firstLease = (stage: Stage, primary: Region, table: aws.dynamodb.Table): void => {
  new aws.dynamodb.TableItem(
    "FirstLease",
    {
      tableName: table.name,
      hashKey: "id",
      item: JSON.stringify({
        id: { S: "lease" },
        epoch: { N: "1" },
        region: { S: primary.name },
        state: { S: "held" },
        holder: { S: "deploy" },
        attempt: { N: "1" },
        lastMovedEpoch: { N: "0" },
        movedAtMilliseconds: { N: "0" },
      }),
    },
    { provider: primary.provider, ignoreChanges: ["item"], ...keepsake(stage) },
  );
};
