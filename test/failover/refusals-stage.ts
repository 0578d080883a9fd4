import { stoppedBecause } from "../../drills/account.ts";
import { refusedAnswersIn } from "../../drills/findings.ts";
import { markdown } from "../../drills/markdown.ts";
import { page } from "../../drills/page.ts";
import { recorder } from "../../drills/recorder.ts";
import type { Result } from "../../functions/failover/failover.ts";
import { render } from "../../local/slack/render.ts";
import type { Entry } from "../../shared/journal.ts";
import { sample } from "../drill/sample.ts";
import { type Stage, type StageOptions, stage } from "./stage.ts";

/** Where a person may look for the reason, as plain text. */
export interface Told {
  /** The run's message, or what Slack has answered. */
  slack: string;
  /** Lines of the journal that refuse, fail or end something. */
  journal: string;
  /** The report, as Markdown and as a page. */
  report: string;
}

/** One line whatever the width of the terminal was. */
const flat = (text: string): string => text.replaceAll(/[\s│]+/g, " ");

/** A stage with a drill's recorder on it. */
export const recordedStage = async (options: StageOptions = {}) => {
  const clock = { now: () => 0 };
  const seen = recorder(
    () => clock.now(),
    () => undefined,
  );
  const at = await stage({ ...options, hooks: () => ({ observe: seen.observe }) });
  clock.now = at.timeline.now;
  return { ...at, seen };
};

export type Recorded = Awaited<ReturnType<typeof recordedStage>>;

/** What people can read of a run that has ended. */
export const toldOf = async (at: Recorded, result: Result): Promise<Told> => {
  const journal = (await at.journal()).filter(({ run }) => run === result.run);
  return {
    slack: messageOf(at, result.run),
    journal: wordsOf(journal),
    report: reportOf(at, journal),
  };
};

const messageOf = ({ slack }: Stage, run: string): string => {
  const message = slack
    .messages()
    .findLast((each) => !each.threadTs && JSON.stringify(each.blocks).includes(`run ${run}`));
  return flat(message ? render(message).join(" ") : "no message");
};

const wordsOf = (journal: readonly Entry[]): string =>
  flat(journal.flatMap(({ text, data }) => [text, ...notesIn(data)]).join(" "));

const notesIn = (data: Entry["data"]): string[] =>
  Array.isArray(data?.notes) ? data.notes.map(String) : [];

/** As a drill makes it, with figures that are beside the point. */
const reportOf = ({ seen, platform }: Recorded, journal: readonly Entry[]): string => {
  const { home, standby, config } = platform;
  const report = {
    ...sample({
      outcome: "aborted",
      promotions: 0,
      rtoSeconds: null,
      stopped: stoppedBecause(journal),
      refusedAnswers: refusedAnswersIn(journal).map((each) => ({ ...each, atSeconds: 0 })),
      regions: { home: home.region, standby: standby.region, witness: config.regions.witness },
      events: seen.moments.map(({ atMilliseconds: _at, ...event }) => ({ ...event, atSeconds: 0 })),
    }),
    run: journal.at(0)?.run ?? "none",
    incident: { kind: "loss" as const, text: "a test" },
    rtoFromApprovalSeconds: null,
    longestOutageSeconds: null,
    failures: {},
    left: home.region,
  };
  const escapes = /\\(?=[^\w\s])/g;
  const entities: Record<string, string> = { "&quot;": '"', "&#39;": "'", "&amp;": "&" };
  const html = page(report).replaceAll(/&(?:quot|#39|amp);/g, (found) => entities[found] ?? found);
  return flat(`${markdown(report).replaceAll(escapes, "")} ${html}`);
};
