import { unmarshall } from "@aws-sdk/util-dynamodb";
import { names } from "../../../drills/names.ts";
import type { Entry } from "../../../shared/journal.ts";
import { rotationRun } from "../../../shared/rotation.ts";
import type { Connect } from "../../../shared/runtime.ts";
import { type World, world } from "../world.ts";
import { deploy } from "./simulate.ts";

/** What one rotation costs. Times are modelled, from the order on. */
export interface RotationCost {
  kind: string;
  currentSeconds: number;
  retiredSeconds: number;
  /** AWS calls of the rotation functions of both regions, and of the durable one that ends the overlap. */
  awsCalls: { rotation: number; retirement: number };
  /** Connections and statements, of rotation and of the database functions that are asked for it. */
  databaseRoundTrips: number;
}

const kinds = {
  "database login": names.secrets.application,
  "database owner": names.rotated.owner,
  "cache token": names.cacheSecret,
  "signing ring": names.rotated.signing,
  "encryption ring": names.rotated.encryption,
  "Slack's secret": names.secrets.slack,
} as const;

/** One rotation of each kind, alone on a platform that is well, with a session of an hour. */
export const rotationCosts = async (): Promise<RotationCost[]> => {
  const costs: RotationCost[] = [];
  for (const [kind, secret] of Object.entries(kinds)) costs.push(await costOf(kind, secret));
  return costs;
};

const hour = 3600;
const patienceSeconds = 6 * hour;

const costOf = async (kind: string, secret: string): Promise<RotationCost> => {
  const counted = { rotation: 0, retirement: 0, database: 0, isOn: false };
  const counting =
    (connect: Connect): Connect =>
    async (target) => {
      if (counted.isOn) counted.database += 1;
      const session = await connect(target);
      return {
        end: session.end,
        query: (text, values) => {
          if (counted.isOn) counted.database += 1;
          return session.query(text, values);
        },
      };
    };
  const built = await world({
    seed: `cost of ${kind}`,
    caches: true,
    configured: (config) => ({ ...config, rotation: { sessionSeconds: hour } }),
    plant: (definition, runtime, assemble) => {
      const { connect } = runtime;
      const counts = definition.name === "rotation" && connect !== undefined;
      return assemble(counts ? { ...runtime, connect: counting(connect) } : runtime);
    },
    hooks: () => ({
      observe: {
        before: (_call, _input, from) => {
          if (!counted.isOn) return;
          if (from?.includes("/rotation/")) counted.rotation += 1;
          if (from?.includes("/retirement/")) counted.retirement += 1;
        },
      },
    }),
  });
  try {
    const key = built.random.bytes(32).toString("base64url");
    await built.timeline.run(deploy(built, key, Object.values(kinds)));
    await built.timeline.advance(300_000);
    counted.isOn = true;
    const times = await carried(built, secret);
    const { rotation, retirement, database } = counted;
    return { kind, ...times, awsCalls: { rotation, retirement }, databaseRoundTrips: database };
  } finally {
    await built.close();
  }
};

const carried = async (
  built: World,
  secret: string,
): Promise<Pick<RotationCost, "currentSeconds" | "retiredSeconds">> => {
  const { cloud, platform, timeline } = built;
  const { region } = platform.home;
  const token = built.random.id().padEnd(32, "0");
  const fromAt = timeline.now();
  const ask = (operation: string, input: object) =>
    timeline.run(cloud.ask("secrets-manager", operation, region, { SecretId: secret, ...input }));
  await ask("RotateSecret", { ClientRequestToken: token });
  if (secret === names.secrets.slack) {
    await timeline.advance(10_000);
    const value = {
      signingSecret: "0123456789abcdef".repeat(2),
      botToken: "xoxb-planted-bot-token",
    };
    const SecretString = JSON.stringify(value);
    await ask("PutSecretValue", {
      ...{ ClientRequestToken: token, SecretString, VersionStages: ["AWSPENDING"] },
    });
  }
  const run = rotationRun(secret, token);
  const find = (key: RegExp): Entry | undefined =>
    cloud.tables
      .items(names.journal, region)
      .map((item) => unmarshall(item as never) as Entry)
      .find((entry) => entry.run === run && key.test(entry.key));
  while (!find(/^ended: retired$/)) {
    await timeline.advance(60_000);
    if (timeline.now() - fromAt > patienceSeconds * 1000) {
      throw new Error(`${run} has not ended: ${find(/ended|refused/)?.text}`);
    }
  }
  const after = (key: RegExp) => ((find(key)?.atMilliseconds ?? fromAt) - fromAt) / 1000;
  return { currentSeconds: after(/^finished$/), retiredSeconds: after(/^ended: retired$/) };
};
