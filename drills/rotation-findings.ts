import { names } from "./names.ts";
import type { Drilled, Told } from "./rotation-course.ts";
import { authorityOf, cacheLogin, databaseLogin, valueIn } from "./rotation-probe.ts";
import type { RotationRow } from "./rotation-report.ts";

/** All that is known when the drill is over, before anybody judges it. */
export interface RotationFindings extends Drilled {
  firstAt: number;
  rows: RotationRow[];
  /** What still logs in although it should not, or does not although it should. */
  wrong: string[];
  /** Where a secret's value was found: in journals, messages, checkpoints or logged lines. */
  leaks: string[];
  lines: number;
}

const sampleSeconds = 10;

export const gatherRotations = async (
  drilled: Drilled,
  logged: readonly string[],
): Promise<RotationFindings> => {
  const firstAt = drilled.told[0]?.fromAt ?? drilled.world.timeline.now();
  return {
    ...drilled,
    firstAt,
    rows: drilled.told.map((told) => rowOf(drilled, told, firstAt)),
    wrong: await wrongLogins(drilled),
    ...searched(drilled, logged),
  };
};

const rowOf = ({ samples, logins }: Drilled, told: Told, firstAt: number): RotationRow => {
  const { act, entries, fromAt, toAt, before, after, run, texts, oldSessions } = told;
  const at = (milliseconds: number) => (milliseconds - firstAt) / 1000;
  const finished = entries.find(({ key }) => key === "finished");
  const ended = entries.findLast(({ key }) => /(^|: )ended: /.test(key));
  const end = ended?.key.replace(/^.*ended: /, "") ?? "not ended";
  const isIn = (milliseconds: number) => milliseconds >= fromAt && milliseconds <= toAt;
  const during = samples.filter(({ atMilliseconds }) => isIn(atMilliseconds));
  const counted = (of: "acknowledgedPerSecond" | "failedPerSecond") =>
    Math.round(during.reduce((sum, sample) => sum + sample[of] * sampleSeconds, 0));
  const isChanged = after.home !== undefined && after.home.version !== before?.version;
  const isSameVersion = isChanged && after.home?.version === after.standby?.version;
  const refused = entries.filter(({ kind }) => kind === "refused");
  const failedLogins = logins.failed.filter(({ atMilliseconds }) => isIn(atMilliseconds)).length;
  const failed = counted("failedPerSecond");
  const isUnnoticed = failedLogins === 0 && failed === 0 && (oldSessions ?? 0) === 0;
  return {
    ...{ name: act.name, title: act.title, secret: act.secret, run, texts, end, oldSessions },
    fromSeconds: at(fromAt),
    currentSeconds: finished ? at(finished.atMilliseconds) : null,
    toSeconds: at(toAt),
    isAsExpected: end === "retired" && isSameVersion && isUnnoticed,
    refusals: refused.map(({ text }) => text),
    isSameVersion,
    logins: logins.at.filter(isIn).length,
    failedLogins,
    acknowledged: counted("acknowledgedPerSecond"),
    failed,
    says: ended?.text ?? "It has not ended.",
  };
};

/** Who logs in when all is over: the newest values everywhere, and none of before. */
const wrongLogins = async ({ world, told }: Drilled): Promise<string[]> => {
  const { home, standby } = world.platform;
  const wrong: string[] = [];
  const ca = authorityOf(world);
  for (const site of [home, standby]) {
    for (const secret of [names.secrets.application, names.rotated.owner]) {
      const now = await valueIn(world, site.region, secret);
      const why = await databaseLogin(site, now?.value ?? {});
      if (why !== undefined) wrong.push(`${secret} in ${site.region}: ${why}`);
      for (const { act, before } of told) {
        if (act.secret !== secret || before === undefined) continue;
        const isIn = (await databaseLogin(site, before.value)) === undefined;
        if (isIn) wrong.push(`an old value of ${secret} still logs in, in ${site.region}`);
      }
    }
    const token = await valueIn(world, site.region, names.cacheSecret);
    const why = await cacheLogin(site, token?.value ?? {}, ca);
    if (why !== undefined) wrong.push(`the cache in ${site.region}: ${why}`);
    const old = told.find(({ act }) => act.kind === "cache")?.before;
    const isIn = old !== undefined && (await cacheLogin(site, old.value, ca)) === undefined;
    if (isIn) wrong.push(`the old token is still taken in ${site.region}`);
  }
  return wrong;
};

/** Everything that was written down, searched for every value that a secret ever had. */
const searched = (
  { world, values }: Drilled,
  logged: readonly string[],
): Pick<RotationFindings, "leaks" | "lines"> => {
  const { cloud, platform, slack } = world;
  const regions = [platform.home.region, platform.standby.region];
  const places: [string, string[]][] = [
    ["the journal", regions.flatMap((region) => stored(cloud.tables.items(names.journal, region)))],
    ["the coordination table", stored(cloud.tables.items(names.coordination, regions[0] ?? ""))],
    ["Slack", stored(slack.messages())],
    [
      "checkpoints",
      regions.flatMap((region) =>
        cloud.functions
          .executions(region, "retirement")
          .flatMap(({ input, result = "", operations }) => [
            ...[input, result],
            ...stored([...operations.values()]),
          ]),
      ),
    ],
    ["logs", [...logged]],
  ];
  const leaks = places.flatMap(([place, texts]) =>
    [...values].some((value) => texts.some((text) => text.includes(value))) ? [place] : [],
  );
  return { leaks, lines: places.reduce((sum, [, texts]) => sum + texts.length, 0) };
};

const stored = (things: readonly unknown[]): string[] =>
  things.map((thing) => JSON.stringify(thing) ?? "");
