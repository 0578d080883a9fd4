import { ensure } from "../../shared/ensure.ts";
import type { Lease } from "../../shared/lease.ts";
import { nextRun } from "../../shared/lease.ts";
import type { Fact } from "../../shared/outcome.ts";
import { observed, sentence } from "../../shared/outcome.ts";
import { whilePaused } from "../../shared/pause.ts";
import type { Plan } from "./decide.ts";
import type { Run, Work } from "./failover.ts";
import type { State, Transition } from "./states.ts";

/** States in which a claim was not made yet, so that nothing can depend on the warming. */
const beforeClaim: readonly State[] = ["proposed", "assessed", "warming", "asking", "rehearsing"];

/**
 * Whether a run that ends this way has something to take back. Also when a human is asked before
 * anything was moved, since the next run needs a name of its own, and when the lease was to go back:
 * whoever is called then has to know what was undone and what is left.
 */
export const isUndone = (run: Run, { from, to }: Transition): boolean =>
  to === "aborted" ||
  (to === "done" && run.kind === "rehearsal") ||
  (to === "needs-human" && (run.epoch === null || from === "returning"));

/**
 * Takes back what was done before the point of no return, and lets the next run have a name of its
 * own. What cannot be undone is told, never hidden.
 */
export const undo = async (work: Work): Promise<string[]> => {
  const { steps, clock, ports, run } = work;
  const { desiredBefore, plan } = run;
  const lease = await steps.step("whose lease it is", () =>
    observed("coordination table", clock.now, ports.readLease),
  );
  const needed = plan ? neededStill(run, plan, lease) : null;
  // The answer to the claim was lost, and not the claim: whoever is called has to carry this run on.
  if (lease.known && isClaimed(run, lease.value)) run.epoch = lease.value.epoch;
  if (needed) return [needed];
  const notes: string[] = [];
  if (plan && desiredBefore === null) {
    notes.push(`Left: ${plan.to} may still be warmed; the capacity it had before is not known.`);
  }
  if (plan && desiredBefore !== null && desiredBefore < plan.capacity) {
    notes.push(await undoWarming(work, plan, desiredBefore));
  }
  return [...notes, ...(await closeAttempt(work))];
};

/**
 * Why the standby region keeps what it has: the lease is on its way there, or is there, by this run or
 * by another. By region and state, not by name, since a lease that was given back still names the run
 * that had it.
 */
const neededStill = (run: Run, { to }: Plan, lease: Fact<Lease>): string | null => {
  if (!lease.known) {
    if (beforeClaim.includes(run.state)) return null;
    return (
      `Left: ${to} stays as it is, since this run may have claimed the lease, ` +
      `which cannot be read (${lease.why}). If the status shows it moving by this run, carry it on.`
    );
  }
  const { region, state, holder, epoch } = lease.value;
  if (region !== to) return null;
  const whose = holder === run.name ? "by this run" : `by ${holder}`;
  const what = state === "moving" ? "is on its way there" : "is there";
  return `Left: ${to} stays as it is: the lease of epoch ${epoch} ${what}, ${whose}.`;
};

const isClaimed = ({ name, plan, epoch }: Run, lease: Lease): boolean =>
  epoch === null && lease.holder === name && lease.state === "moving" && lease.region === plan?.to;

const undoWarming = async (
  { steps, clock, ports }: Work,
  { to }: Plan,
  before: number,
): Promise<string> => {
  // A look may show the group as it was before the warming, so it alone does not prove the undoing.
  let ordered = false;
  const undone = await ensure(steps, clock, {
    name: "undo the warming",
    observe: ports.capacity,
    satisfied: ({ desired }) => ordered && desired <= before,
    act: async ({ desired }) => {
      await ports.setDesired(Math.min(desired, before));
      ordered = true;
    },
    permitted: async () => {
      const { region } = await ports.readLease();
      // Another run may have moved the lease here since: then users need what this one has warmed.
      if (region === to) return { code: "needed", reason: `The lease is in ${to} by now.` };
      return whilePaused(await ports.readPause());
    },
    within: { seconds: 60, everySeconds: 5, actAgainAfterSeconds: 15 },
  });
  if (undone.is === "ensured") return `Undone: ${to} is back at ${before} instances.`;
  const why =
    undone.is === "refused"
      ? undone.refusal.reason
      : (undone.doubt ?? "the order does not show in its group");
  return `Left: ${to} still has the capacity it was warmed to (${why})`;
};

/** A rehearsal has a name of its own kind and takes none from the next move. */
const closeAttempt = async ({ steps, clock, ports, run }: Work): Promise<string[]> => {
  const { kind } = run;
  if (kind === "rehearsal") return [];
  const closed = await steps.step("close the attempt", async () => {
    const lease = await observed("coordination table", clock.now, ports.readLease);
    // A run that never saw the lease has its name from it all the same, and has to free it.
    const named = lease.known && nextRun(lease.value) === run.name ? lease.value : null;
    const seen = run.seen ?? named;
    if (!lease.known || lease.value.epoch !== seen?.epoch) return "not needed";
    return ports.closeAttempt(seen).then(() => "closed", sentence);
  });
  const isFree = closed === "closed" || closed === "not needed";
  return isFree ? [] : [`The attempt stays open: ${closed}.`];
};
