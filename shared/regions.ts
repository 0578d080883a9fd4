/**
 * Where DynamoDB offers global tables with multi-Region strong consistency. All replicas of one
 * table must lie in one set. Source: AWS::DynamoDB::GlobalTable, GlobalTableWitness, and "Multi-Region
 * strong consistency" in the DynamoDB developer guide.
 */
export const strongConsistencySets = {
  US: ["us-east-1", "us-east-2", "us-west-2"],
  EU: ["eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1"],
  AP: ["ap-northeast-1", "ap-northeast-2", "ap-northeast-3"],
} as const;

/** The regions that can share one strongly consistent table with `region`; empty when none can. */
export const strongConsistencySet = (region: string): readonly string[] => {
  const sets: readonly (readonly string[])[] = Object.values(strongConsistencySets);
  return sets.find((set) => set.includes(region)) ?? [];
};

/** `eu-central-1`, in any partition. Says nothing about whether AWS has such a region. */
export const regionPattern = /^[a-z]{2}(-[a-z]+)+-\d$/;
