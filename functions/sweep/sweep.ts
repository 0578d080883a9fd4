import type { Clock } from "../../shared/clock.ts";
import { type Difference, driftLines } from "../../shared/drift.ts";
import type { Fate } from "../../shared/invoke.ts";
import { observed, sentence } from "../../shared/outcome.ts";
import type { VerificationStanding } from "../../shared/verification.ts";
import type { DueAge, InstanceSeen, Judged, RunSeen } from "./decide.ts";
import { dueRun, judgeInstance } from "./decide.ts";

/** As functions/rotation/keeping.ts tells it: sentences. */
export type RotationsKept = Record<"stale" | "stuck" | "unrotated" | "mended", string[]>;

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
  /** The restore test that holds repairs of this region back; null when none does. */
  holder(): Promise<string | null>;
  /** Ends that hold before its time. */
  release(run: string): Promise<void>;
  /** Has the primary of this region write down what is in it, at most once a day. */
  speak(): Promise<void>;
  /** Settings of the two databases that are not what they should be. */
  drift(active: string): Promise<Difference[]>;
  /** Whether this text is another one than was told last; keeps it. */
  isNews(text: string): Promise<boolean>;
  activeRegion(): Promise<string>;
  standing(): Promise<VerificationStanding>;
  start(run: { run: string; age: DueAge }): Promise<void>;
  /** What the rotation function of this region finds, and has put right; null where there is none. */
  rotations(): Promise<RotationsKept | null>;
  publish(values: Record<string, number>): Promise<void>;
  tell(text: string): Promise<void>;
}

export interface Swept {
  removed: string[];
  reported: string[];
  /** Copies that a run is at. */
  inUse: string[];
  /** Settings that have changed since they were told of; null when none did. */
  drift: string[] | null;
  /** How many differ in a way that no rebuild would survive; null when nobody could look. */
  blocking: number | null;
  /** The dead run whose hold on repairs was ended. */
  released: string | null;
  started: string | null;
  /** What could not be done, as sentences. */
  troubles: string[];
}

/**
 * Each hour: takes away what a dead run has left, starts the day's restore test, and says since when
 * backups have been verified. It depends on no run, and each part on none of the others.
 */
export const sweep = async (ports: SweepPorts): Promise<Swept> => {
  const swept: Swept = {
    ...{ removed: [], reported: [], inUse: [], released: null, started: null, troubles: [] },
    ...{ drift: null, blocking: null },
  };
  const trying = async (what: string, act: () => Promise<void>) => {
    const fact = await observed(what, ports.clock.now, act);
    if (!fact.known) swept.troubles.push(`${what}: ${fact.why}.`);
  };
  await trying("take away what is left", () => clear(ports, swept));
  await trying("end the freeze of a dead run", () => release(ports, swept));
  await trying("have the primary say what is in it", () => speak(ports));
  await trying("compare the settings", () => watch(ports, swept));
  await trying("look after the rotations", () => keepRotations(ports));
  await trying("start what is due", () => start(ports, swept));
  await trying("say how it stands", () => publish(ports, swept));
  const { removed, reported, troubles, drift } = swept;
  if (removed.length + reported.length + troubles.length > 0 || drift) {
    const parts = [
      ...removed.map((text) => `Taken away: ${text}`),
      ...reported.map((text) => `Look at ${text}`),
      ...(drift ? driftText(drift) : []),
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

/** A run that died holds repairs, and the next run, back until its time is over: many hours. */
const release = async (ports: SweepPorts, swept: Swept): Promise<void> => {
  const run = await ports.holder();
  if (run === null) return;
  const fate = await ports.fate(run);
  // One that nobody knows may have begun just now.
  if (fate !== "died" && fate !== "ended") return;
  await ports.release(run);
  swept.released = run;
};

/** In the region without the lease only, so that nobody hears of it twice. */
const watch = async (ports: SweepPorts, swept: Swept): Promise<void> => {
  const active = await ports.activeRegion();
  if (active === ports.region) return;
  const differences = await ports.drift(active);
  swept.blocking = differences.filter(({ blocks }) => blocks).length;
  const lines = driftLines(differences);
  if (await ports.isNews(lines.join("\n"))) swept.drift = lines;
};

const driftText = (lines: readonly string[]): string[] =>
  lines.length === 0
    ? ["The settings of both regions are as configured again."]
    : ["Settings of the databases differ:", ...lines];

/** Without an answer nothing is published, which alarms take for the worst. */
const keepRotations = async (ports: SweepPorts): Promise<void> => {
  const kept = await ports.rotations();
  if (kept === null) return;
  const { stale, stuck, unrotated, mended } = kept;
  await ports.publish({
    StaleSecrets: stale.length,
    StuckRotations: stuck.length,
    UnrotatedSecrets: unrotated.length,
  });
  // What is wrong is an alarm's to tell, each hour anew; what was put right is told once.
  if (mended.length > 0) await ports.tell(mended.join(" "));
};

const speak = async (ports: SweepPorts): Promise<void> => {
  if ((await ports.activeRegion()) === ports.region) await ports.speak();
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
    ...(swept.blocking === null ? {} : { SettingsDrift: swept.blocking }),
    LeftoverCopies: swept.removed.length + swept.reported.length + swept.troubles.length,
    // Where users are nothing is restored, so nobody waits for it there.
    HoursSinceBackupsVerified: activeRegion === ports.region ? 0 : hours,
  });
};
