import type { Plan } from "../functions/failover/decide.ts";
import type { Standing } from "../shared/abort.ts";
import { isLeft, standingOf } from "../shared/abort.ts";
import type { Approval } from "../shared/approval.ts";
import { approvals, stateOf } from "../shared/approval.ts";
import type { Contact } from "../shared/contact.ts";
import { readContact } from "../shared/contact.ts";
import type { Entry } from "../shared/journal.ts";
import type { Lease } from "../shared/lease.ts";
import { readLease } from "../shared/lease.ts";
import { runUnderWay } from "../shared/move.ts";
import type { Fact } from "../shared/outcome.ts";
import { observed } from "../shared/outcome.ts";
import type { Pause } from "../shared/pause.ts";
import { readPause } from "../shared/pause.ts";
import { readReadiness, type Verdict, verdictOf } from "../shared/readiness.ts";
import { ofTheRun } from "../shared/refused-answer.ts";
import type { Station } from "./aws.ts";
import { bookOf, rebuilding, silenceOf } from "./book.ts";
import { explained } from "./why.ts";

/** A run as its journal tells of it. */
export interface RunSeen {
  run: string;
  /** Whose copy of the journal this is told from. */
  region: string | null;
  standing: Standing;
  /** Who asked for it, and why. */
  asked: string;
  plan: Plan | null;
  planHash: string | null;
  /** What it said last. */
  notes: string[];
  /** What to say to go on, when it has asked for a human and the lease is of it. */
  waysOn: string[];
  approval: (Approval & { is: string }) | null;
  /** Who did not answer, and may know more. */
  silence: string;
}

/** A rebuild of redundancy that is under way. */
export interface RebuildSeen {
  run: string;
  asked: string;
  /** What its journal says last. */
  last: string;
  plan: string[];
  planHash: string | null;
  approval: (Approval & { is: string }) | null;
}

export interface Overview {
  atMilliseconds: number;
  through: string;
  lease: Fact<Lease>;
  pause: Pause;
  contacts: { region: string; contact: Fact<Contact | undefined> }[];
  /** The run that is under way, or else the last one that there was. */
  run: Fact<RunSeen>;
  /** Null when none is. */
  rebuild: Fact<RebuildSeen | null>;
  /** Whether the region that stands by could take over, as it was last looked at. */
  readiness: Fact<{ region: string; verdict: Verdict }>;
}

/** Looks at everything at once; what does not answer is unknown, and the rest is shown. */
export const overview = async (at: Station): Promise<Overview> => {
  const { clock, config, table, through } = at;
  const { primary, standby } = config.regions;
  const lease = await observed("coordination table", clock.now, () => explained(readLease(table)));
  const [pause, run, rebuild, readiness, ...contacts] = await Promise.all([
    readPause(table),
    observed("journal", clock.now, () => runOf(at, lease)),
    observed("journal", clock.now, () => rebuildOf(at, lease)),
    observed("coordination table", clock.now, () => explained(readinessOf(at, lease))),
    ...[primary, standby].map(async (region) => {
      const look = () => explained(readContact(table, region));
      return { region, contact: await observed("coordination table", clock.now, look) };
    }),
  ]);
  const seen = { lease, pause, contacts, run, rebuild, readiness };
  return { atMilliseconds: clock.now(), through, ...seen };
};

const readinessOf = async ({ clock, config, table }: Station, lease: Fact<Lease>) => {
  if (!lease.known) throw new Error("without the lease nobody knows which region stands by");
  const { primary, standby } = config.regions;
  const region = lease.value.region === standby ? primary : standby;
  return { region, verdict: verdictOf(await readReadiness(table, region), clock.now()) };
};

const rebuildOf = async (at: Station, lease: Fact<Lease>): Promise<RebuildSeen | null> => {
  if (!lease.known) throw new Error("without the lease nobody knows which run it would be");
  const run = await rebuilding(at, lease.value);
  if (run === undefined) return null;
  const { entries } = await bookOf(at, run);
  const asked = entries.findLast(({ data }) => data?.plan && data.hash)?.data;
  const planHash = asked ? String(asked.hash) : null;
  const approval = planHash ? await approvals(at.table).read(planHash) : undefined;
  return {
    run,
    asked: entries.find(({ key }) => key === "begin")?.text ?? "unknown",
    last: ofTheRun(entries).at(-1)?.text ?? "",
    plan: asked ? (asked.plan as string[]) : [],
    planHash,
    approval: approval ? { ...approval, is: stateOf(approval, at.clock.now()) } : null,
  };
};

const runOf = async (at: Station, lease: Fact<Lease>): Promise<RunSeen> => {
  if (!lease.known) throw new Error("without the lease nobody knows which run it would be");
  const { run } = runUnderWay(lease.value, at.config.regions);
  const before = lastRun(lease.value);
  const look = (name: string) => seen(at, name, lease.value);
  const [current, last] = await Promise.all([look(run), before && look(before)]);
  return current.standing.begun || !last ? current : last;
};

/** The attempt before the next one, or the run that has brought the lease to where it is. */
const lastRun = ({ epoch, attempt, holder }: Lease): string | undefined => {
  if (attempt > 1) return `failover-${epoch + 1}-${attempt - 1}`;
  return holder.startsWith("failover-") ? holder : undefined;
};

const seen = async (at: Station, run: string, lease: Lease): Promise<RunSeen> => {
  const book = await bookOf(at, run);
  const { entries, region } = book;
  const planned = entries.findLast(({ data }) => data?.plan && data.hash)?.data;
  const planHash = planned ? String(planned.hash) : null;
  const approval = planHash ? await approvals(at.table).read(planHash) : undefined;
  return {
    run,
    region,
    standing: standingOf(entries),
    asked: entries.find(({ key }) => key === "begin")?.text ?? "unknown",
    plan: planned ? (planned.plan as Plan) : null,
    planHash,
    notes: notesOf(ofTheRun(entries).at(-1)),
    waysOn: waysOnOf(lease, run, standingOf(entries)),
    approval: approval ? { ...approval, is: stateOf(approval, at.clock.now()) } : null,
    silence: silenceOf(book),
  };
};

const waysOnOf = (lease: Lease, run: string, standing: Standing): string[] => {
  if (lease.holder !== run || standing.state !== "needs-human") return [];
  const mayGoBack = isLeft(lease, run, standing) && standing.returnable !== "no";
  const on = `to go on:  npm run ops -- carry-on ${run}`;
  return mayGoBack ? [on, `to give the lease back:  npm run ops -- abort ${run} <reason>`] : [on];
};

/** What a line of the journal adds to its sentence. */
export const notesOf = (entry: Entry | undefined): string[] => {
  const notes = entry?.data?.notes;
  return Array.isArray(notes) ? notes.map(String) : [];
};
