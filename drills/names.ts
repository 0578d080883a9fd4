/** What the platform's parts are called on the local AWS, by whoever deploys or judges them. */
export const names = {
  account: "123456789012",
  coordination: "nightshift-coordination",
  journal: "nightshift-journal",
  database: "platform",
  group: "platform",
  loadBalancer: "platform",
  /** The application's two login roles. They alternate at rotation; both are fenced. */
  roles: ["app_a", "app_b"],
  master: "platform_master",
  nightshiftLogin: "nightshift",
  secrets: { application: "platform/database", nightshift: "platform/nightshift", slack: "slack" },
} as const;

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
