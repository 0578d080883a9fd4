import { isoSeconds } from "../../../shared/clock.ts";
import type { Manifest } from "../../../shared/manifest.ts";
import { parseManifest } from "../../../shared/manifest.ts";
import type { Check } from "../checks.ts";
import { counted, few, quickCheck } from "./look.ts";
import { isTaken, manifestIn } from "./manifest.ts";
import type { AppendOnly, CheckPolicy } from "./policy.ts";

/**
 * Rows that never change are the same bytes as on the primary. It finds what reading cannot: a changed
 * value on a page that looks sound.
 */
export const checksums = (policy: CheckPolicy, wanted: readonly AppendOnly[]): Check =>
  quickCheck(
    {
      name: "checksums",
      title: "Rows that never change have the checksum that they had on the primary",
      needs: ["readable-in-full"],
    },
    async (session, facts) => {
      const taken = await manifestIn(session, facts, policy.manifestHours);
      if (!isTaken(taken)) return taken;
      const { windows } = taken.manifest;
      const expected = `the checksums of ${isoSeconds(taken.takenAtMilliseconds)}`;
      const without = wanted.filter(({ table }) => !windows.some((each) => each.table === table));
      if (without.length > 0) {
        const actual = `none of ${few(without.map(({ table }) => table))}`;
        const says = "The manifest has no checksum of a table that the operator's file names.";
        return { is: "could-not-run", expected, actual, says };
      }
      const asked = windows.map(({ table, column, from, to }) => ({ table, column, from, to }));
      // The same function of the same backup: the sum cannot differ for how it was made.
      const { rows } = await session.query("select nightshift.counted(0, $1::jsonb) as found", [
        JSON.stringify(asked),
      ]);
      const found = parseManifest({ format: 1, extensions: [], ...(rows[0]?.found as object) });
      const wrong = differences(windows, found?.windows ?? []);
      if (wrong.length > 0) {
        const says = `Other values than on the primary in ${counted(wrong.length, "table")}.`;
        return { is: "failed", expected, actual: few(wrong, 10), says };
      }
      const total = windows.reduce((sum, each) => sum + each.rows, 0);
      const says = `${counted(total, "row")} of ${few(windows.map(({ table }) => table))} are as they were.`;
      return { is: "passed", expected, actual: "the same", says, measured: { rows: total } };
    },
  );

type Sums = Manifest["windows"];

const differences = (then: Sums, now: Sums): string[] =>
  then.flatMap((was, place) => {
    const is = now[place];
    if (is?.rows === was.rows && is.sum === was.sum) return [];
    return [`${was.table}: ${is?.rows} rows with sum ${is?.sum}, not ${was.rows} with ${was.sum}`];
  });
