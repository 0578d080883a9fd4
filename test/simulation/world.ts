import { deployAutomation } from "../../drills/automation.ts";
import { names, tablesIn } from "../../drills/names.ts";
import { buildPlatform, type DatabaseSite } from "../../drills/platform.ts";
import { assemble as canary } from "../../functions/canary/handler.ts";
import { assemble as database } from "../../functions/database/handler.ts";
import { assemble as detection } from "../../functions/detection/handler.ts";
import { assemble as failover } from "../../functions/failover/handler.ts";
import { assemble as guard } from "../../functions/guard/handler.ts";
import { assemble as slack } from "../../functions/slack/handler.ts";
import type { Observer } from "../../local/aws/endpoint.ts";
import { faults } from "../../local/aws/faults.ts";
import { frugal, inProcess } from "../../local/aws/transport.ts";
import { type Cloud, cloud } from "../../local/cloud.ts";
import { askInProcess, cachingResolver } from "../../local/dns/resolver.ts";
import type { LambdaOptions } from "../../local/lambda/dispatch.ts";
import type { FunctionDefinition, LambdaHandler } from "../../local/lambda/host.ts";
import { inProcessHost, installImmediates } from "../../local/lambda/inprocess.ts";
import { memoryStore } from "../../local/lambda/store.ts";
import { modelledLedger } from "../../local/ledger/modelled.ts";
import { loadGenerator, throughName } from "../../local/load/generator.ts";
import { internet, network } from "../../local/network.ts";
import { type ModelledEngine, modelledEngine } from "../../local/postgres/modelled.ts";
import { DatabaseError, type ModelledSession } from "../../local/postgres/session.ts";
import { operators, type Script } from "../../local/slack/operators.ts";
import { slackStandIn } from "../../local/slack/slack.ts";
import { installTime } from "../../local/time/install.ts";
import { virtualTimeline } from "../../local/time/virtual.ts";
import operatorsConfig from "../../nightshift.config.ts";
import type { Config } from "../../shared/config.ts";
import { coordination } from "../../shared/coordination.ts";
import { grantFirst } from "../../shared/lease.ts";
import { type Random, seededRandom } from "../../shared/random.ts";
import type { Runtime } from "../../shared/runtime.ts";
import type { Web } from "../../shared/web.ts";
import { clockOn } from "../clock.ts";
import { modelledConnect } from "./database.ts";

export const config: Config = {
  ...operatorsConfig,
  sizes: {
    ...operatorsConfig.sizes,
    application: {
      ...operatorsConfig.sizes.application,
      minimum: 2,
      desired: 2,
      standbyMinimum: 1,
    },
  },
  failover: {
    ...operatorsConfig.failover,
    // One beat a minute: the simulation is about orders of events, not about tight bounds.
    heartbeatSeconds: 60,
    resolvers: ["192.0.2.53"],
  },
};

const assemblies: Record<string, (runtime: Runtime) => unknown> = {
  "functions/canary/handler.ts": canary,
  "functions/database/handler.ts": database,
  "functions/detection/handler.ts": detection,
  "functions/failover/handler.ts": failover,
  "functions/guard/handler.ts": guard,
  "functions/slack/handler.ts": slack,
};

export interface WorldOptions {
  seed: number | string;
  scripts?: Script[];
  lambda?: LambdaOptions;
  /** Made with the world, since it has to know whose call it sees. */
  observe?(world: {
    requestOf(trace: string | undefined): string | undefined;
    kill(requestId: string): void;
  }): Observer;
  config?: Config;
}

