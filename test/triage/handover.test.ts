import { describe, expect, it } from "vitest";
import {
  againSeconds,
  holdSeconds,
  lostSeconds,
  oftenLimit,
  settleSeconds,
} from "../../functions/triage/decide.ts";
import { quietSeconds } from "../../functions/triage/memory.ts";
import { covers, night } from "./night.ts";

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

  it("is looked at by the next as well while the first has nothing to do now", () => {
    const { begins, end } = night(["unhealthy-hosts"]);
    expect(begins()).toBe("near-deploy");
    end("nothing");
    expect(begins()).toBe("near-host");
    end("nothing");
    expect(begins(30)).toBeNull();
    expect(begins(againSeconds)).toBe("near-deploy");
  });

  it("stays with the first as long as that waits for what it has found, and not for ever", () => {
    const { passes, starts } = night(["unhealthy-hosts"]);
    passes(30, (playbook) => (playbook === "near-deploy" ? "waits" : "nothing"));
    const first = starts.find(({ playbook }) => playbook === "near-host");
    expect(first?.minute).toBeGreaterThanOrEqual(holdSeconds / 60);
    expect(first?.minute).toBeLessThanOrEqual(holdSeconds / 60 + 11);
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

  it("is looked at for as long as it rings by a playbook that only passes, ever more rarely", () => {
    const { passes, starts, pages } = night(["unhealthy-hosts"], covers.slice(1, 2));
    passes(600, () => "passed");
    expect(starts.length).toBeGreaterThan(oftenLimit);
    expect(starts.length).toBeLessThan(24);
    expect(pages).toHaveLength(1);
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

  it("is waited for when nobody knows, and for three hours at most", () => {
    const { begins, lambdaSays, passes, pages } = night(["unhealthy-hosts"]);
    begins();
    lambdaSays(null);
    passes(lostSeconds / 60 - 2, () => null);
    expect(pages).toEqual([]);
    passes(2, () => null);
    expect(pages.map(({ text }) => text.includes("has died"))).toEqual([true]);
  });

  it("is never said to have died while Lambda says that it is alive", () => {
    const { begins, passes, pages, starts } = night(["unhealthy-hosts"]);
    begins();
    passes(600, () => null);
    expect(pages).toEqual([]);
    expect(starts).toHaveLength(1);
  });
});

describe("an alarm that still rings after nobody could look for a quarter of an hour", () => {
  it("is an incident of its own, whose attempt has a name that was never given before", () => {
    const { begins, end, look, sleepsFor, incident } = night(["unhealthy-hosts"]);
    expect(begins()).toBe("near-deploy");
    const first = incident()?.attempt?.run;
    end("done");
    sleepsFor(quietSeconds + 300);
    expect(look().start?.attempt.run).toMatch(/-1$/);
    expect(incident()?.attempt?.run).not.toBe(first);
  });
});
