import { describe, expect, it } from "vitest";
import type { Looks } from "../../functions/remediation/evidence.ts";
import { latency } from "../../functions/remediation/playbooks/latency/playbook.ts";
import { playbook } from "../../functions/remediation/playbooks.ts";
import type { Ports } from "../../functions/remediation/ports.ts";
import { remediate } from "../../functions/remediation/remediation.ts";
import { virtualTimeline } from "../../local/time/virtual.ts";
import { counted, type Efficacy } from "../../shared/efficacy.ts";
import type { Line } from "../../shared/journal.ts";
import { directSteps } from "../../shared/steps.ts";
import { clockOn } from "../clock.ts";

const none: Efficacy = {
  playbook: "latency",
  region: "eu-central-1",
  healed: 0,
  ineffective: 0,
  ineffectiveInARow: 0,
  shadowed: 0,
  needless: 0,
  demotedBy: null,
  demotedAtMilliseconds: null,
  lastRun: null,
};

const notAsked = () => Promise.reject(new Error("nobody asks for this here"));

const wish = {
  run: "remediation-eu-central-1-00000000-1",
  playbook: "latency",
  subject: {
    region: "eu-central-1",
    alarm: "nightshift-latency",
    kind: "latency",
    resource: null,
    sinceMilliseconds: Date.UTC(2026, 10, 22, 2, 58, 0),
    reason: "slow",
  },
  key: "arn@1",
  others: 0,
  message: null,
};

interface Afterwards {
  slowestSeconds: number;
  /** How many requests a minute there are then; 200 when left out, as before. */
  perMinute?: number;
  /** How long what was added takes until it serves; at once when left out. */
  bootSeconds?: number;
  somebodyWants?: number;
}

const level = (now: number) => ({ now, before: now });

interface Grown {
  hasGrown(): boolean;
  size(): { minimum: number; desired: number; maximum: number };
  serving(): string[];
}

const looksOf = (
  timeline: { now(): number },
  afterwards: Afterwards,
  { hasGrown, size, serving }: Grown,
): Partial<Ports["lookers"]> => ({
  load: async (_subject, since) => ({
    slowestSeconds: hasGrown() ? afterwards.slowestSeconds : 1.5,
    perMinute: hasGrown() ? (afterwards.perMinute ?? 200) : 200,
    perMinuteBefore: 100,
    minutes: since ? Math.min(4, Math.floor((timeline.now() - since) / 60_000) - 1) : 4,
  }),
  group: async () => ({
    ...size(),
    name: "platform",
    healthCheckType: "ELB",
    graceSeconds: 0,
    suspended: [],
    instances: serving().map((id) => ({ id, zone: "a", lifecycle: "InService", healthy: true })),
  }),
  targets: async () => serving().map((id) => ({ id, state: "healthy", reason: "" })),
  deploy: async () => null,
  service: async () => ({ minutes: 4, requests: 800, errors: 0 }),
  database: async () => ({ id: "platform", status: "available" }) as Looks["database"],
  databaseLoad: async () =>
    ({ minutes: 5, cpuPercent: level(20), queueDepth: level(0) }) as Looks["databaseLoad"],
  changes: async () => ({ minutes: 60, changes: [], unread: [] }),
});

