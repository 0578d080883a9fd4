import type { Coordination, Item } from "./coordination.ts";

/** How an attempt of a playbook ended, as far as the next step depends on it. */
export type AttemptEnd =
  /** It helped, and has proven it. */
  | "done"
  /** There was nothing to do now. It looks again; others may look meanwhile. */
  | "nothing"
  /** It is its matter and gets well by itself, or soon can be dealt with: others wait a while for it. */
  | "waits"
  /** A pause, a freeze or a mute forbade it. It is not counted, and is looked at again. */
  | "held"
  /** What it is for is not the matter: the next playbook by rank may look. */
  | "passed"
  /** It has said what it would have done. */
  | "shadow"
  /** People have to go on: it did not help, made it worse, was rejected, or nobody answered. */
  | "needs-human";

export interface Attempt {
  /** The durable execution of this name is the attempt. */
  run: string;
  playbook: string;
  alarm: string;
  /** The very change of the alarm's state that it is about. */
  key: string;
  startedAtMilliseconds: number;
  /** The run has read its order: it need not be told again. */
  hasBegun: boolean;
  end: AttemptEnd | null;
  endedAtMilliseconds: number | null;
  /** Its deed was done, or may have been: what that has come to has to show before anything else is done. */
  hasActed: boolean;
}

/** What one playbook has come to in an incident, until its alarms have been quiet for a while. */
export interface Tried {
  /** Attempts in a row that came to nothing. */
  times: number;
  end: AttemptEnd;
  /** The change of an alarm that the last one was about. */
  key: string;
  /** The end of the last one, and of the first one in that row. */
  atMilliseconds: number;
  sinceMilliseconds: number;
  /** The last look that saw one of its alarms ring. */
  rangMilliseconds: number;
}

/** One thing that people were told of: the kind of alarm, and a short hash of what was said. */
export interface Told {
  kind: string;
  hash: string;
  atMilliseconds: number;
  /** The last look that saw an alarm of that kind. */
  rangMilliseconds: number;
}

/** All alarms of a region that came together, as one thing with one repair at a time. Bounded. */
export interface Incident {
  region: string;
  /** The same from every door: made of the alarm that opened it. */
  id: string;
  openedAtMilliseconds: number;
  /** The last look that saw an alarm. */
  seenAtMilliseconds: number;
  /** Those in ALARM at the last look, and the most that ever were. */
  alarmCount: number;
  mostAlarms: number;
  /** Attempts so far. Names the next one. */
  step: number;
  /** The newest attempt. */
  attempt: Attempt | null;
  /** When an alarm last began, or an attempt was last under way. What comes long after it is news. */
  newsAtMilliseconds: number;
  /** By playbook. */
  tried: Record<string, Tried>;
  /** What is not done anything about now, by kind of alarm, and why. */
  parked: { kind: string; count: number; why: string }[];
  /** What people were told of, each once. */
  told: Told[];
  /** When people were paged last; null when they were not. */
  pagedAtMilliseconds: number | null;
  /** Pages that Slack has not taken yet, the oldest first: sent again at each look until it does. */
  unsent?: string[];
  /** The message of its newest run: what is parked is answered below it. */
  message: { channel: string; ts: string } | null;
  closedAtMilliseconds: number | null;
}

export interface KeptIncident {
  incident: Incident;
  version: number;
}

export const incidentId = (region: string): string => `incident#${region}`;

/** `remediation-eu-central-1-1f0c9a2b-1`: whoever reads the name knows where it runs. */
export const attemptName = (region: string, incident: string, step: number): string =>
  `remediation-${region}-${incident}-${step}`;

export const attemptPattern = /^remediation-([a-z]{2}(?:-[a-z]+)+-\d)-[0-9a-f]{8}-\d+$/;

/** Where the run of this name is; undefined when it is no remediation. */
export const regionOfAttempt = (run: string): string | undefined => attemptPattern.exec(run)?.[1];

const keptOf = (item: Item | undefined): KeptIncident | null => {
  if (!item) return null;
  const { id: _id, version, incident } = item;
  return { incident: incident as unknown as Incident, version: Number(version) };
};

/** The newest incident of a region, open or closed. Throws when the table is silent. */
export const readIncident = async (
  table: Coordination,
  region: string,
): Promise<KeptIncident | null> => keptOf(await table.read(incidentId(region)));

