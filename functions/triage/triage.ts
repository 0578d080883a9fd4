import { type AlarmChange, parseAlarm } from "../../shared/alarm.ts";
import type { Clock } from "../../shared/clock.ts";
import type { Incident, KeptIncident } from "../../shared/incident.ts";
import type { Fate } from "../../shared/invoke.ts";
import { type Fact, observed } from "../../shared/outcome.ts";
import { type Pause, whilePaused } from "../../shared/pause.ts";
import type { Delivery } from "../../shared/slack.ts";
import type { RemediationRequest } from "../remediation/request.ts";
import { candidates, judge, silentRun } from "./decide.ts";
import type { Covers, Judged, Ringing, Start, TriageFacts } from "./facts.ts";

export interface TriagePorts {
  clock: Clock;
  region: string;
  /** Alarms of this stage begin with it. */
  prefix: string;
  covers: readonly Covers[];
  /** All of ours that are in ALARM, in a bounded number of pages. */
  ringing(): Promise<{ alarms: Ringing[]; isCut: boolean }>;
  isMuted(alarm: string): Promise<boolean>;
  /** Whether a deploy is under way, or has ended so lately that what rings may come from it. */
  isDeploying(): Promise<boolean>;
  readPause(): Promise<Pause>;
  /** When somebody looked last. */
  readLook(): Promise<number>;
  claimLook(seen: number, now: number): Promise<{ isOurs: boolean; lookedAtMilliseconds: number }>;
  readIncident(): Promise<KeptIncident | null>;
  /** False when somebody else has changed it since. */
  keepIncident(incident: Incident, seen: KeptIncident | null): Promise<boolean>;
  /** These pages have reached people. */
  noteSent(texts: readonly string[]): Promise<void>;
  /** What Lambda says of an attempt's execution. */
  fate(run: string): Promise<Fate>;
  start(request: RemediationRequest): Promise<void>;
  page(text: string): Promise<Delivery>;
  thread(ts: string, text: string): Promise<Delivery>;
  log(message: string, fields: Record<string, unknown>): void;
}

/** Between two looks of a region, however many events come. */
export const spacingSeconds = 5;

/** The schedule looks so often, whatever events come. */
const recheckSeconds = 60;

/** An event waits for its look at most this often; the schedule looks each minute anyway. */
const waits = 6;

export type Triaged =
  | { is: "ignored"; because: string }
  /** Somebody has looked since this event came. */
  | { is: "covered" }
  | { is: "looked"; judged: Judged }
  /** Somebody else has changed the incident meanwhile: theirs stands. */
  | { is: "overtaken" };

/**
 * From alarms to at most one attempt at a time. An event says only that somebody should look: it may be
 * late, doubled, out of order or one of a thousand, so nothing of what it says is believed. Throws when
 * something could not be read, so that Lambda tries it again and the function's own alarm sees it.
 */
export const triage = async (ports: TriagePorts, event: unknown): Promise<Triaged> => {
  const news = isRecheck(event) ? { rangMilliseconds: null } : newsOf(ports, event);
  if ("because" in news) {
    ports.log("an alarm's event is not acted upon", news);
    return { is: "ignored", ...news };
  }
  if (!(await isOurTurn(ports, news.rangMilliseconds))) return { is: "covered" };
  return look(ports);
};

const isRecheck = (event: unknown): boolean =>
  typeof event === "object" && event !== null && "do" in event && event.do === "recheck";

/** When the alarm began; or why no look would come to anything. */
const newsOf = (
  ports: TriagePorts,
  event: unknown,
): { rangMilliseconds: number } | { because: string } => {
  const parsed = parseAlarm(event);
  if ("malformed" in parsed) {
    throw new Error(`not an alarm event as documented: ${parsed.malformed.join(", ")}`);
  }
  const because = worthless(ports, parsed.alarm);
  return because === null ? { rangMilliseconds: parsed.alarm.atMilliseconds } : { because };
};

const worthless = (
  { prefix, region: here }: TriagePorts,
  { name, region, state, suppressedBy }: AlarmChange,
): string | null => {
  if (!name.startsWith(`${prefix}-`)) return `${name} is none of ours`;
  // One that was forwarded from the other region is looked at there, and is no news of this one.
  if (region !== here) return `${name} is of ${region}, and is looked at there`;
  if (state !== "ALARM") return `${name} went to ${state}`;
  return suppressedBy ? `${name} is suppressed by ${suppressedBy}` : null;
};

/**
 * An event that has waited in a queue for longer than the schedule takes is as old as its alarm: in a storm
 * most of them have been looked at by then. A young one may be the second try after a look that failed.
 */
