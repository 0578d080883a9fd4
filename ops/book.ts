import { rebuildUnderWay } from "../functions/slack/orders.ts";
import type { Entry } from "../shared/journal.ts";
import type { Lease } from "../shared/lease.ts";
import { observed } from "../shared/outcome.ts";
import type { Station } from "./aws.ts";

/** A run's journal, as the region has it that has most of it. */
export interface Book {
  run: string;
  entries: Entry[];
  /** Whose copy this is; null when no region has any of it. */
  region: string | null;
  /** Regions that did not answer and may have more. */
  silent: { region: string; why: string }[];
}

/**
 * Asks both regions at once: a run has written in one of them, the other has a copy that may be a
 * moment older, and either may be lost. Throws when neither answers.
 */
export const bookOf = async (
  { runs, config, clock }: Pick<Station, "runs" | "config" | "clock">,
  run: string,
): Promise<Book> => {
  const { primary, standby } = config.regions;
  const looks = await Promise.all(
    [standby, primary].map(async (region) => ({
      region,
      found: await observed("journal", clock.now, () => runs.entries(region, run)),
    })),
  );
  const book: Book = { run, entries: [], region: null, silent: [] };
  for (const { region, found } of looks) {
    if (!found.known) {
      book.silent.push({ region, why: found.why });
    } else if (found.value.length > book.entries.length) {
      book.entries = found.value;
      book.region = region;
    }
  }
  if (book.silent.length === looks.length) throw new Error(silenceOf(book));
  // A run signs with its region. When that one has answered, no other can have more.
  const writer = book.entries[0]?.by ?? "";
  const heard = looks.some(({ region, found }) => found.known && writer.endsWith(` in ${region}`));
  return heard ? { ...book, silent: [] } : book;
};

/** Who did not answer, as a sentence; empty when everybody did. */
export const silenceOf = ({ silent }: Pick<Book, "silent">): string =>
  silent.map(({ region, why }) => `${region} did not answer (${why}).`).join(" ");

/** The rebuild that is under way, by the copy of its journal that answers. */
export const rebuilding = (at: Station, lease: Lease): Promise<string | undefined> =>
  rebuildUnderWay(at.table, lease, async (_region, run) => (await bookOf(at, run)).entries);
