import { describe, expect, it } from "vitest";
import { activities } from "../../functions/failover/activities.ts";
import type { Plan } from "../../functions/failover/decide.ts";
import { failover, type Run, type Work } from "../../functions/failover/failover.ts";
import type { Ports } from "../../functions/failover/ports.ts";
import { harmless } from "../../functions/failover/rehearse.ts";
import type { Wish } from "../../functions/failover/request.ts";
import { isFinal, type State, states } from "../../functions/failover/states.ts";
import { undo } from "../../functions/failover/undo.ts";
import type { Lease } from "../../shared/lease.ts";
import { directSteps } from "../../shared/steps.ts";

const begun = Date.UTC(2026, 10, 24, 3, 0, 0);
const [home, here] = ["eu-central-1", "eu-west-1"];

/** A clock that nobody waits for. */
const clock = () => {
  let now = begun;
  return { now: () => now, sleep: async (milliseconds: number) => void (now += milliseconds) };
};

const held: Lease = {
  epoch: 1,
  region: home,
  state: "held",
  holder: "deploy",
  movedAtMilliseconds: begun - 1e9,
  attempt: 1,
};

const replica = { id: "db", status: "available", isReplica: true, replicating: true };
const settings = {
  backupRetentionDays: 14,
  multiAz: true,
  deletionProtection: true,
  copyTagsToSnapshot: true,
  monitoringIntervalSeconds: 0,
  monitoringRole: null,
  parameterGroup: "pg",
};

/** What each port does to the world: `never` is what a rehearsal must not have. */
const meaning: Record<keyof Ports, "looks" | "own" | "never"> = {
  name: "looks",
  clock: "looks",
  policy: "looks",
  readLease: "looks",
  claimLease: "never",
  returnLease: "never",
  settleLease: "never",
  driveLease: "never",
  closeAttempt: "never",
  readPause: "looks",
  readAbort: "looks",
  readContact: "looks",
  approvals: "own",
  readReadiness: "looks",
  readDemand: "looks",
  readUpheavals: "looks",
  keepProof: "own",
  replica: "looks",
  promote: "never",
  keptSettings: "looks",
  settings: "looks",
  applySettings: "never",
  capacity: "looks",
  setDesired: "own",
  setMinimum: "never",
  secretNames: "looks",
  secret: "looks",
  repoint: "never",
  database: "looks",
  obey: "looks",
  publicView: "looks",
  changeRecords: "never",
  resolverAnswers: "looks",
  healthChecks: "looks",
  probePublicWrite: "never",
  journal: "own",
  entries: "looks",
  show: "own",
};

/** The lease as it would be if the rehearsal had claimed it after all. */
const claimed: Lease = {
  ...held,
  region: here,
  epoch: 2,
  state: "moving",
  holder: "rehearsal-2-1",
};

const approval = {
  ...{ planHash: "", run: "rehearsal-2-1", requester: "U0", neededApprovals: 1 },
  ...{ expiresAtMilliseconds: begun + 1e9, approvals: [{ user: "U1", atMilliseconds: begun }] },
};

/** What is seen and kept in a world in which every step of a move would be permitted and would work. */
const harmlessPorts = (lease: Lease, time: ReturnType<typeof clock>) => ({
  name: "failover here",
  clock: time as Ports["clock"],
  policy: {
    ...{ here, home, automatic: false, approvals: 1, maximumLagSeconds: 60 },
    ...{ blockPeriodSeconds: 3600, isolationSeconds: 1, isolationMarginSeconds: 1 },
    ...{ heartbeatSeconds: 10, wantedCapacity: 2, approvalExpirySeconds: 600, ttlSeconds: 30 },
    activeMinimum: 2,
    dns: "change-records" as const,
  },
  readLease: async () => lease,
  readPause: async () => ({ is: "running" as const }),
  readAbort: async () => null,
  readContact: async () => ({
    ...{ region: home, contactAtMilliseconds: time.now(), epoch: 1 },
    heartbeatAtMilliseconds: begun,
  }),
  approvals: {
    open: async () => approval,
    read: async () => approval,
    answer: async () => ({ unchanged: approval }),
    use: async () => ({ changed: approval }),
    withdraw: async () => ({ unchanged: approval }),
    wakeBy: async () => false,
  },
  readReadiness: async () => null,
  readDemand: async () => null,
  readUpheavals: async () => [],
  keepProof: async () => undefined,
  replica: async () => replica,
  keptSettings: async () => settings,
  settings: async () => ({ ...settings, multiAz: false }),
  capacity: async () => ({ minimum: 1, desired: 2, inService: 2, maximum: 4 }),
  setDesired: async () => undefined,
  secretNames: ["one"],
  secret: async (name: string) => ({ name, present: true, standsAlone: false, pointsHere: false }),
  publicView: async () => ({ here: [], elsewhere: ["192.0.2.53"] }),
  resolverAnswers: async () => [{ what: "resolver", ok: true, detail: "" }],
  healthChecks: async () => [{ what: "check", ok: true, detail: "" }],
  journal: async () => undefined,
  entries: async () => [],
  show: async () => null,
});

