import { deployAutomation } from "../../drills/automation.ts";
import { names, tablesIn } from "../../drills/names.ts";
import { buildPlatform, type DatabaseSite } from "../../drills/platform.ts";
import { smaller } from "../../drills/sizes.ts";
import { type DirectCall, installDirect } from "../../local/aws/direct.ts";
import { duration, type Shares } from "../../local/aws/durations.ts";
import type { Observer } from "../../local/aws/endpoint.ts";
import { faults } from "../../local/aws/faults.ts";
import { frugal, inProcess } from "../../local/aws/transport.ts";
import { type Cloud, cloud } from "../../local/cloud.ts";
import type { LambdaOptions } from "../../local/lambda/dispatch.ts";
import type { FunctionDefinition, LambdaHandler } from "../../local/lambda/host.ts";
import { inProcessHost, installImmediates } from "../../local/lambda/inprocess.ts";
import { memoryStore } from "../../local/lambda/store.ts";
import { loadGenerator } from "../../local/load/generator.ts";
import { internet, network } from "../../local/network.ts";
import { type ModelledEngineOptions, modelledEngine } from "../../local/postgres/modelled.ts";
import { DatabaseError } from "../../local/postgres/session.ts";
import { operators, type Script } from "../../local/slack/operators.ts";
import { slackStandIn } from "../../local/slack/slack.ts";
import { installTime } from "../../local/time/install.ts";
import { virtualTimeline } from "../../local/time/virtual.ts";
import operatorsConfig from "../../nightshift.config.ts";
import type { Config } from "../../shared/config.ts";
import { coordination } from "../../shared/coordination.ts";
import { grantFirst } from "../../shared/lease.ts";
import { keepProof, type Proof } from "../../shared/proof.ts";
import { type Random, seededRandom } from "../../shared/random.ts";
import { keepReadiness, type Readiness } from "../../shared/readiness.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { clockOn } from "../clock.ts";
import { type Assemble, assemblies } from "./assemblies.ts";
import { cheap } from "./clients.ts";
import { modelledConnect } from "./database.ts";
import { admits, launchLedger, simulatedWeb, untilKilled, usersSend } from "./ground.ts";

const small = smaller(operatorsConfig);

export const config: Config = {
  ...small,
  sizes: {
    ...small.sizes,
    application: {
      ...small.sizes.application,
      minimum: 2,
      desired: 2,
      standbyMinimum: 1,
    },
  },
  failover: {
    ...operatorsConfig.failover,
    // One beat a minute: the simulation is about orders of events, not about tight bounds.
    heartbeatSeconds: 60,
    // Measured between two heartbeats, so a replica that has everything may look one of them behind.
    maximumLagSeconds: 130,
    resolvers: ["192.0.2.53"],
  },
};

/** What looks on, and interferes, without being part of the world. */
export interface Hooks {
  observe?: Observer;
  lambda?: LambdaOptions;
  /** The engine under RDS has made a replica a primary. */
  onPromoted?(engineId: string): void;
}

/** What hooks are made with: they are made before the cloud that they look at. */
export interface HookTools {
  now(): number;
  /** The invocation that a call's trace names. */
  requestOf(trace: string | undefined): string | undefined;
  kill(requestId: string): void;
}

/** Takes the place of a handler's assembly: the way to plant a bug without a switch for it. */
export type Plant = (
  definition: FunctionDefinition,
  runtime: Runtime,
  assemble: Assemble,
) => unknown;