/** A group of three whose users wait; how long they wait after it was grown is the story's. */
const group = (afterwards: Afterwards, different: Partial<Ports> = {}) => {
  const timeline = virtualTimeline(Date.UTC(2026, 10, 22, 3, 0, 0));
  const orders: number[] = [];
  const orderedAt: number[] = [];
  const lines: Line[] = [];
  let desired = 3;
  const size = () => ({ minimum: 2, desired, maximum: 8, launchTemplate: "platform 1" });
  const serving = () => {
    const ready = (orderedAt[0] ?? 0) + (afterwards.bootSeconds ?? 0) * 1000;
    const count = orders.length > 0 && timeline.now() < ready ? 3 : desired;
    return Array.from({ length: count }, (_, index) => `i-${index}`);
  };
  const seen = looksOf(timeline, afterwards, { hasGrown: () => orders.length > 0, size, serving });
  const ports: Ports = {
    name: "remediation in eu-central-1",
    clock: clockOn(timeline),
    region: "eu-central-1",
    playbooks: [playbook(latency)],
    policy: {
      approvalExpirySeconds: 1800,
      regionPerHour: 6,
      fleetShare: 0.34,
      rights: { latency: "automatic" },
    },
    lookers: seen as Ports["lookers"],
    hands: {
      group: async () => size(),
      setDesired: async (_group: string, instances: number) => {
        orders.push(instances);
        orderedAt.push(timeline.now());
        desired = instances;
      },
    } as unknown as Ports["hands"],
    alarm: async () => ({ state: "ALARM", key: "arn@1", held: null }),
    readPause: async () => ({ is: "running" }),
    readFreezes: async () => [],
    readAbort: async () => undefined,
    reserve: async (wanted) => ({ reserved: { ...wanted, atMilliseconds: timeline.now() } }),
    readEfficacy: async () => none,
    countOutcome: async (_playbook, run, outcome) =>
      counted(none, { run, outcome, atMilliseconds: timeline.now() }),
    approvals: { open: notAsked } as unknown as Ports["approvals"],
    beginAttempt: async () => true,
    endAttempt: async () => true,
    journal: async (run, line) => {
      lines.push(line);
      // Right before the deed.
      if (line.key === "deed") desired = afterwards.somebodyWants ?? desired;
      return { ...line, run, sequence: lines.length, previous: "", hash: "hash" };
    },
    show: async () => null,
    question: async () => null,
    remind: async () => false,
    ...different,
  };
  const run = () => timeline.run(remediate(directSteps(ports.clock), ports, wish), 4 * 3_600_000);
  return { run, orders, lines };
};

describe("a group that was grown for its load", () => {
  it("stays so when users wait no longer, for three minutes", async () => {
    const { run, orders } = group({ slowestSeconds: 0.4 });
    expect(await run()).toMatchObject({ end: "done", code: "healed", acts: 1 });
    expect(orders).toEqual([4]);
  });

  it("is taken back when users wait longer than before", async () => {
    const { run, orders, lines } = group({ slowestSeconds: 3 });
    const result = await run();
    expect(result).toMatchObject({ end: "needs-human", code: "worse" });
    expect(result.notes).toContain("It was taken back.");
    expect(orders).toEqual([4, 3]);
    expect(lines.map(({ key }) => key)).toContain("worse");
  });

  it("is not taken back while more users ask than before, however long they wait", async () => {
    const { run, orders } = group({ slowestSeconds: 3, perMinute: 260 });
    expect(await run()).toMatchObject({ end: "needs-human", code: "ineffective" });
    expect(orders).toEqual([4]);
  });

  it("is not called worse before what was added serves, and a whole window was measured", async () => {
    const { run, orders, lines } = group({ slowestSeconds: 3, bootSeconds: 400 });
    expect(await run()).toMatchObject({ end: "needs-human", code: "worse" });
    expect(orders).toEqual([4, 3]);
    const at = (key: string) => lines.find((line) => line.key === key)?.atMilliseconds ?? 0;
    // The boot, the minute in which it came, and four whole ones.
    expect((at("worse") - at("acted")) / 1000).toBeGreaterThan(400 + 5 * 60);
  });

  it("is not taken back while the switch is on, which the message says", async () => {
    const story: { isPaused: boolean } = { isPaused: false };
    const { run, orders } = group(
      { slowestSeconds: 3 },
      {
        readPause: async () =>
          story.isPaused
            ? { is: "paused", by: "U0ANA", reason: "we look", atMilliseconds: 0 }
            : { is: "running" },
        show: async ({ phase }) => {
          story.isPaused ||= phase === "proving";
          return null;
        },
      },
    );
    const result = await run();
    expect(result).toMatchObject({ end: "needs-human", code: "worse" });
    expect(result.notes.join(" ")).toContain("It was not taken back: Nightshift is paused");
    expect(orders).toEqual([4]);
  });

  it("is left alone when somebody has changed it since the plan was made", async () => {
    const { run, orders } = group({ slowestSeconds: 0.4, somebodyWants: 2 });
    expect(await run()).toMatchObject({ end: "nothing", code: "target-changed", acts: 0 });
    expect(orders).toEqual([]);
  });

  it("stays and asks for a human when it helps nobody, for as long as it was given", async () => {
    const { run, orders } = group({ slowestSeconds: 1.5 });
    expect(await run()).toMatchObject({ end: "needs-human", code: "ineffective" });
    expect(orders).toEqual([4]);
  });
});
