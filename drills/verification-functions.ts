import type { FunctionDefinition } from "../local/lambda/host.ts";
import { names } from "./names.ts";
import type { Platform, Site } from "./platform.ts";

/** Where copies go, what they are called, and where evidence of them lies. */
export const verified = {
  prefix: "platform",
  subnetGroup: "platform-quarantine",
  securityGroup: "sg-quarantine",
  bucket: "platform-evidence",
  key: "platform-evidence",
} as const;

const resources = (values: Record<string, Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`SST_RESOURCE_${name}`, JSON.stringify(value)]),
  );

const tables = {
  CoordinationTable: { name: names.coordination },
  JournalTable: { name: names.journal },
};

type Common = Record<string, string>;
type Databases = Record<string, string>;

const verification = (site: Site, databases: Databases, common: Common): FunctionDefinition => {
  const { prefix, subnetGroup, securityGroup, bucket, key } = verified;
  return {
    name: "verification",
    region: site.region,
    entry: "functions/verification/handler.ts",
    timeoutSeconds: 900,
    durable: { executionTimeoutSeconds: 26 * 3600 },
    environment: {
      ...common,
      ...resources({
        ...tables,
        SlackSecret: { arn: names.secrets.slack },
        Evidence: { bucket, key },
        Verified: {
          ...{ prefix, subnetGroup, securityGroup, parameterGroup: names.parameterGroup },
          ...{ database: names.database, databases, tls: "off" },
          encryptionKeys: names.rotated.encryption,
        },
      }),
    },
  };
};

const sweep = ({ region }: Site, databases: Databases, common: Common): FunctionDefinition => ({
  name: "sweep",
  region,
  entry: "functions/sweep/handler.ts",
  timeoutSeconds: 300,
  environment: {
    ...common,
    ...resources({
      ...tables,
      DatabaseFunction: { name: "database" },
      RotationFunction: { name: "rotation" },
      SlackSecret: { arn: names.secrets.slack },
      Swept: { prefix: verified.prefix, databases },
      VerificationFunction: { name: "verification" },
    }),
  },
});

/** The functions of restore tests, in both regions. Nothing sets them off here but who tests them. */
export const restoreTestsOf = (
  { home, standby }: Platform,
  common: Common,
): FunctionDefinition[] => {
  const databases = { [home.region]: home.databaseId, [standby.region]: standby.databaseId };
  return [home, standby].flatMap((site) => [
    verification(site, databases, common),
    sweep(site, databases, common),
  ]);
};
