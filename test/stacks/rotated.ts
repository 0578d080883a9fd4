import { expect } from "vitest";
import { keyIn, names } from "../../drills/names.ts";
import { scramVerifier } from "../../functions/rotation/scram.ts";
import type { Observer } from "../../local/aws/endpoint.ts";
import type { LambdaHandler } from "../../local/lambda/host.ts";
import { leaseId } from "../../shared/lease.ts";
import { systemRandom } from "../../shared/random.ts";
import type { Authenticate, Connect } from "../../shared/runtime.ts";
import { person } from "../ops/stage.ts";
import { type Stage, stage } from "../remediation/stage.ts";
import { fakeServer } from "../rotation/server.ts";

const { secrets, rotated: more } = names;
const ownerPassword = "owner-0123456789";
const firstToken = "the-first-token-of-the-cache";

/** What a function makes a value for. */
const asked = {
  application: secrets.application,
  cache: names.cacheSecret,
  signing: more.signing,
  encryption: more.encryption,
};

/** Caches that take whatever token their own region was told, and no other. */
const cachesOf = () => {
  const tokens = new Map<string, Set<string>>();
  const tokensIn = (region: string): Set<string> => {
    const known = tokens.get(region) ?? new Set([firstToken]);
    tokens.set(region, known);
    return known;
  };
  const authenticateIn =
    (region: string): Authenticate =>
    async (_address, token) =>
      token !== null && tokensIn(region).has(token)
        ? { is: "in" }
        : { is: "refused", why: "WRONGPASS" };
  return { tokensIn, authenticateIn };
};

const ring = {
  primary: "first",
  keys: {
    first: { secret: Buffer.alloc(32, 7).toString("base64url"), state: "primary", madeAt: null },
  },
};

/** One key more, which no row has needed for years: it goes when no backup needs it either. */
const sealing = {
  ...ring,
  keys: {
    older: {
      ...{ secret: Buffer.alloc(32, 6).toString("base64url"), state: "decrypt-only", madeAt: null },
      ...{ unusedSince: "2020-01-01T00:00:00Z", mayGoAt: "2020-02-01T00:00:00Z" },
    },
    ...ring.keys,
  },
};

/** Everything that can be rotated, with rotation switched on. */
const keepAll = async (at: Stage): Promise<void> => {
  const { primary: home, standby } = { primary: at.region, standby: at.platform.standby.region };
  const ask = (operation: string, input: object) =>
    at.cloud.ask<{ SecretString?: string }>("secrets-manager", operation, home, input);
  const create = (Name: string, value: object) =>
    ask("CreateSecret", {
      Name,
      SecretString: JSON.stringify(value),
      ClientRequestToken: `first of ${Name}`.padEnd(32, "-"),
      KmsKeyId: keyIn(home, "secrets"),
      AddReplicaRegions: [{ Region: standby }],
    });
  await create(more.owner, { username: "owner", password: ownerPassword });
  await create(more.signing, ring);
  await create(more.encryption, sealing);
  await create(names.cacheSecret, { token: firstToken });
  for (const SecretId of Object.values({ ...asked, slack: secrets.slack })) {
    await ask("RotateSecret", {
      SecretId,
      ClientRequestToken: `tried ${SecretId}`.padEnd(32, "-"),
      RotationLambdaARN: at.cloud.functions.functionArn(home, "rotation"),
      RotationRules: { AutomaticallyAfterDays: 30 },
      RotateImmediately: false,
    });
  }
};

const establishCaches = async (at: Stage): Promise<void> => {
  for (const region of [at.region, at.platform.standby.region]) {
    await at.cloud.caches.establish(region, {
      ReplicationGroupId: names.cache,
      CacheNodeType: "cache.t4g.small",
      NumCacheClusters: 1,
      AuthToken: firstToken,
    });
  }
};

/** The logins as the secrets have them, in the fake that rotation talks to. */
const admit = async (at: Stage, server: ReturnType<typeof fakeServer>): Promise<void> => {
  const current = await at.cloud.ask<{ SecretString: string }>(
    "secrets-manager",
    "GetSecretValue",
    at.region,
    { SecretId: secrets.application },
  );
  const { username, password } = JSON.parse(current.SecretString) as Record<string, string>;
  const role = (secret: string | undefined) => ({
    verifier: secret ? scramVerifier(secret, systemRandom) : null,
    canLogin: true,
    memberOf: ["application"],
  });
  for (const name of names.roles) {
    server.roles.set(name, role(name === username ? password : undefined));
  }
  server.roles.set("owner", role(ownerPassword));
};

