import type { Approval } from "../../shared/approval.ts";
import { approvals, stateOf } from "../../shared/approval.ts";
import { sha256 } from "../../shared/canonical.ts";
import { isoSeconds } from "../../shared/clock.ts";
import { readLease } from "../../shared/lease.ts";
import type { SlackMessage } from "../../shared/message.ts";
import { approvalBlocks, escaped, person } from "../../shared/message.ts";
import type { Refusal } from "../../shared/outcome.ts";
import { rotationRun } from "../../shared/rotation.ts";
import {
  hashed,
  keepOrder,
  type Ordered,
  orderedKinds,
  orderOf,
  orderSeconds,
  type RotationLook,
  type RotationMode,
  type RotationOrder,
  readOrder,
  rotationSteps,
} from "../../shared/rotation-order.ts";
import type { Desk } from "./orders.ts";
import type { RotateWords } from "./rotate-words.ts";

export interface Planned {
  ordered: Ordered;
  mode: RotationMode;
  region: string;
  steps: string[];
  seen: RotationLook;
}

const noVersion = "".padEnd(32, "0");

/** What the rotation function finds now, and what would be done. Changes nothing. */
export const planRotation = async (
  { table, runs }: Desk,
  ordered: Ordered,
  mode: RotationMode,
): Promise<Planned | { refused: Refusal }> => {
  const { region } = await readLease(table);
  const question = { do: "look" as const, secret: orderedKinds[ordered], token: noVersion };
  const told = await runs.rotate(region, question);
  if ("refused" in told) return told;
  if (!told.seen) throw new Error("the rotation function did not say what it found");
  return { ordered, mode, region, steps: rotationSteps(ordered, mode), seen: told.seen };
};

export interface Waiting {
  planned: Planned;
  order: RotationOrder;
  approval: Approval;
}

/** An approver has a voice where approvals are asked for, and orders nothing. */
const unlessRequester = ({ config }: Desk, by: string): Refusal | undefined => {
  const operator = config.slack.operators.find(({ user }) => user === by);
  if (operator?.may.includes("request")) return undefined;
  const reason = "You are an operator, but not one who may ask for rotate.";
  return { code: "may-not-request", reason };
};

/** Asks for a rotation: it begins when it is confirmed by whom the operator's file says. */
export const askRotation = async (
  desk: Desk,
  { ordered, mode, reason }: Extract<RotateWords, { does: "ask" }>,
  by: string,
): Promise<Waiting | { refused: Refusal }> => {
  const { table, clock, config } = desk;
  const turnedAway = unlessRequester(desk, by);
  if (turnedAway) return { refused: turnedAway };
  const planned = await planRotation(desk, ordered, mode);
  if ("refused" in planned) return planned;
  const { seen } = planned;
  if (mode !== "abandon" && seen.forbidden) return { refused: seen.forbidden };
  const atMilliseconds = Math.floor(clock.now());
  const { secret, version } = seen;
  const token = sha256(`${secret} ${version} ${by} ${atMilliseconds}`).slice(0, 32);
  const run = rotationRun(secret, token);
  const about = { ordered, mode, reason, by, version, token, run, atMilliseconds };
  const order = hashed(about);
  await keepOrder(table, order);
  const approval = await approvals(table).open({
    planHash: order.hash,
    run,
    requester: by,
    neededApprovals: config.rotation?.approvals ?? 0,
    expiresAtMilliseconds: atMilliseconds + orderSeconds * 1000,
  });
  return { planned, order, approval };
};

export type Begun =
  | { begun: string; order: RotationOrder; region: string }
  /** More people have to say so. */
  | { waits: Approval; order: RotationOrder }
  | { refused: Refusal };

const refuse = (code: string, reason: string): Begun => ({ refused: { code, reason } });

/** A word of somebody who may: where one is enough it may be the one who has asked. */
export const confirmRotation = async (
  desk: Desk,
  { ordered, code }: Extract<RotateWords, { does: "confirm" }>,
  by: string,
): Promise<Begun> => {
  const { table, clock, config } = desk;
  const order = await readOrder(table, ordered);
  if (!order?.hash.startsWith(code)) {
    const reason = `No rotation of ${ordered} waits under ${code}: the newest order counts. Ask anew.`;
    return refuse("unknown-order", reason);
  }
  const approval = await approvals(table).read(order.hash);
  const turnedAway = approval?.neededApprovals === 0 ? unlessRequester(desk, by) : undefined;
  if (turnedAway) return { refused: turnedAway };
  if (approval && approval.neededApprovals > 0 && stateOf(approval, clock.now()) === "waiting") {
    const approvers = config.slack.operators.filter(({ may }) => may.includes("approve"));
    const answer = { user: by, says: "approve" as const, atMilliseconds: Math.floor(clock.now()) };
    const users = approvers.map(({ user }) => user);
    const decided = await approvals(table).answer(order.hash, answer, users);
    if ("refused" in decided) return decided;
  }
  return carryOutOrder(desk, order);
};

