import type { Abort } from "../../shared/abort.ts";
import { judgeAbort, leaveAbort, standingOf } from "../../shared/abort.ts";
import type { Answer, Approval, Decided } from "../../shared/approval.ts";
import { approvals } from "../../shared/approval.ts";
import type { Clock } from "../../shared/clock.ts";
import type { Config } from "../../shared/config.ts";
import { readContact } from "../../shared/contact.ts";
import type { Coordination } from "../../shared/coordination.ts";
import { readIncident, regionOfAttempt } from "../../shared/incident.ts";
import type { Entry, Line } from "../../shared/journal.ts";
import type { Lease } from "../../shared/lease.ts";
import { acknowledgeMove, closeAttempt, readLease } from "../../shared/lease.ts";
import type { Asked, Move } from "../../shared/move.ts";
import { judgeAcknowledgement, judgeMove, otherRegion, runUnderWay } from "../../shared/move.ts";
import type { Refusal } from "../../shared/outcome.ts";
import { observed } from "../../shared/outcome.ts";
import type { Pause } from "../../shared/pause.ts";
import { pause, resume } from "../../shared/pause.ts";
import { closeRebuild, judgeRebuild, readAttempt, rebuildRun } from "../../shared/redundancy.ts";
import { declareUpheaval, readUpheavals, type Upheaval } from "../../shared/upheaval.ts";
import type { RebuildRequest } from "../failover/rebuild.ts";
import type { CarryOnRequest, FailoverRequest, Override } from "../failover/request.ts";
import type { Question } from "../rotation/decide.ts";
import type { Told } from "../rotation/kinds.ts";
import type { VerificationRequest } from "../verification/request.ts";
import { carryOnUnder } from "./carry-on.ts";

/**
 * What a door needs to carry out an operator's orders. Slack and the command line are two doors to
 * the same orders, so that neither lets anything through that the other refuses.
 */
export interface Desk {
  clock: Pick<Clock, "now">;
  config: Config;
  table: Coordination;
  runs: Runs;
}

type RotationQuestion = Extract<Question, { do: "begin" | "look" }>;

/** The runs of both regions. Every call is bounded in time, and throws when it was not answered. */
export interface Runs {
  /** Hands the request over and does not wait. `joined`: a run of that name was there already. */
  start(
    region: string,
    request: FailoverRequest | RebuildRequest | CarryOnRequest,
  ): Promise<"started" | "joined">;
  /** Begins a restore test in that region, as `start` does. */
  verify(region: string, request: VerificationRequest): Promise<"started" | "joined">;
  /** Asks the rotation function of that region, and waits for what it says. */
  rotate(region: string, question: RotationQuestion): Promise<Told>;
  /** What Lambda says of a durable execution. `none`: it was never started, or long ago. */
  status(region: string, execution: string): Promise<"alive" | "over" | "none">;
  /** `gone` when nobody waits on the callback any more, which is no trouble: see Approval. */
  wake(region: string, callbackId: string): Promise<"woken" | "gone">;
  /** The journal of a run, as one region has it. */
  entries(region: string, run: string): Promise<Entry[]>;
  /** Adds a line to the journal of a run, once per key, in the region where the run itself writes it. */
  note(region: string, run: string, line: Line): Promise<void>;
}

/** What an operator asks for; `who` is their Slack member id, whichever door they came through. */
export interface Wish {
  move: Move;
  who: string;
  reason: string;
  overrides: Override[];
}

export type Moved = { asked: Asked; joined: boolean } | { refused: Refusal };

/** Starts the run of a move in the region that is going to be active. Never starts one twice. */
export const orderMove = async (desk: Desk, wish: Wish): Promise<Moved> => {
  const lease = await readLease(desk.table);
  const moved = await start(desk, wish, lease);
  if (!("joined" in moved) || !moved.joined) return moved;
  const { region, run, kind } = moved.asked;
  // The next minute's rehearsal has another name by itself.
  if (kind === "rehearsal") return moved;
  if (!(await hasEnded(desk, region, run))) return moved;
  // It ended before it had moved the lease and did not free its name, which only this can do.
  await closeAttempt(desk.table, lease);
  return start(desk, wish, await readLease(desk.table));
};

/**
 * By its journal, or, since a run that could not write it has no end there, by what Lambda says. While
 * Lambda is silent it counts as alive: never two of them.
 */
const hasEnded = async ({ runs, clock }: Desk, region: string, run: string): Promise<boolean> => {
  if (standingOf(await runs.entries(region, run)).ended) return true;
  const is = await observed("Lambda", clock.now, () => runs.status(region, run));
  return is.known && is.value === "over";
};

