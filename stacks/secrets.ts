import type { Output } from "@pulumi/pulumi";
import { databasePort } from "./groups.ts";
import { keepsake } from "./keepsake.ts";
import type { Keys, Platform, Secret, SecretName } from "./platform.ts";
import { secretNames } from "./platform.ts";
import type { Regions } from "./regions.ts";
import type { Stage } from "./stage.ts";

/** What is called how inside of PostgreSQL. */
export const databaseNames = {
  database: "platform",
  /** Owns everything, and is used by nobody but migrations and rotations. */
  owner: "platform_owner",
  /** The application's two logins: they alternate at every rotation. */
  logins: ["app_a", "app_b"],
  nightshift: "nightshift",
} as const;

export interface Secrets {
  /** By region. */
  home: Record<SecretName, Secret>;
  standby: Record<SecretName, Secret>;
  firstValues: Platform["firstValues"];
}

interface Given {
  keys: { home: Keys; standby: Keys };
  first: FirstValues;
  /** The home region's database. */
  host: Output<string>;
}

/**
 * Made in the home region and replicated. Their first values are made here and lie in the state of SST,
 * encrypted; from then on rotation owns them, so a deployment never writes a value again.
 */
export const secrets = (stage: Stage, regions: Regions, { keys, first, host }: Given): Secrets => {
  const { primary, standby } = regions;
  const made = Object.fromEntries(
    secretNames.map((name) => [name, secretOf(stage, regions, keys, name)]),
  ) as Record<SecretName, aws.secretsmanager.Secret>;
  const put = (name: SecretName, value: Record<string, unknown>) =>
    new aws.secretsmanager.SecretVersion(
      `${title(name)}Value`,
      { secretId: made[name].id, secretString: $jsonStringify(value) },
      {
        provider: primary.provider,
        ignoreChanges: ["secretString", "versionStages"],
        ...keepsake(stage),
      },
    ).secretId;
  const { database, owner, logins, nightshift } = databaseNames;
  const at = { host, port: databasePort, database };
  // Slack's is put in by hand: nobody else can know it, and no file should.
  const values = {
    owner: put("owner", { username: owner, password: first.owner, ...at }),
    database: put("database", { username: logins[0], password: first.application, ...at }),
    nightshift: put("nightshift", { username: nightshift, password: first.nightshift }),
    cache: put("cache", { token: first.cache }),
    "signing-keys": put("signing-keys", first.signingKeys),
    "encryption-keys": put("encryption-keys", first.encryptionKeys),
  };
  const named = (region: string): Record<SecretName, Secret> =>
    Object.fromEntries(
      secretNames.map((name) => {
        // A replica's ARN differs by its region only: "Replicate AWS Secrets Manager secrets".
        const arn = made[name].arn.apply((text) =>
          text.replace(`:${primary.name}:`, `:${region}:`),
        );
        return [name, { name: nameOf(stage, name), arn }];
      }),
    ) as Record<SecretName, Secret>;
  return { home: named(primary.name), standby: named(standby.name), firstValues: values };
};

/** With a slash: Secrets Manager adds a hyphen and six characters to a name that others may match. */
const nameOf = ({ prefix }: Stage, name: SecretName): string => `${prefix}/${name}`;

const title = (name: SecretName): string =>
  `${name
    .split("-")
    .map((part) => `${part[0]?.toUpperCase()}${part.slice(1)}`)
    .join("")}Secret`;

const descriptions: Record<SecretName, string> = {
  database: "The application's login",
  nightshift: "Nightshift's own login, for heartbeats and the fence",
  owner: "Owns the database; migrations and rotations only",
  cache: "The cache's AUTH token",
  "signing-keys": "Key ring of SECRET_KEY",
  "encryption-keys": "Key ring of ENCRYPTION_KEY",
  slack: "Slack: signingSecret and botToken",
};

const secretOf = (
  stage: Stage,
  { primary, standby }: Regions,
  keys: { home: Keys; standby: Keys },
  name: SecretName,
): aws.secretsmanager.Secret =>
  new aws.secretsmanager.Secret(
    title(name),
    {
      name: nameOf(stage, name),
      description: descriptions[name],
      kmsKeyId: keys.home.secrets,
      // A name stays taken for so long; a personal stage has to be able to come back at once.
      recoveryWindowInDays: stage.isProduction ? 30 : 0,
      replicas: [{ region: standby.name, kmsKeyId: keys.standby.secrets }],
      // A rebuild replicates back over what an earlier life of the secret has left.
      forceOverwriteReplicaSecret: true,
    },
    // A failover makes the replica stand alone, and a rebuild turns the direction.
    { provider: primary.provider, ignoreChanges: ["replicas"], ...keepsake(stage) },
  );

/**
 * Letters and digits only: they need no quoting in a URL, and ElastiCache refuses `/`, `"`, `@` and `%`
 * in a token of 16 to 128 characters ("Authenticating with the AUTH command").
 */
const password = (name: string): Output<string> =>
  new random.RandomPassword(name, { length: 48, special: false }).result;

/** 256 bits, as a key of AES or HMAC wants them. */
const key = (name: string): Output<string> => new random.RandomId(name, { byteLength: 32 }).b64Url;

export type FirstValues = ReturnType<typeof firstValues>;

/** What everything is made with that has to know a secret when it is made. */
export const firstValues = () => ({
  owner: password("FirstOwnerPassword"),
  application: password("FirstApplicationPassword"),
  nightshift: password("FirstNightshiftPassword"),
  cache: password("FirstCacheToken"),
  signingKeys: ringOf(key("FirstSigningKey")),
  encryptionKeys: ringOf(key("FirstEncryptionKey")),
});

/** `madeAt` of a first key is not known to a program that must come out the same each time. */
const ringOf = (secret: Output<string>) => ({
  primary: "first",
  keys: { first: { secret, state: "primary", madeAt: null } },
});
