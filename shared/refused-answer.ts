import { isoSeconds } from "./clock.ts";
import type { Entry, Line } from "./journal.ts";
import type { Refusal } from "./outcome.ts";
import { withoutStop } from "./outcome.ts";

/** An answer to a plan that did not count, as the journal of its run keeps it. */
export interface RefusedAnswer {
  /** A Slack member id, or the identity of somebody who is no operator. */
  user: string;
  says: "approve" | "reject";
  planHash: string;
  refusal: Refusal;
  atMilliseconds: number;
}

const prefix = "refused answer ";

/** More than people give. Beyond it none is kept: whoever presses all night must not fill the journal. */
export const refusedAnswersLimit = 50;

/** Once a minute for each person and plan: an impatient finger is one refusal. */
export const refusedAnswerLine = (answer: RefusedAnswer): Line => {
  const { user, says, planHash, refusal, atMilliseconds } = answer;
  const minute = isoSeconds(atMilliseconds).slice(0, 16);
  const what = says === "approve" ? "approval" : "rejection";
  return {
    key: `${prefix}of ${user} to ${planHash.slice(0, 12)} at ${minute}`,
    by: user,
    atMilliseconds,
    kind: "refused",
    text: `The ${what} of ${user} does not count: ${withoutStop(refusal.reason)}.`,
    data: { user, says, planHash, code: refusal.code, reason: refusal.reason },
  };
};

/** Whether a line is not of the run itself but of somebody whose answer did not count. */
export const isRefusedAnswer = ({ key }: Pick<Entry, "key">): boolean => key.startsWith(prefix);

/** The lines of the run itself: such an answer may also come when the run has long ended. */
export const ofTheRun = <Some extends Pick<Entry, "key">>(entries: readonly Some[]): Some[] =>
  entries.filter((entry) => !isRefusedAnswer(entry));
