import { ensure } from "../../shared/ensure.ts";
import { observed } from "../../shared/outcome.ts";
import type { PublicView } from "./ports.ts";
import { type PartEnding, permitted, type RebuildWork } from "./rebuild.ts";
import { noteActs, stoppedBy } from "./rebuild-ending.ts";

/** The public name's records, as Route 53 has them and as they were before a run changed them. */
export interface RecordsSeen {
  /**
   * `following`: the primary record has its health check. `kept`: it has none, and the pair with it is
   * kept. `lost`: it has none, and nobody kept the pair.
   */
  is: "following" | "kept" | "lost";
  /** Whether the kept pair would send users to this region, by what the health checkers see now. */
  sendsHere: boolean;
  why: string;
}

export interface RecordPorts {
  records(): Promise<RecordsSeen>;
  /** Puts the kept pair back. */
  restoreRecords(): Promise<void>;
  /** Both records name this region again, without a health check. */
  forceRecords(): Promise<void>;
  /** What resolvers say. */
  publicView(): Promise<PublicView>;
}

const left = (why: string): PartEnding => {
  const note =
    `Left: the records of the public name have no health check (${why}). ` +
    "They name the active region until somebody puts them back.";
  return { is: "reached", text: note, notes: [note] };
};

/**
 * A run that changed the records took the health check from them. They are put back here and not at
 * the end of a move: nothing is urgent now, users are served, and the pair is put back only when the
 * checkers' own view says that it sends users where they are already. So it moves nobody, the next
 * move finds a name that follows it, and if resolvers differ all the same the change is undone.
 * Redundancy does not hang on it: what cannot be put back is told, and the rebuild has still succeeded.
 */
export const records = async (work: RebuildWork): Promise<PartEnding> => {
  const { steps, clock, ports, run } = work;
  const first = await steps.step("look at the records", () =>
    observed("Route 53", clock.now, ports.records),
  );
  if (!first.known) {
    const note = `The records of the public name could not be seen (${first.why}).`;
    return { is: "reached", text: note, notes: [note] };
  }
  if (first.value.is === "following") {
    return { is: "reached", text: "The public name follows its health check." };
  }
  if (first.value.is === "lost") return left(first.value.why);
  const restored = await ensure(steps, clock, {
    name: "restore the records",
    observe: ports.records,
    satisfied: (seen) => seen.is === "following",
    due: (seen) => seen.is === "kept" && seen.sendsHere,
    act: () => ports.restoreRecords(),
    permitted: () => permitted(work),
    within: { seconds: 300, everySeconds: 10, actAgainAfterSeconds: 120 },
  });
  noteActs(run, restored);
  if (restored.is === "refused") return stoppedBy(restored.refusal);
  if (restored.is === "late") {
    const { last, doubt } = restored;
    return left(doubt ?? (last.known ? last.value.why : last.why));
  }
  const astray = await astrayAfter(work);
  if (astray === null) {
    return { is: "reached", text: "The public name follows its health check again." };
  }
  const forced = await ensure(steps, clock, {
    name: "force the records",
    observe: ports.records,
    satisfied: (seen) => seen.is !== "following",
    act: () => ports.forceRecords(),
    within: { seconds: 300, everySeconds: 10, actAgainAfterSeconds: 120 },
  });
  const why = `put back, they sent ${astray} elsewhere`;
  return left(forced.is === "ensured" ? `${why}, so that was undone` : `${why}, and still do`);
};

/** Longer than a change takes to reach all name servers, and old answers to leave caches. */
const watchSeconds = 150;
const watchLookSeconds = 15;

/** The resolvers that two looks in a row saw sending users elsewhere; null when none did. */
const astrayAfter = async ({ steps, ports }: RebuildWork): Promise<string | null> => {
  let suspects: string[] = [];
  for (let look = 1; look <= watchSeconds / watchLookSeconds; look += 1) {
    await steps.rest(`records rest #${look}`, watchLookSeconds);
    const { elsewhere } = await steps.step(`resolvers #${look}`, () => ports.publicView());
    const still = elsewhere.filter((resolver) => suspects.includes(resolver));
    if (still.length > 0) return still.join(" and ");
    suspects = elsewhere;
  }
  return null;
};