/** After a press of the button: begins what is granted, if it was for a rotation. */
export const carryOutAnswered = async (
  desk: Desk,
  { run, planHash }: Approval,
): Promise<Begun | undefined> => {
  if (!run.startsWith("rotation-")) return undefined;
  const order = await orderOf(desk.table, planHash);
  return order ? carryOutOrder(desk, order) : undefined;
};

/** Begins it when it is granted and all is as it was when it was asked for. Asked again it is the same. */
const carryOutOrder = async (desk: Desk, order: RotationOrder): Promise<Begun> => {
  const { table, clock, runs } = desk;
  const { hash, ordered, mode, run, token, reason, by } = order;
  const approval = await approvals(table).read(hash);
  if (!approval) return refuse("unknown-order", `The order of ${run} is not known any more.`);
  const state = stateOf(approval, clock.now());
  if (state === "waiting") return { waits: approval, order };
  const isAgain = state === "used" && approval.usedBy === run;
  if (state !== "granted" && !isAgain) {
    return refuse(
      state,
      `The order of ${run} is ${state}. Ask anew: /nightshift rotate ${ordered}.`,
    );
  }
  const planned = await planRotation(desk, ordered, mode);
  if ("refused" in planned) return planned;
  const { seen, region } = planned;
  if (!isAgain && seen.version !== order.version) {
    const why = "another version is current by now";
    await approvals(table).withdraw(hash, why);
    return refuse("void", `${run} was not begun: ${why}. Ask anew: /nightshift rotate ${ordered}.`);
  }
  // To give something up is never forbidden by what it is in the middle of.
  const isHeld = mode !== "abandon" && !isAgain;
  if (isHeld && seen.forbidden) return { refused: seen.forbidden };
  const spent = await approvals(table).use(hash, run, Math.floor(clock.now()));
  if ("refused" in spent) return spent;
  const who = [by, ...approval.approvals.map(({ user }) => user)].join(", ");
  const question = { do: "begin" as const, secret: seen.secret, token, reason, by: who };
  const told = await runs.rotate(region, mode === "usual" ? question : { ...question, mode });
  if ("refused" in told) return told;
  return { begun: told.did, order, region };
};

const modeWords: Record<RotationMode, string> = {
  usual: "",
  compromise: ", as compromised",
  abandon: ", which is given up",
};

const numbered = (steps: readonly string[]): string[] =>
  steps.map((step, index) => `${index + 1}. ${step}`);

/** What would be done, in order, and what forbids it; for people, whichever door they came through. */
export const plannedLines = ({ ordered, mode, region, steps, seen }: Planned): string[] => [
  `Rotation of ${ordered} (${seen.secret}) in ${region}${modeWords[mode]}:`,
  ...numbered(steps),
  `Version ${seen.version} is current.`,
  ...(seen.left === "none"
    ? []
    : [
        seen.left === "empty"
          ? "An earlier rotation left an empty version: it is taken away first."
          : "An earlier rotation is not complete: it goes on, with its own value.",
      ]),
  seen.forbidden ? `Forbidden now: ${seen.forbidden.reason}` : "Nothing forbids it now.",
];

export const dryRunLines = (planned: Planned): string[] => [
  ...plannedLines(planned),
  "This was a dry run: nothing was changed.",
];

/** What has to be said to begin it, as this door says `confirm`. */
export const waitingLines = (
  { planned, order, approval }: Waiting,
  confirm: (words: string) => string,
): string[] => {
  const { neededApprovals, expiresAtMilliseconds } = approval;
  const who =
    neededApprovals === 0
      ? "To begin it"
      : `It needs ${neededApprovals} of the others who may approve. Each says`;
  const words = `rotate ${order.ordered} confirm ${order.hash.slice(0, 12)}`;
  return [
    ...plannedLines(planned),
    `${who}, until ${isoSeconds(expiresAtMilliseconds)}: ${confirm(words)}`,
  ];
};

/** With the buttons for those who have to approve it. */
export const rotationMessage = (waiting: Waiting): SlackMessage => {
  const { planned, order, approval } = waiting;
  const head = `Rotation of ${order.ordered}: asked by ${person(order.by)}: ${escaped(order.reason)}`;
  const text = [head, ...plannedLines(planned).map(escaped)].join("\n");
  return {
    text: head,
    blocks: [
      { type: "section", text: { type: "mrkdwn", text: text.slice(0, 2900) } },
      ...approvalBlocks({ ...approval, approvedBy: approval.approvals.map(({ user }) => user) }),
    ],
  };
};

export const begunLines = (begun: Exclude<Begun, { refused: Refusal }>): string[] => {
  const { run } = begun.order;
  if ("waits" in begun) {
    const { approvals: given, neededApprovals } = begun.waits;
    return [`${given.length} of ${neededApprovals} approvals of ${run}. It has not begun yet.`];
  }
  return [`${run} in ${begun.region}: ${begun.begun}`, "`rotations` shows how far it is."];
};
