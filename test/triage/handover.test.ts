import { describe, expect, it } from "vitest";
import {
  againSeconds,
  attemptsLimit,
  type Covers,
  type Judged,
  judge,
  lostSeconds,
  quietSeconds,
  type Ringing,
  settleSeconds,
  type TriageFacts,
} from "../../functions/triage/decide.ts";
import type { AttemptEnd, Incident } from "../../shared/incident.ts";
import type { Fate } from "../../shared/invoke.ts";

const region = "eu-central-1";
const start = Date.UTC(2026, 10, 22, 3, 0, 0);

const covers: Covers[] = [
  { name: "near-host", rank: 50, alarms: ["unhealthy-hosts"], right: "automatic" },
  { name: "near-deploy", rank: 40, alarms: ["unhealthy-hosts", "errors"], right: "automatic" },
  { name: "near-users", rank: 60, alarms: ["errors"], right: "automatic" },
];

const ring = (kind: string): Ringing => ({
  name: `nightshift-${kind}`,
  arn: `arn:${kind}`,
  kind,
  resource: null,
  sinceMilliseconds: start,
  reason: "story",
  held: null,
});

const unmuted = { known: true, value: false, source: "CloudWatch", atMilliseconds: start } as const;

/** A night of alarms with a look each minute, in which each attempt ends as it is told. */
const night = (kinds: string[], given: Covers[] = covers) => {
  let incident: Incident | null = null;
  let now = start;
  let alarms = kinds.map(ring);
  let fate_: Fate = "alive";
  const glance = (): Judged => {
    const facts: TriageFacts = {
      region,
      now,
      alarms,
      isCut: false,
      isDeploying: false,
      incident,
      covers: given,
      mutes: Object.fromEntries(alarms.map(({ name }) => [name, unmuted])),
      fate: fate_,
      newId: alarms.length > 0 ? "00000000" : "ffffffff",
    };
    const judged = judge(facts);
    incident = judged.incident ?? incident;
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
    if (!incident?.attempt) throw new Error("nothing is under way");
    const { attempt, tried } = incident;
    const times = (tried[attempt.playbook]?.times ?? 0) + 1;
    incident = {
      ...incident,
      attempt: { ...attempt, hasBegun: true, end: end_, endedAtMilliseconds: now },
      tried: {
        ...tried,
        [attempt.playbook]: { times, end: end_, key: attempt.key, atMilliseconds: now },
      },
    };
  };
  return {
    look,
    end,
    /** What Lambda says from now on. */
    lambdaSays: (fate: Fate) => void (fate_ = fate),
    sleepsFor: (seconds: number) => void (now += seconds * 1000),
    incident: () => incident,
    /** All that rings is over. */
    stops: () => void (alarms = []),
    begins: (afterSeconds?: number) => look(afterSeconds).start?.attempt.playbook ?? null,
    why: () => (incident?.parked ?? []).map((line) => line.why),
  };
};