export interface WorldOptions {
  seed: number | string;
  scripts?: Script[];
  hooks?(tools: HookTools): Hooks;
  plant?: Plant;
  /** How many sessions each database takes; any number when left out. */
  connections?: ModelledEngineOptions["connections"];
  /** How many transfers the users try each modelled second; one in five seconds when left out. */
  writesPerSecond?: number;
  /** What AWS takes is drawn once for each kind of thing: worlds of one seed can be compared. */
  sameTimes?: boolean;
  /**
   * How long each call of a function takes on its way, in modelled time. When left out none does, and
   * neither does Slack: the simulation is about orders of events.
   */
  latencyMilliseconds?: () => number;
  /** Every AWS call goes the whole way: middleware of the SDK, encoding, decoding. Slower by half. */
  wire?: boolean;
  /** Sees the calls that do not. */
  onDirect?(call: DirectCall): void;
  /** What differs from the configuration that functions have otherwise. */
  configured?(config: Config): Config;
  /** Whether there are caches: instances here use none. */
  caches?: boolean;
  /** Whether readiness is looked at: left out of most stories, since a look is thirty calls. */
  looks?: boolean;
  /** Whether the platform publishes metrics each minute: only stories about alarms on them need any. */
  publishesMetrics?: boolean;
}

export type World = Awaited<ReturnType<typeof world>>;

/** The platform was deployed so long ago that no block period holds anything. */
const daySeconds = 86_400;

const startedAt = Date.UTC(2026, 10, 22, 2, 0, 0);

/** Two people who read for a while and then approve. */
export const approving: Script[] = [
  { user: "U0ANA", says: "approve", thinksSeconds: [20, 60] },
  { user: "U0BEN", says: "approve", thinksSeconds: [20, 90] },
];

/**
 * The whole platform with Nightshift on it, in this process and in virtual time: the real handlers
 * and the real local AWS, with nothing under them that a seed does not decide.
 */
export const world = async (options: WorldOptions) => {
  const stage = newStage(options);
  const { timeline, random } = stage;
  const restore = takeOver(timeline, seededRandom(`libraries ${options.seed}`), options);
  const { aws, strikes } = await raiseCloud(stage, options);
  const { primary } = config.regions;
  const platform = await buildPlatform(aws, groundOf(stage));
  await deployAutomation(aws, platform, {}, { looks: options.looks === true, repairs: false });
  const table = deploysTable(stage);
  await timeline.run(grantFirst(table, primary, timeline.now() - daySeconds * 1000));
  for (const region of [platform.home.region, platform.standby.region]) {
    if (options.looks) await timeline.run(keepProof(table, rehearsed(region, timeline.now())));
    else await timeline.run(keepReadiness(table, foundReady(region, timeline.now())));
  }
  const people = peopleOf(stage, aws, options);
  const users = loadGenerator(
    {
      timeline,
      random: seededRandom(`users ${options.seed}`),
      send: usersSend(aws, config.domain.name, timeline),
    },
    {
      perSecond: options.writesPerSecond ?? 0.2,
      accounts: ["account-1", "account-2", "account-3"],
    },
  );
  return {
    timeline,
    random,
    regions: stage.regions,
    cloud: aws,
    engine: stage.engine,
    platform,
    table,
    slack: stage.channel,
    people,
    users,
    faults: strikes,
    lines: stage.lines,
    bugs: stage.bugs,
    /** Values that must never be seen outside of Secrets Manager and the databases. */
    secrets: stage.secrets,
    close: async () => {
      await aws.close();
      restore();
    },
  };
};

/**
 * What the last looks before the story have found. Good for a day, unless somebody looks again: most
 * stories are not about readiness.
 */
const foundReady = (region: string, now: number): Readiness => {
  const seenAtMilliseconds = now + daySeconds * 1000;
  const detail = "found ready before the story began";
  const check = { name: "story", verdict: "ready" as const, detail, source: "the story" };
  return { region, atMilliseconds: now, checks: [{ ...check, seenAtMilliseconds }] };
};

/** A region that nobody has ever moved to is not ready. */
const rehearsed = (region: string, now: number): Proof => ({
  region,
  run: "rehearsal-before",
  kind: "rehearsal",
  atMilliseconds: now - 7 * daySeconds * 1000,
});

/** What the cloud stands on, and a place to find the cloud in once it is there. */
type Stage = ReturnType<typeof newStage>;