const start = async (desk: Desk, wish: Wish, lease: Lease): Promise<Moved> => {
  const { move, ...trigger } = wish;
  const sinceMilliseconds = Math.floor(desk.clock.now());
  const judged = judgeMove(move, lease, desk.config.regions, sinceMilliseconds);
  if ("refused" in judged) return judged;
  const { run, region, kind } = judged.asked;
  const request = {
    kind,
    run,
    trigger: { by: "operator" as const, ...trigger, sinceMilliseconds },
  };
  const started = await desk.runs.start(region, request);
  return { asked: judged.asked, joined: started === "joined" };
};

export type Rebuilding = { run: string; region: string; joined: boolean } | { refused: Refusal };

/**
 * Starts the rebuild of redundancy in the region that holds the lease. One attempt at a time; one that
 * has ended, however it did, leaves its name behind, and the next order gets another.
 */
export const orderRebuild = async (desk: Desk, { by, reason }: Word): Promise<Rebuilding> => {
  const { table, runs, clock, config } = desk;
  const lease = await readLease(table);
  const { region, epoch } = lease;
  const away = otherRegion(lease, config.regions);
  const sinceMilliseconds = Math.floor(clock.now());
  const attempt = await readAttempt(table, epoch);
  const ended = await hasEnded(desk, region, rebuildRun(epoch, attempt));
  const contact = await readContact(table, away);
  const isFirst = attempt === 1 && !ended;
  const refusal = judgeRebuild(lease, away, contact, isFirst, sinceMilliseconds);
  if (refusal) return { refused: refusal };
  const trigger = { by: "operator" as const, who: by, reason, sinceMilliseconds, overrides: [] };
  const begin = async (attempt: number) => {
    const run = rebuildRun(epoch, attempt);
    const started = await runs.start(region, { kind: "rebuild", run, trigger });
    return { run, region, joined: started === "joined" };
  };
  if (!ended) return begin(attempt);
  await closeRebuild(table, epoch, attempt);
  return begin(attempt + 1);
};

/** A window that somebody declares, or closes: an observer may take it for the loss of the region. */
export interface Window {
  by: string;
  /** 0 ends the one that is open. */
  minutes: number;
  reason: string;
}

export type Declared = { declared: Upheaval } | { ended: string } | { refused: Refusal };

/** Of the region that holds the lease: the other one takes no users, so nothing there is mistaken. */
export const orderMaintenance = async (
  { table, clock }: Desk,
  { by, minutes, reason }: Window,
): Promise<Declared> => {
  const { region } = await readLease(table);
  const now = Math.floor(clock.now());
  const open = (await readUpheavals(table, region, now)).find(({ kind }) => kind === "maintenance");
  if (minutes === 0) {
    if (!open) {
      const reason = `No maintenance window of ${region} is open.`;
      return { refused: { code: "no-window", reason } };
    }
    const { kind, by: opener, reason: why, sinceMilliseconds } = open;
    const closed = { region, kind, by: opener, reason: why, sinceMilliseconds };
    await declareUpheaval(table, { ...closed, untilMilliseconds: now });
    return { ended: region };
  }
  const declared: Upheaval = {
    region,
    kind: "maintenance",
    by,
    reason,
    sinceMilliseconds: open?.sinceMilliseconds ?? now,
    untilMilliseconds: now + minutes * 60_000,
  };
  await declareUpheaval(table, declared);
  return { declared };
};

export interface Word {
  by: string;
  reason: string;
}

/** The switch as it stands afterwards: a newer word of somebody else's may have won. */
export const orderPause = (desk: Desk, to: "pause" | "resume", word: Word): Promise<Pause> => {
  const turn = to === "pause" ? pause : resume;
  return turn(desk.table, { ...word, atMilliseconds: Math.floor(desk.clock.now()) });
};

export type Acknowledged = { acknowledged: Lease } | { refused: Refusal };

export const orderAcknowledgement = async (desk: Desk, by: string): Promise<Acknowledged> => {
  const lease = await readLease(desk.table);
  const refusal = judgeAcknowledgement(lease);
  if (refusal) return { refused: refusal };
  if (await acknowledgeMove(desk.table, lease, by)) return { acknowledged: lease };
  const reason = "The lease has moved just now. Look at the status, and acknowledge what you see.";
  return { refused: { code: "lease-moved", reason } };
};

export type Aborted =
  | { run: string; abort: Abort; inTime: "yes" | "maybe"; doubt?: string; carriedOn?: string }
  | { refused: Refusal };

/**
 * Leaves the word for the run that is under way, which undoes what it did and ends: a move before a
 * rebuild, when both are, since it is the move that users feel.
 */
