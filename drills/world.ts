import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "pg";
import { bootstrap } from "../deploy/bootstrap.ts";
import { publicListeners } from "../local/aws/elbv2-listener.ts";
import type { Observer } from "../local/aws/endpoint.ts";
import { faults } from "../local/aws/faults.ts";
import { httpProbe } from "../local/aws/route53-probe.ts";
import { listen } from "../local/aws/server.ts";
import type { WireRequest } from "../local/aws/wire.ts";
import { type Cloud, type CloudOptions, cloud } from "../local/cloud.ts";
import { askServer, cachingResolver } from "../local/dns/resolver.ts";
import { dnsServer } from "../local/dns/server.ts";
import { exchange } from "../local/http.ts";
import { bundle } from "../local/lambda/bundles.ts";
import type { LambdaOptions } from "../local/lambda/dispatch.ts";
import type { FunctionDefinition } from "../local/lambda/host.ts";
import { folderStore } from "../local/lambda/store.ts";
import { listenForUrl } from "../local/lambda/url.ts";
import { workerHost } from "../local/lambda/workers.ts";
import { ledgerAccounts, ledgerSchema, seedAccounts } from "../local/ledger/schema.ts";
import { loadGenerator, throughName } from "../local/load/generator.ts";
import { internet, network } from "../local/network.ts";
import { realEngine } from "../local/postgres/real.ts";
import { servedCaches } from "../local/redis/served.ts";
import { slackStandIn } from "../local/slack/slack.ts";
import { scaledTimeline } from "../local/time/scaled.ts";
import operatorsConfig from "../nightshift.config.ts";
import { type Config, defineConfig } from "../shared/config.ts";
import { grantFirst } from "../shared/lease.ts";
import { keepProof, type Proof } from "../shared/proof.ts";
import { seededRandom } from "../shared/random.ts";
import { deployAutomation, functionsOf } from "./automation.ts";
import { authoritiesIn, image, launch } from "./instances.ts";
import { names, tablesIn } from "./names.ts";
import { buildPlatform, type DatabaseSite, type Platform } from "./platform.ts";
import { smaller } from "./sizes.ts";
import { Stack } from "./stack.ts";
import { coordinationFrom } from "./table.ts";

export interface WorldOptions {
  seed: number | string;
  /** Modelled seconds in a real one. */
  speed: number;
  /** Users' transfers in a modelled second. */
  transfersPerSecond: number;
  /** What differs from the operator's own policy. */
  policy?: Partial<Config["failover"]>;
  /** What else differs from the operator's file; not checked again, so it may go beyond its bounds. */
  configured?(config: Config): Config;
  /** How many times sooner than asked for a replaced instance has warmed up; 1 when left out. */
  hurryWarmups?: number;
  /** False for a platform without alarms and repairs: AWS's own services publish no metrics then. */
  repairs?: boolean;
  /** Every line that a function logs. */
  log(line: string, source: { region: string; name: string }): void;
  /** Something in the local AWS or in an unattended part of the drill broke. */
  onError(error: unknown): void;
  observe?: Observer;
  /** Sees every signed request, also one that nobody will answer. */
  onRequest?(request: WireRequest, from: string): void;
  /** Sees every event that AWS's own services send. */
  onEvent?: CloudOptions["onEvent"];
  lambda?: LambdaOptions;
}

export type DrillWorld = Awaited<ReturnType<typeof buildWorld>>;

const root = fileURLToPath(new URL("..", import.meta.url));
const accountsCount = 20;
/** A load balancer of each region has an address of its own; Linux answers on all of 127/8. */
const addressOf = (ordinal: number) => `127.0.${ordinal}.10`;

/**
 * A platform in two regions on this machine: Postgres, HTTP instances, DNS and the functions as
 * processes, on modelled time. Everything that is started is on one stack of things to stop, which
 * `close` works off from the top, also when the building itself failed half way.
 */
export const buildWorld = async (options: WorldOptions) => {
  const stack = new Stack();
  try {
    return await build(options, stack);
  } catch (error) {
    await stack.close();
    throw error;
  }
};

