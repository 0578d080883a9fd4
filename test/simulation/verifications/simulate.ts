import { keyIn, names } from "../../../drills/names.ts";
import type { Result } from "../../../functions/verification/verification.ts";
import type { Call } from "../../../local/aws/service.ts";
import { copyOf, copyPattern } from "../../../shared/copy.ts";
import { fileNameOf, verifyChain } from "../../../shared/evidence.ts";
import { verify } from "../../../shared/journal.ts";
import { pause, resume } from "../../../shared/pause.ts";
import { seededRandom } from "../../../shared/random.ts";
import { readVerification } from "../../../shared/verification.ts";
import { quarantine, raised, type Stage } from "../../verification/stage.ts";
import { productionOf, withStranger } from "../../verification/strangers.ts";
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
import { config, type HookTools, type Plant } from "../world.ts";
import { type Damage, drawScenario, plain, type Scenario } from "./scenario.ts";

export interface Wanted {
  seed: number | string;
  scenario?: Partial<Scenario>;
  weather?: Weather;
  crashes?: Partial<Crashes>;
  plant?: Plant;
}

/** Without faults, crashes or surprises. */
export const calm = { scenario: {}, weather: fair, crashes: {} } as const;

/** What came of one restore test. */
export interface Verified {
  run: string;
  status: string;
  /** Null for one that ended without a word. */
  end: Result["end"] | null;
  code: string;
  /** Its first line in the journal, in milliseconds since 1970; null without one. */
  startedAt: number | null;
  /** Records of it in the chain of evidence. */
  records: number;
}

/** All that is known of a night when it is over. */
export interface Night {
  seed: number | string;
  scenario: Scenario;
  runs: Verified[];
  /** From when no restore test may be green any more; null when the backups stayed well. */
  damagedAt: number | null;
  /** When they counted as verified last. */
  standing: number | null;
  brokenJournals: string[];
  /** What the verifier of evidence finds. */
  chain: string[];
  copies: string[];
  /** Copies of which people were told that they are still there. */
  reported: string[];
  /** Null when there was none. */
  strangerIsThere: boolean | null;
  /** What somebody of ours has had changed in RDS and is no copy of a run. */
  touched: string[];
  production: { before: string; after: string };
  leaks: string[];
  kills: readonly Kill[];
  pages: number;
  bugs: unknown[];
}

