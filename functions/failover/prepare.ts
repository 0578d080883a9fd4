import { planHash, stateOf } from "../../shared/approval.ts";
import { ensure } from "../../shared/ensure.ts";
import type { Lease } from "../../shared/lease.ts";
import { observed } from "../../shared/outcome.ts";
import type { Facts, Plan, Policy } from "./decide.ts";
import { evidenceOf, judge } from "./decide.ts";
import type { Ending, Run, Work } from "./failover.ts";
import { executionOf, record } from "./failover.ts";
import { permitted, planOf, stoppedBy, stopping } from "./permitted.ts";
import type { Ports } from "./ports.ts";
import type { Wish } from "./request.ts";
import { isForWant, unread, untilRead } from "./unread.ts";

/** How long a fact that cannot be read is looked for again before the move is refused for want of it. */
const assessSeconds = 120;
const claimSeconds = 60;

export const assess = async (work: Work): Promise<Ending> => {
  const { run } = work;
  run.rounds += 1;
  const assessed = await lookAtAll(work, `assess #${run.rounds}`, gather);
  run.facts = assessed.facts;
  run.seen = assessed.facts.lease.known ? assessed.facts.lease.value : null;
  return planned(run, assessed);
};

/** Facts and what is made of them, looked at again for a while when one that is needed is unknown. */
export const lookAtAll = (
  work: Work,
  name: string,
  gathered: (ports: Ports) => Promise<Facts>,
): Promise<ReturnType<typeof judged> & { facts: Facts }> => {
  const { ports, run } = work;
  return untilRead(work, name, assessSeconds, async () => {
    const facts = await gathered(ports);
    const { decision, hash } = judged(run, facts, ports);
    const waits = decision.kind === "refuse" && isForWant(decision.refusals, facts);
    if (!waits) return { facts, decision, hash, again: false };
    // A word to stop is obeyed at once; one that cannot be read either changes nothing.
    const word = await observed(table, ports.clock.now, () => stoppedBy(ports, run));
    const stopped = word.known ? word.value : undefined;
    if (!stopped) return { facts, decision, hash, again: true };
    const refused = { kind: "refuse" as const, refusals: [stopped] };
    return { facts, decision: refused, hash, again: false };
  });
};

/** What `judge` makes of the facts, and the hash that an approval of its plan is bound to. */
export const judged = (run: Run, facts: Facts, { policy, clock }: Ports) => {
  const now = clock.now();
  const decision = judge(facts, policy, wishOf(run), now, run.epoch !== null);
  const hash = decision.kind === "proceed" ? hashOf(run, decision.plan, facts, policy, now) : null;
  return { decision, hash };
};