const newStage = (options: WorldOptions) => {
  const timeline = virtualTimeline(startedAt);
  const random = { ...seededRandom(`world ${options.seed}`), ...sharesOf(options) };
  const regions = network();
  const place = slackPlace(config);
  const sites = new Map<string, DatabaseSite>();
  const built: { cloud?: Cloud } = {};
  const there = (): Cloud => {
    if (!built.cloud) throw new Error("the cloud is not built yet");
    return built.cloud;
  };
  const engine = modelledEngine({
    timeline,
    random,
    ...(options.connections ? { connections: options.connections } : {}),
    reachable: regions.reachable,
    admit: (id, user) =>
      admits(
        there(),
        [...sites.values()].find((site) => site.engineId === id),
        user,
      ),
  });
  return {
    timeline,
    random,
    regions,
    engine,
    sites,
    built,
    there,
    place,
    channel: slackStandIn(timeline, place),
    lines: [] as string[],
    bugs: [] as unknown[],
    secrets: [place.botToken, place.signingSecret],
    latency: options.latencyMilliseconds,
    config: options.configured?.(config) ?? config,
    hasCaches: options.caches === true,
  };
};

const sharesOf = ({ seed, sameTimes }: WorldOptions): Partial<Shares> => {
  if (!sameTimes) return {};
  return { shareOf: (name) => seededRandom(`${name} ${seed}`).fraction() };
};

/** The process of one execution environment. */
const runtimeOf = (
  { timeline, random, engine, channel, lines, latency, there, config: given }: Stage,
  definition: FunctionDefinition,
  killed: AbortSignal,
  environment: string,
): Runtime => {
  const clock = clockOn(timeline);
  const web = simulatedWeb(there(), definition.region);
  return {
    environment: environmentOf(definition),
    clock,
    random,
    web: {
      resolve: untilKilled(killed, web.resolve),
      request: untilKilled(killed, web.request),
    },
    config: given,
    write: (line) => void (killed.aborted || lines.push(line)),
    authenticate: async (_cache, token) => {
      const { tokens, withoutToken } = there().caches.tokensOf(definition.region, names.cache);
      const isIn = token === null ? withoutToken : tokens.includes(token);
      return isIn ? { is: "in" } : { is: "refused", why: "WRONGPASS" };
    },
    connect: async (target) => {
      if (latency) await timeline.sleep(latency());
      const session = await modelledConnect(engine, definition.region, clock)(target);
      return { ...session, query: untilKilled(killed, session.query) };
    },
    fetch: untilKilled(killed, async (...request: Parameters<typeof channel.fetch>) => {
      if (latency) await timeline.sleep(duration(random, "slack.post"));
      return channel.fetch(...request);
    }) as unknown as typeof fetch,
    aws: ({ answerSeconds }) => ({
      ...cheap,
      requestHandler: inProcess(there().endpoint, definition.region, timeline, {
        signal: killed,
        trace: environment,
        requestTimeoutMilliseconds: answerSeconds * 1000,
        ...(latency ? { latencyMilliseconds: latency } : {}),
      }),
    }),
  };
};

const raiseCloud = async (stage: Stage, options: WorldOptions) => {
  const { timeline, random, regions, engine, sites, bugs, there } = stage;
  const host = inProcessHost(timeline, {
    handlers: async (definition, killed, environment) => {
      const runtime = runtimeOf(stage, definition, killed, environment);
      const assemble = assemblies[definition.entry];
      if (!assemble) throw new Error(`no such handler: ${definition.entry}`);
      const { plant } = options;
      return (plant ? plant(definition, runtime, assemble) : assemble(runtime)) as LambdaHandler;
    },
  });
  const hooks = options.hooks?.({
    now: timeline.now,
    requestOf: (trace) => (trace === undefined ? undefined : host.requestOf(trace)),
    kill: (requestId) => host.kill(requestId),
  });
  const strikes = faults(seededRandom(`faults ${options.seed}`));
  const onError = (error: unknown) => void bugs.push(error);
  const { primary, standby, witness } = config.regions;
  const promote = async (id: string) => {
    await engine.promote(id);
    hooks?.onPromoted?.(id);
  };
  stage.built.cloud = cloud(
    { timeline, random, network: regions, account: names.account },
    {
      engine: { ...engine, promote },
      host,
      executions: memoryStore(),
      launch: async ({ region, id }) =>
        launchLedger(there(), engine, sites.get(region), id, random),
      probe: async ({ host: name, path }) =>
        there().balancers.serve(name, { method: "GET", path }, internet),
    },
    {
      tables: tablesIn(primary, standby, witness),
      checkers: 1,
      onError,
      ...(options.publishesMetrics ? { publishesMetrics: true } : {}),
      endpoint: {
        faults: strikes,
        onBug: onError,
        ...(hooks?.observe ? { observe: hooks.observe } : {}),
      },
      ...(hooks?.lambda ? { lambda: hooks.lambda } : {}),
    },
  );
  const aws = there();
  await aws.endpoint.ready();
  return { aws, strikes };
};

