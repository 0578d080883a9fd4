import type { FenceLayer } from "../../shared/contact.ts";
import { ensure } from "../../shared/ensure.ts";
import { inSentences, observed } from "../../shared/outcome.ts";
import type { GuardReport } from "../guard/guard.ts";
import { fencedAt } from "./decide.ts";
import type { Ending, Run, Work } from "./failover.ts";
import { planOf, stoppedBy } from "./permitted.ts";
import type { Ports } from "./ports.ts";

/**
 * A region that is gone does not answer, and waiting is what comes next: one try. A region that is well
 * is asked again, since one lost answer is no reason to give a planned move up.
 */
const triesOf = ({ kind }: Run): number => (kind === "switchover" ? 3 : 1);

const fenceLayers = ["logins", "security-group", "capacity", "role-rule"] as const;

export const fence = async ({ steps, ports, run }: Work): Promise<Ending> => {
  const told = await steps.step("fence", async () => {
    for (let number = 1; ; number += 1) {
      const stopped = await stoppedBy(ports, run);
      if (stopped) return { layers: [], lsn: null, why: null, stopped: stopped.reason };
      const asked = await askToFence(ports, run);
      if (isClosed(asked.layers) || number >= triesOf(run)) return { ...asked, stopped: null };
      await ports.clock.sleep(2000);
    }
  });
  if (told.stopped) return { on: "give-back", notes: [told.stopped] };
  run.fence = told.layers;
  run.fencedLsn = told.lsn;
  const layers = run.fence.map(({ layer, result, detail }) => `${layer}: ${result} (${detail})`);
  const notes = told.why ? [told.why] : layers;
  const data = { fence: run.fence, fencedLsn: run.fencedLsn };
  if (isClosed(run.fence)) return { on: "fenced", notes, data };
  return { on: run.kind === "switchover" ? "give-back" : "unverified", notes, data };
};

const isClosed = (layers: FenceLayer[]): boolean =>
  layers.some(({ layer, result }) => layer === "logins" && result === "fenced");

interface AskedToFence {
  layers: FenceLayer[];
  lsn: string | null;
  /** Why a guard that answered has fenced nothing; null when it has tried. */
  why: string | null;
}

const askToFence = async (ports: Ports, run: Run): Promise<AskedToFence> => {
  const { from } = planOf({ run });
  const report = await observed(`guard in ${from}`, ports.clock.now, () =>
    ports.obey(from, run.epoch ?? 0),
  );
  if (report.known) {
    const { fence, fencedLsn } = report.value;
    return { layers: fence, lsn: fencedLsn, why: whyNone(report.value) };
  }
  const unreachable = { result: "unreachable" as const, detail: report.why };
  return { layers: fenceLayers.map((layer) => ({ layer, ...unreachable })), lsn: null, why: null };
};

const whyNone = ({ region, fence, decision, epoch, reasons }: GuardReport): string | null => {
  if (fence.length > 0) return null;
  const because = inSentences([reasons.join("; ")]);
  if (decision === "hold") return `The guard in ${region} could not read the lease: ${because}`;
  return `The guard in ${region} fenced nothing at epoch ${epoch} (${decision}): ${because}`;
};

/**
 * A region without the lease table fences itself `isolationSeconds` after its guard's last contact.
 * That contact is read after the claim: any later one reads the new epoch and fences at once.
 */
export const isolate = async (work: Work): Promise<Ending> => {
  const { steps, clock, ports, run } = work;
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
    if (seen.fenced) return cameBack(work, seen.fence);
    if (seen.leftSeconds <= 0) {
      const note = `${planOf({ run }).from} has been silent for ${fencedAfterSeconds(ports)} s or more.`;
      return { on: "waited", notes: [note] };
    }
    await steps.rest(`isolation rest #${wait}`, Math.min(30, seen.leftSeconds));
  }
  throw new Error("the old region keeps making contact without obeying the lease");
};

/**
 * The old region is back and has fenced itself. It is asked once where its log ended: a replica that can
 * reach it again gets what it lacks before it is promoted.
 */
const cameBack = async ({ steps, ports, run }: Work, reported: FenceLayer[]): Promise<Ending> => {
  const asked = await steps.step("where the log ended", () => askToFence(ports, run));
  run.fence = isClosed(asked.layers) ? asked.layers : reported;
  run.fencedLsn = isClosed(asked.layers) ? asked.lsn : null;
  const where = run.fencedLsn
    ? ` Its log ends at ${run.fencedLsn}.`
    : " It does not say where its log ends.";
  const data = { fence: run.fence, fencedLsn: run.fencedLsn };
  return { on: "fenced", notes: [`The old region fenced itself.${where}`], data };
};

const fencedAfterSeconds = ({ policy }: Ports) =>
  policy.isolationSeconds + policy.heartbeatSeconds + policy.isolationMarginSeconds;

/** How long the replica gets for the end of the log: seconds matter when the region is dying. */
const drainSecondsOf = ({ kind }: Run): number => (kind === "switchover" ? 120 : 30);

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
    within: { seconds: drainSecondsOf(run), everySeconds: 1 },
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
  const claimed = { epoch: run.epoch, holder: run.name, driver: run.again };
  const returned = await steps.step("return the lease", async () => {
    // Another execution may have promoted it, which only the replica itself can tell.
    if (run.again > 0 && run.stated && !(await ports.replica()).isReplica)
      return { promoted: true as const };
    return ports.returnLease(claimed, seen);
  });
  if ("promoted" in returned) {
    const note = `The replica is a primary by now: ${from} does not get the lease back.`;
    return { on: "late", notes: [...why, note] };
  }
  if ("lost" in returned) {
    const { epoch, region, holder } = returned.lost;
    const where = `epoch ${epoch} by now, in ${region}, by ${holder}`;
    const note = `The lease could not be given back: it is at ${where}.`;
    return { on: "late", notes: [...why, note] };
  }
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
    const told = active.is === "late" && !active.last.known ? ` (${active.last.why})` : "";
    const note = `${from} has the lease again and did not say that it is active${told}.`;
    return { on: "late", notes: [...why, note] };
  }
  const note = `${from} is active again at epoch ${returned.held.epoch}.`;
  return { on: "returned", notes: [...why, note] };
};
