import * as z from "zod/mini";
import type { Approvals } from "../../shared/approval.ts";
import type { Clock } from "../../shared/clock.ts";
import type { Line } from "../../shared/journal.ts";
import type { Lease } from "../../shared/lease.ts";
import type { SlackMessage } from "../../shared/message.ts";
import { type Refusal, sentence } from "../../shared/outcome.ts";
import { type Pause, whilePaused } from "../../shared/pause.ts";
import type { Steps } from "../../shared/steps.ts";
import type { Position } from "../database/decide.ts";
import type { GuardReport } from "../guard/guard.ts";
import type { Posted } from "./failover.ts";
import type { DatabasePorts } from "./rebuild-database.ts";
import { parts } from "./rebuild-parts.ts";
import type { RecordPorts } from "./rebuild-records.ts";
import { rebuildMessage } from "./rebuild-view.ts";
import { request } from "./request.ts";

/**
 * What starts the rebuilding of redundancy. `run` names the epoch of the lease whose region is left
 * without a replica, and the attempt; it is the name of the durable execution (shared/redundancy.ts).
 */
export const rebuildRequest = z.strictObject({
  kind: z.literal("rebuild"),
  run: z.string().check(z.regex(/^rebuild-\d+-\d+$/)),
  trigger: request.shape.trigger,
});

/** What starts a rebuild, as it is sent. */
export type RebuildRequest = z.input<typeof rebuildRequest>;
export type RebuildWish = z.output<typeof rebuildRequest>;

/** A database instance as RDS describes it, as far as a rebuild cares. */
export interface Instance {
  id: string;
  arn: string;
  /** Stays the same when the identifier changes. */
  resourceId: string;
  status: string;
  /** What it is a replica of; null for one that stands alone. */
  sourceArn: string | null;
  replicating: boolean;
  deletionProtected: boolean;
  /** The epoch that it was put aside in, by its tag. */
  quarantined: string | null;
  backupRetentionDays: number;
  instanceClass: string;
  storageGigabytes: number;
  /** Its parameter group, and whether that is in force: `in-sync`, `applying`, `pending-reboot`. */
  parameters: { group: string | null; status: string };
  /** What belongs to its region, and what another instance in its place needs. */
  place: {
    securityGroups: string[];
    subnetGroup: string | null;
    key: string | null;
  };
}

/** How far a secret of this region has come in the other one. */
export interface SecretCopy {
  name: string;
  /** As Secrets Manager says of the replication; null when there is none to that region. */
  status: string | null;
  why: string | null;
  /** The other region's secret is a replica of this region's and has the same current version. */
  same: boolean;
}

/** The world as a rebuild needs it. `away` is the region that was left. */
export interface RebuildPorts extends RecordPorts, DatabasePorts {
  /** How this function signs what it records. */
  name: string;
  clock: Clock;
  here: string;
  away: string;
  /** The identifier of the other region's database: of the old primary now, of the replica then. */
  awayId: string;
  /** Instances of the application that a standby region runs. */
  standbyMinimum: number;
  secretNames: string[];
  approvals: Approvals;
  approvalExpirySeconds: number;

  readLease(): Promise<Lease>;
  readPause(): Promise<Pause>;
  readAbort(run: string): Promise<{ by: string; reason: string } | null>;
  /** Lets the other region's guard obey the lease now. Throws when the region does not answer. */
  obeyAway(epoch: number): Promise<GuardReport>;
  /** Where the other region's database stands. */
  awayPosition(): Promise<Position>;
  /** Where the replica stood when `run` promoted it; null when that was not recorded. */
  promotedAt(run: string): Promise<string | null>;

  /** This region's database. */
  primary(): Promise<Instance>;
  /** One in the other region; null when RDS says that there is none of this identifier. */
  awayInstance(id: string): Promise<Instance | null>;
  /** Tags it as quarantined; tags stay with an instance whatever it is called. */
  mark(instance: Instance, epoch: number): Promise<void>;
  /** Renames it, where that is not its name yet, and protects it from deletion. */
  setAside(instance: Instance, id: string): Promise<void>;
  /** In the other region, under `awayId`, in the place of `old`. */
  createReplica(primary: Instance, old: Instance, run: string): Promise<void>;

