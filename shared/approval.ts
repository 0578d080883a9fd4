import { canonical, sha256 } from "./canonical.ts";
import type { Coordination, Item } from "./coordination.ts";
import type { Refusal } from "./outcome.ts";

/**
 * The right to do one irreversible thing: bound to the hash of plan and facts, given by people other
 * than the one who asked, used once, and dead after its time.
 */
export interface Approval {
  planHash: string;
  /** The run that asks. */
  run: string;
  /** A Slack member id, an IAM identity, or the name of the function that noticed the trouble. */
  requester: string;
  neededApprovals: number;
  expiresAtMilliseconds: number;
  approvals: { user: string; atMilliseconds: number }[];
  rejectedBy?: string;
  usedBy?: string;
  usedAtMilliseconds?: number;
  /** Why it counts no more although nobody has rejected it: what it was given for is not so any more. */
  voidBecause?: string;
  /** Wakes the run that waits. Only a wake-up: the run reads this item itself. */
  callbackId?: string;
}

export type ApprovalState = "waiting" | "granted" | "rejected" | "expired" | "used" | "void";

/** Stands for plan and facts: when either changes, the approval of the old one is worth nothing. */
export const planHash = (plan: unknown, facts: unknown): string =>
  sha256(canonical({ plan, facts }));

/** A rejection is final; a granted approval that was not used in time has expired. */
export const stateOf = (approval: Approval, nowMilliseconds: number): ApprovalState => {
  if (approval.rejectedBy !== undefined) return "rejected";
  if (approval.usedBy !== undefined) return "used";
  if (approval.voidBecause !== undefined) return "void";
  if (nowMilliseconds >= approval.expiresAtMilliseconds) return "expired";
  return approval.approvals.length >= approval.neededApprovals ? "granted" : "waiting";
};

export type Answer = { user: string; says: "approve" | "reject"; atMilliseconds: number };
export type Decided = { changed: Approval } | { unchanged: Approval } | { refused: Refusal };

const refused = (code: string, reason: string): Decided => ({ refused: { code, reason } });

/**
 * What an answer does to an approval. Pure. `mayApprove` are the operators who may answer at all;
 * the same answer again changes nothing and is no error.
 */
export const answered = (
  approval: Approval,
  answer: Answer,
  mayApprove: readonly string[],
): Decided => {
  if (!mayApprove.includes(answer.user)) {
    return refused("not-an-approver", "You are not listed as an operator who may approve.");
  }
  const state = stateOf(approval, answer.atMilliseconds);
  if (state === "rejected") {
    if (answer.says === "reject") return { unchanged: approval };
    return refused("rejected", `Already rejected by ${approval.rejectedBy}, which is final.`);
  }
  if (state === "used") {
    return refused("used", "This plan is being carried out: its approval was used.");
  }
  if (state === "void") {
    return refused("void", `This plan is void: ${approval.voidBecause}. Answer the newer one.`);
  }
  if (state === "expired") {
    return refused("expired", "This request has expired. The run makes a new plan or ends.");
  }
  if (answer.says === "reject") return { changed: { ...approval, rejectedBy: answer.user } };
  if (answer.user === approval.requester) {
    return refused("own-request", "You asked for this, so somebody else has to approve it.");
  }
  if (approval.approvals.some(({ user }) => user === answer.user)) return { unchanged: approval };
  const given = { user: answer.user, atMilliseconds: answer.atMilliseconds };
  return { changed: { ...approval, approvals: [...approval.approvals, given] } };
};

/** Spends a granted approval for `by`. The same user of it may ask again and gets the same answer. */
export const used = (approval: Approval, by: string, nowMilliseconds: number): Decided => {
  if (approval.usedBy === by) return { unchanged: approval };
  const state = stateOf(approval, nowMilliseconds);
  if (state === "granted") {
    return { changed: { ...approval, usedBy: by, usedAtMilliseconds: nowMilliseconds } };
  }
  return refused(state, `The approval cannot be used: it is ${state}.`);
};

/** Voids a request that nobody has used yet. */
export const withdrawn = (approval: Approval, because: string): Decided =>
  approval.usedBy === undefined && approval.voidBecause === undefined
    ? { changed: { ...approval, voidBecause: because } }
    : { unchanged: approval };

/** Enough people have answered, one way or the other. */
const isSettled = ({ rejectedBy, approvals: given, neededApprovals }: Approval): boolean =>
  rejectedBy !== undefined || given.length >= neededApprovals;

export const approvalId = (hash: string): string => `approval#${hash}`;

/** Approvals in the coordination table; each change is one conditional write of one item. */
export interface Approvals {
  /** Opens a request. The same plan again finds the one that is there. */
  open(request: Omit<Approval, "approvals">): Promise<Approval>;
  read(hash: string): Promise<Approval | undefined>;
  answer(hash: string, answer: Answer, mayApprove: readonly string[]): Promise<Decided>;
  use(hash: string, by: string, nowMilliseconds: number): Promise<Decided>;
  /** Whoever answers it from now on is told that it is void. */
  withdraw(hash: string, because: string): Promise<Decided>;
  /**
   * Keeps the newest callback, since a resumed run waits on a new one. Whether the request is settled:
   * whoever settled it before this knew an older callback and wakes nobody.
   */
  wakeBy(hash: string, callbackId: string): Promise<boolean>;
}

/** People press at the same instant; more than this many at once is no people. */
const attempts = 8;

export const approvals = (table: Coordination): Approvals => {
  const change = async (hash: string, decide: (now: Approval) => Decided): Promise<Decided> => {
    let item = await table.read(approvalId(hash));
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      if (!item) return refused("unknown-plan", "There is no such request, or it was withdrawn.");
      const decided = decide(approvalOf(item));
      if (!("changed" in decided)) return decided;
      const written = await table.write(approvalId(hash), {
        set: { ...decided.changed, version: Number(item.version) + 1 },
        onlyIf: "#version = :seen",
        values: { seen: item.version },
      });
      if (written.written) return decided;
      item = written.item;
    }
    return refused("contended", "Too many answers at once: please press again.");
  };
  return {
    open: async (request) => {
      const { item } = await table.write(approvalId(request.planHash), {
        set: { ...request, approvals: [], version: 1 },
        onlyIf: "attribute_not_exists(#version)",
      });
      if (!item) throw new Error(`the approval of ${request.run} has vanished from the table`);
      return approvalOf(item);
    },
    read: async (hash) => {
      const item = await table.read(approvalId(hash));
      return item && approvalOf(item);
    },
    answer: (hash, answer, mayApprove) => change(hash, (now) => answered(now, answer, mayApprove)),
    use: (hash, by, nowMilliseconds) => change(hash, (now) => used(now, by, nowMilliseconds)),
    withdraw: (hash, because) => change(hash, (now) => withdrawn(now, because)),
    wakeBy: async (hash, callbackId) => {
      const decided = await change(hash, (now) =>
        now.callbackId === callbackId ? { unchanged: now } : { changed: { ...now, callbackId } },
      );
      if ("refused" in decided) throw new Error(decided.refused.reason);
      const kept = "changed" in decided ? decided.changed : decided.unchanged;
      return isSettled(kept);
    },
  };
};

const approvalOf = (item: Item): Approval => {
  const { id: _id, version: _version, ...approval } = item;
  return approval as unknown as Approval;
};
