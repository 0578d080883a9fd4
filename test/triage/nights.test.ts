import { describe, expect, it } from "vitest";
import { playbooks } from "../../functions/remediation/playbooks.ts";
import type { Covers } from "../../functions/triage/facts.ts";
import { pageSpacingSeconds, unattendedSeconds } from "../../functions/triage/telling.ts";
import { night, ring } from "./night.ts";

/** The real playbooks, each with the right to act. */
const real: Covers[] = playbooks.map(({ name, rank, alarms, onlyWhile }) => ({
  ...{ name, rank, alarms, right: "automatic" as const },
  ...(onlyWhile ? { onlyWhile } : {}),
}));

const start = Date.UTC(2026, 10, 22, 3, 0, 0);
const at = (minute: number) => start + minute * 60_000;

describe("users are hurt, and no playbook has a deed for it", () => {
  it("calls people within ten minutes, and says since when and why", () => {
    const { passes, pages } = night(["unhealthy-hosts", "error-rate", "latency"], real);
    passes(120, () => "nothing");
    expect(pages[0]?.minute).toBeLessThanOrEqual(unattendedSeconds / 60);
    expect(pages[0]?.text).toContain("error-rate: rings since 2026-11-22T03:00:00Z");
    expect(pages[0]?.text).toContain("unhealthy-hosts: rings since");
    expect(pages).toHaveLength(1);
  });

  it("calls people also while another repair is under way for something else", () => {
    const { passes, pages } = night(["certificate"], real);
    const both = [ring("certificate"), ring("error-rate", at(3))];
    passes(
      60,
      (playbook) => (playbook === "certificate" ? null : "nothing"),
      (minute) => (minute < 3 ? [ring("certificate")] : both),
    );
    expect(pages[0]?.minute).toBe(13);
    expect(pages[0]?.text).toContain("error-rate: rings since");
  });

  it("calls people while Nightshift is paused: nobody else repairs it", () => {
    const { passes, pages, brakes, starts } = night(["error-rate"], real);
    brakes("Nightshift is paused by ana: we look first");
    passes(60, () => "nothing");
    expect(starts).toEqual([]);
    expect(pages).toHaveLength(1);
    expect(pages[0]?.text).toContain("paused by ana");
  });

  it("calls nobody for what a mute rule holds, but for saying so once", () => {
    const { passes, pages, mutes } = night(["error-rate"], real);
    mutes("nightshift-error-rate");
    passes(600, () => "nothing");
    expect(pages.map(({ text }) => text.includes("a mute rule holds it"))).toEqual([true]);
  });

  it("calls people for one of a kind that rings beside a muted one", () => {
    const { passes, pages, mutes, rings } = night([], real);
    rings([ring("zone-hosts", start, "-1"), ring("zone-hosts", start + 1, "-2")]);
    mutes("nightshift-zone-hosts-1");
    passes(180, () => "nothing");
    expect(pages[0]?.minute).toBeLessThanOrEqual(31);
  });

  it.each([4, 5, 12])("finds the one of a kind that is not muted among %i that are", (muted) => {
    const { passes, starts, mutes, rings } = night([], real);
    rings(Array.from({ length: muted + 1 }, (_, at) => ring("zone-hosts", start + at, `-${at}`)));
    for (let at = 0; at < muted; at += 1) mutes(`nightshift-zone-hosts-${at}`);
    passes(10, () => "needs-human");
    expect(starts).toHaveLength(1);
  });

  it("calls nobody when the repair has helped before the ten minutes were over", () => {
    const { passes, pages } = night(["unhealthy-hosts"], real);
    passes(
      60,
      () => "done",
      (minute) => (minute < 9 ? [ring("unhealthy-hosts")] : []),
    );
    expect(pages).toEqual([]);
  });
});

