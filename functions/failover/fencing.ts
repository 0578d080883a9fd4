import type { FenceLayer } from "../../shared/contact.ts";
import { ensure } from "../../shared/ensure.ts";
import { observed } from "../../shared/outcome.ts";
import { fencedAt } from "./decide.ts";
import type { Ending, Run, Work } from "./failover.ts";
import { late, planOf, stoppedBy } from "./permitted.ts";
import type { Ports } from "./ports.ts";

/**
 * A region that is gone does not answer, and waiting is what comes next: one try. A region that is well
 * is asked again, since one lost answer is no reason to give a planned move up.
 */
const tries = { emergency: 1, switchover: 3 };

const fenceLayers = ["logins", "security-group", "capacity", "role-rule"] as const;

export const fence = async ({ steps, ports, run }: Work): Promise<Ending> => {
  const told = await steps.step("fence", async () => {
    for (let number = 1; ; number += 1) {
      const stopped = await stoppedBy(ports, run);
      if (stopped) return { layers: [], lsn: null, stopped: stopped.reason };
      const asked = await askToFence(ports, run);
      if (isClosed(asked.layers) || number >= tries[run.kind]) return { ...asked, stopped: null };
      await ports.clock.sleep(2000);
    }
  });
  if (told.stopped) return { on: "give-back", notes: [told.stopped] };
  run.fence = told.layers;
  run.fencedLsn = told.lsn;
  const notes = run.fence.map(({ layer, result, detail }) => `${layer}: ${result} (${detail})`);
  const data = { fence: run.fence, fencedLsn: run.fencedLsn };
  if (isClosed(run.fence)) return { on: "fenced", notes, data };
  return { on: run.kind === "switchover" ? "give-back" : "unverified", notes, data };
};

const isClosed = (layers: FenceLayer[]): boolean =>
  layers.some(({ layer, result }) => layer === "logins" && result === "fenced");

const askToFence = async (
  ports: Ports,
  run: Run,
): Promise<{ layers: FenceLayer[]; lsn: string | null }> => {
  const { from } = planOf({ run });
  const report = await observed(`guard in ${from}`, ports.clock.now, () =>
    ports.obey(from, run.epoch ?? 0),
  );
  if (report.known) return { layers: report.value.fence, lsn: report.value.fencedLsn };
  const unreachable = { result: "unreachable" as const, detail: report.why };
  return { layers: fenceLayers.map((layer) => ({ layer, ...unreachable })), lsn: null };
};

/**
 * A region without the lease table fences itself `isolationSeconds` after its guard's last contact.
 * That contact is read after the claim: any later one reads the new epoch and fences at once.
 */
export const isolate = async ({ steps, clock, ports, run }: Work): Promise<Ending> => {
  const waitsLimit = Math.ceil(fencedAfterSeconds(ports) / 30) + 5;
  const claimedAt = await steps.step("isolation begins", async () => Math.floor(clock.now()));
  for (let wait = 1; wait <= waitsLimit; wait += 1) {
    const seen = await steps.step(`isolation #${wait}`, async () => {
      const stopped = await stoppedBy(ports, run);
      const contact = await ports.readContact();
      const obeys = contact !== null && contact.epoch >= (run.epoch ?? 0);
      const logins = contact?.fence?.find(({ layer }) => layer === "logins");
      // Without any contact on record the silence counts from the claim.
      const until = contact
        ? fencedAt(contact, ports.policy)
        : claimedAt + fencedAfterSeconds(ports) * 1000;
      const fenced = obeys && logins?.result === "fenced";
      const leftSeconds = (until - clock.now()) / 1000;
      const fence = contact?.fence ?? [];
      return { fenced, fence, leftSeconds, stopped: stopped?.reason ?? null };
    });
    if (seen.stopped) return { on: "give-back", notes: [seen.stopped] };
    if (seen.fenced) {
      run.fence = seen.fence;
      return {
        on: "fenced",
        notes: ["The old region fenced itself."],
        data: { fence: seen.fence },
      };
    }
    if (seen.leftSeconds <= 0) {
      const note = `${planOf({ run }).from} has been silent for ${fencedAfterSeconds(ports)} s or more.`;
      return { on: "waited", notes: [note] };
    }
    await steps.rest(`isolation rest #${wait}`, Math.min(30, seen.leftSeconds));
  }
  throw new Error("the old region keeps making contact without obeying the lease");
};

const fencedAfterSeconds = ({ policy }: Ports) =>
  policy.isolationSeconds + policy.heartbeatSeconds + policy.isolationMarginSeconds;

/** How long the replica gets for the end of the log: seconds matter when the region is dying. */
const drainSeconds = { emergency: 30, switchover: 120 };

/**
 * When the logins were closed the old log stood at a position; a replica that has replayed it has
 * every write that was ever acknowledged.
 */
export const drain = async ({ steps, clock, ports, run }: Work): Promise<Ending> => {
  const planned = run.kind === "switchover";
  const wanted = run.fencedLsn;
  const behind = (note: string): Ending => ({
    on: planned ? "give-back" : "behind",
    notes: [note],
  });
  if (wanted === null) return behind("The old region did not say where its log ended.");
  const drained = await ensure(steps, clock, {
    name: "drain",
    observe: async () => ({ lsn: (await ports.database({ do: "position" })).lsn }),
    satisfied: ({ lsn }) => lsnOf(lsn) >= lsnOf(wanted),
    due: () => false,
    act: async () => undefined,
    within: { seconds: drainSeconds[run.kind], everySeconds: 1 },
  });
  if (drained.is !== "ensured") return behind(`The replica has not reached ${wanted}.`);
  const data = { fencedLsn: wanted, replayedLsn: drained.seen.lsn };
  return { on: "drained", notes: [`The replica has replayed ${wanted}.`], data };
};

/** Positions in the log as PostgreSQL writes them, `16/B374D848`: two halves of 32 bits. */
export const lsnOf = (text: string): bigint => {
  const [high = "0", low = "0"] = text.split("/");
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
};

/**
 * Undoes a claim that led to nothing. The old region takes its fence down when it sees that the lease
 * is its own again; the run waits until it says that it is active.
 */
export const giveBack = async ({ steps, clock, ports, run }: Work): Promise<Ending> => {
  const { from } = planOf({ run });
  const { seen } = run;
  // Why it is given back is the first thing that a person wants to read at the end.
  const why = run.notes;
  if (!seen || run.epoch === null) throw new Error(`${run.name} has no lease to give back`);
  const claimed = { epoch: run.epoch, holder: run.name };
  const returned = await steps.step("return the lease", () => ports.returnLease(claimed, seen));
  if ("lost" in returned) return late(`The lease is at epoch ${returned.lost.epoch} by now.`);
  const active = await ensure(steps, clock, {
    name: "reopen the old region",
    observe: async () => {
      const report = await ports.obey(from, returned.held.epoch);
      return { role: report.role, decision: report.decision };
    },
    satisfied: ({ role, decision }) => role === "active" && decision === "serve",
    due: () => false,
    act: async () => undefined,
    within: { seconds: run.kind === "switchover" ? 600 : 60, everySeconds: 5 },
  });
  if (active.is !== "ensured" && run.kind === "emergency") {
    const note = `${from} does not answer; when it is back it reads the lease and opens by itself.`;
    return { on: "returned", notes: [...why, note] };
  }
  if (active.is !== "ensured") {
    return { on: "late", notes: [...why, `${from} did not say that it is active again.`] };
  }
  const note = `${from} is active again at epoch ${returned.held.epoch}.`;
  return { on: "returned", notes: [...why, note] };
};
