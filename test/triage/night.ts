import { candidates, judge } from "../../functions/triage/decide.ts";
import type { Covers, Judged, Ringing, TriageFacts } from "../../functions/triage/facts.ts";
import type { AttemptEnd, Incident } from "../../shared/incident.ts";
import { triedOf } from "../../shared/incident.ts";
import type { Fate } from "../../shared/invoke.ts";

const region = "eu-central-1";
const start = Date.UTC(2026, 10, 22, 3, 0, 0);

export const covers: Covers[] = [
  { name: "near-host", rank: 50, alarms: ["unhealthy-hosts"], right: "automatic" },
  { name: "near-deploy", rank: 40, alarms: ["unhealthy-hosts", "errors"], right: "automatic" },
  { name: "near-users", rank: 60, alarms: ["errors"], right: "automatic" },
];

export const ring = (kind: string, sinceMilliseconds = start, resource = ""): Ringing => ({
  name: `nightshift-${kind}${resource}`,
  arn: `arn:${kind}${resource}`,
  kind,
  resource: resource || null,
  sinceMilliseconds,
  reason: "story",
  held: null,
});

/** With the mute rules of every alarm that the decision asks about, as the job looks for them. */
const withMutes = (facts: TriageFacts, muted: ReadonlySet<string>): TriageFacts => {
  let seen = facts;
  for (let round = 1; round <= 4; round += 1) {
    const known = { known: true, source: "CloudWatch", atMilliseconds: facts.now } as const;
    const asked = candidates(seen).map((name) => [name, { ...known, value: muted.has(name) }]);
    seen = { ...seen, mutes: { ...seen.mutes, ...Object.fromEntries(asked) } };
  }
  return seen;
};

/** As a run that ends writes it down. */
const ended = (incident: Incident | null, end: AttemptEnd, now: number): Incident => {
  if (!incident?.attempt) throw new Error("nothing is under way");
  const { attempt, tried } = incident;
  return {
    ...incident,
    attempt: {
      ...{ ...attempt, hasBegun: true, end, endedAtMilliseconds: now },
      hasActed: end === "done" || end === "needs-human",
    },
    tried: { ...tried, [attempt.playbook]: triedOf(incident, attempt, end, now) },
  };
};

/** A night of alarms with a look each minute, in which each attempt ends as it is told. */
export const night = (kinds: string[], given: Covers[] = covers) => {
  let incident: Incident | null = null;
  let now = start;
  let alarms = kinds.map((kind) => ring(kind));
  let fate_: Fate | null = "alive";
  let brake: string | null = null;
  const muted = new Set<string>();
  const pages: { minute: number; text: string }[] = [];
  const starts: { minute: number; playbook: string; run: string }[] = [];
  const minute = () => Math.round((now - start) / 60_000);
  const glance = (): Judged => {
    const facts = { region, now, alarms, isCut: false, isDeploying: false, brake, incident };
    const judged = judge(withMutes({ ...facts, covers: given, mutes: {}, fate: fate_ }, muted));
    incident = judged.incident ?? incident;
    if (judged.page) pages.push({ minute: minute(), text: judged.page.text });
    const attempt = judged.start?.attempt;
    if (attempt && !starts.some(({ run }) => run === attempt.run)) {
      starts.push({ minute: minute(), playbook: attempt.playbook, run: attempt.run });
    }
    return judged;
  };
  /** The first look that comes to something, or the last of that time. */
  const look = (withinSeconds = 60): Judged => {
    for (let left = withinSeconds; ; left -= 60) {
      now += Math.min(60, left) * 1000;
      const judged = glance();
      if (judged.start || judged.page || left <= 60) return judged;
    }
  };
  const end = (end_: AttemptEnd): void => {
    incident = ended(incident, end_, now);
  };
  return {
    look,
    end,
    pages,
    starts,
    /** What Lambda says from now on. */
    lambdaSays: (fate: Fate | null) => void (fate_ = fate),
    sleepsFor: (seconds: number) => void (now += seconds * 1000),
    incident: () => incident,
    now: () => now,
    /** All that rings is over. */
    stops: () => void (alarms = []),
    rings: (next: Ringing[]) => void (alarms = next),
    mutes: (name: string) => void muted.add(name),
    brakes: (why: string | null) => void (brake = why),
    begins: (afterSeconds?: number) => look(afterSeconds).start?.attempt.playbook ?? null,
    why: () => (incident?.parked ?? []).map((line) => line.why),
    /** Looks each minute for so long; attempts end at once as `ends` says, or go on for null. */
    passes: (
      minutes: number,
      ends: (playbook: string, minute: number) => AttemptEnd | null,
      alarmsAt?: (minute: number) => Ringing[],
    ): void => {
      for (let each = 1; each <= minutes; each += 1) {
        now += 60_000;
        if (alarmsAt) alarms = alarmsAt(minute());
        glance();
        const attempt = incident?.attempt;
        const how = attempt && attempt.end === null ? ends(attempt.playbook, minute()) : null;
        if (how) end(how);
      }
    },
  };
};
