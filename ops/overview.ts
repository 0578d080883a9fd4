import type { Plan } from "../functions/failover/decide.ts";
import type { Standing } from "../shared/abort.ts";
import { standingOf } from "../shared/abort.ts";
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
import type { Station } from "./aws.ts";
import { bookOf, silenceOf } from "./book.ts";
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
  approval: (Approval & { is: string }) | null;
  /** Who did not answer, and may know more. */
  silence: string;
}

export interface Overview {
  atMilliseconds: number;
  through: string;
  lease: Fact<Lease>;
  pause: Pause;
  contacts: { region: string; contact: Fact<Contact | undefined> }[];
  /** The run that is under way, or else the last one that there was. */
  run: Fact<RunSeen>;
}

/** Looks at everything at once; what does not answer is unknown, and the rest is shown. */
export const overview = async (at: Station): Promise<Overview> => {
  const { clock, config, table, through } = at;
  const { primary, standby } = config.regions;
  const lease = await observed("coordination table", clock.now, () => explained(readLease(table)));
  const [pause, run, ...contacts] = await Promise.all([
    readPause(table),
    observed("journal", clock.now, () => runOf(at, lease)),
    ...[primary, standby].map(async (region) => {
      const look = () => explained(readContact(table, region));
      return { region, contact: await observed("coordination table", clock.now, look) };
    }),
  ]);
  return { atMilliseconds: clock.now(), through, lease, pause, contacts, run };
};

const runOf = async (at: Station, lease: Fact<Lease>): Promise<RunSeen> => {
  if (!lease.known) throw new Error("without the lease nobody knows which run it would be");
  const { run } = runUnderWay(lease.value, at.config.regions);
  const before = lastRun(lease.value);
  const [current, last] = await Promise.all([seen(at, run), before && seen(at, before)]);
  return current.standing.begun || !last ? current : last;
};

/** The attempt before the next one, or the run that has brought the lease to where it is. */
const lastRun = ({ epoch, attempt, holder }: Lease): string | undefined => {
  if (attempt > 1) return `failover-${epoch + 1}-${attempt - 1}`;
  return holder.startsWith("failover-") ? holder : undefined;
};

const seen = async (at: Station, run: string): Promise<RunSeen> => {
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
    notes: notesOf(entries.at(-1)),
    approval: approval ? { ...approval, is: stateOf(approval, at.clock.now()) } : null,
    silence: silenceOf(book),
  };
};

/** What a line of the journal adds to its sentence. */
export const notesOf = (entry: Entry | undefined): string[] => {
  const notes = entry?.data?.notes;
  return Array.isArray(notes) ? notes.map(String) : [];
};
