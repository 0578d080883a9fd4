import { planHash, stateOf } from "../../shared/approval.ts";
import { ensure } from "../../shared/ensure.ts";
import { observed, sentence } from "../../shared/outcome.ts";
import { whilePaused } from "../../shared/pause.ts";
import type { Facts, Plan } from "./decide.ts";
import { evidenceOf, judge } from "./decide.ts";
import type { Ending, Run, Work } from "./failover.ts";
import { record } from "./failover.ts";
import { permitted, planOf, stoppedBy } from "./permitted.ts";
import type { Ports } from "./ports.ts";
import type { Wish } from "./request.ts";

export const assess = async ({ steps, ports, run }: Work): Promise<Ending> => {
  run.rounds += 1;
  const assessed = await steps.step(`assess #${run.rounds}`, async () => {
    const facts = await gather(ports);
    const now = ports.clock.now();
    const decision = judge(facts, ports.policy, wishOf(run), now);
    const hash = decision.kind === "proceed" ? hashOf(decision.plan, facts, ports, now) : null;
    return { facts, decision, hash };
  });
  run.facts = assessed.facts;
  run.seen = assessed.facts.lease.known ? assessed.facts.lease.value : null;
  const { decision } = assessed;
  if (decision.kind === "refuse") {
    const notes = decision.refusals.map(({ reason }) => reason);
    return { on: "refused", notes, data: { refusals: decision.refusals } };
  }
  if (run.rounds > 5)
    return { on: "refused", notes: ["The facts keep changing: five plans are void."] };
  run.plan = decision.plan;
  run.hash = assessed.hash;
  return { on: "ready", notes: decision.reasons, data: { plan: decision.plan, hash: run.hash } };
};

const wishOf = ({ name, kind, trigger }: Run): Wish => ({ run: name, kind, trigger });

const hashOf = (plan: Plan, facts: Facts, { policy }: Ports, now: number): string =>
  planHash({ run: plan.run }, evidenceOf(plan, facts, policy, now));

/** All facts at once: the slowest look bounds the time, and a failed one is a fact as well. */
const gather = async (ports: Ports): Promise<Facts> => {
  const { now } = ports.clock;
  const [lease, pause, replica, position, contact, capacity, secrets] = await Promise.all([
    observed("coordination table", now, ports.readLease),
    ports.readPause(),
    observed("RDS", now, ports.replica),
    observed("replica", now, () => ports.database({ do: "position" })),
    observed("coordination table", now, ports.readContact),
    observed("Auto Scaling", now, ports.capacity),
    observed("Secrets Manager", now, async () => {
      const states = await Promise.all(ports.secretNames.map((name) => ports.secret(name)));
      return states.map(({ name, present }) => ({ name, replicated: present }));
    }),
  ]);
  return { lease, pause, replica, position, contact, capacity, secrets };
};

export const warm = async (work: Work): Promise<Ending> => {
  const { steps, clock, ports, run } = work;
  const plan = planOf(work);
  run.desiredBefore ??= await desiredBefore(work);
  const warmed = await ensure(steps, clock, {
    name: `warm #${run.rounds}`,
    observe: ports.capacity,
    satisfied: ({ desired, maximum }) => desired >= Math.min(plan.capacity, maximum),
    act: ({ maximum }) => ports.setDesired(Math.min(plan.capacity, maximum)),
    permitted: () => permitted(work),
    within: { seconds: 30, everySeconds: 5, actAgainAfterSeconds: 10 },
  });
  if (warmed.is === "refused") return { on: "paused", notes: [warmed.refusal.reason] };
  const notes =
    warmed.is === "ensured"
      ? [`${plan.to} is asked for ${plan.capacity} instances.`]
      : [
          `${plan.to} did not take the order for ${plan.capacity} instances; going on with what it has.`,
        ];
  return { on: "warm", notes };
};

/** What the warming has to go back to when the run is aborted; looked at again when it is unknown. */
const desiredBefore = async ({ steps, ports, run }: Work): Promise<number | null> => {
  if (run.facts?.capacity.known) return run.facts.capacity.value.desired;
  const seen = await steps.step(`capacity before #${run.rounds}`, () =>
    observed("Auto Scaling", ports.clock.now, ports.capacity),
  );
  return seen.known ? seen.value.desired : null;
};

/** The request is opened before its buttons are shown, so that the first press finds it. */
export const openRequest = async ({ steps, clock, ports, run }: Work): Promise<Ending> => {
  const plan = planOf({ run });
  const hash = run.hash ?? "";
  if (plan.approvals === 0) {
    return {
      on: "automatic",
      notes: ["The operator's policy is automatic for a loss within the limit."],
    };
  }
  await steps.step(`open the request #${run.rounds}`, async () => {
    await ports.approvals.open({
      planHash: hash,
      run: run.name,
      requester: run.trigger.who,
      neededApprovals: plan.approvals,
      expiresAtMilliseconds: Math.floor(clock.now()) + ports.policy.approvalExpirySeconds * 1000,
    });
  });
  return {
    on: "ask",
    notes: [plan.loss.text, `${plan.approvals} different operators must approve.`],
  };
};

const lookSeconds = 60;

