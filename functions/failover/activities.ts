import { planHash, stateOf } from "../../shared/approval.ts";
import { ensure } from "../../shared/ensure.ts";
import type { Refusal } from "../../shared/outcome.ts";
import { observed, sentence } from "../../shared/outcome.ts";
import { whilePaused } from "../../shared/pause.ts";
import { isOpen } from "../database/decide.ts";
import type { Facts, Plan } from "./decide.ts";
import { evidenceOf, fencedAt, judge } from "./decide.ts";
import type { Ending, Work } from "./failover.ts";
import { record } from "./failover.ts";
import type { Ports } from "./ports.ts";

const assess = async ({ steps, ports, run }: Work): Promise<Ending> => {
  run.rounds += 1;
  const assessed = await steps.step(`assess #${run.rounds}`, async () => {
    const facts = await gather(ports);
    const now = ports.clock.now();
    const decision = judge(facts, ports.policy, run.trigger, run.name, now);
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

/** Asked before every change: the brake, and whether the epoch is still the one this run knows. */
const permitted = async ({ ports, run }: Work): Promise<Refusal | undefined> => {
  const paused = whilePaused(await ports.readPause());
  if (paused || run.epoch === null) return paused;
  const lease = await ports.readLease();
  if (lease.epoch === run.epoch && lease.holder === run.name) return undefined;
  const reason = `The lease is at epoch ${lease.epoch}, held by ${lease.holder}; this run had ${run.epoch}.`;
  return { code: "lease-moved", reason };
};

const warm = async (work: Work): Promise<Ending> => {
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
const openRequest = async ({ steps, clock, ports, run }: Work): Promise<Ending> => {
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
const awaitApproval = async (work: Work): Promise<Ending> => {
  const { steps, clock, ports, run } = work;
  const hash = run.hash ?? "";
  const looks = Math.ceil(ports.policy.approvalExpirySeconds / lookSeconds) + 50;
  for (let look = 1; look <= looks; look += 1) {
    const name = `approval #${run.rounds}.${look}`;
    const seen = await steps.step(`look at ${name}`, async () => {
      const approval = await ports.approvals.read(hash);
      if (!approval) throw new Error("the request for approval has vanished");
      const by = approval.approvals.map(({ user }) => user);
      const leftSeconds = Math.max(0, (approval.expiresAtMilliseconds - clock.now()) / 1000);
      return {
        is: stateOf(approval, clock.now()),
        by,
        rejectedBy: approval.rejectedBy,
        leftSeconds,
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
const claim = async ({ steps, ports, run }: Work): Promise<Ending> => {
  const plan = planOf({ run });
  const claimed = await steps.step(`claim #${run.rounds}`, async (): Promise<Ending> => {
    const facts = await gather(ports);
    if (facts.lease.known && facts.lease.value.holder === run.name)
      return { on: "claimed", notes: [] };
    const now = ports.clock.now();
    const again = judge(facts, ports.policy, run.trigger, run.name, now);
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
    const claim = await ports.claimLease(run.seen, run.name);
    if ("held" in claim) return { on: "claimed", notes: [`Epoch ${claim.held.epoch}.`] };
    return { on: "lost", notes: [`Epoch ${claim.lost.epoch} is held by ${claim.lost.holder}.`] };
  });
  if (claimed.on === "claimed") run.epoch = plan.epoch;
  if (claimed.on === "changed") run.approvedBy = [];
  return claimed;
};

/** Tries once, briefly: a region that is gone does not answer, and waiting is what comes next. */
const fence = async ({ steps, ports, run }: Work): Promise<Ending> => {
  const { from } = planOf({ run });
  run.fence = await steps.step("fence", async () => {
    const report = await observed(`guard in ${from}`, ports.clock.now, () =>
      ports.obey(from, run.epoch ?? 0),
    );
    if (report.known) return report.value.fence;
    const layers = ["logins", "security-group", "capacity", "role-rule"] as const;
    return layers.map((layer) => ({ layer, result: "unreachable" as const, detail: report.why }));
  });
  const notes = run.fence.map(({ layer, result, detail }) => `${layer}: ${result} (${detail})`);
  const closed = run.fence.some(({ layer, result }) => layer === "logins" && result === "fenced");
  return { on: closed ? "fenced" : "unverified", notes, data: { fence: run.fence } };
};

/**
 * A region without the lease table fences itself `isolationSeconds` after its guard's last contact.
 * That contact is read after the claim: any later one reads the new epoch and fences at once.
 */
const isolate = async ({ steps, clock, ports, run }: Work): Promise<Ending> => {
  const waitsLimit = Math.ceil(fencedAfterSeconds(ports) / 30) + 5;
  const claimedAt = await steps.step("isolation begins", async () => Math.floor(clock.now()));
  for (let wait = 1; wait <= waitsLimit; wait += 1) {
    const seen = await steps.step(`isolation #${wait}`, async () => {
      const contact = await ports.readContact();
      const obeys = contact !== null && contact.epoch >= (run.epoch ?? 0);
      const logins = contact?.fence?.find(({ layer }) => layer === "logins");
      // Without any contact on record the silence counts from the claim.
      const until = contact
        ? fencedAt(contact, ports.policy)
        : claimedAt + fencedAfterSeconds(ports) * 1000;
      const fenced = obeys && logins?.result === "fenced";
      return { fenced, fence: contact?.fence ?? [], leftSeconds: (until - clock.now()) / 1000 };
    });
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

/** States and records what is lost, then opens the one-way door. */
const promote = async (work: Work): Promise<Ending> => {
  const { steps, clock, ports, run } = work;
  const position = await steps.step("state the loss", () =>
    observed("replica", clock.now, () => ports.database({ do: "position" })),
  );
  await record(work, "loss", {
    kind: "saw",
    text: position.known
      ? `Before promotion the replica stands at ${position.value.lsn}.`
      : `Before promotion the replica does not say where it stands (${position.why}).`,
    data: { position, loss: planOf(work).loss },
  });
  const promoted = await ensure(steps, clock, {
    name: "promote",
    observe: ports.replica,
    satisfied: ({ isReplica, status }) => !isReplica && status === "available",
    due: ({ isReplica, status }) => isReplica && status === "available",
    act: () => ports.promote(),
    permitted: () => permitted(work),
    within: { seconds: 1800, everySeconds: 5, actAgainAfterSeconds: 90 },
  });
  if (promoted.is === "refused") return { on: "refused", notes: [promoted.refusal.reason] };
  run.promoteCalls = promoted.acts;
  run.pastReturn = true;
  const last = promoted.is === "late" ? promoted.last : null;
  const seen = last === null || last.known ? JSON.stringify(last?.value ?? "") : last.why;
  return promoted.is === "ensured"
    ? { on: "promoted", notes: [`${promoted.seen.id} is a primary of its own.`] }
    : { on: "late", notes: [`Last seen: ${seen}. ${promoted.doubt ?? ""}`] };
};

const open = async (work: Work): Promise<Ending> => {
  const { steps, clock, ports, run } = work;
  const opened = await ensure(steps, clock, {
    name: "open",
    observe: async () => {
      const { recovery } = await ports.database({ do: "position" });
      return { recovery, open: isOpen(await ports.database({ do: "logins" })) };
    },
    satisfied: (seen) => !seen.recovery && seen.open,
    due: ({ recovery }) => !recovery,
    act: async () => void (await ports.database({ do: "liftFence" })),
    permitted: () => permitted(work),
    within: { seconds: 300, everySeconds: 5, actAgainAfterSeconds: 15 },
  });
  if (opened.is !== "ensured") return late(opened.is === "refused" ? opened.refusal.reason : "");
  const written = await ensure(steps, clock, {
    name: "test write",
    observe: () => ports.database({ do: "probeWrite", epoch: run.epoch ?? 0 }),
    satisfied: ({ epoch }) => epoch === run.epoch,
    act: async () => undefined,
    within: { seconds: 120, everySeconds: 5 },
  });
  return written.is === "ensured" ? { on: "open", notes: [] } : late("The test write failed.");
};

const late = (note: string): Ending => ({ on: "late", notes: note ? [note] : [] });

const repoint = async (work: Work): Promise<Ending> => {
  const { steps, clock, ports, run } = work;
  for (const name of ports.secretNames) {
    const pointed = await ensure(steps, clock, {
      name: `repoint ${name}`,
      observe: () => ports.secret(name),
      satisfied: ({ standsAlone, pointsHere }) => standsAlone && pointsHere,
      act: () => ports.repoint(name, run.name),
      permitted: () => permitted(work),
      within: { seconds: 180, everySeconds: 5, actAgainAfterSeconds: 15 },
    });
    if (pointed.is !== "ensured") return late(`The secret ${name} still follows the old region.`);
  }
  return { on: "repointed", notes: [`${ports.secretNames.length} secret(s).`] };
};

/** Waits for capacity before users are sent: a region that falls over at once helps nobody. */
const activate = async (work: Work): Promise<Ending> => {
  const { steps, clock, ports, run } = work;
  const plan = planOf(work);
  const capacity = await ensure(steps, clock, {
    name: "capacity",
    observe: ports.capacity,
    satisfied: ({ inService, maximum }) => inService >= Math.min(plan.capacity, maximum),
    due: () => false,
    act: async () => undefined,
    within: { seconds: 300, everySeconds: 10 },
  });
  const settled = await steps.step("settle the lease", () =>
    ports.settleLease(run.epoch ?? 0, run.name),
  );
  if ("lost" in settled) return late(`The lease is at epoch ${settled.lost.epoch} by now.`);
  const active = await ensure(steps, clock, {
    name: "activate",
    observe: async () => ({ role: (await ports.obey(plan.to, run.epoch ?? 0)).role }),
    satisfied: ({ role }) => role === "active",
    due: () => false,
    act: async () => undefined,
    within: { seconds: 180, everySeconds: 5 },
  });
  if (active.is !== "ensured") return late("The guard does not turn the role rule.");
  const enough = capacity.is === "ensured" ? [] : ["Not all wanted instances are in service yet."];
  return { on: "active", notes: enough };
};

/** Resolvers, then a write: an address alone says nothing about what answers there. */
const verify = async ({ steps, clock, ports }: Work): Promise<Ending> => {
  const verified = await ensure(steps, clock, {
    name: "verify",
    observe: async () => {
      const view = await ports.publicView();
      if (view.elsewhere.length > 0) return { ...view, accepted: false, detail: "not tried yet" };
      return { ...view, ...(await ports.probePublicWrite()) };
    },
    satisfied: ({ elsewhere, here, accepted }) =>
      elsewhere.length === 0 && here.length > 0 && accepted,
    due: () => false,
    act: async () => undefined,
    within: { seconds: 300 + 2 * ports.policy.ttlSeconds, everySeconds: 5 },
  });
  if (verified.is === "ensured") {
    return { on: "verified", notes: [`Resolvers: ${verified.seen.here.join(", ")}.`] };
  }
  const last = verified.is === "late" ? verified.last : undefined;
  return late(last?.known ? JSON.stringify(last.value) : (last?.why ?? ""));
};

/**
 * Takes back what was done before the point of no return, and lets the next run have a name of its
 * own. What cannot be undone is told, never hidden.
 */
export const undo = async ({ steps, clock, ports, run }: Work): Promise<string[]> => {
  const notes: string[] = [];
  const { desiredBefore, plan, seen } = run;
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

const planOf = ({ run }: Pick<Work, "run">): Plan => {
  if (!run.plan) throw new Error(`${run.name} has no plan in state ${run.state}`);
  return run.plan;
};

/** What is done in each state; the table of states says what its ending leads to. */
export const activities = {
  proposed: assess,
  assessed: warm,
  warming: openRequest,
  asking: awaitApproval,
  approved: claim,
  claimed: fence,
  isolating: isolate,
  fenced: promote,
  promoted: open,
  writable: repoint,
  repointed: activate,
  serving: verify,
};