/** That world with everything that moves something, which keeps count of what was done. */
const willing = (lease = held) => {
  const done: string[] = [];
  const beat = { writtenAtMilliseconds: begun, contactAtMilliseconds: begun };
  const act =
    <T>(what: string, answer: T) =>
    async (): Promise<T> => {
      done.push(what);
      return answer;
    };
  const ports: Ports = {
    ...harmlessPorts(lease, clock()),
    claimLease: act("claim", { held: claimed }),
    returnLease: act("return", { held }),
    settleLease: act("settle", { held: claimed }),
    driveLease: act("drive", { held: claimed }),
    closeAttempt: act("close", undefined),
    promote: act("promote", undefined),
    setMinimum: act("minimum", undefined),
    applySettings: act("settings", undefined),
    repoint: act("repoint", undefined),
    changeRecords: act("records", undefined),
    probePublicWrite: act("write", { accepted: true, detail: "" }),
    database: async (request) => {
      if (request.do !== "position" && request.do !== "logins") done.push(request.do);
      const roles = [{ role: "app", canLogin: true, sessions: 0 }];
      const heartbeat = { region: home, epoch: 1, ...beat };
      return { recovery: lease === held, lsn: "0/1", heartbeat, roles } as never;
    },
    obey: async (region, epoch) => {
      if (epoch !== lease.epoch) done.push(`obey ${epoch}`);
      const decision = region === home ? "serve" : "stand-by";
      const role = region === home ? "active" : "renounced";
      return { region, decision, epoch, reasons: [], role, fence: [], fencedLsn: null };
    },
  };
  return { ports, done };
};

const wish = (kind: Wish["kind"]): Wish => ({
  kind,
  run: kind === "rehearsal" ? "rehearsal-2-1" : "failover-2-1",
  trigger: {
    by: "operator",
    who: "U0",
    reason: "once a quarter",
    sinceMilliseconds: begun,
    overrides: [],
  },
});

/** A run in the middle of anything, with everything that an activity could ask for. */
const runIn = (state: State, { policy }: Ports): Run => {
  const loss = { verdict: "within" as const, lagSeconds: 0, replayedUntilMilliseconds: begun };
  const plan: Plan = {
    ...{ kind: "rehearsal", run: "rehearsal-2-1", epoch: 2, from: home, to: here, replica: "db" },
    ...{ capacity: 2, capacityWhy: "", trigger: wish("rehearsal").trigger, approvals: 1 },
    loss: { ...loss, boundSeconds: 0, lsn: "0/1", text: "" },
    warnings: [],
  };
  return {
    ...{ name: "rehearsal-2-1", again: 0, kind: "rehearsal", trigger: plan.trigger, policy, state },
    ...{ startedAtMilliseconds: begun, facts: null, plan, hash: "h", seen: held, epoch: 2 },
    ...{
      desiredBefore: 1,
      isShown: true,
      fence: [],
      fencedLsn: "0/1",
      approvedBy: [],
      promoteCalls: 0,
      expiresAtMilliseconds: null,
    },
    ...{
      pastReturn: false,
      stated: false,
      rounds: 1,
      unrecorded: 0,
      notes: [],
      timeline: [],
      message: null,
    },
  };
};

const going = states.filter((state) => !isFinal(state));

describe("what a rehearsal cannot do", () => {
  it("has none of the ports that move anything, and each port is known for what it does", async () => {
    const { ports, done } = willing();
    const safe = harmless(ports);
    for (const [name, means] of Object.entries(meaning)) {
      const port = safe[name as keyof Ports];
      if (means !== "never") continue;
      await expect((port as () => Promise<unknown>)(), name).rejects.toThrow(/rehearsal never/);
    }
    expect(done).toEqual([]);
  });

  it("reads the database and lets the epoch that holds be obeyed, and nothing beyond that", async () => {
    const { ports, done } = willing();
    const safe = harmless(ports);
    await expect(safe.database({ do: "liftFence", epoch: 2 })).rejects.toThrow(/rehearsal never/);
    await expect(safe.database({ do: "probeWrite", epoch: 2 })).rejects.toThrow(/rehearsal never/);
    await expect(safe.obey(home, 2)).rejects.toThrow(/rehearsal never/);
    await expect(safe.obey(home, 1)).resolves.toMatchObject({ decision: "serve" });
    expect(done).toEqual([]);
  });

  it("ends done in a world that would let it do everything, and has done nothing", async () => {
    const { ports, done } = willing();
    const result = await failover(directSteps(ports.clock), ports, wish("rehearsal"));
    expect(result).toMatchObject({ outcome: "done", epoch: null, promoteCalls: 0 });
    expect(done).toEqual([]);
  });

  it("shows that this world counts: a move changes it", async () => {
    const { ports, done } = willing();
    await failover(directSteps(ports.clock), ports, wish("emergency"));
    expect(done).toContain("claim");
  });

  it.each(going)("does nothing even if a wrong row of the table led it to be %s", async (state) => {
    const { ports, done } = willing(claimed);
    const work: Work = {
      steps: directSteps(ports.clock),
      clock: ports.clock,
      ports: harmless(ports),
      run: runIn(state, ports),
    };
    await activities[state as keyof typeof activities](work).catch(() => undefined);
    await undo(work);
    expect(done).toEqual([]);
  });
});
