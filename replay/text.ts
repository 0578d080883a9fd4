import type { AlarmChange } from "../shared/alarm.ts";
import type { Replayed } from "./replay.ts";

const columns = 100;
const indent = 16;

/** One attempt as people read it: what is the same in a line, what differs with both sides and why. */
export const linesOf = (
  { run, playbook, alarm, isSame, lines }: Replayed,
  ended: string,
): string[] => [
  `${run}: ${playbook}, for ${alarm} (then: ${ended})`,
  ...lines.flatMap(({ what, past, now, isSame: same, because }) =>
    same
      ? hanging(`  = ${what}`, past)
      : [
          ...hanging(`  ≠ ${what}`, `then: ${past}`),
          ...hanging("", `now: ${now}`),
          ...because.flatMap((why) => hanging("", `why: ${why}`)),
        ],
  ),
  isSame ? "  Today it would decide the same." : "  Today it would decide otherwise.",
];

/** An alarm's event has nothing in it that was seen or decided: only who would look at it can be said. */
export interface Candidate {
  playbook: string;
  right: string;
  looks: readonly string[];
}

export const alarmLines = (
  { name, region, state, reason }: AlarmChange,
  kind: string | null,
  candidates: readonly Candidate[],
): string[] => [
  `${name} in ${region} went to ${state}: ${reason}`,
  ...(kind === null ? ["  It is none of our alarms."] : [`  Its kind is ${kind}.`]),
  ...candidates.flatMap(({ playbook, right, looks }, index) =>
    hanging(`  ${index + 1}. ${playbook}`, `(${right}) would look at ${looks.join(", ")}`),
  ),
  ...(kind !== null && candidates.length === 0
    ? ["  No playbook is for it: people have it by e-mail."]
    : []),
  "  Nothing was decided in an event, so there is nothing to compare.",
];

/** The first line begins with `head`; what does not fit goes on below it, further in. */
const hanging = (head: string, text: string): string[] => {
  const room = columns - indent;
  const rows: string[] = [];
  let row = "";
  for (const word of text.split(/\s+/)) {
    const longer = row === "" ? word : `${row} ${word}`;
    if (longer.length > room && row !== "") {
      rows.push(row);
      row = word;
    } else row = longer;
  }
  rows.push(row);
  return rows.map((each, index) => `${(index === 0 ? head : "").padEnd(indent)}${each}`);
};
