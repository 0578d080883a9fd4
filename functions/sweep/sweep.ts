import type { Clock } from "../../shared/clock.ts";
import type { Fate } from "../../shared/invoke.ts";
import { observed, sentence } from "../../shared/outcome.ts";
import type { VerificationStanding } from "../../shared/verification.ts";
import type { InstanceSeen, Judged, RunSeen } from "./decide.ts";
import { dueRun, judgeInstance } from "./decide.ts";

/** The world as the sweep needs it. */
export interface SweepPorts {
  clock: Clock;
  region: string;
  /** Every database instance of the region. */
  instances(): Promise<InstanceSeen[]>;
  /** Whether the journal of the run names that copy. */
  isInJournal(run: string, copy: string): Promise<boolean>;
  fate(run: string): Promise<Fate>;
  /** Into the journal of the run, before anything is deleted. */
  record(judged: Judged, atMilliseconds: number): Promise<void>;
  /** Refused by whoever implements it when the instance is not a copy by its name. */
  destroy(id: string): Promise<void>;
  activeRegion(): Promise<string>;
  standing(): Promise<VerificationStanding>;
  start(run: { run: string; age: { is: "latest" | "random" } }): Promise<void>;
  publish(values: Record<string, number>): Promise<void>;
  tell(text: string): Promise<void>;
}

export interface Swept {
  removed: string[];
  reported: string[];
  /** Copies that a run is at. */
  inUse: string[];
  started: string | null;
  /** What could not be done, as sentences. */
  troubles: string[];
}

/**
 * Each hour: takes away what a dead run has left, starts the day's restore test, and says since when
 * backups have been verified. It depends on no run, and each part on none of the others.
 */
export const sweep = async (ports: SweepPorts): Promise<Swept> => {
  const swept: Swept = { removed: [], reported: [], inUse: [], started: null, troubles: [] };
  const trying = async (what: string, act: () => Promise<void>) => {
    const fact = await observed(what, ports.clock.now, act);
    if (!fact.known) swept.troubles.push(`${what}: ${fact.why}.`);
  };
  await trying("take away what is left", () => clear(ports, swept));
  await trying("start what is due", () => start(ports, swept));
  await trying("say how it stands", () => publish(ports, swept));
  const { removed, reported, troubles } = swept;
  if (removed.length + reported.length + troubles.length > 0) {
    const parts = [
      ...removed.map((text) => `Taken away: ${text}`),
      ...reported.map((text) => `Look at ${text}`),
      ...troubles,
    ];
    await ports.tell(parts.join(" "));
  }
  return swept;
};

const clear = async (ports: SweepPorts, swept: Swept): Promise<void> => {
  for (const instance of await ports.instances()) {
    const judged = judgeInstance(instance, await runOf(ports, instance), ports.clock.now());
    const text = `${judged.id}: ${judged.why}`;
    if (judged.is === "report") swept.reported.push(text);
    if (judged.is === "leave") swept.inUse.push(text);
    if (judged.is !== "remove") continue;
    try {
      await ports.record(judged, Math.floor(ports.clock.now()));
      await ports.destroy(judged.id);
      swept.removed.push(text);
    } catch (error) {
      // The next hour tries it again; the others of this hour are not kept waiting.
      swept.troubles.push(`${judged.id} is still there: ${sentence(error)}.`);
    }
  }
};

const runOf = async (
  ports: SweepPorts,
  { run, id, isNamedByRun }: InstanceSeen,
): Promise<RunSeen | null> => {
  if (run === null || !isNamedByRun) return null;
  const [isInJournal, fate] = await Promise.all([
    observed("journal", ports.clock.now, () => ports.isInJournal(run, id)),
    observed("Lambda", ports.clock.now, () => ports.fate(run)),
  ]);
  return { isInJournal, fate };
};

const start = async (ports: SweepPorts, swept: Swept): Promise<void> => {
  // It would be put off at once, and say so in Slack each hour.
  if (swept.inUse.length > 0) return;
  const [activeRegion, { last }] = await Promise.all([ports.activeRegion(), ports.standing()]);
  const lastEndedMilliseconds = last?.atMilliseconds ?? null;
  const due = dueRun(
    { region: ports.region, activeRegion, lastEndedMilliseconds },
    ports.clock.now(),
  );
  if (!due) return;
  await ports.start(due);
  swept.started = due.run;
};

/** So long that any objective is passed: nothing was ever verified here. */
const neverHours = 10_000;

const publish = async (ports: SweepPorts, swept: Swept): Promise<void> => {
  const [activeRegion, { verifiedAtMilliseconds: at }] = await Promise.all([
    ports.activeRegion(),
    ports.standing(),
  ]);
  const hours = at === null ? neverHours : (ports.clock.now() - at) / 3_600_000;
  await ports.publish({
    LeftoverCopies: swept.removed.length + swept.reported.length + swept.troubles.length,
    // Where users are nothing is restored, so nobody waits for it there.
    HoursSinceBackupsVerified: activeRegion === ports.region ? 0 : hours,
  });
};