const build = async (options: WorldOptions, stack: Stack) => {
  const ground = await layGround(options, stack);
  const { timeline, regions, config, engine, slack, slackPlace, front, random } = ground;
  const { cloud: aws, host, strikes } = await raiseCloud(options, ground, stack);
  const endpoints = await openEndpoints(options, ground, aws, stack);
  const platform = await buildPlatform(aws, {
    config,
    port: front.port,
    password: random.id,
    slack: { signingSecret: slackPlace.signingSecret, botToken: slackPlace.botToken },
    cacheToken: `${random.id()}${random.id()}`,
    migrate,
    onDatabase: (site) => void ground.late.sites.push(site),
  });
  const automation = await startAutomation(aws, platform, {
    host,
    repairs: options.repairs !== false,
    slackUrl: ground.slackUrl,
    authorities: authoritiesIn(ground.folder),
    endpoint: endpoints.get(config.regions.standby) ?? "",
  });
  const door = await listenForUrl(
    aws.functions.functionUrl(config.regions.standby, "slack"),
    options.onError,
  );
  stack.push("Slack door", door.close);
  const users = usersOf(options, ground);
  stack.push("users", users.stop);
  return {
    cloud: aws,
    timeline,
    network: regions,
    config,
    platform,
    automation,
    engine,
    slack,
    users,
    faults: strikes,
    /** Where Slack sends commands and presses. */
    doorUrl: door.url,
    /** The AWS endpoint as each region sees it, and as an operator at home does. */
    endpoints,
    folder: ground.folder,
    /** From now on RDS is done with what it begins so many times sooner. */
    hurryDatabases: (times: number) => void (ground.late.databasesHurry = times),
    close: () => stack.close(),
  };
};

/** What exists only after something that already has to refer to it. */
interface Late {
  cloud?: Cloud;
  sites: DatabaseSite[];
  endpoints: Map<string, string>;
  databasesHurry: number;
}

const cloudOf = ({ cloud: built }: Late): Cloud => {
  if (!built) throw new Error("the cloud is not built yet");
  return built;
};

type Ground = Awaited<ReturnType<typeof layGround>>;

/** Everything under the cloud: time, network, names, servers and load balancers' addresses. */
const layGround = async (options: WorldOptions, stack: Stack) => {
  const { seed, speed, onError } = options;
  const random = seededRandom(`drill ${seed}`);
  const origin = Date.now();
  const timeline = scaledTimeline({ speed, origin, realStart: origin }, onError);
  const regions = network();
  const folder = await mkdtemp(join(tmpdir(), "nightshift-drill-"));
  stack.push("temporary folder", () => rm(folder, { recursive: true, force: true }));
  const late: Late = { sites: [], endpoints: new Map(), databasesHurry: 1 };
  const dns = await dnsServer((name, type) => cloudOf(late).names.answer(name, type), { onError });
  stack.push("DNS server", dns.close);
  const config = drillConfig(`${dns.host}:${dns.port}`, options);
  const engine = await realEngine({
    timeline,
    random,
    reachable: regions.reachable,
    admit: (id, caller) => admission(cloudOf(late), late.sites, id, caller.user),
  });
  stack.push("Postgres", engine.close);
  const front = await publicListeners(
    { serve: (address, request) => cloudOf(late).balancers.serve(address, request), onError },
    [addressOf(1), addressOf(2)],
  );
  stack.push("load balancers", front.close);
  const slackPlace = {
    workspace: config.slack.workspace,
    channel: config.slack.channel,
    botToken: `xoxb-${random.id()}`,
    signingSecret: random.id(),
  };
  const slack = slackStandIn(timeline, slackPlace);
  const { url: slackUrl, close } = await slack.listen();
  stack.push("Slack stand-in", close);
  return {
    random,
    timeline,
    regions,
    folder,
    late,
    dns,
    config,
    engine,
    front,
    slack,
    slackPlace,
    slackUrl,
  };
};

