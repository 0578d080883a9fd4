import type { Coordination } from "./coordination.ts";

/**
 * Would a move to this region work now? Scored by `functions/readiness` every few minutes and kept in
 * the coordination table, where the plan, `status` and the alarm read it. A check that could not be
 * made is not ready, and neither is one that was made too long ago: nobody has looked since.
 */
export interface Readiness {
  /** The region that would become active. */
  region: string;
  atMilliseconds: number;
  checks: Check[];
}

export interface Check {
  /** What was looked at, in the words of the runbook: `replica`, `capacity`, `secrets`. */
  name: string;
  verdict: "ready" | "not-ready" | "unknown";
  /** What was seen and, when it is not ready, what to do. One sentence, no secrets. */
  detail: string;
  /** Where it was looked: `RDS`, `Route 53`. */
  source: string;
  seenAtMilliseconds: number;
}

export interface Verdict {
  verdict: "ready" | "not-ready";
  /** The share of checks that are ready, 0 to 1; 0 when nobody has looked. */
  score: number;
  checks: Aged[];
  /** One line for a tired person: what is not ready, or that all of it is. */
  text: string;
}

export type Aged = Check & { ageSeconds: number; isStale: boolean };

/** Three looks missed in a row are no hiccup. */
export const lookEverySeconds = 300;
export const staleAfterSeconds = 3 * lookEverySeconds;

/**
 * How old the copied backups may be: logs are uploaded every five minutes and copied when they are
 * ready, so an hour is no hiccup either. The alarm on their age has the same bound.
 */
export const backupBoundSeconds = 3600;

/** Judges what was kept by the time of reading it: a fact gets old by itself. */
export const verdictOf = (kept: Readiness | null, nowMilliseconds: number): Verdict => {
  if (kept === null || kept.checks.length === 0) {
    return { verdict: "not-ready", score: 0, checks: [], text: "Readiness was never looked at." };
  }
  const checks = kept.checks.map((check): Aged => {
    const ageSeconds = Math.max(0, (nowMilliseconds - check.seenAtMilliseconds) / 1000);
    return { ...check, ageSeconds, isStale: ageSeconds > staleAfterSeconds };
  });
  const failing = checks.filter(isFailing);
  const score = (checks.length - failing.length) / checks.length;
  const text =
    failing.length === 0
      ? `${kept.region} is ready: all ${checks.length} checks.`
      : `${kept.region} is not ready: ${failing.map(sentenceOf).join(" ")}`;
  return { verdict: failing.length === 0 ? "ready" : "not-ready", score, checks, text };
};

/** For a status: the verdict, and then one line for every check that is not ready, worst told first. */
export const readinessLines = (region: string, { checks, verdict }: Verdict): string[] => {
  if (checks.length === 0) return [`${region}: never looked at, so it counts as NOT READY`];
  const failing = checks.filter(isFailing);
  const oldest = Math.max(...checks.map(({ ageSeconds }) => ageSeconds));
  const ago = `the oldest ${Math.round(oldest / 60)} min ago`;
  if (verdict === "ready") return [`${region}: ready, all ${checks.length} checks, ${ago}`];
  const head = `${region}: NOT READY, ${failing.length} of ${checks.length} checks fail`;
  return [head, ...failing.toSorted(byVerdict).map(sentenceOf)];
};

const order = { "not-ready": 0, unknown: 1, ready: 2 };

const byVerdict = (a: Aged, b: Aged): number => order[a.verdict] - order[b.verdict];

export const isFailing = ({ verdict, isStale }: Aged): boolean => verdict !== "ready" || isStale;

const sentenceOf = ({ name, verdict, detail, isStale, ageSeconds }: Aged): string => {
  const how = isStale ? `stale, ${Math.round(ageSeconds / 60)} min old` : verdict;
  return `${name} (${how}): ${detail}`;
};

export const readinessId = (region: string) => `readiness#${region}`;

export const readReadiness = async (
  table: Coordination,
  region: string,
): Promise<Readiness | null> => {
  const item = await table.read(readinessId(region));
  return item ? (item as unknown as Readiness) : null;
};

/** Only goes forward: a delayed duplicate of an older look changes nothing. */
export const keepReadiness = async (table: Coordination, readiness: Readiness): Promise<void> => {
  const { region, atMilliseconds, checks } = readiness;
  await table.write(readinessId(region), {
    set: { region, atMilliseconds, checks },
    onlyIf: "attribute_not_exists(#atMilliseconds) OR #atMilliseconds <= :at",
    values: { at: atMilliseconds },
  });
};