export type World = Awaited<ReturnType<typeof world>>;

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
  const timeline = virtualTimeline(startedAt);
  const random = seededRandom(`world ${options.seed}`);
  const restore = takeOver(timeline, seededRandom(`libraries ${options.seed}`));
  const used = options.config ?? config;
  const { primary, standby, witness } = used.regions;
  const regions = network();
  const lines: string[] = [];
  const bugs: unknown[] = [];
  const surroundings = { timeline, random, network: regions, account: names.account };
  let aws: Cloud | undefined;
  const there = (): Cloud => {
    if (!aws) throw new Error("the cloud is not built yet");
    return aws;
  };
  const sites = new Map<string, DatabaseSite>();
  const engine = modelledEngine({
    timeline,
    random,
    reachable: regions.reachable,
    admit: (id, user) =>
      admits(
        there(),
        [...sites.values()].find((site) => site.engineId === id),
        user,
      ),
  });
  const place = slackPlace(used);
  const channel = slackStandIn(timeline, place);
  const web = (region: string): Web => simulatedWeb(there(), region);
  const host = inProcessHost(timeline, {
    handlers: async (definition, killed, environment) => {
      const runtime: Runtime = {
        environment: environmentOf(definition),
        clock: clockOn(timeline),
        random,
        web: web(definition.region),
        config: used,
        write: (line) => void lines.push(line),
        connect: modelledConnect(engine, definition.region, clockOn(timeline)),
        fetch: channel.fetch as unknown as typeof fetch,
        aws: ({ answerSeconds }) => ({
          ...frugal,
          requestHandler: inProcess(there().endpoint, definition.region, timeline, {
            signal: killed,
            trace: environment,
            requestTimeoutMilliseconds: answerSeconds * 1000,
          }),
        }),
      };
      const assemble = assemblies[definition.entry];
      if (!assemble) throw new Error(`no such handler: ${definition.entry}`);
      return assemble(runtime) as LambdaHandler;
    },
  });
  const strikes = faults(seededRandom(`faults ${options.seed}`));
  const observe = options.observe?.({
    requestOf: (trace) => (trace === undefined ? undefined : host.requestOf(trace)),
    kill: (requestId) => host.kill(requestId),
  });
  aws = cloud(
    surroundings,
    {
      engine,
      host,
      executions: memoryStore(),
      launch: async (instance) =>
        launch(there(), engine, sites.get(instance.region), instance.id, random),
      probe: async ({ host: name, path }) =>
        there().balancers.serve(name, { method: "GET", path }, internet),
    },
    {
      tables: tablesIn(primary, standby, witness),
      checkers: 1,
      onError: (error) => void bugs.push(error),
      endpoint: {
        faults: strikes,
        onBug: (error) => void bugs.push(error),
        ...(observe ? { observe } : {}),
      },
      ...(options.lambda ? { lambda: options.lambda } : {}),
    },
  );
  await aws.endpoint.ready();
  const platform = await buildPlatform(aws, {
    config: used,
    port: 80,
    onDatabase: (site) => void sites.set(site.region, site),
    password: () => random.id(),
    slack: { signingSecret: place.signingSecret, botToken: place.botToken },
    migrate: async ({ engineId, masterPassword }, logins) => {
      const session = engine.session(engineId, {
        user: names.master,
        password: masterPassword,
        from: primary,
      });
      if (session instanceof DatabaseError) throw session;
      for (const name of names.roles) {
        session.alterRole({ name, canLogin: true, password: logins.application });
      }
      session.alterRole({
        name: names.nightshiftLogin,
        canLogin: true,
        password: logins.nightshift,
      });
      session.end();
    },
  });
  await deployAutomation(aws, platform, {});
  const table = coordination({
    environment: {
      ...environmentOf({ region: standby, name: "deploy", environment: {} } as never),
      SST_RESOURCE_CoordinationTable: JSON.stringify({ name: names.coordination }),
    },
    clock: clockOn(timeline),
    random,
    web: web(standby),
    config: used,
    write: (line) => void lines.push(line),
    aws: () => ({ ...frugal, requestHandler: inProcess(there().endpoint, standby, timeline) }),
  });
  await timeline.run(grantFirst(table, primary, timeline.now()));
  const door = aws.functions.functionUrl(standby, "slack");
  const people = operators({
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
  const users = loadGenerator(
    {
      timeline,
      random: seededRandom(`users ${options.seed}`),
      send: usersSend(aws, used, timeline),
    },
    { perSecond: 0.2, accounts: ["account-1", "account-2", "account-3"] },
  );
  return {
    timeline,
    regions,
    cloud: aws,
    engine,
    platform,
    table,
    slack: channel,
    people,
    users,
    faults: strikes,
    lines,
    bugs,
    close: async () => {
      await there().close();
      restore();
    },
  };
};

/** Time, deferred work and chance of this process belong to the simulation until given back. */
const takeOver = (timeline: ReturnType<typeof virtualTimeline>, random: Random) => {
  const time = installTime(timeline);
  const immediates = installImmediates(timeline);
  const kept = Math.random;
  Math.random = random.fraction;
  return () => {
    Math.random = kept;
    immediates();
    time();
  };
};

const slackPlace = ({ slack: { workspace, channel } }: Config) => ({
  workspace,
  channel,
  botToken: "xoxb-planted-bot-token",
  signingSecret: "planted-signing-secret-0123456789",
});

const environmentOf = (definition: FunctionDefinition) => ({
  ...definition.environment,
  AWS_REGION: definition.region,
  AWS_LAMBDA_FUNCTION_NAME: definition.name,
  AWS_ACCESS_KEY_ID: "AKIDLOCAL",
  AWS_SECRET_ACCESS_KEY: "local",
});

/** The application comes in while the security group lets it; Nightshift has a group of its own. */
const admits = (aws: Cloud, site: DatabaseSite | undefined, user: string): boolean => {
  if (!site || !(names.roles as readonly string[]).includes(user)) return true;
  return aws.machines
    .ingressFrom(site.region, site.databaseSecurityGroup)
    .some(({ sourceGroupIds }) => sourceGroupIds.includes(site.applicationSecurityGroup));
};

const simulatedWeb = (aws: Cloud, region: string): Web => ({
  resolve: async (name) => {
    if (!aws.network.reachable(region, internet)) throw new Error(`ETIMEDOUT resolving ${name}`);
    const direct = aws.balancers.addressesOf(name);
    if (direct.length > 0) return direct;
    const { records } = aws.names.answer(name, "A");
    return records.filter(({ type }) => type === "A").map(({ value }) => value);
  },
  request: async ({ url, method = "GET", body, address }) => {
    const { pathname, hostname } = new URL(url);
    const request = { method, path: pathname, ...(body === undefined ? {} : { body }) };
    return aws.balancers.serve(address ?? hostname, request, region);
  },
});

const usersSend = (aws: Cloud, used: Config, timeline: { now(): number }) =>
  throughName(used.domain.name, {
    resolver: cachingResolver({ ask: askInProcess(aws.names.answer), now: timeline.now }),
    send: (address, request) => aws.balancers.serve(address, request, internet),
  });

/** An instance reads its login at boot and its own region's database address, as user data does. */
const launch = async (
  aws: Cloud,
  engine: ModelledEngine,
  site: DatabaseSite | undefined,
  instanceId: string,
  random: Random,
) => {
  if (!site) throw new Error("no site for this region");
  const { SecretString } = await aws.ask<{ SecretString: string }>(
    "secrets-manager",
    "GetSecretValue",
    site.region,
    { SecretId: names.secrets.application },
  );
  const { username, password } = JSON.parse(SecretString) as Record<string, string>;
  const user = username ?? "";
  let session: ModelledSession | undefined;
  /** A broken session is dropped and the next request opens another, as a pool does. */
  const using = async <T>(act: (open: ModelledSession) => T): Promise<T> => {
    if (!session) {
      const opened = engine.session(site.engineId, {
        user,
        from: site.region,
        ...(password === undefined ? {} : { password }),
      });
      if (opened instanceof DatabaseError) throw opened;
      session = opened;
    }
    try {
      return act(session);
    } catch (error) {
      session = undefined;
      throw error;
    }
  };
  return modelledLedger({
    identity: { region: site.region, instanceId },
    user,
    newId: random.id,
    database: {
      commit: (_user, key, value) => using((open) => void open.write(key, value)),
      read: (_user, key) => using((open) => open.read(key)),
      ready: () => using((open) => open.read("nightshift.schema") !== "never"),
    },
  });
};