const raiseCloud = async (options: WorldOptions, ground: Ground, stack: Stack) => {
  const { timeline, random, regions, folder, late, dns, config, engine, front } = ground;
  const { primary, standby, witness } = config.regions;
  const { onError, observe, lambda, onEvent } = options;
  const caches = servedCaches({ now: timeline.now });
  const booted = await image(folder, caches.authority, random.id);
  const configFile = join(folder, "nightshift.config.ts");
  await writeFile(configFile, `export default ${JSON.stringify(config)};\n`);
  const host = workerHost({
    scale: timeline.scale(),
    bundles: await bundle(entries, { root, folder, configFile }),
    // Port 9 is "discard": a function that has no endpoint must not find another one by chance.
    endpointUrl: (region) => late.endpoints.get(region) ?? "http://127.0.0.1:9",
    log: options.log,
  });
  const strikes = faults(seededRandom(`faults ${options.seed}`));
  const resolve = async (name: string) =>
    (await askServer({ host: dns.host, port: dns.port })(name)).addresses;
  const built = cloud(
    { timeline, random, network: regions, account: names.account },
    {
      engine,
      caches,
      host,
      executions: folderStore(join(folder, "executions")),
      launch: (instance) => launch(built, late.sites, instance, booted),
      probe: httpProbe({ timeoutMilliseconds: 2000, port: front.port, resolve }),
      addresses: ({ ordinal }) => [addressOf(ordinal)],
    },
    {
      tables: tablesIn(primary, standby, witness),
      identities: identitiesOf(config),
      hurryDatabases: () => late.databasesHurry,
      hurryWarmups: () => options.hurryWarmups ?? 1,
      onError,
      publishesMetrics: options.repairs !== false,
      endpoint: { faults: strikes, onBug: onError, ...(observe ? { observe } : {}) },
      ...(lambda ? { lambda } : {}),
      ...(onEvent ? { onEvent } : {}),
    },
  );
  late.cloud = built;
  stack.push("cloud", built.close);
  await built.endpoint.ready();
  return { cloud: built, host, strikes };
};

/** One listener for each place that a caller can stand at. */
const openEndpoints = async (
  { onError, onRequest }: WorldOptions,
  { config, late }: Ground,
  aws: Cloud,
  stack: Stack,
): Promise<Map<string, string>> => {
  const { handle } = aws.endpoint;
  const told = (request: WireRequest, from: string) => {
    onRequest?.(request, from);
    return handle(request, from);
  };
  for (const region of [...Object.values(config.regions), internet]) {
    const listener = await listen({ ...aws.endpoint, handle: told }, region, { onError });
    late.endpoints.set(region, listener.url);
    stack.push(`endpoint for ${region}`, listener.close);
  }
  return late.endpoints;
};

/** Of this machine's time: a user who gives up sooner would take a busy laptop for an outage. */
const userTimeoutMilliseconds = 1500;

const usersOf = ({ seed, transfersPerSecond }: WorldOptions, ground: Ground) => {
  const { timeline, config, dns, front } = ground;
  const ask = askServer({ host: dns.host, port: dns.port });
  return loadGenerator(
    {
      timeline,
      random: seededRandom(`users ${seed}`),
      send: throughName(config.domain.name, {
        resolver: cachingResolver({ ask, now: timeline.now }),
        send: (address, request) =>
          exchange(
            { host: address, port: front.port, timeoutMilliseconds: userTimeoutMilliseconds },
            request,
          ),
      }),
    },
    { perSecond: transfersPerSecond, accounts: ledgerAccounts(accountsCount).slice(0, -2) },
  );
};

const jobs = [
  "canary",
  "database",
  "detection",
  "failover",
  "guard",
  "readiness",
  "remediation",
  "retirement",
  "rotation",
  "slack",
  "sweep",
  "triage",
  "verification",
];
const entries = jobs.map((job) => `functions/${job}/handler.ts`);

/** What stands for an operator's AWS credentials: an access key that STS knows them by. */
export const accessKeyOf = (user: string): string => `AKID${user}`;

