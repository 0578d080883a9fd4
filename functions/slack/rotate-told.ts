import type { SlackMessage } from "../../shared/message.ts";
import type { Refusal } from "../../shared/outcome.ts";
import type { Desk } from "./orders.ts";
import {
  askRotation,
  begunLines,
  confirmRotation,
  dryRunLines,
  planRotation,
  rotationMessage,
  waitingLines,
} from "./rotate.ts";
import type { RotateWords } from "./rotate-words.ts";

/** What came of it: for the person, for a program, and for the channel when others are asked. */
export type RotationTold =
  | { lines: string[]; data: object; message?: SlackMessage }
  | { refused: Refusal };

/** The same for every door. Throws when the table or the rotation function is silent. */
export const rotationTold = async (
  desk: Desk,
  words: RotateWords,
  by: string,
  confirm: (said: string) => string = (said) => `/nightshift ${said}`,
): Promise<RotationTold> => {
  if (words.does === "dry-run") {
    const planned = await planRotation(desk, words.ordered, words.mode);
    return "refused" in planned ? planned : { lines: dryRunLines(planned), data: planned };
  }
  if (words.does === "confirm") {
    const begun = await confirmRotation(desk, words, by);
    if ("refused" in begun) return begun;
    return { lines: begunLines(begun), data: { run: begun.order.run } };
  }
  const waiting = await askRotation(desk, words, by);
  if ("refused" in waiting) return waiting;
  const { run, hash } = waiting.order;
  const data = { run, planHash: hash, planned: waiting.planned };
  const lines = waitingLines(waiting, confirm);
  const isForOthers = waiting.approval.neededApprovals > 0;
  return { lines, data, ...(isForOthers ? { message: rotationMessage(waiting) } : {}) };
};
