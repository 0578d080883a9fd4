import { Client, escapeIdentifier, escapeLiteral } from "pg";
import { verifierOf } from "../deploy/bootstrap.ts";
import type { Config } from "../shared/config.ts";
import { type Random, seededRandom } from "../shared/random.ts";
import { keyIn, names } from "./names.ts";
import type { DrillWorld } from "./world.ts";

/** Of the warm-up of instances that are replaced: nobody watches it for hours. */
export const hurry = 10;

/** What the operator's file says, with few instances and an overlap that is short enough to watch. */
export const rotating = (config: Config): Config => ({
  ...config,
  rotation: {
    ...config.rotation,
    ...{ holdSeconds: 60, deadlineSeconds: 7200, sessionSeconds: 60 },
    // By the database's own clock, which is the machine's: a second of it is many modelled ones.
    reencryption: { rows: 60, pauseSeconds: 1 },
  },
  verification: {
    ...config.verification,
    ciphertext: [{ table: "public.holders", column: "name", format: "keyed-aes-256-gcm" }],
  },
  sizes: {
    ...config.sizes,
    application: { ...config.sizes.application, minimum: 2, desired: 2, standbyMinimum: 1 },
  },
});

const { rotated, secrets } = names;

const rotatedSecrets = [
  secrets.application,
  rotated.owner,
  names.cacheSecret,
  rotated.signing,
  rotated.encryption,
  secrets.slack,
];

/** What a deployment adds for rotation: the other secrets, and rotation switched on. */
export const deployRotation = async (world: DrillWorld, seed: string): Promise<Random> => {
  const random = seededRandom(`rotation ${seed}`);
  const owner = random.id();
  await setOwnerPassword(world, owner);
  await keep(world, rotated.owner, { username: names.master, password: owner });
  for (const name of [rotated.signing, rotated.encryption]) await keep(world, name, ring(random));
  for (const name of rotatedSecrets) await switchOn(world, name, random);
  await standDown(world);
  return random;
};

/**
 * Replaced instances look like a deploy for a quarter of an hour after the last of them, and nothing is
 * begun so long: here no one notes deploys, so that each rotation follows on the one before. And a region
 * looks lost on a machine that is too busy, which is another drill's story.
 */
const standDown = async ({ cloud, platform, config }: DrillWorld): Promise<void> => {
  const pair = [platform.home.region, platform.standby.region];
  const end = (region: string, job: string) =>
    cloud.ask("scheduler", "DeleteSchedule", region, { Name: `${job}-each-minute` });
  for (const region of pair) await end(region, "detection");
  for (const region of [...pair, config.regions.witness]) await end(region, "canary");
};

const ring = (random: Random) => {
  const secret = random.bytes(32).toString("base64url");
  return { primary: "first", keys: { first: { secret, state: "primary", madeAt: null } } };
};

const keep = async ({ cloud, platform }: DrillWorld, Name: string, value: object) => {
  const { home, standby } = platform;
  await cloud.ask("secrets-manager", "CreateSecret", home.region, {
    Name,
    SecretString: JSON.stringify(value),
    ClientRequestToken: `first-of-${Name.replace("/", "-")}`.padEnd(32, "-"),
    KmsKeyId: keyIn(home.region, "secrets"),
    AddReplicaRegions: [{ Region: standby.region, KmsKeyId: keyIn(standby.region, "secrets") }],
  });
};

const switchOn = async ({ cloud, platform }: DrillWorld, SecretId: string, random: Random) => {
  const { region } = platform.home;
  await cloud.ask("secrets-manager", "RotateSecret", region, {
    SecretId,
    ClientRequestToken: random.id().padEnd(32, "0"),
    RotationLambdaARN: cloud.functions.functionArn(region, "rotation"),
    RotationRules: { AutomaticallyAfterDays: 30 },
    RotateImmediately: false,
  });
};

/** By hand, past every secret: what an administrator can do, and nobody should. */
export const setOwnerPassword = async (world: DrillWorld, password: string): Promise<void> => {
  const verifier = escapeLiteral(verifierOf(password));
  const role = escapeIdentifier(names.master);
  await asAdministrator(world, world.platform.home.engineId, (client) =>
    client.query(`alter role ${role} password ${verifier}`),
  );
};

/** How many sessions a login has in both regions' databases. */
export const sessionsOf = async (world: DrillWorld, role: string): Promise<number> => {
  let sessions = 0;
  for (const { engineId } of [world.platform.home, world.platform.standby]) {
    await asAdministrator(world, engineId, async (client) => {
      const asked = "select count(*)::int as sessions from pg_stat_activity where usename = $1";
      const { rows } = await client.query<{ sessions: number }>(asked, [role]);
      sessions += rows[0]?.sessions ?? 0;
    });
  }
  return sessions;
};

export const asAdministrator = async (
  { engine }: DrillWorld,
  engineId: string,
  work: (client: Client) => Promise<unknown>,
): Promise<void> => {
  const { host, port, user, password } = engine.administration(engineId);
  const client = new Client({ host, port, user, password, database: names.database });
  await client.connect();
  await work(client).finally(() => client.end());
};
