import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RunningInstance } from "../local/aws/autoscaling-instances.ts";
import type { Cloud } from "../local/cloud.ts";
import { bundleLedger, launchLedger } from "../local/ledger/process.ts";
import { cacheUrl } from "./caches.ts";
import { names } from "./names.ts";
import type { DatabaseSite } from "./platform.ts";

/** What every instance of a drill is started with. */
export interface Image {
  /** The ledger as one file. */
  entry: string;
  /** A file with the authority of the caches. */
  authorities: string;
  secret(): string;
}

/** The file with the authority of the caches. */
export const authoritiesIn = (folder: string): string => join(folder, "authorities.pem");

export const image = async (
  folder: string,
  authority: string,
  secret: () => string,
): Promise<Image> => {
  const authorities = authoritiesIn(folder);
  await writeFile(authorities, authority);
  return { entry: await bundleLedger(folder), authorities, secret };
};

/** As stacks/boot.sh reads them, where there is a ring: only where it is rotated. */
const encryptionKeys = async (aws: Cloud, region: string, secret: () => string) => {
  const SecretId = names.rotated.encryption;
  const found = await aws
    .ask<{ SecretString: string }>("secrets-manager", "GetSecretValue", region, { SecretId })
    .catch((error: Error) => {
      if (error.name === "ResourceNotFoundException") return undefined;
      throw error;
    });
  if (!found) return { ENCRYPTION_KEY: secret() };
  const { primary, keys } = JSON.parse(found.SecretString) as {
    primary: string;
    keys: Record<string, { secret: string }>;
  };
  const others = Object.entries(keys).filter(([id]) => id !== primary);
  return {
    ENCRYPTION_KEY: keys[primary]?.secret ?? "",
    ENCRYPTION_KEY_FALLBACKS: others.map(([, key]) => key.secret).join(","),
  };
};

/** What user data does at boot: reads the secrets, puts this region's address in, starts the image. */
export const launch = async (
  aws: Cloud,
  sites: DatabaseSite[],
  { id, region }: { id: string; region: string },
  { entry, authorities, secret }: Image,
): Promise<RunningInstance> => {
  const site = sites.find((each) => each.region === region);
  if (!site) throw new Error(`there is no database in ${region} yet`);
  const [{ SecretString }, redisUrl] = await Promise.all([
    aws.ask<{ SecretString: string }>("secrets-manager", "GetSecretValue", region, {
      SecretId: names.secrets.application,
    }),
    cacheUrl(aws, region),
  ]);
  const { username, password, database } = JSON.parse(SecretString) as Record<string, string>;
  return launchLedger(
    {
      SECRET_KEY: secret(),
      ...(await encryptionKeys(aws, region, secret)),
      DATABASE_URL: `postgres://${username}:${password}@${site.host}:${site.port}/${database}`,
      REDIS_URL: redisUrl,
      CLOUD_PROVIDER: "aws",
      REGION: region,
      INSTANCE_ID: id,
      NODE_EXTRA_CA_CERTS: authorities,
    },
    { entry },
  );
};