describe("an alarm that rings for days", () => {
  const withOutages = (minute: number) => {
    const inDay = minute % 1440;
    const outage = ring("unhealthy-hosts", at(minute - inDay + 100));
    return [ring("certificate"), ...(inDay >= 100 && inDay < 115 ? [outage] : [])];
  };

  it("leaves each night its own repairs: the ninth outage is repaired like the first", () => {
    const { passes, starts } = night(["certificate"], real);
    passes(
      12 * 1440,
      (playbook) => (playbook === "unhealthy-host" ? "done" : "nothing"),
      withOutages,
    );
    const days = starts
      .filter(({ playbook }) => playbook === "unhealthy-host")
      .map(({ minute }) => Math.floor(minute / 1440));
    expect(new Set(days).size).toBe(12);
  });

  it("does not silence the page of the second night", () => {
    const { passes, pages } = night(["certificate"], real);
    passes(
      3 * 1440,
      (playbook) => (playbook === "unhealthy-host" ? "needs-human" : "nothing"),
      withOutages,
    );
    const days = pages
      .filter(({ text }) => text.includes("unhealthy-host"))
      .map(({ minute }) => Math.floor(minute / 1440));
    expect(new Set(days).size).toBe(3);
  });

  it("gives what begins later an incident and a message of its own", () => {
    const { passes, incident } = night(["certificate"], real);
    passes(60, () => "nothing");
    const first = incident();
    passes(
      1,
      () => null,
      () => [ring("certificate"), ring("error-rate", at(61))],
    );
    expect(incident()?.id).not.toBe(first?.id);
    expect(incident()).toMatchObject({ message: null, step: 1 });
  });

  it("is told of once a day, and looked at now and then", () => {
    const { passes, pages, starts } = night(["certificate"], real);
    passes(3 * 1440, () => "nothing");
    expect(pages.length).toBeGreaterThanOrEqual(3);
    expect(pages.length).toBeLessThanOrEqual(4);
    expect(starts.length).toBeLessThan(120);
  });

  it("keeps no incident open when it is switched off or suppressed", () => {
    const held = { ...ring("certificate"), held: "suppressed by nightshift-region-lost" };
    const { passes, incident } = night(["unhealthy-hosts"], real);
    passes(
      60,
      () => "done",
      (minute) => [held, ...(minute < 5 ? [ring("unhealthy-hosts")] : [])],
    );
    expect(incident()?.closedAtMilliseconds).not.toBeNull();
  });
});

describe("what has no deed", () => {
  it("does not hold the repair of something else", () => {
    const { passes, starts } = night(["database-storage"], real);
    passes(
      60,
      (playbook) => (playbook === "unhealthy-host" ? "done" : "nothing"),
      (minute) => [
        ring("database-storage"),
        ...(minute >= 5 && minute < 30 ? [ring("unhealthy-hosts", at(5))] : []),
      ],
    );
    const repair = starts.find(({ playbook }) => playbook === "unhealthy-host");
    expect(repair?.minute).toBeLessThanOrEqual(7);
  });

  it("does not use up its tries while a freeze holds it back", () => {
    const { passes, starts } = night(["unhealthy-hosts"], real);
    passes(
      180,
      (_, minute) => (minute < 120 ? "held" : "done"),
      (minute) => (minute < 130 ? [ring("unhealthy-hosts")] : []),
    );
    const next = starts.find(({ minute }) => minute >= 120);
    expect(next?.minute).toBeLessThanOrEqual(126);
  });
});

describe("a storm", () => {
  const spent = ["zone-hosts", "zone-errors", "database-storage", "replica-lag", "database-cpu"];

  it("does not hide what can be repaired behind five kinds that cannot", () => {
    const { passes, starts } = night(spent, real);
    passes(
      240,
      (playbook) => (playbook === "unhealthy-host" ? "done" : "needs-human"),
      (minute) => [
        ...spent.map((kind) => ring(kind)),
        ...(minute >= 200 && minute < 210 ? [ring("unhealthy-hosts", at(200))] : []),
      ],
    );
    const repair = starts.find(({ playbook }) => playbook === "unhealthy-host");
    expect(repair?.minute).toBeLessThanOrEqual(201);
  });

  it("looks past the first alarm of a kind when a mute rule holds that one", () => {
    const { begins, incident, mutes, rings } = night([], real);
    rings([ring("zone-hosts", start, "-1"), ring("zone-hosts", start + 1, "-2")]);
    mutes("nightshift-zone-hosts-1");
    expect(begins()).toBe("zone-impairment");
    expect(incident()?.attempt?.alarm).toBe("nightshift-zone-hosts-2");
  });
});

describe("alarms that come and go", () => {
  const kinds = ["unhealthy-hosts", "latency", "cache-memory", "instance-memory", "database-cpu"];

  it("call people a few times in a night, not at each change of the set", () => {
    const { passes, pages } = night(kinds, real);
    passes(
      480,
      () => "needs-human",
      (minute) =>
        kinds
          .filter((_, index) => index === 0 || (((minute * 2_654_435_761) >>> (index * 3)) & 7) > 3)
          .map((kind) => ring(kind)),
    );
    expect(pages.length).toBeGreaterThan(0);
    expect(pages.length).toBeLessThanOrEqual(8);
    const gaps = pages.slice(1).map(({ minute }, index) => minute - (pages[index]?.minute ?? 0));
    for (const gap of gaps) expect(gap * 60).toBeGreaterThanOrEqual(pageSpacingSeconds / 3);
  });
});
