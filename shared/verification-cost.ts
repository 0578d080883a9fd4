import type { Coordination } from "./coordination.ts";
import type { Refusal } from "./outcome.ts";

/**
 * What restore tests of a month may cost, kept by run. A run counts with the most that it may cost until it
 * has ended, so one that has died counts with that for good: nobody knows how long its copy lived.
 */
interface Book {
  month: string;
  dollars: Record<string, number>;
}

const costId = (region: string) => `verification-cost#${region}`;
const attempts = 5;

const bookOf = (item: Record<string, unknown> | undefined, month: string): Book =>
  item?.month === month
    ? { month, dollars: { ...(item.dollars as Record<string, number>) } }
    : { month, dollars: {} };

const change = async (
  table: Coordination,
  region: string,
  now: number,
  edit: (book: Book) => Refusal | undefined,
): Promise<Refusal | undefined> => {
  const month = new Date(now).toISOString().slice(0, 7);
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const item = await table.read(costId(region));
    const book = bookOf(item, month);
    const refused = edit(book);
    if (refused) return refused;
    const version = Number(item?.version ?? 0);
    const { written } = await table.write(costId(region), {
      set: { ...book, version: version + 1 },
      onlyIf: "attribute_not_exists(#version) OR #version = :version",
      values: { version },
    });
    if (written) return undefined;
  }
  throw new Error("somebody else writes down what restore tests cost, again and again");
};

const sum = (dollars: Record<string, number>): number =>
  Object.values(dollars).reduce((all, each) => all + each, 0);

/** Refused when the month's runs would pass `most`. Safe to repeat: a run counts once. */
export const reserveCost = (
  table: Coordination,
  region: string,
  { run, dollars, most }: { run: string; dollars: number; most: number },
  now: number,
): Promise<Refusal | undefined> =>
  change(table, region, now, (book) => {
    const { [run]: _, ...others } = book.dollars;
    const spent = sum(others);
    if (spent + dollars > most) {
      const reason =
        `Restore tests of ${book.month} have cost up to ${spent.toFixed(2)} dollars, this one may cost ` +
        `${dollars.toFixed(2)}, and ${most} are allowed (verification.cost.perMonth).`;
      return { code: "cost-cap", reason };
    }
    book.dollars = { ...others, [run]: dollars };
    return undefined;
  });

/** What it came to, in place of the most that it might have. */
export const settleCost = async (
  table: Coordination,
  region: string,
  { run, dollars }: { run: string; dollars: number },
  now: number,
): Promise<void> => {
  await change(table, region, now, (book) => {
    // Of the month before: that one is closed.
    if (book.dollars[run] !== undefined) book.dollars[run] = dollars;
    return undefined;
  });
};