/** One night from the seed, to its end. Without the stacks of errors: they are most of the work. */
export const simulateVerifications = async (
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

const everywhere = Object.values(config.regions);

const isOurs = (caller: string) => caller.includes("/verification/") || caller.includes("/sweep/");

/** What is heard of every call: who is killed at it, what is changed, which passwords are set. */
interface Heard {
  axe: Executioner | undefined;
  trace: string[];
  changed: Set<string>;
  passwords: Set<string>;
}

const hooksOf = (heard: Heard, crashes: Crashes, seed: number | string) => (tools: HookTools) => {
  const axe = executioner(crashes, seededRandom(`axe ${seed}`), everywhere, tools);
  heard.axe = axe;
  const name = ({ service, operation }: Call) => `${service}.${operation}`;
  const listen = (call: Call, input: unknown) => {
    const asked = input as Record<string, string | undefined>;
    const target = asked.TargetDBInstanceIdentifier ?? asked.DBInstanceIdentifier;
    const id = target ?? asked.ResourceName?.split(":").at(-1);
    if (call.service === "rds" && !/^(Describe|List)/.test(call.operation) && id) {
      heard.changed.add(id);
    }
    if (asked.MasterUserPassword) heard.passwords.add(asked.MasterUserPassword);
  };
  return {
    observe: {
      before: async (call: Call, input: unknown, from?: string) => {
        if (isOurs(from ?? "")) listen(call, input);
        return axe.atCall("before", name(call), from);
      },
      after: async (call: Call, _input: unknown, outcome: { kind: string }, from?: string) => {
        if (isOurs(from ?? ""))
          heard.trace.push(`${tools.now()} ${from} ${name(call)} ${outcome.kind}`);
        return axe.atCall("after", name(call), from);
      },
    },
    lambda: axe.lambda,
  };
};

const lived = async (wanted: Wanted) => {
  const { seed } = wanted;
  const random = seededRandom(`verifications ${seed}`);
  const drawn = { scenario: drawScenario(random), weather: drawWeather(random) };
  const scenario = wanted.scenario ? { ...plain, ...wanted.scenario } : drawn.scenario;
  const weather = wanted.weather ?? drawn.weather;
  const crashes = wanted.crashes ? { ...none, ...wanted.crashes } : drawCrashes(random);
  const heard: Heard = { axe: undefined, trace: [], changed: new Set(), passwords: new Set() };
  const at = await raised({
    seed: String(seed),
    hooks: hooksOf(heard, crashes, seed),
    ...(wanted.plant ? { plant: wanted.plant } : {}),
  });
  try {
    const stranger = scenario.hasStranger ? await withStranger(at) : null;
    const before = await settingsOf(at);
    const damagedAt = await happen(at, scenario, weather, heard);
    const night = await gather(at, heard, { seed, scenario, stranger, before, damagedAt });
    return { night, trace: heard.trace };
  } finally {
    await at.close();
  }
};

/** States come and go with the region; a restore test may change neither them nor anything else. */
const settingsOf = async (at: Stage): Promise<string> =>
  (await productionOf(at)).replace(/"DBInstanceStatus":"[^"]*"/g, "");

/** Runs that were begun late, their waits for RDS, and three sweeps after them. */
const nightSeconds = 5 * 3600;

const happen = async (
  at: Stage,
  scenario: Scenario,
  weather: Weather,
  { axe }: Heard,
): Promise<number | null> => {
  const { timeline, regions, table, faults, cloud, users } = at;
  const heal = raise(weather, faults, everywhere, cloud.events.setDelivery);
  axe?.begin();
  const after = (seconds: number, act: () => unknown) => {
    timeline.after(seconds * 1000, () => void act());
  };
  const home = at.home.region;
  scenario.orders.forEach(({ age, afterSeconds }, index) => {
    after(afterSeconds, () => order(at, `verification-ordered-${index + 1}`, age));
  });
  let damagedAt: number | null = null;
  const { damage, paused, lostAfterSeconds, returnsAfterSeconds } = scenario;
  if (damage) {
    after(damage.afterSeconds, async () => {
      await damaged(at, damage.is);
      damagedAt = timeline.now() + shownAfterSeconds[damage.is] * 1000;
    });
  }
  if (lostAfterSeconds !== null) {
    after(lostAfterSeconds, () => regions.set(home, "dead"));
    after(lostAfterSeconds + returnsAfterSeconds, () => regions.set(home, "up"));
  }
  if (paused) {
    const by = (reason: string) => ({ by: "U0ANA", reason, atMilliseconds: timeline.now() });
    after(paused.afterSeconds, () => pause(table, by("we look at it ourselves")));
    after(paused.afterSeconds + paused.forSeconds, () => resume(table, by("seen")));
  }
  after(scenario.healedAfterSeconds, () => {
    heal();
    axe?.end();
  });
  const seconds = scenario.healedAfterSeconds + nightSeconds;
  for (let hour = 0; hour * 3600 < seconds; hour += 1) after(hour * 3600 + 900, () => swept(at));
  await timeline.advance(seconds * 1000);
  await users.stop();
  return damagedAt;
};

/** Logs come each few minutes, and half an hour without any is what the operator's file allows. */
const shownAfterSeconds: Record<Damage, number> = {
  "replication-stopped": 2400,
  "key-disabled": 0,
  "backups-gone": 0,
};

/** An order that AWS does not take is one that nobody has made. */
const asked = async (what: Promise<unknown>): Promise<void> => {
  await what.then(
    () => undefined,
    () => undefined,
  );
};

const order = ({ cloud, standby }: Stage, run: string, age: object): Promise<void> =>
  asked(
    cloud.ask("lambda", "Invoke", standby.region, {
      FunctionName: "verification",
      InvocationType: "Event",
      DurableExecutionName: run,
      Payload: Buffer.from(JSON.stringify({ run, age, by: "U0ANA", reason: "asked for" })),
    }),
  );

const swept = ({ cloud, standby }: Stage): Promise<void> =>
  asked(
    cloud.ask("lambda", "Invoke", standby.region, {
      FunctionName: "sweep",
      InvocationType: "Event",
      Payload: Buffer.from("{}"),
    }),
  );

const damaged = async ({ cloud, home, standby }: Stage, is: Damage): Promise<void> => {
  const { region } = standby;
  if (is === "key-disabled") {
    const KeyId = keyIn(region, "data");
    await cloud.ask("kms", "DisableKey", region, { KeyId });
    return;
  }
  const SourceDBInstanceArn = `arn:aws:rds:${home.region}:${names.account}:db:${home.databaseId}`;
  await cloud.ask("rds", "StopDBInstanceAutomatedBackupsReplication", region, {
    SourceDBInstanceArn,
  });
  if (is === "replication-stopped") return;
  const { DBInstanceAutomatedBackups } = await cloud.ask<{
    DBInstanceAutomatedBackups: { DBInstanceAutomatedBackupsArn?: string }[];
  }>("rds", "DescribeDBInstanceAutomatedBackups", region, {});
  for (const { DBInstanceAutomatedBackupsArn } of DBInstanceAutomatedBackups) {
    // The replica has backups of its own, which are no copies of the primary's.
    if (DBInstanceAutomatedBackupsArn === undefined) continue;
    const input = { DBInstanceAutomatedBackupsArn };
    await cloud.ask("rds", "DeleteDBInstanceAutomatedBackup", region, input);
  }
};

interface Before {
  seed: number | string;
  scenario: Scenario;
  stranger: string | null;
  before: string;
  damagedAt: number | null;
}

const gather = async (
  at: Stage,
  heard: Heard,
  { stranger, before, ...known }: Before,
): Promise<Night> => {
  const { timeline, slack, table, bugs, standby } = at;
  const journals = Map.groupBy(await timeline.run(at.journal()), ({ run }) => run);
  const records = await timeline.run(at.records());
  const ids = (await timeline.run(at.copies())).map((each) => each.DBInstanceIdentifier);
  const runs = at.executions().map(({ name, status, result }): Verified => {
    const { end, code } = result ? (JSON.parse(result) as Result) : { end: null, code: "none" };
    return {
      ...{ run: name, status, end, code },
      startedAt: journals.get(name)?.[0]?.atMilliseconds ?? null,
      records: records.filter(({ run }) => run === name).length,
    };
  });
  const own = new Set(runs.map(({ run }) => copyOf(quarantine.prefix, run)));
  const said = slack.messages().map((message) => JSON.stringify(message));
  return {
    ...known,
    runs,
    standing: (await timeline.run(readVerification(table, standby.region))).verifiedAtMilliseconds,
    brokenJournals: [...journals].filter(([, all]) => !verify(all).ok).map(([run]) => run),
    chain: await chainOf(at, records),
    copies: ids.filter((id) => id !== stranger),
    reported: ids.filter((id) => said.some((text) => text.includes(id))),
    strangerIsThere: stranger === null ? null : ids.includes(stranger),
    touched: [...heard.changed].filter((id) => !own.has(id) || !isCopyName(id)),
    production: { before, after: await timeline.run(settingsOf(at)) },
    leaks: leaksOf(at, heard, said),
    kills: heard.axe?.kills ?? [],
    pages: said.filter((text) => text.includes("needs a human")).length,
    bugs,
  };
};

const isCopyName = (id: string): boolean => copyPattern(quarantine.prefix).test(id);

const chainOf = async (
  { cloud, evidence, standby, timeline }: Stage,
  records: Awaited<ReturnType<Stage["records"]>>,
): Promise<string[]> => {
  const { PublicKey } = await timeline.run(
    cloud.ask<{ PublicKey: Uint8Array }>("kms", "GetPublicKey", standby.region, {
      KeyId: evidence.key,
    }),
  );
  const body = Buffer.from(PublicKey).toString("base64").replace(/.{64}/g, "$&\n");
  const pem = `-----BEGIN PUBLIC KEY-----\n${body}\n-----END PUBLIC KEY-----\n`;
  const files = records.map((record) => ({
    name: fileNameOf(record),
    text: JSON.stringify(record),
  }));
  return verifyChain(files, { keys: [pem] }).problems.map(({ says }) => says);
};

/** Secrets and the passwords of copies, wherever something was written down. */
const leaksOf = (at: Stage, { passwords }: Heard, said: string[]): string[] => {
  const { lines, secrets, cloud, home, standby } = at;
  const texts = [
    ...lines,
    ...said,
    ...at
      .executions()
      .flatMap(({ input, result = "", operations }) => [
        ...[input, result],
        JSON.stringify([...operations.values()]),
      ]),
    ...[home.region, standby.region].flatMap((region) =>
      [names.journal, names.coordination].map((table) =>
        JSON.stringify(cloud.tables.items(table, region)),
      ),
    ),
  ];
  const values = [...secrets, ...passwords].filter((value) => value.length > 20);
  return values.filter((value) => texts.some((text) => text.includes(value)));
};
