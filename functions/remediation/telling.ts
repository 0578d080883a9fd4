import { operatorsChannel, slackCredentials } from "../../shared/credentials.ts";
import { escalation } from "../../shared/message.ts";
import { observed } from "../../shared/outcome.ts";
import type { Runtime } from "../../shared/runtime.ts";
import type { SlackPort } from "../../shared/slack.ts";
import type { Ports } from "./ports.ts";
import type { Posted, Run } from "./remediation.ts";
import { messageOf, questionOf, reminderOf, threadLineOf } from "./view.ts";

/**
 * What a run says in Slack: its one message, brought up to date; and each question by itself, as a new
 * message that calls people, since nobody is called by a message that is changed.
 */
export const tellingOf = (runtime: Runtime): Pick<Ports, "show" | "question" | "remind"> => {
  const { operators } = runtime.config.slack;
  const approvers = operators.filter(({ may }) => may.includes("approve"));
  const called = approvers.map(({ user }) => user);
  const slack = operatorsChannel(runtime, slackCredentials(runtime), {
    timeoutSeconds: 5,
    attempts: 2,
  });
  const all = operators.map(({ user }) => user);
  const inTurn = inOrder();
  return {
    show: shower(runtime, slack, all, inTurn),
    question: (run) =>
      inTurn(async () => {
        const message = questionOf(run, called);
        const at = run.question?.posted;
        if (at) {
          const updated = await slack.update(at.ts, message);
          return updated.delivered ? at : null;
        }
        const posted = await slack.post(message);
        return posted.delivered ? { channel: posted.channel, ts: posted.ts } : null;
      }),
    remind: async (run) => {
      const at = run.question?.posted;
      if (!at) return false;
      return (await inTurn(() => slack.thread(at.ts, reminderOf(run, called)))).delivered;
    },
  };
};

/** Nothing waits for Slack but a question and the end. */
const shower = (
  runtime: Runtime,
  slack: SlackPort,
  people: string[],
  inTurn: ReturnType<typeof inOrder>,
): Ports["show"] => {
  // A Slack that does not answer is left alone for a minute: waiting for it would delay the repair.
  let silentUntil = 0;
  const left = () => {
    silentUntil = runtime.clock.now() + 60_000;
    return null;
  };
  const put = async (run: Run): Promise<Posted | null> => {
    if (run.end === "needs-human") {
      await slack.post(escalation(run.name, people, run.notes.join(" ") || "see the run"));
    }
    // The incident's message is another run's by now, and may show what that one does.
    if (run.hasLetGo) {
      const told = run.message && (await slack.thread(run.message.ts, threadLineOf(run)));
      return told && !told.delivered ? left() : run.message;
    }
    const message = messageOf(run);
    if (run.message) {
      const updated = await slack.update(run.message.ts, message);
      return updated.delivered ? run.message : left();
    }
    const posted = await slack.post(message);
    return posted.delivered ? { channel: posted.channel, ts: posted.ts } : left();
  };
  return async (run: Run): Promise<Posted | null> => {
    const mustBeTried = run.phase === "asking" || run.phase === "ended";
    if (runtime.clock.now() < silentUntil && !mustBeTried) return null;
    if (mustBeTried || !run.message) return inTurn(() => put(run));
    void observed("Slack", runtime.clock.now, () => inTurn(() => put(run)));
    return run.message;
  };
};

/** One after the other: an older state of the message never overwrites a newer one. */
const inOrder = () => {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(act: () => Promise<T>): Promise<T> => {
    const turn = last.then(act, act);
    last = turn;
    return turn;
  };
};