  secretCopy(name: string): Promise<SecretCopy>;
  /** Replicates to the other region, over what is there. */
  replicateSecret(name: string): Promise<void>;
  awayCapacity(): Promise<{ minimum: number; desired: number; inService: number }>;
  setAwayMinimum(instances: number): Promise<void>;

  journal(run: string, line: Line): Promise<unknown>;
  /** Puts the run's one message up or up to date; null when Slack does not answer. */
  show(message: SlackMessage, posted: Posted | null): Promise<Posted | null>;
  /** Calls the operators, in a message of its own. */
  escalate(run: string, text: string): Promise<void>;
}

/** All that a rebuild knows. Rebuilt from step results when it is resumed; never holds a secret. */
export interface Rebuild {
  name: string;
  epoch: number;
  who: string;
  reason: string;
  from: string;
  to: string;
  /** The run that moved the lease here. */
  movedBy: string;
  /** What stood under the old identifier, or had stood there, when the run began. */
  old: Instance | null;
  /** The old primary still has its name: nothing was put aside yet. */
  inPlace: boolean;
  /** There is no replica of this region's database yet: one is to be built. */
  builds: boolean;
  quarantine: string | null;
  /** Whether anything was changed. */
  changed: boolean;
  /** The request that people have before them; null while nobody is asked. */
  asking: Asking | null;
  approvedBy: string[];
  /** What the run will do that cannot simply be undone, as the approvers read it. */
  plan: string[];
  unrecorded: number;
  outcome: Rebuilt["outcome"] | null;
  notes: string[];
  timeline: { atMilliseconds: number; text: string }[];
  message: Posted | null;
}

/** A request for approval, as the run's message shows it. */
export interface Asking {
  planHash: string;
  neededApprovals: number;
  expiresAtMilliseconds: number;
}

export interface RebuildWork {
  steps: Steps;
  clock: Clock;
  ports: RebuildPorts;
  run: Rebuild;
}

/** How a part ended: with what it reached, or with why the run stops. */
export type PartEnding =
  | { is: "reached"; text: string; notes?: string[]; data?: Record<string, unknown> }
  /** `by` people: an operator has stopped it, so there is nobody who must be called. */
  | { is: "stopped"; text: string; by?: "people" };

export interface Rebuilt {
  outcome: "done" | "aborted" | "needs-human";
  run: string;
  epoch: number;
  /** What the old primary is called now; null when it still has its name. */
  quarantine: string | null;
  notes: string[];
  unrecorded: number;
}

/**
 * Makes the region that was left a standby region again: the old primary is put aside and kept, never
 * reused, and a replica of the new primary takes its identifier and so its address. Runs in the region
 * that has the lease. Every part looks first, so a run after one that stopped does only what is missing.
 */
export const rebuild = async (
  steps: Steps,
  ports: RebuildPorts,
  wish: RebuildWish,
): Promise<Rebuilt> => {
  const work: RebuildWork = { steps, clock: ports.clock, ports, run: newRebuild(wish, ports) };
  const { run } = work;
  const { who, reason } = wish.trigger;
  await record(work, "begin", { kind: "saw", text: `${who}: ${reason}` });
  for (const { key, act } of parts) {
    const ending = await perform(() => act(work));
    if (ending.is === "stopped") {
      await end(work, key, ending);
      break;
    }
    run.notes.push(...(ending.notes ?? []));
    await record(work, key, {
      kind: key === "looked" || key === "position" ? "saw" : "did",
      text: ending.text,
      ...(ending.data ? { data: ending.data } : {}),
    });
  }
  if (run.outcome === null) {
    run.outcome = "done";
    run.notes.push(...leftOf(run));
    const text = `${run.to} is a standby region again.`;
    await record(work, "done", { kind: "did", text, data: { to: "done", notes: run.notes } });
  }
  const { outcome, name, epoch, quarantine, notes, unrecorded } = run;
  return { outcome, run: name, epoch, quarantine, notes, unrecorded };
};

