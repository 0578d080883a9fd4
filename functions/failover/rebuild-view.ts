import { isoSeconds } from "../../shared/clock.ts";
import { escaped, person, type SlackMessage } from "../../shared/message.ts";
import type { Rebuild } from "./rebuild.ts";

const signs = { running: "◐", done: "✓", aborted: "×", "needs-human": "▲" };

/** The run's one message in Slack. Pure. */
export const rebuildMessage = (run: Rebuild): SlackMessage => {
  const { outcome, from, to, name, who, reason, timeline, unrecorded } = run;
  const title = `${signs[outcome ?? "running"]} Rebuild redundancy: ${to} as the standby of ${from}`;
  const lines = timeline.map(
    ({ atMilliseconds, text }) => `${isoSeconds(atMilliseconds).slice(11, 19)}  ${escaped(text)}`,
  );
  if (unrecorded > 0) lines.push(`${unrecorded} line(s) are missing in the journal.`);
  const last = timeline.at(-1)?.text ?? "";
  return {
    text: `${title}: ${escaped(last)}`.slice(0, 3000),
    blocks: [
      { type: "header", text: { type: "plain_text", text: title.slice(0, 150) } },
      {
        type: "section",
        text: {
          type: "mrkdwn",
          text: `Asked by ${person(who)}: ${escaped(reason)}`.slice(0, 3000),
        },
      },
      { type: "section", text: { type: "mrkdwn", text: lines.join("\n").slice(-3000) } },
      { type: "context", elements: [{ type: "mrkdwn", text: `run ${escaped(name)}` }] },
    ],
  };
};