/** Whether nobody has changed it since `seen` was read; then it is written. */
export const keepIncident = async (
  table: Coordination,
  incident: Incident,
  seen: KeptIncident | null,
): Promise<boolean> => {
  const { written } = await table.write(incidentId(incident.region), {
    set: { incident, version: (seen?.version ?? 0) + 1 },
    onlyIf: seen === null ? "attribute_not_exists(#version)" : "#version = :seen",
    ...(seen === null ? {} : { values: { seen: seen.version } }),
  });
  return written;
};

const attempts = 8;

/** What Slack has taken is not sent again. Told twice is better than never: it is noted afterwards. */
export const notedAsSent = async (
  table: Coordination,
  region: string,
  sent: readonly string[],
): Promise<void> => {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const kept = await readIncident(table, region);
    const unsent = kept?.incident.unsent ?? [];
    const left = unsent.filter((text) => !sent.includes(text));
    if (!kept || left.length === unsent.length) return;
    if (await keepIncident(table, { ...kept.incident, unsent: left }, kept)) return;
  }
  throw new Error(`${attempts} others were faster to write the incident of ${region}`);
};

/** What a run has to say of itself. Nothing, when the incident has gone on to another run. */
const amend = async (
  table: Coordination,
  region: string,
  run: string,
  next: (before: Incident, attempt: Attempt) => Incident,
): Promise<boolean> => {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const kept = await readIncident(table, region);
    const now = kept?.incident.attempt;
    if (!kept || now?.run !== run) return false;
    if (await keepIncident(table, next(kept.incident, now), kept)) return true;
  }
  throw new Error(`${attempts} others were faster to write the incident of ${region}`);
};

/** False when the incident knows of another run by now, which this one must give way to. */
export const beginAttempt = (table: Coordination, region: string, run: string): Promise<boolean> =>
  amend(table, region, run, (before, attempt) => ({
    ...before,
    attempt: { ...attempt, hasBegun: true },
  }));

export const endAttempt = (
  table: Coordination,
  region: string,
  run: string,
  {
    end,
    message,
    acts,
    atMilliseconds,
  }: {
    end: AttemptEnd;
    message: Incident["message"];
    acts: number;
    atMilliseconds: number;
  },
): Promise<boolean> =>
  amend(table, region, run, (before, attempt) =>
    attempt.end !== null
      ? before
      : {
          ...before,
          message: message ?? before.message,
          attempt: {
            ...attempt,
            hasBegun: true,
            hasActed: acts > 0 || end === "done",
            end,
            endedAtMilliseconds: atMilliseconds,
          },
          tried: {
            ...before.tried,
            [attempt.playbook]: triedOf(before, attempt, end, atMilliseconds),
          },
        },
  );

/** A repair begins the row anew; what was held back adds nothing to it. */
export const triedOf = (
  { tried, seenAtMilliseconds }: Pick<Incident, "tried" | "seenAtMilliseconds">,
  { playbook, key }: Pick<Attempt, "playbook" | "key">,
  end: AttemptEnd,
  atMilliseconds: number,
): Tried => {
  const before = tried[playbook];
  const inARow = end === "done" ? 0 : (before?.times ?? 0) + (end === "held" ? 0 : 1);
  const isFirst = before === undefined || before.end === "done" || before.times === 0;
  return {
    times: inARow,
    end,
    key,
    atMilliseconds,
    sinceMilliseconds: isFirst ? atMilliseconds : before.sinceMilliseconds,
    rangMilliseconds: Math.max(before?.rangMilliseconds ?? 0, seenAtMilliseconds),
  };
};

/** The last look at a region's alarms, so that a storm of events is a few looks. */
const lookId = (region: string) => `triage#${region}`;

export const readLook = async (table: Coordination, region: string): Promise<number> =>
  Number((await table.read(lookId(region)))?.lookedAtMilliseconds ?? 0);

/** One of those who saw the last look at `seen` may look now. Tells when the newest look was. */
export const claimLook = async (
  table: Coordination,
  region: string,
  seen: number,
  now: number,
): Promise<{ isOurs: boolean; lookedAtMilliseconds: number }> => {
  const { written, item } = await table.write(lookId(region), {
    set: { lookedAtMilliseconds: now },
    onlyIf: "attribute_not_exists(#lookedAtMilliseconds) OR #lookedAtMilliseconds = :seen",
    values: { seen },
  });
  return { isOurs: written, lookedAtMilliseconds: Number(item?.lookedAtMilliseconds ?? 0) };
};
