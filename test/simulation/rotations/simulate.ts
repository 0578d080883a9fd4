import { unmarshall } from "@aws-sdk/util-dynamodb";
import { keyIn, names } from "../../../drills/names.ts";
import type { Site } from "../../../drills/platform.ts";
import { DatabaseError } from "../../../local/postgres/session.ts";
import type { Entry } from "../../../shared/journal.ts";
import { seededRandom } from "../../../shared/random.ts";
import { type Flight, readFlight, rotationRun } from "../../../shared/rotation.ts";
import { entered } from "../entering.ts";
import {
  type Crashes,
  drawCrashes,
  drawWeather,
  type Executioner,
  executioner,
  fair,
  type Kill,
  none,
  raise,
  type Weather,
} from "../storm.ts";
import { config, type Plant, type World, world } from "../world.ts";
import { drawScenario, plain, rotatable, type Scenario } from "./scenario.ts";

export interface Wanted {
  seed: number | string;
  scenario?: Partial<Scenario>;
  weather?: Weather;
  crashes?: Partial<Crashes>;
  plant?: Plant;
}

/** Without faults, crashes or surprises. */
export const calm = { scenario: {}, weather: fair, crashes: {} } as const;

/** What came of one order. */
export interface Rotated {
  secret: string;
  token: string;
  run: string;
  entries: Entry[];
  /** Whether its version is current where the lease is. */
  isCurrent: boolean;
}

/** All that is known of a night when it is over. */
export interface Night {
  seed: number | string;
  scenario: Scenario;
  rotated: Rotated[];
  flights: (Flight | undefined)[];
  /** Every moment in which AWSCURRENT of a region did not log in there: the first of each kind. */
  lockedOut: string[];
  looks: number;
  /** Ids of keys of the encryption ring that were there and are not any more. */
  lostKeys: string[];
  running: string[];
  leaks: string[];
  kills: readonly Kill[];
  /** Where the lease is in the end. */
  region: string;
  /** Whether the region that the rotations began in is away for good: what runs there stands still. */
  isAway: boolean;
  ends: { run: string; end: string }[];
  /** Secrets that have no rotation where the lease is, some hours after whatever befell it. */
  unrotated: string[];
  pages: number;
  bugs: unknown[];
}

type Value = Record<string, unknown>;

/** One night from the seed, to its end. Without the stacks of errors: they are most of the work. */
export const simulateRotations = async (
  wanted: Wanted,
): Promise<{ night: Night; trace: string[] }> => {
  const depth = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return await lived(wanted);
  } finally {
    Error.stackTraceLimit = depth;
  }
};

const lived = async (wanted: Wanted) => {
  const { seed } = wanted;
  const random = seededRandom(`rotations ${seed}`);
  const drawn = { scenario: drawScenario(random), weather: drawWeather(random) };
  const scenario = wanted.scenario ? { ...plain, ...wanted.scenario } : drawn.scenario;
  const weather = wanted.weather ?? drawn.weather;
  const crashes = wanted.crashes ? { ...none, ...wanted.crashes } : drawCrashes(random);
  const made: { axe?: Executioner; watched?: Watched } = {};
  const trace: string[] = [];
  const built = await world({
    seed,
    writesPerSecond: 0.05,
    configured: (usual) => ({ ...usual, verification: { ciphertext: [sealedColumn] } }),
    ...(wanted.plant ? { plant: wanted.plant } : {}),
    hooks: (tools) => {
      const axe = executioner(crashes, seededRandom(`axe ${seed}`), everywhere, tools);
      made.axe = axe;
      const name = (call: { service: string; operation: string }) =>
        `${call.service}.${call.operation}`;
      return {
        observe: {
          before: (call, _input, from) => axe.atCall("before", name(call), from),
          after: async (call, _input, outcome, from) => {
            if (from?.includes("rotation") || from?.includes("retirement")) {
              trace.push(`${tools.now()} ${from} ${name(call)} ${outcome.kind}`);
            }
            if (/PutSecretValue|UpdateSecretVersionStage|PutItem/.test(call.operation)) {
              await made.watched?.look();
            }
            return axe.atCall("after", name(call), from);
          },
        },
        lambda: axe.lambda,
      };
    },
  });
  const { axe } = made;
  if (!axe) throw new Error("the world was built without its hooks");
  try {
    await built.timeline.run(deploy(built, random.bytes(32).toString("base64url")));
    made.watched = watching(built);
    const tokens = scenario.orders.map(() => random.id().padEnd(32, "0"));
    await happen(built, { scenario, tokens, weather, axe });
    const night = await built.timeline.run(
      gather(built, { seed, scenario, tokens, watched: made.watched, axe }),
    );
    return { night, trace };
  } finally {
    await built.close();
  }
};

