import { describe, expect, it } from "vitest";
import type { Covers } from "../../functions/triage/facts.ts";
import { type TriagePorts, triage } from "../../functions/triage/triage.ts";
import type { Incident, KeptIncident } from "../../shared/incident.ts";
import { triedOf } from "../../shared/incident.ts";
import { ring } from "./night.ts";

const start = Date.UTC(2026, 10, 22, 3, 0, 0);
const covers: Covers[] = [
  { name: "error-rate", rank: 1, alarms: ["error-rate"], right: "automatic" },
];

interface Wrong {
  /** Minutes in which Slack takes nothing. */
  silent?: (minute: number) => boolean;
  /** Minutes in which a run cannot be started. */
  refused?: (minute: number) => boolean;
  /** Minutes in which the process dies after it has kept what it is going to say. */
  dies?: (minute: number) => boolean;
}

/** The job itself, a look each minute, over an incident in which each attempt ends as it is told. */
const watched = ({ silent, refused, dies }: Wrong, end: "nothing" | "needs-human") => {
  let now = start;
  let minute = 0;
  let kept: KeptIncident | null = null;
  const heard: number[] = [];
  const keep = (incident: Incident) => {
    kept = { incident, version: (kept?.version ?? 0) + 1 };
  };
  const ports: TriagePorts = {
    clock: { now: () => now, sleep: async () => undefined } as TriagePorts["clock"],
    ...{ region: "eu-central-1", prefix: "nightshift", covers },
    ringing: async () => ({ alarms: [ring("error-rate", start)], isCut: false }),
    isMuted: async () => false,
    isDeploying: async () => false,
    readPause: async () => ({ is: "running" }),
    readLook: async () => 0,
    claimLook: async (_seen, at) => ({ isOurs: true, lookedAtMilliseconds: at }),
    readIncident: async () => kept,
    keepIncident: async (incident) => {
      keep(incident);
      if (dies?.(minute) && incident.unsent?.length) throw new Error("the process died");
      return true;
    },
    noteSent: async (texts) => {
      const incident = kept?.incident;
      if (!incident) throw new Error("nothing is kept");
      keep({ ...incident, unsent: incident.unsent?.filter((text) => !texts.includes(text)) ?? [] });
    },
    fate: async () => "alive",
    start: async () => {
      if (refused?.(minute)) throw new Error("ThrottlingException");
    },
    page: async () => {
      if (silent?.(minute)) return { delivered: false, because: "silence" };
      heard.push(minute);
      return { delivered: true };
    },
    thread: async () => ({ delivered: true }),
    log: () => undefined,
  };
  const look = async () => {
    minute += 1;
    now += 60_000;
    await triage(ports, { do: "recheck" }).catch(() => undefined);
    const incident = kept?.incident;
    const attempt = incident?.attempt;
    if (!incident || !attempt || attempt.end !== null) return;
    keep({
      ...incident,
      attempt: { ...attempt, hasBegun: true, end, endedAtMilliseconds: now },
      tried: {
        ...incident.tried,
        [attempt.playbook]: triedOf(incident, attempt, end, now),
      },
    });
  };
  return { heard, look };
};

const heardIn = async (minutes: number, wrong: Wrong, end: "nothing" | "needs-human") => {
  const { heard, look } = watched(wrong, end);
  for (let each = 1; each <= minutes; each += 1) await look();
  return heard;
};

describe("a page", () => {
  it.each(["nothing", "needs-human"] as const)(
    "is sent once when Slack takes it, and again until it does (%s)",
    async (end) => {
      const [first] = await heardIn(60, {}, end);
      expect(first).toBeLessThanOrEqual(11);
      expect(await heardIn(60, {}, end)).toHaveLength(1);
      const late = await heardIn(60, { silent: (minute) => minute <= 25 }, end);
      expect(late).toEqual([26]);
    },
  );

  it("is sent at the next look when the process died before it was", async () => {
    const [due = 0] = await heardIn(60, {}, "nothing");
    expect(await heardIn(60, { dies: (minute) => minute === due }, "nothing")).toEqual([due + 1]);
  });

  it("does not wait for a run that cannot be started", async () => {
    const [due = 0] = await heardIn(60, {}, "nothing");
    const heard = await heardIn(60, { refused: (minute) => minute >= due }, "nothing");
    expect(heard[0]).toBe(due);
  });
});