/** Keeps the plan in the run, or says why there is none. */
export const planned = (run: Run, assessed: ReturnType<typeof judged>): Ending => {
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

/**
 * By its execution and round: what was said to an earlier one is no answer to this one, also when the
 * facts are back to what they were.
 */
const hashOf = (run: Run, plan: Plan, facts: Facts, policy: Policy, now: number): string =>
  planHash({ run: executionOf(run), round: run.rounds }, evidenceOf(plan, facts, policy, now));

/** All facts at once: the slowest look bounds the time, and a failed one is a fact as well. */
export const gather = async (ports: Ports): Promise<Facts> => {
  const [seen, kept] = await Promise.all([seenNow(ports), keptBefore(ports)]);
  return { ...seen, ...kept };
};

/** What was kept while both regions were well, since a lost one cannot be asked. */
const keptBefore = async (ports: Ports) => {
  const { now } = ports.clock;
  const [readiness, demand, upheavals] = await Promise.all([
    observed(table, now, ports.readReadiness),
    observed(table, now, ports.readDemand),
    observed(table, now, ports.readUpheavals),
  ]);
  return { readiness, demand, upheavals };
};

const table = "coordination table";

const seenNow = async (ports: Ports) => {
  const { now } = ports.clock;
  const [lease, pause, replica, position, contact, capacity, secrets] = await Promise.all([
    observed(table, now, ports.readLease),
    ports.readPause(),
    observed("RDS", now, ports.replica),
    observed("replica", now, () => ports.database({ do: "position" })),
    observed(table, now, ports.readContact),
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
  if (warmed.is === "refused") return stopping(run, "paused", [warmed.refusal.reason]);
  const notes =
    warmed.is === "ensured"
      ? [`${plan.to} is asked for ${plan.capacity} instances.`]
      : [
          `${plan.to} did not take the order for ${plan.capacity} instances; going on with what it has.`,
        ];
  // Whoever carries the run on has to know what to go back to.
  return { on: "warm", notes, data: { desiredBefore: run.desiredBefore } };
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
  const opened = await steps.step(`open the request #${run.rounds}`, () =>
    ports.approvals.open({
      planHash: hash,
      run: run.name,
      requester: run.trigger.who,
      neededApprovals: plan.approvals,
      expiresAtMilliseconds: Math.floor(clock.now()) + ports.policy.approvalExpirySeconds * 1000,
    }),
  );
  run.expiresAtMilliseconds = opened.expiresAtMilliseconds;
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
    if (seen.stopped) return stopping(run, "rejected", [seen.stopped]);
    if (seen.is === "granted" || seen.is === "used") return { on: "approved", notes: [] };
    if (seen.is === "rejected") {
      return stopping(run, "rejected", [`Rejected by ${seen.rejectedBy}.`]);
    }
    if (seen.is === "expired") {
      return stopping(run, "expired", [expired(run, ports.policy.approvalExpirySeconds)]);
    }
    if (!run.isShown) await showAgain(work, name);
    const seconds = Math.min(lookSeconds, Math.ceil(seen.leftSeconds) + 1);
    await steps.awaken(`wait for ${name}`, seconds, (id) => ports.approvals.wakeBy(hash, id));
  }
  return stopping(run, "expired", [`${looks} looks without an answer.`]);
};

/** Who had approved, how many were needed, and after how long. */
const expired = ({ approvedBy, plan }: Run, expirySeconds: number): string => {
  const needed = plan?.approvals ?? 0;
  const who =
    approvedBy.length === 0 ? "Nobody approved" : `Only ${approvedBy.join(" and ")} approved`;
  const wanted = needed === 1 ? "1 operator had" : `${needed} different operators had`;
  return `${who}, and ${wanted} to within ${Math.round(expirySeconds / 60)} min.`;
};

/**
 * Nobody can press buttons that Slack did not take. Once for each look, and never as a condition: there
 * is another door than Slack.
 */
const showAgain = async ({ steps, clock, ports, run }: Work, name: string): Promise<void> => {
  const shown = await steps.step(`show ${name} again`, () =>
    observed("Slack", clock.now, () => ports.show(run)),
  );
  const message = shown.known ? shown.value : null;
  run.isShown = message !== null;
  run.message = message ?? run.message;
};

/**
 * Looks at the world once more, since minutes have passed: an approval is for the plan and the facts
 * it was given for. Then moves the lease, the first change that the old region feels.
 */
export const claim = async (work: Work): Promise<Ending> => {
  const { ports, run } = work;
  const plan = planOf({ run });
  const { claimed } = await untilRead(work, `claim #${run.rounds}`, claimSeconds, async () => {
    const seen = await gather(ports);
    if (run.again === 0 && seen.lease.known && isClaimedBy(run, seen.lease.value))
      return ended({ on: "claimed", notes: [] });
    // An earlier try of this step may have claimed it: then to stand back would leave it on its way.
    if (!seen.lease.known && run.kind !== "rehearsal") {
      throw new Error(`whose the lease is cannot be read (${seen.lease.why})`);
    }
    const facts = asUnclaimed(run, seen);
    if (run.again > 0 && seen.lease.known && facts === seen) {
      return ended({ on: "lost", notes: ["The lease is not of this execution any more."] });
    }
    const stopped = await stoppedBy(ports, run);
    if (stopped) return ended(stopping(run, "refused", [stopped.reason]));
    const { decision: again, hash } = judged(run, facts, ports);
    if (again.kind === "refuse") {
      const notes = again.refusals.map(({ reason }) => reason);
      const waits = isForWant(again.refusals, facts);
      // What is no replica any more may be promoted: that is not for a lease to go back on.
      if (run.again > 0 && !isReplica(facts)) return ended({ on: "anew", notes }, waits);
      return ended(stopping(run, "refused", notes), waits);
    }
    if (hash !== run.hash || !run.seen) {
      // What could not be read looks like a change: nobody's approval is void for that.
      const waits = unread(facts).length > 0;
      return ended(
        { on: run.again > 0 ? "anew" : "changed", notes: [again.plan.loss.text] },
        waits,
      );
    }
    return ended(await spend(work, plan, run.seen));
  });
  if (claimed.on === "claimed") run.epoch = plan.epoch;
  if (claimed.on === "changed" || claimed.on === "anew") {
    run.approvedBy = [];
    if (plan.approvals > 0) await withdraw(work);
  }
  return claimed;
};

/** For whoever presses the button of a plan that is no more; the run itself never uses it again. */
const withdraw = async ({ steps, clock, ports, run }: Work): Promise<void> => {
  await steps.step(`withdraw the request #${run.rounds}`, () =>
    observed(table, clock.now, async () => {
      await ports.approvals.withdraw(run.hash ?? "", "the facts have changed since it was made");
      return true;
    }),
  );
};

const ended = (claimed: Ending, again = false) => ({ claimed, again });

/** Uses the approval up, and moves the lease. */
const spend = async ({ ports, run }: Work, plan: Plan, seen: Lease): Promise<Ending> => {
  if (plan.approvals > 0) {
    const nowMilliseconds = Math.floor(ports.clock.now());
    const used = await ports.approvals.use(run.hash ?? "", run.name, nowMilliseconds);
    if ("refused" in used) return { on: "refused", notes: [used.refused.reason] };
  }
  if (run.kind === "rehearsal") return { on: "rehearse", notes: [] };
  const claim =
    run.again > 0
      ? await ports.driveLease(run.name, run.again)
      : await ports.claimLease(seen, run.name, run.kind === "switchover");
  if ("held" in claim) return { on: "claimed", notes: [`Epoch ${claim.held.epoch}.`] };
  return { on: "lost", notes: [`Epoch ${claim.lost.epoch} is held by ${claim.lost.holder}.`] };
};

/** A run's name stays in a lease that it gave back, so the name alone is no claim. */
const isClaimedBy = ({ name, plan }: Run, { holder, region, epoch }: Lease): boolean =>
  holder === name && region === plan?.to && epoch === plan.epoch;

/**
 * The facts as they would be without the claim that this run has made already, so that a run that was
 * carried on is judged by the same rules. A lease that is not its own stays what it is.
 */
export const asUnclaimed = (run: Run, facts: Facts): Facts => {
  const { lease } = facts;
  if (run.again === 0 || !run.seen || !lease.known) return facts;
  const { epoch, holder, driver = 0 } = lease.value;
  const isOurs = epoch === run.epoch && holder === run.name && driver === run.again;
  return isOurs ? { ...facts, lease: { ...lease, value: run.seen } } : facts;
};

/** Whether the replica is seen to be one. */
const isReplica = ({ replica }: Facts): boolean => replica.known && replica.value.isReplica;
