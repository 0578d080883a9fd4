import { againOf } from "../../shared/again.ts";
import { ensure } from "../../shared/ensure.ts";
import type { Entry } from "../../shared/journal.ts";
import { type Lease, leaseBefore } from "../../shared/lease.ts";
import type { Plan } from "./decide.ts";
import type { Ending, Run, Work } from "./failover.ts";
import { late, stoppedBy } from "./permitted.ts";
import { asUnclaimed, gather, lookAtAll, planned } from "./prepare.ts";

/** What only the record of the earlier executions can tell. */
interface Left {
  plan: Plan | null;
  desiredBefore: number | null;
  approvedBy: string[];
  /** The loss was stated, as it is before each promotion: without it none was ever asked for. */
  stated: boolean;
  /** It was decided that the lease goes back; what was decided so never goes forward again. */
  returning: boolean;
}

const leftBy = (entries: readonly Entry[], again: number): Left => {
  const earlier = entries.filter(({ key }) => againOf(key) < again);
  const data = earlier.flatMap((entry) => (entry.data ? [entry.data] : []));
  const plan = data.findLast((each) => each.plan && each.hash)?.plan;
  const desired = data.find(({ desiredBefore }) => typeof desiredBefore === "number");
  const by = data.findLast((each) => Array.isArray(each.by))?.by;
  return {
    plan: (plan as Plan | undefined) ?? null,
    desiredBefore: (desired?.desiredBefore as number | undefined) ?? null,
    approvedBy: (by as string[] | undefined) ?? [],
    stated: earlier.some(({ key }) => /(^|: )loss$/.test(key)),
    returning: data.some(({ to }) => to === "returning"),
  };
};

/**
 * Takes the lease from the execution before it, then sees where things are. In this order: an execution
 * that is still alive, against all that is known, and has been permitted to promote before it lost the
 * lease has stated the loss before that, so that it is found here.
 */
export const takeUp = async (work: Work): Promise<Ending> => {
  const { steps, ports, run } = work;
  run.rounds += 1;
  const driven = await steps.step(`drive the lease #${run.rounds}`, () =>
    ports.driveLease(run.name, run.again),
  );
  if ("lost" in driven) return overtaken(run, driven.lost);
  const left = await steps.step(`what was left #${run.rounds}`, async () =>
    leftBy(await ports.entries(run.name), run.again),
  );
  if (!left.plan) throw new Error(`the journal of ${run.name} has no plan`);
  place(run, driven.held, left, left.plan);
  if (driven.held.region !== ports.policy.here) {
    return { on: "give-back", notes: [`${driven.held.region} has its lease back already.`] };
  }
  if (!run.stated) return (await goingBack(work, left)) ?? askAgain(work);
  const became = await whatBecame(work);
  if (became === "unclear") return late("The replica did not come to rest for half an hour.");
  if (became === "promoted") return forward(run, left);
  return (await goingBack(work, left)) ?? askAgain(work);
};

const overtaken = ({ name }: Run, { epoch, holder, driver = 0 }: Lease): Ending => {
  const by = holder === name ? `execution ${driver} of this run` : holder;
  return { on: "overtaken", notes: [`The lease is at epoch ${epoch}, driven by ${by}.`] };
};

/** The claim as the lease tells it, whether it still stands or was given back. */
const place = (run: Run, held: Lease, left: Left, plan: Plan): void => {
  const { here, home } = run.policy;
  const epoch = held.region === here ? held.epoch : held.epoch - 1;
  run.epoch = epoch;
  run.seen = leaseBefore(held, { epoch: epoch - 1, region: home });
  run.plan = plan;
  run.stated = left.stated;
  run.desiredBefore = left.desiredBefore;
};

/** Longer than a call of an execution that has just been stopped can still be under way. */
const quietSeconds = 60;

/** Whether the replica was promoted after all; one that RDS is at may be about to be. */
const whatBecame = async (work: Work): Promise<"promoted" | "replica" | "unclear"> => {
  const { steps, clock, ports, run } = work;
  const look = (when: string) =>
    ensure(steps, clock, {
      name: `the replica ${when} #${run.rounds}`,
      observe: ports.replica,
      satisfied: ({ isReplica, status }) => !isReplica || status === "available",
      due: () => false,
      act: async () => undefined,
      within: { seconds: 1800, everySeconds: 5 },
    });
  const first = await look("now");
  if (first.is !== "ensured") return "unclear";
  if (!first.seen.isReplica) return "promoted";
  await steps.rest(`let calls under way show #${run.rounds}`, quietSeconds);
  const second = await look("after a while");
  if (second.is !== "ensured") return "unclear";
  return second.seen.isReplica ? "replica" : "promoted";
};

/** Nobody is asked: the old region may not write, this one can, and there is no way back. */
const forward = (run: Run, { approvedBy }: Left): Ending => {
  run.pastReturn = true;
  run.approvedBy = approvedBy;
  const note = "The replica was promoted before: nobody is asked to approve what cannot be undone";
  return { on: "forward", notes: [note] };
};

const goingBack = async ({ steps, ports, run }: Work, left: Left): Promise<Ending | undefined> => {
  const stopped = await steps.step(`is it stopped #${run.rounds}`, async () => {
    const refusal = await stoppedBy(ports, run);
    return refusal?.reason ?? null;
  });
  if (stopped) return { on: "give-back", notes: [stopped] };
  if (!left.returning) return undefined;
  return { on: "give-back", notes: ["It was giving the lease back when it stopped."] };
};

/** By the same rules as before, with new facts and new people: an old approval is for old facts. */
const askAgain = async (work: Work): Promise<Ending> => {
  const { run } = work;
  run.approvedBy = [];
  const assessed = await lookAtAll(work, `assess again #${run.rounds}`, async (ports) =>
    asUnclaimed(run, await gather(ports)),
  );
  run.facts = assessed.facts;
  return planned(run, assessed);
};
