import { isoSeconds } from "../../shared/clock.ts";
import type { Fact } from "../../shared/outcome.ts";
import type { ChangeSeen, ChangesSeen, HistorySeen } from "./evidence-past.ts";

/** Every run looks at these, so that people and causation.ts always have them. */
export const always = ["history", "changes", "path"] as const;

/** So often within an hour, and it is not one trouble that lasts but one that comes and goes. */
const flappingTimes = 3;
const hourMilliseconds = 3_600_000;
/** More times than anybody reads. */
const timesKept = 20;
const shownMost = 6;

/** What an alarm's changes, newest first, come to. Pure. */
export const historyOf = (
  changes: readonly { atMilliseconds: number; from: string; to: string }[],
  { now, hours, isCut }: { now: number; hours: number; isCut: boolean },
): HistorySeen => {
  // A composite whose actions are suppressed is written down again without having changed.
  const real = changes.filter(({ from, to }) => from !== to);
  const rang = real
    .filter(({ to }) => to === "ALARM")
    .map(({ atMilliseconds }) => atMilliseconds)
    .toSorted((one, other) => one - other);
  return {
    hours,
    changes: real.length,
    rang: rang.length,
    rangAtMilliseconds: rang.slice(-timesKept),
    isCut,
    flaps: rang.filter((at) => now - at < hourMilliseconds).length >= flappingTimes,
  };
};

const hourOf = (milliseconds: number): string => isoSeconds(milliseconds).slice(11, 16);

/** In a sentence for people; null when there is nothing to say, or it could not be seen. */
export const historyWords = (fact: Fact<HistorySeen> | undefined): string | null => {
  if (!fact?.known) return null;
  const { rang, rangAtMilliseconds, hours, isCut, flaps } = fact.value;
  const [first] = rangAtMilliseconds;
  if (first === undefined || rang < 2) return `Rang for the first time in ${hours} h.`;
  const least = isCut || rang > rangAtMilliseconds.length ? "at least " : "";
  const comesAndGoes = flaps ? ", and comes and goes" : "";
  return `Rang ${least}${rang} times since ${hourOf(first)}${comesAndGoes}.`;
};

/** `deploy 08b9: Successful, 02:10 to 02:25`. */
export const changeWords = ({ what, by, text, ...at }: ChangeSeen): string => {
  const until = at.untilMilliseconds;
  const since = hourOf(at.sinceMilliseconds);
  const end =
    until === null ? ", still under way" : hourOf(until) === since ? "" : ` to ${hourOf(until)}`;
  return `${what} ${by}: ${text}, ${since}${end}`;
};

/** What was changed before, for people, in lines; what could not be read is said as well. */
export const changesWords = (fact: Fact<ChangesSeen> | undefined): string[] => {
  if (!fact) return [];
  if (!fact.known) return [`What was changed in the last hour could not be seen (${fact.why}).`];
  const { changes, minutes, unread } = fact.value;
  const more = changes.length > shownMost ? [`and ${changes.length - shownMost} more`] : [];
  return [
    ...(changes.length + unread.length === 0
      ? [`Nothing was changed in the last ${minutes} minutes.`]
      : []),
    ...changes.slice(0, shownMost).map(changeWords),
    ...more,
    ...unread.map(({ kinds, why }) => `Not seen: ${kinds.join(", ")} (${why}).`),
  ];
};
