import type { FunctionDefinition } from "../local/lambda/host.ts";
import { longestOverlapSeconds } from "../shared/config-rotation.ts";
import { names } from "./names.ts";
import type { Platform, Site } from "./platform.ts";

const resources = (values: Record<string, Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`SST_RESOURCE_${name}`, JSON.stringify(value)]),
  );

const tables = {
  CoordinationTable: { name: names.coordination },
  JournalTable: { name: names.journal },
};

const { secrets, rotated } = names;

/** As stacks/jobs/rotation.ts has them. */
const scopes = [
  { name: secrets.application, kind: "database-login", scope: "database" },
  { name: rotated.owner, kind: "database-master", scope: "database" },
  { name: names.cacheSecret, kind: "redis-auth", scope: "cache" },
  { name: rotated.signing, kind: "signing-ring", scope: "signing-keys" },
  { name: rotated.encryption, kind: "encryption-ring", scope: "encryption-keys" },
  { name: secrets.slack, kind: "slack-signing", scope: "slack" },
];

const rotation = (
  site: Site,
  databases: Record<string, string>,
  common: Record<string, string>,
): FunctionDefinition => ({
  name: "rotation",
  region: site.region,
  entry: "functions/rotation/handler.ts",
  timeoutSeconds: 900,
  environment: {
    ...common,
    ...resources({
      ...tables,
      Rotated: {
        secrets: scopes,
        database: {
          host: site.host,
          port: site.port,
          database: names.database,
          // A local server is on this machine's loopback, where there is nothing to prove.
          tls: site.host.startsWith("127.") ? "off" : "verify-full",
          logins: names.roles,
          ownerSecret: rotated.owner,
        },
        cache: { group: names.cache, host: "127.0.0.1", port: 6379, ...site.cache },
        sealed: { database: "database", databases },
        retirement: "retirement",
        self: `arn:aws:lambda:${site.region}:${names.account}:function:rotation`,
      },
    }),
  },
});

const retirement = (
  { region }: Site,
  longestSeconds: number,
  common: Record<string, string>,
): FunctionDefinition => ({
  name: "retirement",
  region,
  entry: "functions/retirement/handler.ts",
  timeoutSeconds: 300,
  durable: { executionTimeoutSeconds: (Math.ceil(longestSeconds / 3600) + 2) * 3600 },
  environment: {
    ...common,
    ...resources({
      ...tables,
      SlackSecret: { arn: secrets.slack },
      Retired: { rotation: "rotation", database: "database", autoScalingGroup: names.group },
    }),
  },
});

/** The functions of rotation, in both regions. They begin nothing by themselves: Secrets Manager does. */
export const rotationsOf = (
  { home, standby, config }: Platform,
  common: Record<string, string>,
): FunctionDefinition[] => {
  const longestSeconds = longestOverlapSeconds(config.rotation);
  const databases = Object.fromEntries(
    [home, standby].map(({ region, databaseId }) => [region, databaseId]),
  );
  return [home, standby].flatMap((site) => [
    rotation(site, databases, common),
    retirement(site, longestSeconds, common),
  ]);
};
