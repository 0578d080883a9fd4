import { planHash, stateOf } from "../../shared/approval.ts";
import { observed } from "../../shared/outcome.ts";
import { whilePaused } from "../../shared/pause.ts";
import { saysOf } from "./actions.ts";
import { aborted } from "./guarding.ts";
import type { Ending, Posted, Question, Work } from "./remediation.ts";
import { deedOf, human, record, refusedFor } from "./remediation.ts";

const lookSeconds = 60;

/**
 * Asks operators for this very deed, bound to the evidence it rests on. The request is opened before its
 * buttons are shown, so that the first press finds it. Null when it was granted and spent.
 */
export const ask = async (work: Work): Promise<Ending | null> => {
  const { steps, clock, ports, run, playbook } = work;
  run.phase = "asking";
  const deed = deedOf(run);
  const evidence = run.saved?.hash ?? "not recorded";
  const hash = planHash({ run: run.name, deed }, { finding: run.verdict?.finding.is, evidence });
  const neededApprovals = playbook.approvals;
  const { approvalExpirySeconds } = ports.policy;
  const opened = await steps.step("open the request", () =>
    ports.approvals.open({
      planHash: hash,
      run: run.name,
      requester: ports.name,
      neededApprovals,
      expiresAtMilliseconds: Math.floor(clock.now()) + approvalExpirySeconds * 1000,
    }),
  );
  const { expiresAtMilliseconds } = opened;
  run.question = {
    planHash: hash,
    neededApprovals,
    openedAtMilliseconds: expiresAtMilliseconds - approvalExpirySeconds * 1000,
    expiresAtMilliseconds,
    posted: null,
    shownFor: -1,
    isRepeated: false,
    rejectedBy: null,
    answer: null,
    isClosed: false,
  };
  await record(work, "asked", {
    kind: "asked",
    text: `People are asked: ${saysOf(deed)}.`,
    data: { deed, hash, neededApprovals, reasons: run.verdict?.reasons },
  });
  const answer = await awaitAnswer(work, hash);
  await closeQuestion(work, answer ?? "approved");
  if (answer) return answer;
  const spent = await steps.step("use the approval", () =>
    ports.approvals.use(hash, run.name, Math.floor(clock.now())),
  );
  if ("refused" in spent) return human(spent.refused.code, [spent.refused.reason]);
  run.spent = { planHash: hash, approvedBy: run.approvedBy, usedBy: run.name };
  await record(work, "approved", {
    kind: "saw",
    text: `Approved by ${run.approvedBy.join(" and ")}.`,
    data: { by: run.approvedBy, hash },
  });
  return null;
};

/** Looks at the request itself after every wake-up and at least once a minute. */
const awaitAnswer = async (work: Work, hash: string): Promise<Ending | null> => {
  const { steps, clock, ports, run } = work;
  const looks = Math.ceil(ports.policy.approvalExpirySeconds / lookSeconds) + 50;
  for (let look = 1; look <= looks; look += 1) {
    const seen = await steps.step(`look at the approval #${look}`, async () => {
      const approval = await ports.approvals.read(hash);
      if (!approval) throw new Error("the request for approval has vanished");
      const is = stateOf(approval, clock.now());
      const by = approval.approvals.map(({ user }) => user);
      const paused = whilePaused(await ports.readPause()) ?? null;
      const stopped = (await aborted(work)) ?? null;
      const isOpen = is === "waiting" && !paused && !stopped;
      return {
        is,
        by,
        rejectedBy: approval.rejectedBy ?? null,
        leftSeconds: Math.max(0, (approval.expiresAtMilliseconds - clock.now()) / 1000),
        paused,
        stopped,
        shown: isOpen ? await shown(work, by) : null,
      };
    });
    run.approvedBy = seen.by;
    const { rejectedBy } = seen;
    if (run.question) run.question = { ...run.question, ...seen.shown, rejectedBy };
    if (seen.stopped) return human(seen.stopped.code, [seen.stopped.reason]);
    if (seen.paused) return refusedFor(seen.paused.code, [seen.paused.reason]);
    if (seen.is === "granted" || seen.is === "used") return null;
    if (seen.is === "rejected") return human("rejected", [`Rejected by ${seen.rejectedBy}.`]);
    if (seen.is === "expired") return human("expired", ["Nobody has approved it in time."]);
    const seconds = Math.min(lookSeconds, Math.ceil(seen.leftSeconds) + 1);
    await steps.awaken(`wait for the approval #${look}`, seconds, (id) =>
      ports.approvals.wakeBy(hash, id),
    );
  }
  return human("expired", [`${looks} looks without an answer.`]);
};

interface Shown extends Pick<Question, "shownFor" | "isRepeated"> {
  posted: Posted | null;
}

/**
 * Keeps the question where people see it: put up until Slack takes it, with who has approved so far, and
 * once more aloud when half of its time is over.
 */
const shown = async ({ clock, ports, run }: Work, approvedBy: string[]): Promise<Shown | null> => {
  const { question } = run;
  if (!question) return null;
  const { openedAtMilliseconds: from, expiresAtMilliseconds: until } = question;
  const now: Shown = { ...question };
  if (!question.posted || question.shownFor !== approvedBy.length) {
    const posted = await ports.question({ ...run, approvedBy });
    now.posted = posted ?? question.posted;
    if (posted) now.shownFor = approvedBy.length;
  }
  if (now.posted && !now.isRepeated && clock.now() >= (from + until) / 2) {
    now.isRepeated = await ports.remind({ ...run, question: { ...question, ...now } });
  }
  return { posted: now.posted, shownFor: now.shownFor, isRepeated: now.isRepeated };
};

/** Nobody has to be told that these requests are void: they say so themselves. */
const over: readonly string[] = ["rejected", "expired"];

/**
 * Takes the buttons away and says what came of the question. Whoever presses one that Slack still shows is
 * told that the request is void. Tried again at the run's end where Slack did not answer.
 */
export const closeQuestion = async (
  work: Work,
  came: Pick<Ending, "code" | "notes"> | "approved",
): Promise<void> => {
  const { steps, clock, ports, run } = work;
  const { question } = run;
  if (!question || question.isClosed) return;
  const isFirst = question.answer === null;
  const text = came === "approved" ? "Approved" : came.notes.join(" ");
  const closing = { ...question, answer: question.answer ?? text };
  const isVoid = isFirst && came !== "approved" && !over.includes(came.code);
  const key = isFirst ? "close the question" : "close the question again";
  const isClosed = await steps.step(key, async () => {
    const { planHash: hash, posted } = question;
    // What cannot be withdrawn expires, and this run uses it no more.
    if (isVoid) {
      await observed("coordination table", clock.now, () => ports.approvals.withdraw(hash, text));
    }
    return !posted || (await ports.question({ ...run, question: closing })) !== null;
  });
  run.question = { ...closing, isClosed };
};