/** What the application keeps sealed with the encryption ring. */
const sealedColumn = {
  ...{ table: "public.holders", column: "name" },
  format: "keyed-aes-256-gcm" as const,
};

const everywhere = Object.values(config.regions);

/** The other secrets, and rotation switched on. */
export const deploy = async (
  { cloud, platform, secrets }: World,
  key: string,
  rotates: readonly string[] = rotatable,
): Promise<void> => {
  const { region } = platform.home;
  // The world makes the owner's password first, after Slack's two secrets.
  const owner = { username: names.master, password: secrets[2] ?? "" };
  const ring = {
    primary: "first",
    keys: { first: { secret: key, state: "primary", madeAt: null } },
  };
  secrets.push(key);
  const { rotated } = names;
  const first = { [rotated.owner]: owner, [rotated.encryption]: ring, [rotated.signing]: ring };
  for (const [Name, value] of Object.entries(first)) {
    await cloud.ask("secrets-manager", "CreateSecret", region, {
      Name,
      SecretString: JSON.stringify(value),
      ClientRequestToken: `first-of-${Name.replace("/", "-")}`.padEnd(32, "-"),
      AddReplicaRegions: [
        {
          Region: platform.standby.region,
          KmsKeyId: keyIn(platform.standby.region, "secrets"),
        },
      ],
    });
  }
  for (const SecretId of rotates) {
    await cloud.ask("secrets-manager", "RotateSecret", region, {
      SecretId,
      ClientRequestToken: `tried-${SecretId.replace("/", "-")}`.padEnd(32, "-"),
      RotationLambdaARN: cloud.functions.functionArn(region, "rotation"),
      RotationRules: { AutomaticallyAfterDays: 30 },
      RotateImmediately: false,
    });
  }
};

const current = async (
  { cloud }: World,
  region: string,
  SecretId: string,
): Promise<{ value: Value; version: string } | undefined> => {
  try {
    const { SecretString, VersionId } = await cloud.ask<{
      SecretString: string;
      VersionId: string;
    }>("secrets-manager", "GetSecretValue", region, { SecretId });
    return { value: JSON.parse(SecretString) as Value, version: VersionId };
  } catch (error) {
    if ((error as Error).name === "ResourceNotFoundException") return undefined;
    throw error;
  }
};

type Watched = ReturnType<typeof watching>;

/** After each change of a secret: does what each region has as current log in at its own database? */
const watching = (built: World) => {
  const lockedOut = new Set<string>();
  const values = new Set<string>();
  const keys = new Set<string>();
  let lookedAt = 0;
  const look = async () => {
    lookedAt += 1;
    for (const site of [built.platform.home, built.platform.standby]) {
      if (built.regions.state(site.region) !== "up") continue;
      const found = await current(built, site.region, names.secrets.application);
      const why = found && loginOf(built, site, found.value);
      if (why) lockedOut.add(`${site.region}: ${why}`);
      const owner = await current(built, site.region, names.rotated.owner);
      const ring = await current(built, site.region, names.rotated.encryption);
      for (const value of [found, owner]) values.add(String(value?.value.password));
      const all = (ring?.value.keys ?? {}) as Record<string, { secret: string }>;
      for (const [id, { secret }] of Object.entries(all)) {
        keys.add(id);
        values.add(secret);
      }
    }
  };
  return { look, lockedOut, values, keys, looks: () => lookedAt };
};

/** Why the login does not come in at the region's database, which has to answer. */
const loginOf = (
  { engine }: World,
  { engineId, region }: Site,
  { username, password }: Value,
): string | undefined => {
  const request = { user: String(username), password: String(password), from: region };
  const session = entered(engine, engineId, request);
  if (!(session instanceof DatabaseError)) {
    session.end();
    return undefined;
  }
  // A fence, a dead server and a closed security group keep out whoever comes, with any password.
  return session.code === "28P01" ? `${request.user} is refused` : undefined;
};

interface Course {
  scenario: Scenario;
  tokens: string[];
  weather: Weather;
  axe: Executioner;
}

const baselineSeconds = 150;
/** Replacements of both fleets, twice; an hour of holding; and what people and Secrets Manager wait. */
const nightSeconds = 6 * 3600;

const happen = async (built: World, { scenario, tokens, weather, axe }: Course): Promise<void> => {
  const { timeline, regions, platform, faults, cloud, users } = built;
  users.start();
  await timeline.advance(baselineSeconds * 1000);
  const heal = raise(weather, faults, everywhere, cloud.events.setDelivery);
  axe.begin();
  const at = (seconds: number | null, act: () => void | Promise<void>) => {
    if (seconds !== null) timeline.after(seconds * 1000, act);
  };
  scenario.orders.forEach(({ secret, afterSeconds }, index) => {
    at(afterSeconds, () => order(built, secret, tokens[index] ?? ""));
  });
  const home = platform.home.region;
  at(scenario.lostAfterSeconds, () => regions.set(home, "dead"));
  if (scenario.lostAfterSeconds !== null && scenario.returnsAfterSeconds !== null) {
    at(scenario.lostAfterSeconds + scenario.returnsAfterSeconds, () => regions.set(home, "up"));
  }
  at(scenario.healedAfterSeconds, () => {
    heal();
    axe.end();
  });
  const regionsThere = [home, platform.standby.region];
  for (let hour = 1; hour <= nightSeconds / 3600; hour += 1) {
    for (const region of regionsThere) at(hour * 3600, () => keepIn(built, region));
  }
  await timeline.advance(nightSeconds * 1000);
  await users.stop();
};