const cameAt = (now: number, rangMilliseconds: number | null): number =>
  rangMilliseconds === null || now - rangMilliseconds < recheckSeconds * 1000
    ? now
    : rangMilliseconds + spacingSeconds * 1000;

/** One of all who wait looks; the others find that somebody has looked since they came. */
const isOurTurn = async (
  { clock, readLook, claimLook }: TriagePorts,
  rangMilliseconds: number | null,
): Promise<boolean> => {
  const came = cameAt(clock.now(), rangMilliseconds);
  for (let wait = 1; wait <= waits; wait += 1) {
    const last = await readLook();
    if (last > came) return false;
    const leftMilliseconds = last + spacingSeconds * 1000 - clock.now();
    if (leftMilliseconds > 0) {
      await clock.sleep(leftMilliseconds);
      continue;
    }
    const claimed = await claimLook(last, Math.floor(clock.now()) + 1);
    if (claimed.isOurs) return true;
    if (claimed.lookedAtMilliseconds > came) return false;
  }
  return false;
};

const look = async (ports: TriagePorts): Promise<Triaged> => {
  const { clock, region, covers } = ports;
  const [{ alarms, isCut }, kept, isDeploying, pause] = await Promise.all([
    ports.ringing(),
    ports.readIncident(),
    ports.isDeploying(),
    ports.readPause(),
  ]);
  const incident = kept?.incident ?? null;
  const run = silentRun(incident, clock.now());
  const fate = run ? await observed("Lambda", clock.now, () => ports.fate(run)) : null;
  const facts = await withMutes(ports, {
    ...{ region, alarms, isCut, isDeploying, incident, covers },
    now: Math.floor(clock.now()),
    brake: whilePaused(pause)?.reason ?? null,
    mutes: {},
    fate: fate?.known ? fate.value : null,
  });
  const judged = judge(facts);
  // Kept before anything is started: what is started twice has one name, by what was kept.
  if (judged.incident && !(await ports.keepIncident(judged.incident, kept))) {
    return { is: "overtaken" };
  }
  // Before anything that may throw: nobody else tells people of it.
  await page(ports, judged.incident ?? incident);
  if (judged.start) await ports.start(requestOf(region, judged.start));
  await tell(ports, judged, incident);
  if (judged.incident) ports.log("alarms were looked at", { ...summary(judged) });
  return { is: "looked", judged };
};

/** A rule that holds the first alarm of a kind leads to the next one, which has to be asked for again. */
const muteRounds = 4;

const withMutes = async (ports: TriagePorts, facts: TriageFacts): Promise<TriageFacts> => {
  const { clock } = ports;
  let seen = facts;
  for (let round = 1; round <= muteRounds; round += 1) {
    const asked = candidates(seen);
    if (asked.length === 0) break;
    const answers = await Promise.all(
      asked.map(
        async (name): Promise<[string, Fact<boolean>]> => [
          name,
          await observed("CloudWatch", clock.now, () => ports.isMuted(name)),
        ],
      ),
    );
    seen = { ...seen, mutes: { ...seen.mutes, ...Object.fromEntries(answers) } };
  }
  return seen;
};

const requestOf = (
  region: string,
  { attempt, ringing, others, message }: Start,
): RemediationRequest => ({
  run: attempt.run,
  playbook: attempt.playbook,
  subject: {
    region,
    alarm: ringing.name,
    kind: ringing.kind,
    resource: ringing.resource,
    sinceMilliseconds: ringing.sinceMilliseconds,
    reason: ringing.reason.slice(0, 1000),
  },
  key: attempt.key,
  others,
  message,
});

/**
 * What people have to know and nobody has told them yet: what is kept with the incident is sent at each
 * look until Slack has taken it. Slack being silent stops nothing else.
 */
const page = async (ports: TriagePorts, incident: Incident | null): Promise<void> => {
  const sent: string[] = [];
  for (const text of incident?.unsent ?? []) {
    const delivery = await ports.page(text);
    ports.log("people are told", { text, delivery });
    if (delivery.delivered) sent.push(text);
  }
  if (sent.length > 0) await ports.noteSent(sent);
};

/** Below the message of the incident, for whoever reads there. */
const tell = async (ports: TriagePorts, judged: Judged, before: Incident | null): Promise<void> => {
  const { parked, incident } = judged;
  const message = incident?.message ?? before?.message ?? null;
  if (!message || parked.length === 0 || incident?.id !== before?.id) return;
  const delivery = await ports.thread(message.ts, `Parked: ${parked.slice(0, 12).join("; ")}`);
  ports.log("what is parked is told", { parked, delivery });
};

const summary = ({ incident, start, parked }: Judged) => ({
  incident: incident?.id,
  alarms: incident?.alarmCount,
  attempt: incident?.attempt?.run ?? null,
  started: start?.attempt.run ?? null,
  parked,
});