/** Logins, a cache's token and a ring are rotated, each until its overlap is over or people are called. */
export const rotated = async ({ observe }: { observe: Observer }): Promise<void> => {
  const server = fakeServer();
  const { tokensIn, authenticateIn } = cachesOf();
  /** What opens the fake has to open the modelled database as well: instances log in there. */
  const connect: Connect = async (target) => {
    const session = await server.connect(target);
    const { engine, platform, region } = at;
    const login = {
      user: names.master,
      password: ownerPassword,
      from: region,
      application: "fake",
    };
    const master = engine.session(platform.home.engineId, login);
    if (master instanceof Error) throw master;
    const { user: name, password } = target;
    master.alterRole({ name, canLogin: true, password });
    master.end();
    return session;
  };
  const at: Stage = await stage({
    people: [],
    writesPerSecond: 0.05,
    config: (config) => ({
      ...config,
      rotation: { holdSeconds: 60, deadlineSeconds: 7200, sessionSeconds: 600 },
      verification: { ...config.verification, ciphertext: [column] },
    }),
    instances: 2,
    plant: (definition, runtime, assemble) =>
      definition.name === "rotation"
        ? assemble({ ...runtime, connect, authenticate: authenticateIn(definition.region) })
        : definition.name === "database"
          ? withRows(assemble(runtime) as LambdaHandler)
          : assemble(runtime),
    hooks: () => ({
      observe: {
        ...observe,
        before: (call, input, trace) => {
          const { AuthToken } = (input ?? {}) as { AuthToken?: string };
          if (call.operation === "ModifyReplicationGroup" && AuthToken)
            tokensIn(call.region).add(AuthToken);
          return observe.before?.(call, input, trace);
        },
      },
    }),
  });
  await establishCaches(at);
  await at.engine.setMasterPassword(at.platform.home.engineId, ownerPassword);
  await keepAll(at);
  await admit(at, server);
  await at.timeline.advance(120_000);
  const runs = () => at.cloud.functions.executions(at.region, "retirement");
  for (const secret of Object.values(asked)) {
    await begun(at, secret);
    await at.timeline.advance(2 * 3_600_000);
  }
  // Each by its own end: one that broke off would have gone by only half of its calls.
  expect(runs().map(({ status }) => status)).toEqual(Object.keys(asked).map(() => "SUCCEEDED"));
  const look = "rotate database dry-run";
  const answer = await at.timeline.run(at.people.command("U0ANA", look), 60_000);
  expect(answer.status).toBe(200);
  expect(await person(at, "U0ANA")(look)).toHaveProperty("ok");
  await guided(at);
  await movedAway(at);
  await at.leave();
};

const column = { table: "public.holders", column: "name", format: "keyed-aes-256-gcm" } as const;

/** A modelled database has no rows: every one of them is sealed by the newest key. */
const withRows =
  (usual: LambdaHandler): LambdaHandler =>
  async (event, context) => {
    const { do: asked } = event as { do?: string };
    if (asked === "reencrypt") return {};
    const { format: _, ...where } = column;
    const left = [{ ...where, keys: {}, unmarked: 0, more: false }];
    return asked === "sealed" ? { left } : usual(event, context);
  };

/** After a failover: what was a replica becomes a secret that is rotated over there. */
const movedAway = async (at: Stage): Promise<void> => {
  const { region } = at.platform.standby;
  await at.timeline.run(at.table.write(leaseId, { set: { region } }));
  const asked = { FunctionName: "rotation", Payload: Buffer.from(JSON.stringify({ do: "keep" })) };
  const { Payload } = await at.timeline.run(
    at.cloud.ask<{ Payload?: Uint8Array }>("lambda", "Invoke", region, asked),
    3_600_000,
  );
  const told = JSON.parse(Buffer.from(Payload ?? []).toString());
  expect(told.mended, JSON.stringify(told)).not.toEqual([]);
};

const tokenOf = (secret: string): string =>
  `asked ${secret.replaceAll("/", " ")}`.padEnd(32, "-").replaceAll(" ", "-");

/** Slack makes its secret itself: a person brings the value, and asks once more. */
const guided = async (at: Stage): Promise<void> => {
  await begun(at, secrets.slack);
  await at.timeline.advance(3_600_000);
  const value = { signingSecret: "0123456789abcdef".repeat(2), botToken: "xoxb-new" };
  await at.cloud.ask("secrets-manager", "PutSecretValue", at.region, {
    SecretId: secrets.slack,
    ClientRequestToken: tokenOf(secrets.slack),
    SecretString: JSON.stringify(value),
    VersionStages: ["AWSPENDING"],
  });
  await begun(at, secrets.slack);
  await at.timeline.advance(3_600_000);
};

/** As a door asks for it. */
const begun = async (at: Stage, secret: string): Promise<void> => {
  const token = tokenOf(secret);
  const ask = { do: "begin", secret, token, by: "U0ANA", reason: "to see who may what" };
  const answer = await at.cloud.ask<{ Payload?: Uint8Array }>("lambda", "Invoke", at.region, {
    FunctionName: "rotation",
    Payload: Buffer.from(JSON.stringify(ask)),
  });
  const told = JSON.parse(Buffer.from(answer.Payload ?? []).toString());
  expect(told, JSON.stringify(told)).toHaveProperty("did");
};