/** Looks at the request itself after every wake-up and at least once a minute. */
export const awaitApproval = async (work: Work): Promise<Ending> => {
  const { steps, clock, ports, run } = work;
  const hash = run.hash ?? "";
  const looks = Math.ceil(ports.policy.approvalExpirySeconds / lookSeconds) + 50;
  for (let look = 1; look <= looks; look += 1) {
    const name = `approval #${run.rounds}.${look}`;
    const seen = await steps.step(`look at ${name}`, async () => {
      const approval = await ports.approvals.read(hash);
      if (!approval) throw new Error("the request for approval has vanished");
      const by = approval.approvals.map(({ user }) => user);
      const stopped = await stoppedBy(ports, run);
      const leftSeconds = Math.max(0, (approval.expiresAtMilliseconds - clock.now()) / 1000);
      return {
        is: stateOf(approval, clock.now()),
        by,
        rejectedBy: approval.rejectedBy,
        leftSeconds,
        stopped: stopped?.reason ?? null,
      };
    });
    if (seen.by.length > run.approvedBy.length) {
      run.approvedBy = seen.by;
      const text = `Approved by ${seen.by.join(" and ")}.`;
      await record(work, `${name} by ${seen.by.length}`, {
        kind: "saw",
        text,
        data: { by: seen.by },
      });
    }
    if (seen.stopped) return { on: "rejected", notes: [seen.stopped] };
    if (seen.is === "granted" || seen.is === "used") return { on: "approved", notes: [] };
    if (seen.is === "rejected")
      return { on: "rejected", notes: [`Rejected by ${seen.rejectedBy}.`] };
    if (seen.is === "expired") return { on: "expired", notes: [] };
    const seconds = Math.min(lookSeconds, Math.ceil(seen.leftSeconds) + 1);
    await steps.awaken(`wait for ${name}`, seconds, (id) => ports.approvals.wakeBy(hash, id));
  }
  return { on: "expired", notes: [`${looks} looks without an answer.`] };
};

/**
 * Looks at the world once more, since minutes have passed: an approval is for the plan and the facts
 * it was given for. Then moves the lease, the first change that the old region feels.
 */
export const claim = async ({ steps, ports, run }: Work): Promise<Ending> => {
  const plan = planOf({ run });
  const claimed = await steps.step(`claim #${run.rounds}`, async (): Promise<Ending> => {
    const facts = await gather(ports);
    if (facts.lease.known && facts.lease.value.holder === run.name)
      return { on: "claimed", notes: [] };
    const stopped = await stoppedBy(ports, run);
    if (stopped) return { on: "refused", notes: [stopped.reason] };
    const now = ports.clock.now();
    const again = judge(facts, ports.policy, wishOf(run), now);
    if (again.kind === "refuse") {
      return { on: "refused", notes: again.refusals.map(({ reason }) => reason) };
    }
    if (hashOf(again.plan, facts, ports, now) !== run.hash || !run.seen) {
      return { on: "changed", notes: [again.plan.loss.text] };
    }
    if (plan.approvals > 0) {
      const used = await ports.approvals.use(
        run.hash ?? "",
        run.name,
        Math.floor(ports.clock.now()),
      );
      if ("refused" in used) return { on: "refused", notes: [used.refused.reason] };
    }
    const claim = await ports.claimLease(run.seen, run.name, run.kind === "switchover");
    if ("held" in claim) return { on: "claimed", notes: [`Epoch ${claim.held.epoch}.`] };
    return { on: "lost", notes: [`Epoch ${claim.lost.epoch} is held by ${claim.lost.holder}.`] };
  });
  if (claimed.on === "claimed") run.epoch = plan.epoch;
  if (claimed.on === "changed") run.approvedBy = [];
  return claimed;
};

/**
 * Takes back what was done before the point of no return, and lets the next run have a name of its
 * own. What cannot be undone is told, never hidden.
 */
export const undo = async ({ steps, clock, ports, run }: Work): Promise<string[]> => {
  const notes: string[] = [];
  const { desiredBefore, plan, seen } = run;
  // A claim whose answer was lost may have been made: then nothing may be taken back.
  const lease = await steps.step("whose lease it is", () =>
    observed("coordination table", clock.now, ports.readLease),
  );
  // A lease that was given back still names its last holder, and is in the old region.
  if (lease.known && lease.value.holder === run.name && lease.value.region !== seen?.region) {
    return [`Left: the lease is held by this run, so ${plan?.to} stays as it is.`];
  }
  if (plan && desiredBefore === null) {
    notes.push(`Left: ${plan.to} may still be warmed; the capacity it had before is not known.`);
  }
  if (plan && desiredBefore !== null && desiredBefore < plan.capacity) {
    // A look may show the group as it was before the warming, so it alone does not prove the undoing.
    let ordered = false;
    const undone = await ensure(steps, clock, {
      name: "undo the warming",
      observe: ports.capacity,
      satisfied: ({ desired }) => ordered && desired <= desiredBefore,
      act: async ({ desired }) => {
        await ports.setDesired(Math.min(desired, desiredBefore));
        ordered = true;
      },
      permitted: async () => whilePaused(await ports.readPause()),
      within: { seconds: 60, everySeconds: 5, actAgainAfterSeconds: 15 },
    });
    notes.push(
      undone.is === "ensured"
        ? `Undone: ${plan.to} is back at ${desiredBefore} instances.`
        : `Left: ${plan.to} still has the capacity it was warmed to.`,
    );
  }
  if (seen) {
    const closed = await steps.step("close the attempt", async () => {
      const lease = await observed("coordination table", clock.now, ports.readLease);
      if (!lease.known || lease.value.epoch !== seen.epoch) return "not needed";
      return ports.closeAttempt(seen).then(() => "closed", sentence);
    });
    if (closed !== "closed" && closed !== "not needed")
      notes.push(`The attempt stays open: ${closed}.`);
  }
  return notes;
};
