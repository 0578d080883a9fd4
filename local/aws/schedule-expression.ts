/** The next moment after `after`, in milliseconds since 1970; `undefined` when there is none. */
export type Next = (after: number) => number | undefined;

const units: Record<string, number> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };
const months = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const weekdays = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const dayMilliseconds = 86_400_000;
/** A cron expression may name the 29th of February, which can be eight years away. */
const daysSearched = 366 * 9;

type Allowed = (value: number) => boolean;

const number = (text: string, names: string[], first: number): number | undefined => {
  const named = names.indexOf(text.toUpperCase());
  if (named >= 0) return named + first;
  return /^\d+$/.test(text) ? Number(text) : undefined;
};

/** One field of cron: `*`, `?`, `5`, `1-5`, `0/15`, `MON-FRI`, lists of these. */
const field = (
  text: string,
  low: number,
  high: number,
  names: string[] = [],
): Allowed | undefined => {
  const tests: Allowed[] = [];
  for (const part of text.split(",")) {
    const [range = "", step] = part.split("/");
    const [from = "", to] = range.split("-");
    const any = range === "*" || range === "?";
    const start = any ? low : number(from, names, low);
    const end =
      to === undefined ? (any || step !== undefined ? high : start) : number(to, names, low);
    const every = step === undefined ? 1 : number(step, [], 0);
    if (start === undefined || end === undefined || !every || start < low || end > high)
      return undefined;
    tests.push((value) => value >= start && value <= end && (value - start) % every === 0);
  }
  return (value) => tests.some((test) => test(value));
};

/** `cron(minute hour day-of-month month day-of-week year)`, in UTC; L, W and # are not modelled. */
const cron = (text: string): Next | undefined => {
  const [minute = "", hour = "", day = "", month = "", weekday = "", year = "", ...more] =
    text.split(/\s+/);
  const minutes = field(minute, 0, 59);
  const hours = field(hour, 0, 23);
  const days = field(day, 1, 31);
  const inMonths = field(month, 1, 12, months);
  const inWeek = field(weekday, 1, 7, weekdays);
  const years = field(year, 1970, 2199);
  if (!minutes || !hours || !days || !inMonths || !inWeek || !years || more.length > 0)
    return undefined;
  const dateFits = (date: Date) =>
    years(date.getUTCFullYear()) &&
    inMonths(date.getUTCMonth() + 1) &&
    days(date.getUTCDate()) &&
    inWeek(date.getUTCDay() + 1);
  const inDay = (midnight: number, after: number): number | undefined => {
    for (let at = Math.max(midnight, after); at < midnight + dayMilliseconds; at += 60_000) {
      const of = Math.floor((at - midnight) / 60_000);
      if (hours(Math.floor(of / 60)) && minutes(of % 60)) return at;
    }
    return undefined;
  };
  return (after) => {
    const from = (Math.floor(after / 60_000) + 1) * 60_000;
    let midnight = Math.floor(from / dayMilliseconds) * dayMilliseconds;
    for (let searched = 0; searched < daysSearched; searched += 1, midnight += dayMilliseconds) {
      const found = dateFits(new Date(midnight)) ? inDay(midnight, from) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  };
};

/**
 * Reads `rate(5 minutes)`, `at(2026-11-22T03:00:00)` or `cron(0 3 * * ? *)`; `undefined` when it is
 * none of them. A rate counts from `start`.
 * https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
 */
export const readSchedule = (expression: string, start: number): Next | undefined => {
  const [, kind, body = ""] = /^(rate|at|cron)\((.*)\)$/.exec(expression.trim()) ?? [];
  if (kind === "cron") return cron(body.trim());
  if (kind === "at") {
    const moment = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(body)
      ? Date.parse(`${body}Z`)
      : Number.NaN;
    return Number.isNaN(moment) ? undefined : (after) => (moment > after ? moment : undefined);
  }
  const [, count, unit] = /^([1-9]\d*) (minute|hour|day)s?$/.exec(body) ?? [];
  const period = Number(count) * (units[unit ?? ""] ?? Number.NaN);
  if (kind !== "rate" || Number.isNaN(period)) return undefined;
  return (after) => start + (Math.floor((after - start) / period) + 1) * period;
};