describe("an alarm that several playbooks are for", () => {
  it("is looked at by the next by rank at the next look, once the first says that it is none of its", () => {
    const { begins, end } = night(["unhealthy-hosts"]);
    expect(begins()).toBe("near-deploy");
    end("passed");
    expect(begins()).toBe("near-host");
    end("passed");
    expect(begins(30)).toBeNull();
    // The first has waited for as long as it should.
    expect(begins(againSeconds)).toBe("near-deploy");
  });

  it("stays with the first as long as that knows what is the matter and has to wait", () => {
    const { begins, end } = night(["unhealthy-hosts"]);
    expect(begins()).toBe("near-deploy");
    end("nothing");
    expect(begins()).toBeNull();
    expect(begins(againSeconds)).toBe("near-deploy");
  });

  it("is not tried by others once one of them has asked for a human", () => {
    const { begins, end, look, why } = night(["unhealthy-hosts"]);
    begins();
    end("passed");
    expect(begins()).toBe("near-host");
    end("needs-human");
    const { start: begun, page } = look(settleSeconds);
    expect(begun).toBeNull();
    expect(why()).toEqual(["near-host has asked for a human in this incident"]);
    expect(page?.text).toContain("asked for a human");
  });

  it("is nobody's while the first has only passed: people are told when nobody looks any more", () => {
    const { begins, end, look } = night(["unhealthy-hosts"], covers.slice(1, 2));
    for (let time = 1; time < attemptsLimit; time += 1) {
      expect(begins(againSeconds * time)).toBe("near-deploy");
      end("passed");
      const quiet = look(30);
      expect([quiet.start, quiet.page]).toEqual([null, null]);
    }
    expect(begins(againSeconds * attemptsLimit)).toBe("near-deploy");
    end("passed");
    expect(look(againSeconds * attemptsLimit).page?.text).toContain("was tried 8 times");
  });

  it("goes by rank over all that ring: what has passed lets the other alarm's playbook look", () => {
    const { begins, end } = night(["errors", "unhealthy-hosts"]);
    expect(begins()).toBe("near-deploy");
    end("passed");
    expect(begins()).toBe("near-host");
    end("done");
    expect(begins()).toBeNull();
    expect(begins(settleSeconds)).toBe("near-deploy");
    end("passed");
    expect(begins()).toBe("near-host");
    end("passed");
    expect(begins()).toBe("near-users");
  });

  it("skips a playbook that is off, and one in shadow that has said what it would do", () => {
    const given = covers.map((each) =>
      each.name === "near-deploy" ? { ...each, right: "shadow" as const } : each,
    );
    const { begins, end } = night(["errors", "unhealthy-hosts"], given);
    expect(begins()).toBe("near-deploy");
    end("shadow");
    expect(begins()).toBe("near-host");
    const off = night(
      ["errors"],
      covers.map((each) => ({ ...each, right: each.rank === 40 ? "off" : "automatic" }) as const),
    );
    expect(off.begins()).toBe("near-users");
  });
});

describe("an attempt that does not say how it ended", () => {
  it("has died: people are told at once, and its playbook does no more in this incident", () => {
    const { begins, look, lambdaSays, why, incident } = night(
      ["unhealthy-hosts"],
      covers.slice(0, 1),
    );
    expect(begins()).toBe("near-host");
    lambdaSays("died");
    const { page, start: begun } = look();
    expect([begun, page?.text.includes("has died")]).toEqual([null, true]);
    expect(incident()?.attempt?.end).toBe("needs-human");
    const later = look(settleSeconds);
    expect(later.start).toBeNull();
    expect(why()).toEqual(["near-host has asked for a human in this incident"]);
  });

  it("is told of when its alarm is over as well: it may have left something half done", () => {
    const { begins, look, lambdaSays, stops } = night(["unhealthy-hosts"]);
    begins();
    stops();
    lambdaSays("died");
    expect(look().page?.text).toContain("has died");
    expect(look(600).page).toBeNull();
  });

  it("has ended and could not write it down: it is looked at again, and nobody is called", () => {
    const { begins, look, lambdaSays } = night(["unhealthy-hosts"], covers.slice(0, 1));
    expect(begins()).toBe("near-host");
    lambdaSays("ended");
    expect(look()).toMatchObject({ start: null, page: null });
    lambdaSays("alive");
    expect(begins(againSeconds)).toBe("near-host");
  });

  it("is waited for while it is alive, and for three hours when nobody knows", () => {
    const { begins, look } = night(["unhealthy-hosts"]);
    begins();
    for (let minute = 2; minute < lostSeconds / 60; minute += 1) expect(look().page).toBeNull();
    look();
    expect(look().page?.text).toContain("has died");
  });
});

describe("an alarm that still rings after nobody could look for a quarter of an hour", () => {
  it("stays the incident that it was, so that its next attempt has a name of its own", () => {
    const { begins, end, look, sleepsFor, incident } = night(["unhealthy-hosts"]);
    expect(begins()).toBe("near-deploy");
    end("done");
    sleepsFor(quietSeconds + 300);
    expect(look().start?.attempt.run).toMatch(/-2$/);
    expect(incident()?.step).toBe(2);
  });
});