/** As the sweep of a region asks each hour; a region that is lost is asked nothing. */
const keepIn = async ({ cloud, regions }: World, region: Site["region"]): Promise<void> => {
  if (regions.state(region) !== "up") return;
  const Payload = Buffer.from(JSON.stringify({ do: "keep" }));
  await cloud.ask("lambda", "Invoke", region, {
    ...{ FunctionName: "rotation", InvocationType: "Event" },
    Payload,
  });
};

/** What the active region's Secrets Manager would never rotate again. */
const withoutRotation = async (built: World, region: Site["region"]): Promise<string[]> => {
  if (built.regions.state(region) !== "up") return [];
  const found = await Promise.all(
    rotatable.map(async (SecretId) => {
      const seen = await built.cloud.ask<{ RotationEnabled?: boolean; PrimaryRegion?: string }>(
        "secrets-manager",
        "DescribeSecret",
        region,
        { SecretId },
      );
      const isReplica = seen.PrimaryRegion !== undefined && seen.PrimaryRegion !== region;
      return seen.RotationEnabled && !isReplica ? [] : [SecretId];
    }),
  );
  return found.flat();
};

/** As a schedule or an operator has it begun: by Secrets Manager itself, where the primary secret is. */
const order = async ({ cloud, platform }: World, SecretId: string, token: string) => {
  const input = { SecretId, ClientRequestToken: token };
  try {
    await cloud.ask("secrets-manager", "RotateSecret", platform.home.region, input);
  } catch (error) {
    // The one before is not complete: Secrets Manager goes on with that one and says so.
    if (!/InvalidRequest|isn't complete/.test(String(error))) throw error;
  }
};

const gather = async (
  built: World,
  {
    seed,
    scenario,
    tokens,
    watched,
    axe,
  }: Omit<Course, "weather"> & {
    seed: number | string;
    watched: Watched;
  },
): Promise<Night> => {
  const { cloud, table, slack, bugs, lines, secrets } = built;
  await watched.look();
  const { region } = (await table.read("lease")) as unknown as { region: string };
  const regions = [built.platform.home.region, built.platform.standby.region];
  const items = regions.flatMap((one) =>
    cloud.tables.items(names.journal, one).map((item) => unmarshall(item as never) as Entry),
  );
  const rotated: Rotated[] = [];
  for (const [index, { secret }] of scenario.orders.entries()) {
    const token = tokens[index] ?? "";
    const run = rotationRun(secret, token);
    const entries = items.filter((entry) => entry.run === run);
    const now = await current(built, region, secret);
    rotated.push({ secret, token, run, entries, isCurrent: now?.version === token });
  }
  const ring = await current(built, region, names.rotated.encryption);
  const there = Object.keys((ring?.value.keys ?? {}) as object);
  const executions = regions.flatMap((one) => cloud.functions.executions(one, "retirement"));
  const texts = [
    ...lines,
    ...items.map((item) => JSON.stringify(item)),
    ...slack.messages().map((message) => JSON.stringify(message)),
    ...executions.flatMap(({ input, result = "", operations }) => [
      ...[input, result],
      JSON.stringify([...operations.values()]),
    ]),
  ];
  const values = [...watched.values, ...secrets].filter((value) => value.length > 20);
  return {
    ...{ seed, scenario, rotated, region, kills: axe.kills, bugs },
    isAway: built.regions.state(built.platform.home.region) !== "up",
    flights: await Promise.all(
      ["database", "encryption-keys"].map((scope) => readFlight(table, scope)),
    ),
    lockedOut: [...watched.lockedOut],
    looks: watched.looks(),
    unrotated: await withoutRotation(built, region as Site["region"]),
    lostKeys: [...watched.keys].filter((id) => !there.includes(id)),
    running: executions.filter(({ status }) => status === "RUNNING").map(({ name }) => name),
    leaks: values.filter((value) => texts.some((text) => text.includes(value))),
    ends: executions.map(({ name, result, status }) => ({
      run: name,
      end: result ? String((JSON.parse(result) as { end?: string }).end) : status,
    })),
    pages: slack.messages().filter((message) => JSON.stringify(message).includes("needs a human"))
      .length,
  };
};