export const orderAbort = async (desk: Desk, asked: Word & { run?: string }): Promise<Aborted> => {
  const { table, clock, config } = desk;
  const { run: named, ...word } = asked;
  if (named && regionOfAttempt(named)) return abortRepair(desk, named, word);
  const { reason } = word;
  const lease = await readLease(table);
  const move = named
    ? { run: named, region: regionOfRun(named, lease, config.regions) }
    : runUnderWay(lease, config.regions);
  const standing = await standingIn(desk, move);
  const refusal = judgeAbort(lease, move.run, standing);
  const rebuilding =
    refusal && !named ? await rebuildUnderWay(table, lease, desk.runs.entries) : undefined;
  if (refusal && !rebuilding) return { refused: refusal };
  const run = rebuilding ?? move.run;
  const atMilliseconds = Math.floor(clock.now());
  const abort = await leaveAbort(table, run, { ...word, atMilliseconds });
  if (rebuilding) return { run, abort, inTime: "yes" };
  if (!standing.known) return { run, abort, inTime: "maybe", doubt: standing.why };
  const inTime = standing.value.returnable === "yes" ? "yes" : "maybe";
  if (lease.state !== "moving" || lease.holder !== run) return { run, abort, inTime };
  // When nobody is there to read the word, another execution has to. One that lives refuses this.
  const wish = { who: word.by, run, reason, accepts: [] };
  const carried = await observed("Lambda", clock.now, () => carryOnUnder(desk, lease, wish));
  if (!carried.known || "refused" in carried.value || carried.value.joined) {
    return { run, abort, inTime };
  }
  return { run, abort, inTime, carriedOn: carried.value.execution };
};

/** Leaves the word for a repair, which reads it before each change and after each look at its proof. */
const abortRepair = async ({ table, clock }: Desk, run: string, word: Word): Promise<Aborted> => {
  const kept = await readIncident(table, regionOfAttempt(run) ?? "");
  const attempt = kept?.incident.attempt;
  if (attempt?.run !== run || attempt.end !== null) {
    const reason = `${run} is not under way: nothing of it could be stopped.`;
    return { refused: { code: "nothing-under-way", reason } };
  }
  const abort = await leaveAbort(table, run, { ...word, atMilliseconds: Math.floor(clock.now()) });
  return { run, abort, inTime: "yes" };
};

/** A move runs in the region that is going to be active, a rebuild in the one that is. */
const regionOfRun = (run: string, lease: Lease, regions: Config["regions"]): string => {
  // A repair runs where its alarm rings.
  const repaired = regionOfAttempt(run);
  if (repaired) return repaired;
  const isHere = run.startsWith("rebuild-") || lease.state === "moving";
  return isHere ? lease.region : otherRegion(lease, regions);
};

const standingIn = ({ runs, clock }: Desk, { run, region }: { run: string; region: string }) =>
  observed("journal", clock.now, async () => standingOf(await runs.entries(region, run)));

/**
 * The rebuild that has begun at this epoch and has not ended, by its journal as `read` finds it. Throws
 * when table or journal are silent.
 */
export const rebuildUnderWay = async (
  table: Coordination,
  { epoch, region, state }: Lease,
  read: Runs["entries"],
): Promise<string | undefined> => {
  if (state !== "held") return undefined;
  const run = rebuildRun(epoch, await readAttempt(table, epoch));
  const { begun, ended } = standingOf(await read(region, run));
  return begun && !ended ? run : undefined;
};

/** Records an answer to a plan. Who may give it is said by the operator's file. */
export const orderAnswer = (
  { table, config, clock }: Desk,
  planHash: string,
  { user, says }: Pick<Answer, "user" | "says">,
): Promise<Decided> => {
  const approvers = config.slack.operators.filter(({ may }) => may.includes("approve"));
  const answer: Answer = { user, says, atMilliseconds: Math.floor(clock.now()) };
  return approvals(table).answer(
    planHash,
    answer,
    approvers.map((each) => each.user),
  );
};

/** Wakes the run that waits for an approval, in its own region; nothing when nobody has to wake. */
export const wakeRun = async (
  { table, config, runs }: Desk,
  approval: Approval,
): Promise<"woken" | "gone" | undefined> => {
  const { callbackId, rejectedBy, approvals: given, neededApprovals } = approval;
  const settled = rejectedBy !== undefined || given.length >= neededApprovals;
  if (!settled || callbackId === undefined) return undefined;
  // While people are asked for a move the lease is still where it was.
  const lease = await readLease(table);
  return runs.wake(regionOfRun(approval.run, lease, config.regions), callbackId);
};
