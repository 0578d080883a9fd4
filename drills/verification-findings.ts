import type { VerificationBody } from "../functions/verification/evidence.ts";
import { verificationIn } from "../functions/verification/evidence.ts";
import { type EvidenceRecord, parseRecord } from "../shared/evidence.ts";
import type { Entry } from "../shared/journal.ts";
import { verify } from "../shared/journal.ts";
import { journalOf } from "./evidence.ts";
import type { Drilled, Told } from "./verification-course.ts";
import type { ActRow, Stretch, StretchName } from "./verification-report.ts";

/** All that is known when the drill is over, before anybody judges it. */
export interface VerificationFindings extends Drilled {
  firstAt: number;
  /** Of restores, as the good night was held against them. */
  objectives: { rtoSeconds: number; rpoSeconds: number };
  rows: ActRow[];
  records: EvidenceRecord[];
  /** The files of the bucket by their name. */
  files: Map<string, string>;
  /** Names of the pages beside them. */
  pages: string[];
  journals: { run: string; entries: Entry[]; verdict: ReturnType<typeof verify> }[];
  /** Writes acknowledged before the restored moment of the good night that its copy lacks. */
  lost: string[];
  /** Transfers in that copy that were booked after the restored moment. */
  early: string[];
  /** Whether somebody could read the copy of the good night besides the checks. */
  isCompared: boolean;
}

export const gatherVerification = async (drilled: Drilled): Promise<VerificationFindings> => {
  const { scene, told } = drilled;
  const { world, ground } = scene;
  const firstAt = told[0]?.fromAt ?? world.timeline.now();
  const files = await filesIn(drilled, "records/");
  const records = [...files.values()].flatMap((text) => parseRecord(text) ?? []);
  const bodies = new Map<string, { sequence: number; body: VerificationBody }>();
  for (const record of records) {
    const body = verificationIn(record);
    if (body) bodies.set(record.run, { sequence: record.sequence, body });
  }
  const journals = told.map(({ run }) => {
    const entries = journalOf(world, run?.name ?? "");
    return { run: run?.name ?? "none", entries, verdict: verify(entries) };
  });
  const [good] = told;
  return {
    ...drilled,
    ...compared(drilled, good, bodies.get(good?.run?.name ?? "")?.body),
    firstAt,
    objectives: bodies.get(good?.run?.name ?? "")?.body.objectives ?? none,
    rows: told.map((each) => rowOf(drilled, each, firstAt, bodies.get(each.run?.name ?? ""))),
    records,
    files,
    pages: [...(await filesIn(drilled, "reports/", ground.bucket)).keys()],
    journals,
  };
};

const none = { rtoSeconds: 0, rpoSeconds: 0 };

/** A second either way: a write is acknowledged after its commit, and the moment is a whole second. */
const slackMilliseconds = 2000;

const compared = (
  { scene }: Drilled,
  good: Told | undefined,
  body: VerificationBody | undefined,
): Pick<VerificationFindings, "lost" | "early" | "isCompared"> => {
  const copied = good?.copied;
  const to = body?.restore ? Date.parse(body.restore.to) : Number.NaN;
  if (!copied || Number.isNaN(to)) return { lost: [], early: [], isCompared: false };
  // The machine's second, as modelled: the target of the restore is counted on the machine's clock.
  const margin = slackMilliseconds * scene.world.timeline.scale().speed;
  const { acknowledged } = scene.world.users;
  const before = acknowledged.filter(({ acknowledgedAt }) => acknowledgedAt < to);
  const after = acknowledged.filter(({ acknowledgedAt }) => acknowledgedAt > to + margin);
  return {
    isCompared: before.length > 0,
    lost: before.flatMap(({ id }) => (copied.has(id) ? [] : [id])),
    early: after.flatMap(({ id }) => (copied.has(id) ? [id] : [])),
  };
};

const filesIn = async (
  { scene }: Drilled,
  Prefix: string,
  Bucket = scene.ground.bucket,
): Promise<Map<string, string>> => {
  const { cloud, platform } = scene.world;
  const { region } = platform.standby;
  const { Contents = [] } = await cloud.ask<{ Contents?: { Key: string }[] }>(
    ...(["s3", "ListObjectsV2", region, { Bucket, Prefix }] as const),
  );
  const files = new Map<string, string>();
  for (const { Key } of Contents) {
    const { Body } = await cloud.ask<{ Body: Uint8Array }>(
      ...(["s3", "GetObject", region, { Bucket, Key }] as const),
    );
    files.set(Key, Buffer.from(Body).toString("utf8"));
  }
  return files;
};

const rowOf = (
  { samples }: Drilled,
  { act, text, fromAt, toAt, run }: Told,
  firstAt: number,
  kept: { sequence: number; body: VerificationBody } | undefined,
): ActRow => {
  const body = kept?.body;
  const { expects } = act;
  const reds = (body?.checks ?? []).filter(({ is }) => is !== "passed");
  const end = body?.outcome.end ?? (run?.status ?? "none").toLowerCase();
  const code = body?.outcome.code ?? "no-record";
  const during = samples.filter(({ atMilliseconds: at }) => at >= fromAt && at <= toAt);
  const counted = (of: "acknowledgedPerSecond" | "failedPerSecond") =>
    Math.round(during.reduce((sum, sample) => sum + sample[of] * sampleSeconds, 0));
  const found = reds.map(({ name }) => name).sort();
  return {
    ...{ name: act.name, title: act.title, text, run: run?.name ?? "none", end, code },
    fromSeconds: (fromAt - firstAt) / 1000,
    toSeconds: (toAt - firstAt) / 1000,
    expected: expects ? `${expects.end} (${expects.code})` : "no record, and nothing left",
    isAsExpected: expects
      ? end === expects.end &&
        code === expects.code &&
        found.join() === [...expects.reds].sort().join()
      : body === undefined && run?.status === "STOPPED",
    verdict: {
      landed: body?.outcome.landed.is ?? "unknown",
      restorable: body?.outcome.restorable.is ?? "unknown",
      correct: body?.outcome.correct.is ?? "unknown",
    },
    availableSeconds: body?.measured.availableSeconds ?? null,
    warmSeconds: body?.measured.warmSeconds ?? null,
    lossSeconds: body?.measured.lossSeconds ?? null,
    checks: {
      passed: (body?.checks.length ?? 0) - reds.length,
      all: body?.checks.length ?? 0,
    },
    reds: reds.map(({ name, says, actual }) => ({ name, says, actual })),
    stretches: body ? stretchesOf(body, firstAt) : [],
    acknowledged: counted("acknowledgedPerSecond"),
    failed: counted("failedPerSecond"),
    sequence: kept?.sequence ?? null,
  };
};

const sampleSeconds = 5;

/** What its time went to, as its record dates it. */
const stretchesOf = ({ times }: VerificationBody, firstAt: number): Stretch[] => {
  const marks: [StretchName, string | null][] = [
    ["restore", times.availableAt],
    ["isolate", times.loggedInAt],
    ["read", times.warmAt],
    ["check", times.checkedAt],
    ["destroy", times.destroyedAt],
  ];
  const found: Stretch[] = [];
  let from = times.orderedAt;
  for (const [name, to] of marks) {
    if (from === null || to === null) continue;
    const at = (text: string) => (Date.parse(text) - firstAt) / 1000;
    found.push({ name, fromSeconds: at(from), toSeconds: at(to) });
    from = to;
  }
  return found;
};
