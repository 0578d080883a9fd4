import { parseAlarm } from "../../shared/alarm.ts";
import { sha256 } from "../../shared/canonical.ts";
import type { Clock } from "../../shared/clock.ts";
import type { Incident, KeptIncident } from "../../shared/incident.ts";
import { observed } from "../../shared/outcome.ts";
import type { Delivery } from "../../shared/slack.ts";
import type { RemediationRequest } from "../remediation/request.ts";
import type { Covers, Judged, Ringing, Start } from "./decide.ts";
import { candidates, judge, keyOf } from "./decide.ts";

export interface TriagePorts {
  clock: Clock;
  region: string;
  /** Alarms of this stage begin with it. */
  prefix: string;
  covers: readonly Covers[];
  /** All of ours that are in ALARM, in a bounded number of pages. */
  ringing(): Promise<{ alarms: Ringing[]; isCut: boolean }>;
  isMuted(alarm: string): Promise<boolean>;
  /** When somebody looked last. */
  readLook(): Promise<number>;
  claimLook(seen: number, now: number): Promise<{ isOurs: boolean; lookedAtMilliseconds: number }>;
  readIncident(): Promise<KeptIncident | null>;
  /** False when somebody else has changed it since. */
  keepIncident(incident: Incident, seen: KeptIncident | null): Promise<boolean>;
  start(request: RemediationRequest): Promise<void>;
  page(text: string): Promise<Delivery>;
  thread(ts: string, text: string): Promise<Delivery>;
  log(message: string, fields: Record<string, unknown>): void;
}

/** Between two looks of a region, however many events come. */
export const spacingSeconds = 5;

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
  const because = isRecheck(event) ? null : worthless(ports, event);
  if (because !== null) {
    ports.log("an alarm's event is not acted upon", { because });
    return { is: "ignored", because };
  }
  if (!(await isOurTurn(ports))) return { is: "covered" };
  return look(ports);
};

const isRecheck = (event: unknown): boolean =>
  typeof event === "object" && event !== null && "do" in event && event.do === "recheck";

/** What no look would come to anything for. */
const worthless = ({ prefix }: TriagePorts, event: unknown): string | null => {
  const parsed = parseAlarm(event);
  if ("malformed" in parsed) {
    throw new Error(`not an alarm event as documented: ${parsed.malformed.join(", ")}`);
  }
  const { name, state, suppressedBy } = parsed.alarm;
  if (!name.startsWith(`${prefix}-`)) return `${name} is none of ours`;
  if (state !== "ALARM") return `${name} went to ${state}`;
  return suppressedBy ? `${name} is suppressed by ${suppressedBy}` : null;
};

/** One of all who wait looks; the others find that somebody has looked since they came. */
const isOurTurn = async ({ clock, readLook, claimLook }: TriagePorts): Promise<boolean> => {
  const came = clock.now();
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
  const [{ alarms, isCut }, kept] = await Promise.all([ports.ringing(), ports.readIncident()]);
  const asked = candidates({ alarms, covers });
  const mutes = await Promise.all(
    asked.map(
      async (name) =>
        [name, await observed("CloudWatch", clock.now, () => ports.isMuted(name))] as const,
    ),
  );
  const judged = judge({
    region,
    now: Math.floor(clock.now()),
    alarms,
    isCut,
    incident: kept?.incident ?? null,
    covers,
    mutes: Object.fromEntries(mutes),
    newId: newId(alarms),
  });
  // Kept before anything is started: what is started twice has one name, by what was kept.
  if (judged.incident && !(await ports.keepIncident(judged.incident, kept))) {
    return { is: "overtaken" };
  }
  if (judged.start) await ports.start(requestOf(region, judged.start));
  await tell(ports, judged, kept?.incident ?? null);
  if (judged.incident) ports.log("alarms were looked at", { ...summary(judged) });
  return { is: "looked", judged };
};

/** Of the alarm that has rung longest, so that every door gives the same incident the same name. */
const newId = (alarms: Ringing[]): string => {
  const [first] = alarms.toSorted(
    (a, b) => a.sinceMilliseconds - b.sinceMilliseconds || (a.name < b.name ? -1 : 1),
  );
  return sha256(first ? keyOf(first) : "no alarm").slice(0, 8);
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

/** Slack being silent stops nothing here, and every alarm tells people by e-mail as well. */
const tell = async (ports: TriagePorts, judged: Judged, before: Incident | null): Promise<void> => {
  const { page, parked, incident } = judged;
  if (page) {
    const delivery = await ports.page(page.text);
    ports.log("people are told", { text: page.text, delivery });
  }
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