/** Says why it stops, and what a person finds half done. */
const end = async (
  work: RebuildWork,
  key: string,
  { text, by }: Extract<PartEnding, { is: "stopped" }>,
): Promise<void> => {
  const { run } = work;
  const outcome = run.changed && by !== "people" ? "needs-human" : "aborted";
  run.outcome = outcome;
  run.asking = null;
  run.notes = [text, ...(run.changed ? leftOf(run) : ["Nothing was changed."])];
  await record(work, `stopped at ${key}`, {
    kind: outcome === "needs-human" ? "failed" : "refused",
    text,
    data: { to: outcome, notes: run.notes },
  });
};

/** What is left for people when the run has ended, however it did. */
const leftOf = ({ quarantine, outcome, to }: Rebuild): string[] => [
  ...(quarantine
    ? [
        `Left: ${quarantine} in ${to} stays until a person deletes it. Read what it alone has first.`,
      ]
    : []),
  ...(outcome === "done"
    ? []
    : ["Order the rebuild again when the cause is gone: it does only what is missing."]),
];

const newRebuild = ({ run, trigger }: RebuildWish, { here, away }: RebuildPorts): Rebuild => ({
  name: run,
  epoch: Number(run.split("-")[1]),
  who: trigger.who,
  reason: trigger.reason,
  from: here,
  to: away,
  movedBy: "",
  old: null,
  inPlace: false,
  builds: false,
  quarantine: null,
  changed: false,
  asking: null,
  approvedBy: [],
  plan: [],
  unrecorded: 0,
  outcome: null,
  notes: [],
  timeline: [],
  message: null,
});

/** A step that failed for longer than its retries ends the run with a sentence, never silently. */
const perform = async (act: () => Promise<PartEnding>): Promise<PartEnding> => {
  try {
    return await act();
  } catch (error) {
    return { is: "stopped", text: sentence(error) };
  }
};

/**
 * Asked before every change: the brake, whether somebody has stopped the run, and whether this region
 * still has the lease at the epoch that the run is for.
 */
export const permitted = async ({ ports, run }: RebuildWork): Promise<Refusal | undefined> => {
  const paused = whilePaused(await ports.readPause());
  if (paused) return paused;
  const abort = await ports.readAbort(run.name);
  if (abort) return { code: "aborted", reason: `Aborted by ${abort.by}: ${abort.reason}` };
  return misplaced(await ports.readLease(), run);
};

/** Why the lease does not allow this run. */
export const misplaced = (lease: Lease, { epoch, from }: Rebuild): Refusal | undefined => {
  const { region, state } = lease;
  if (region === from && state === "held" && lease.epoch === epoch) return undefined;
  const is = `The lease of epoch ${lease.epoch} is ${state} in ${region}`;
  return { code: "lease-moved", reason: `${is}; this run is for epoch ${epoch} held in ${from}.` };
};

/**
 * Writes the journal, then shows the run in Slack. What cannot be recorded must not begin; once
 * something was changed the run goes on, counts what is missing, and says so. Slack never matters.
 */
export const record = async (
  work: RebuildWork,
  key: string,
  line: Pick<Line, "kind" | "text" | "data">,
): Promise<void> => {
  const { steps, ports, run, clock } = work;
  const { changed } = run;
  const told = await steps.step(`record ${key}`, async () => {
    const atMilliseconds = Math.floor(clock.now());
    const entry: Line = { key, by: ports.name, atMilliseconds, ...line };
    const written = ports.journal(run.name, entry);
    const recorded = changed ? await written.then(yes, no) : await written.then(yes);
    const timeline = [...run.timeline, { atMilliseconds, text: line.text }];
    const message = await ports.show(rebuildMessage({ ...run, timeline }), run.message);
    if (run.outcome === "needs-human") await ports.escalate(run.name, line.text);
    return { recorded, atMilliseconds, message };
  });
  if (!told.recorded) run.unrecorded += 1;
  run.timeline.push({ atMilliseconds: told.atMilliseconds, text: line.text });
  run.message = told.message ?? run.message;
};

const yes = () => true;
const no = () => false;