const identitiesOf = ({ slack }: Config): Record<string, string> =>
  Object.fromEntries(
    slack.operators.flatMap(({ user, iam }) => (iam ? [[accessKeyOf(user), iam]] : [])),
  );

/** The operator's own file, with what has to be different on one machine. */
const drillConfig = (
  resolver: string,
  { policy = {}, configured = (config) => config }: WorldOptions,
): Config =>
  configured(
    defineConfig({
      ...smaller(operatorsConfig),
      failover: { ...operatorsConfig.failover, ...policy, resolvers: [resolver] },
    }),
  );

/** The security group, as far as a connection on one machine can tell who is calling: by its login. */
const admission = (aws: Cloud, sites: DatabaseSite[], engineId: string, user: string) => {
  const site = sites.find((each) => each.engineId === engineId);
  if (!site || !(names.roles as readonly string[]).includes(user)) return "open";
  const open = aws.machines
    .ingressFrom(site.region, site.databaseSecurityGroup)
    .some(({ sourceGroupIds }) => sourceGroupIds.includes(site.applicationSecurityGroup));
  return open ? "open" : "closed-to-new";
};

/** What is done to a new database: the bootstrap of a deployment, and then the platform's migrations. */
const migrate = async (
  database: { host: string; port: number; masterPassword: string },
  logins: { application: string; nightshift: string },
) => {
  const { host, port, masterPassword: password } = database;
  const owner = { host, port, database: names.database, user: names.master, password };
  await bootstrap(owner, logins);
  const client = new Client(owner);
  await client.connect();
  try {
    await client.query(ledgerSchema);
    await client.query(seedAccounts(accountsCount));
  } finally {
    await client.end();
  }
};

const startAutomation = async (
  aws: Cloud,
  platform: Platform,
  ground: {
    host: ReturnType<typeof workerHost>;
    slackUrl: string;
    authorities: string;
    endpoint: string;
    repairs: boolean;
  },
): Promise<FunctionDefinition[]> => {
  const common = {
    SLACK_API_URL: ground.slackUrl,
    SLACK_ANSWER_SECONDS: "60",
    // On AWS the authority of the caches is one that every system knows.
    NODE_EXTRA_CA_CERTS: ground.authorities,
  };
  // Started before the clock of the schedules runs, so that nobody waits for a process.
  const awake = functionsOf(platform, common).filter(
    ({ name }) => !/^(verification|sweep)$/.test(name),
  );
  await Promise.all(awake.map(ground.host.warm));
  const { standby, home } = platform;
  const table = coordinationFrom(standby.region, ground.endpoint, platform.config);
  const now = Math.floor(aws.surroundings.timeline.now());
  await grantFirst(table, home.region, now);
  for (const { region } of [home, standby]) await keepProof(table, rehearsed(region, now));
  const { repairs } = ground;
  const functions = await deployAutomation(aws, platform, common, { looks: true, repairs });
  await prepareDatabase(aws, home.region);
  return functions;
};

/** A region that nobody has ever moved to is not ready, and a planned move there is refused. */
const rehearsed = (region: string, now: number): Proof => ({
  region,
  run: "rehearsal-before-the-drill",
  kind: "rehearsal",
  atMilliseconds: now - 7 * 86_400_000,
});

/**
 * Nightshift's own tables are made by its own function, as a deployment does. Its time runs fast and a busy
 * machine's does not, so that a connection may not come about in it: it is asked again, as a person would.
 */
const prepareDatabase = async (aws: Cloud, region: string): Promise<void> => {
  const attempts = 5;
  for (let attempt = 1; ; attempt += 1) {
    const answer = await aws.ask<{ FunctionError?: string; Payload?: Uint8Array }>(
      "lambda",
      "Invoke",
      region,
      { FunctionName: "database", Payload: Buffer.from('{"do":"prepare"}') },
    );
    if (!answer.FunctionError) return;
    const said = Buffer.from(answer.Payload ?? []).toString();
    if (attempt === attempts) throw new Error(`the database was not prepared: ${said}`);
  }
};
