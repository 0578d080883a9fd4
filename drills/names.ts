/** What the platform's parts are called on the local AWS, by whoever deploys or judges them. */
export const names = {
  account: "123456789012",
  coordination: "nightshift-coordination",
  journal: "nightshift-journal",
  database: "platform",
  group: "platform",
  cache: "platform-cache",
  /** With the caches' token; only where a platform has caches. */
  cacheSecret: "platform/cache",
  /** Only where they are rotated: nobody else reads them here. */
  rotated: {
    owner: "platform/owner",
    signing: "platform/signing-keys",
    encryption: "platform/encryption-keys",
  },
  loadBalancer: "platform",
  /** The application's container, the same in every region, and the machine image it runs on. */
  image: {
    repository: "platform",
    digest: `sha256:${"4f0c9f7d2b6e81a3".repeat(4)}`,
    machine: "platform-host-2026-11",
  },
  /** The application's two login roles. They alternate at rotation; both are fenced. */
  roles: ["app_a", "app_b"],
  parameterGroup: "platform-postgres18",
  master: "platform_master",
  nightshiftLogin: "nightshift",
  secrets: {
    application: "platform/database",
    nightshift: "platform/nightshift",
    slack: "slack",
  },
} as const;

/** What the command line of operators is told to call them. */
export const namesForOperators = {
  NIGHTSHIFT_TABLE: names.coordination,
  NIGHTSHIFT_JOURNAL: names.journal,
  NIGHTSHIFT_FUNCTION: "failover",
} as const;

/** ARN of a region's own key. Keys belong to a region, and nothing of another one is encrypted with it. */
export const keyIn = (region: string, of: "data" | "secrets"): string =>
  `arn:aws:kms:${region}:${names.account}:key/${of}`;

/** The tables of Nightshift. */
export const tablesIn = (primary: string, standby: string, witness: string) => [
  {
    name: names.coordination,
    key: { hash: "id" },
    consistency: "strong" as const,
    replicas: [primary, standby, witness],
  },
  {
    name: names.journal,
    key: { hash: "run", range: "sequence" },
    keyTypes: { sequence: "N" as const },
    consistency: "eventual" as const,
    replicas: [primary, standby],
  },
];