const groundOf = ({ random, engine, sites, place, secrets, hasCaches }: Stage) => ({
  config,
  ...(hasCaches ? { cacheToken: "planted-token-of-the-caches-0123456789" } : {}),
  port: 80,
  onDatabase: (site: DatabaseSite) => void sites.set(site.region, site),
  password: () => {
    const made = random.id();
    secrets.push(made);
    return made;
  },
  slack: { signingSecret: place.signingSecret, botToken: place.botToken },
  migrate: async (
    { engineId, masterPassword }: { engineId: string; masterPassword: string },
    logins: { application: string; nightshift: string },
  ) => {
    const login = { user: names.master, password: masterPassword, from: config.regions.primary };
    const session = engine.session(engineId, login);
    if (session instanceof DatabaseError) throw session;
    for (const name of names.roles) {
      session.alterRole({ name, canLogin: true, password: logins.application });
    }
    const { nightshiftLogin: name } = names;
    session.alterRole({ name, canLogin: true, password: logins.nightshift });
    session.end();
  },
});

/** The coordination table as whoever deploys the platform reaches it. */
const deploysTable = ({ timeline, random, lines, there }: Stage) => {
  const { standby } = config.regions;
  return coordination({
    environment: {
      ...environmentOf({ region: standby, name: "deploy", environment: {} }),
      SST_RESOURCE_CoordinationTable: JSON.stringify({ name: names.coordination }),
    },
    clock: clockOn(timeline),
    random,
    web: simulatedWeb(there(), standby),
    config,
    write: (line) => void lines.push(line),
    aws: () => ({ ...frugal, requestHandler: inProcess(there().endpoint, standby, timeline) }),
  });
};

const peopleOf = ({ channel, timeline }: Stage, aws: Cloud, options: WorldOptions) => {
  const door = aws.functions.functionUrl(config.regions.standby, "slack");
  return operators({
    slack: channel,
    timeline,
    random: seededRandom(`people ${options.seed}`),
    scripts: options.scripts ?? approving,
    send: async ({ method, headers, body }) => {
      const target = "/";
      const answer = await door.request({ method, target, headers, body: Buffer.from(body) });
      return { status: answer.status, body: Buffer.from(answer.body).toString("utf8") };
    },
  });
};

/** Time, deferred work and chance of this process belong to the simulation until given back. */
const takeOver = (
  timeline: ReturnType<typeof virtualTimeline>,
  random: Random,
  { wire, onDirect }: WorldOptions,
) => {
  const wired = wire ? () => undefined : installDirect(onDirect);
  const time = installTime(timeline);
  const immediates = installImmediates(timeline);
  const kept = Math.random;
  Math.random = random.fraction;
  return () => {
    Math.random = kept;
    immediates();
    time();
    wired();
  };
};

const slackPlace = ({ slack: { workspace, channel } }: Config) => ({
  workspace,
  channel,
  botToken: "xoxb-planted-bot-token",
  signingSecret: "planted-signing-secret-0123456789",
});

const environmentOf = (
  definition: Pick<FunctionDefinition, "environment" | "region" | "name">,
) => ({
  ...definition.environment,
  AWS_REGION: definition.region,
  AWS_LAMBDA_FUNCTION_NAME: definition.name,
  AWS_ACCESS_KEY_ID: "AKIDLOCAL",
  AWS_SECRET_ACCESS_KEY: "local",
});
