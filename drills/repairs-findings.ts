import { readReservations } from "../shared/budget.ts";
import type { Entry } from "../shared/journal.ts";
import { verify } from "../shared/journal.ts";
import { inSentences } from "../shared/outcome.ts";
import { journalOf, ledgerSum, transfersIn } from "./evidence.ts";
import { instantsOf, resultOf } from "./repairs-attempts.ts";
import type { Drilled, Told } from "./repairs-course.ts";
import type { RepairRow, Stretch } from "./repairs-report.ts";
import { capital } from "./words.ts";

/** All that is known when the drill is over, before anybody judges it. */
export interface RepairFindings extends Drilled {
  firstAt: number;
  rows: RepairRow[];
  /** The journal of every attempt. */
  journals: { run: string; entries: Entry[]; verdict: ReturnType<typeof verify> }[];
  /** Acknowledged writes that the database does not have. */
  lost: number;
  /** Transfers in it that nobody sent. */
  strangers: number;
  sum: number;
  budget: { used: number; perHour: number };
}

/** In any hour, when the operator's file says nothing: as `functions/remediation/aws.ts` has it. */
const usualPerHour = 6;

/** Reads the database, the tables and what users were told. Users must have stopped. */
export const gatherRepairs = async (drilled: Drilled): Promise<RepairFindings> => {
  const { scene, told } = drilled;
  const { world, table, region } = scene;
  const { engineId } = world.platform.home;
  const firstAt = told[0]?.brokenAt ?? world.timeline.now();
  const runs = [...new Set(told.flatMap(({ attempts }) => attempts.map(({ name }) => name)))];
  const journals = runs.map((run) => {
    const entries = journalOf(world, run);
    return { run, entries, verdict: verify(entries) };
  });
  const held = await transfersIn(world, engineId);
  const { sent } = world.users.report();
  const reservations = await readReservations(table, region);
  return {
    ...drilled,
    firstAt,
    journals,
    rows: told.map((one) => rowOf(drilled, one, firstAt)),
    lost: world.users.acknowledged.filter(({ id }) => !held.has(id)).length,
    strangers: [...held].filter((id) => !wasSent(id, sent)).length,
    sum: await ledgerSum(world, engineId),
    budget: {
      used: reservations.length,
      perHour: world.config.remediation?.actionsPerHour ?? usualPerHour,
    },
  };
};

/** Users number what they send; probes say that they are probes. */
const wasSent = (id: string, sent: number): boolean => {
  const number = /^t-(\d+)$/.exec(id)?.[1];
  return number === undefined ? id.startsWith("probe-") : Number(number) <= sent;
};

const rowOf = ({ scene, samples }: Drilled, told: Told, firstAt: number): RepairRow => {
  const { story, answer, page, brokenAt, endedAt } = told;
  const entries = answer ? journalOf(scene.world, answer.name) : [];
  const result = answer && resultOf(answer);
  const text = (key: string) => entries.find((entry) => entry.key === key)?.text ?? "";
  const from = (at: number) => (at - firstAt) / 1000;
  const during = samples.filter(
    ({ atMilliseconds: at }) => at >= brokenAt && at <= endedAt + sampleMilliseconds,
  );
  const counted = (of: "acknowledgedPerSecond" | "failedPerSecond") =>
    Math.round(during.reduce((sum, sample) => sum + sample[of] * (sampleMilliseconds / 1000), 0));
  return {
    name: story.name,
    title: story.title,
    text: told.text,
    brokenAtSeconds: from(brokenAt),
    endedAtSeconds: from(endedAt),
    seconds: result || page ? (endedAt - brokenAt) / 1000 : null,
    mustAct: story.expects.deed !== null,
    run: answer?.name ?? "none",
    playbook: story.playbook,
    end: result?.end ?? (page ? story.expects.end : "none"),
    code: result?.code ?? (page ? "people-called" : "none"),
    ...judgedIn(entries),
    done: text("deed").replace(/^Now: /, ""),
    proven: result?.notes.join(" ") ?? page?.text ?? "",
    approvedBy: result?.approvedBy ?? [],
    stretches: stretchesOf(entries, brokenAt, endedAt).map(({ kind, fromAt, toAt }) => ({
      kind,
      fromSeconds: from(fromAt),
      toSeconds: from(toAt),
    })),
    attempts: told.attempts.map((each) => {
      const own = resultOf(each);
      const { name: run, status } = each;
      return {
        run,
        playbook: own?.playbook ?? "unknown",
        end: own?.end ?? status,
        code: own?.code ?? "none",
      };
    }),
    alarms: told.alarms,
    acknowledged: counted("acknowledgedPerSecond"),
    failed: counted("failedPerSecond"),
  };
};

/** As often as the course takes a sample. */
const sampleMilliseconds = 5000;

const modes: Record<string, string> = {
  act: "by itself",
  ask: "people are asked",
  shadow: "in shadow: it only says what it would do",
};

/** What was found, and what came of it: how far it may go and why, or who refused it. */
const judgedIn = (entries: readonly Entry[]): Pick<RepairRow, "seen" | "decided"> => {
  const data = entries.find(({ key }) => key === "diagnosis")?.data;
  const finding = data?.finding as { is: string; says: string } | undefined;
  const reasons = Array.isArray(data?.reasons) ? data.reasons.map(String) : [];
  const mode = modes[String(data?.mode)];
  const plan = mode ? inSentences([capital(mode), ...reasons]) : "Nothing is planned for it.";
  return {
    seen: finding ? `${finding.is}: ${finding.says}` : "",
    decided: refusalIn(entries) ?? (finding ? plan : ""),
  };
};

const refusalIn = (entries: readonly Entry[]): string | undefined =>
  entries.find(({ key, kind }) => kind === "refused" && key !== "end")?.text;

type Timed = Pick<Stretch, "kind"> & { fromAt: number; toAt: number };

/** What the time went to, from the break on, in its order. */
const stretchesOf = (entries: readonly Entry[], brokenAt: number, endedAt: number): Timed[] => {
  const { begun, asked, approved, deed, acted } = instantsOf(entries);
  if (begun === undefined) return [{ kind: "noticing", fromAt: brokenAt, toAt: endedAt }];
  const marks: [Stretch["kind"], number | undefined][] = [
    ["noticing", begun],
    ["deciding", asked ?? deed ?? endedAt],
    ["asking", asked === undefined ? undefined : (approved ?? endedAt)],
    ["acting", acted],
    ["proving", acted === undefined ? undefined : endedAt],
  ];
  const found: Timed[] = [];
  let fromAt = brokenAt;
  for (const [kind, toAt] of marks) {
    if (toAt === undefined || toAt <= fromAt) continue;
    found.push({ kind, fromAt, toAt });
    fromAt = toAt;
  }
  return found;
};
