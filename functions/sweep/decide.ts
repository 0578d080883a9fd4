import type { Fate } from "../../shared/invoke.ts";
import type { Fact } from "../../shared/outcome.ts";

/** A database instance, by all that tells whose it is. */
export interface InstanceSeen {
  id: string;
  status: string;
  /** Whether its name has the form of a copy's. */
  isNamedAsOurs: boolean;
  /** The run that its tags name; null without our mark. */
  run: string | null;
  /** Whether that run would have called its copy so. */
  isNamedByRun: boolean;
  /** From its tags; null when they do not tell. */
  deleteAfterMilliseconds: number | null;
}

export interface RunSeen {
  /** Whether the run's journal says that it was about to make a copy of that name. */
  isInJournal: Fact<boolean>;
  fate: Fact<Fate>;
}

/** `leave`: a run is at it. `report`: it may be ours, and not all three say so: people look. */
export interface Judged {
  id: string;
  run: string | null;
  is: "stranger" | "leave" | "remove" | "report";
  why: string;
}

/** A run takes its copy away itself; so long after its time it is not going to. */
const graceMilliseconds = 3_600_000;

/**
 * Three have to agree before anything is deleted: the mark, the name, and the journal of the run. What has
 * none of the first two is nothing of ours.
 */
export const judgeInstance = (
  { id, status, isNamedAsOurs, run, isNamedByRun, deleteAfterMilliseconds }: InstanceSeen,
  seen: RunSeen | null,
  now: number,
): Judged => {
  const say = (is: Judged["is"], why: string): Judged => ({ id, run, is, why });
  if (!isNamedAsOurs && run === null) return say("stranger", "It is nothing of ours.");
  if (run === null) return say("report", "It is called like a copy and does not carry our mark.");
  if (!isNamedByRun || !seen) {
    return say("report", `It carries the mark of ${run} and not the name that ${run} gives.`);
  }
  const { isInJournal, fate } = seen;
  if (!isInJournal.known) {
    return say("report", `The journal of ${run} could not be read: ${isInJournal.why}.`);
  }
  if (!isInJournal.value) return say("report", `The journal of ${run} knows nothing of it.`);
  if (status === "deleting") return say("leave", "It is being deleted.");
  const end = deleteAfterMilliseconds ?? 0;
  if (now > end + graceMilliseconds) return say("remove", "Its time is over.");
  if (!fate.known) return say("leave", `Nobody knows whether ${run} lives: ${fate.why}.`);
  if (fate.value === "alive") return say("leave", `${run} is at it.`);
  return say("remove", `${run} has ${fate.value === "ended" ? "ended" : "died"} and left it.`);
};

export interface Due {
  region: string;
  /** Where users are. */
  activeRegion: string;
  /** When the last run in this region ended, whatever came of it; null when none did. */
  lastEndedMilliseconds: number | null;
}

/** Which age is due: any on Sundays, a snapshot on Wednesdays where there is one, else the newest. */
export type DueAge = { is: "latest" } | { is: "random" } | { is: "snapshot"; orLatest: true };

const latest: DueAge = { is: "latest" };

/** 1970 began on a Thursday. */
const ages: readonly DueAge[] = [
  ...[latest, latest, latest],
  { is: "random" },
  ...[latest, latest],
  { is: "snapshot", orLatest: true },
];

const day = 86_400_000;
/** A little less than a day, so that a schedule of an hour does not drift. */
const everyMilliseconds = 23 * 3_600_000;

/**
 * The run that is to be started now. Its name holds the hour: one that was put off, or has died, leaves its
 * name behind, and the next hour tries again.
 */
export const dueRun = (
  { region, activeRegion, lastEndedMilliseconds }: Due,
  now: number,
): { run: string; age: DueAge } | null => {
  if (region === activeRegion) return null;
  if (lastEndedMilliseconds !== null && now - lastEndedMilliseconds < everyMilliseconds) {
    return null;
  }
  const hour = new Date(now).toISOString().slice(0, 13).toLowerCase();
  return { run: `verification-${region}-${hour}`, age: ages[Math.floor(now / day) % 7] ?? latest };
};
