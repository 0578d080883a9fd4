import { describe, expect, it } from "vitest";
import type { BlockingSession } from "../../functions/database/decide.ts";
import type { ActivitySeen } from "../../functions/remediation/evidence-database.ts";
import { latency } from "../../functions/remediation/playbooks/latency/playbook.ts";
import { playbook } from "../../functions/remediation/playbooks.ts";
import { blockerLines, slowestLines } from "../../functions/remediation/statements.ts";
import { verdictOf } from "./facts.ts";

const moment = "2026-11-22T02:00:00.000000Z";
const session = (pid: number, blockedBy: number[], fingerprint: string): BlockingSession => ({
  ...{ pid, blockedBy, fingerprint, backendStart: moment, transactionStart: moment },
  ...{ state: "idle in transaction", stateSince: moment, stateSeconds: 90, transactionSeconds: 90 },
  ...{ user: "app_a", application: "ledger", client: "10.0.0.1" },
  ...{ wrote: true, waits: null, spared: null },
});

const slow = { user: "app_a", calls: 400, totalMilliseconds: 140_000, mostMilliseconds: 900 };
const seen: ActivitySeen = {
  slowest: {
    known: true,
    value: {
      since: moment,
      statements: [
        {
          ...slow,
          fingerprint: "46",
          meanMilliseconds: 350,
          shape: "SELECT a FROM t WHERE b = $1",
        },
        { ...slow, fingerprint: "47", meanMilliseconds: 35, shape: null },
      ],
      underWay: [{ fingerprint: "9", shape: "UPDATE t SET a = $1" }],
    },
  },
  blocking: {
    known: true,
    value: {
      rows: [session(7, [], "9"), session(8, [7], "46"), session(9, [8], "46")],
      more: false,
    },
  },
};

describe("what the database works on, for people", () => {
  it("names the slowest statements by number and shape, and only by number without one", () => {
    expect(slowestLines(seen)).toEqual([
      "Slow: 400 times 350 ms, 140 s in all, query 46: SELECT a FROM t WHERE b = $1",
      "Slow: 400 times 35 ms, 140 s in all, query 47",
    ]);
  });

  it("names who blocks the others, at the root of all who wait", () => {
    expect(blockerLines(seen)).toEqual([
      "2 wait for pid 7 of ledger (idle in transaction, 90 s), query 9: UPDATE t SET a = $1",
    ]);
  });

  it("says what is not known, which is not none", () => {
    const why = "pg_stat_statements is not installed in this database";
    expect(slowestLines({ slowest: { known: false, why } })).toEqual([
      `Slowest statements: unknown (${why}).`,
    ]);
    expect(blockerLines({})).toEqual(["Blocking sessions: unknown (no answer)."]);
  });

  it("stands in the advice when users wait and there are no more of them", () => {
    const level = { now: 20, before: 20 };
    const { finding } = verdictOf(playbook(latency), {
      load: { slowestSeconds: 3, perMinute: 100, perMinuteBefore: 100 },
      group: {
        ...{ name: "app", minimum: 3, desired: 3, maximum: 9, healthCheckType: "ELB" },
        ...{ graceSeconds: 60, suspended: [], instances: [] },
      },
      ...{ deploy: null, targets: [], service: { minutes: 4, requests: 400, errors: 0 } },
      database: { status: "available", id: "platform" } as never,
      databaseLoad: { minutes: 5, cpuPercent: level, queueDepth: { now: 0, before: 0 } } as never,
      statements: seen,
    });
    expect(finding.is).toBe("slower-alone");
    expect(finding.advice).toEqual(
      expect.arrayContaining([...blockerLines(seen), ...slowestLines(seen)]),
    );
  });
});
