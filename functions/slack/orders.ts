import type { Abort } from "../../shared/abort.ts";
import { judgeAbort, leaveAbort, standingOf } from "../../shared/abort.ts";
import type { Answer, Approval, Decided } from "../../shared/approval.ts";
import { approvals } from "../../shared/approval.ts";
import type { Clock } from "../../shared/clock.ts";
import type { Config } from "../../shared/config.ts";
import type { Coordination } from "../../shared/coordination.ts";
import type { Entry } from "../../shared/journal.ts";
import type { Lease } from "../../shared/lease.ts";
import { acknowledgeMove, closeAttempt, readLease } from "../../shared/lease.ts";
import type { Asked, Move } from "../../shared/move.ts";
import { judgeAcknowledgement, judgeMove, otherRegion, runUnderWay } from "../../shared/move.ts";
import type { Refusal } from "../../shared/outcome.ts";
import { observed } from "../../shared/outcome.ts";
import type { Pause } from "../../shared/pause.ts";
import { pause, resume } from "../../shared/pause.ts";
import type { FailoverRequest } from "../failover/request.ts";
import type { Override } from "./decide.ts";

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

/** The runs of both regions. Every call is bounded in time, and throws when it was not answered. */
export interface Runs {
  /** Hands the request over and does not wait. `joined`: a run of that name was there already. */
  start(region: string, request: FailoverRequest): Promise<"started" | "joined">;
  /** `gone` when nobody waits on the callback any more, which is no trouble: see Approval. */
  wake(region: string, callbackId: string): Promise<"woken" | "gone">;
  /** The journal of a run, as one region has it. */
  entries(region: string, run: string): Promise<Entry[]>;
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
  const { region, run } = moved.asked;
  if (!standingOf(await desk.runs.entries(region, run)).ended) return moved;
  // It ended before it had moved the lease and did not free its name, which only this can do.
  await closeAttempt(desk.table, lease);
  return start(desk, wish, await readLease(desk.table));
};

const start = async (desk: Desk, wish: Wish, lease: Lease): Promise<Moved> => {
  const { move, ...trigger } = wish;
  const judged = judgeMove(move, lease, desk.config.regions);
  if ("refused" in judged) return judged;
  const { run, region, kind } = judged.asked;
  const sinceMilliseconds = Math.floor(desk.clock.now());
  const request = {
    kind,
    run,
    trigger: { by: "operator" as const, ...trigger, sinceMilliseconds },
  };
  const started = await desk.runs.start(region, request);
  return { asked: judged.asked, joined: started === "joined" };
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
  | { run: string; abort: Abort; inTime: "yes" | "maybe"; doubt?: string }
  | { refused: Refusal };

/** Leaves the word for the run that is under way, which undoes what it did and ends. */
export const orderAbort = async (desk: Desk, word: Word): Promise<Aborted> => {
  const { table, clock, config, runs } = desk;
  const lease = await readLease(table);
  const { run, region } = runUnderWay(lease, config.regions);
  const standing = await observed("journal", clock.now, async () =>
    standingOf(await runs.entries(region, run)),
  );
  const refusal = judgeAbort(lease, run, standing);
  if (refusal) return { refused: refusal };
  const atMilliseconds = Math.floor(clock.now());
  const abort = await leaveAbort(table, run, { ...word, atMilliseconds });
  if (!standing.known) return { run, abort, inTime: "maybe", doubt: standing.why };
  return { run, abort, inTime: standing.value.returnable === "yes" ? "yes" : "maybe" };
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
  // While people are asked the lease is still where it was.
  return runs.wake(otherRegion(await readLease(table), config.regions), callbackId);
};
