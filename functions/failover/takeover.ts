import { ensure } from "../../shared/ensure.ts";
import type { Fact, Refusal } from "../../shared/outcome.ts";
import { inSentences, observed } from "../../shared/outcome.ts";
import { differing } from "../../shared/settings.ts";
import { isOpen } from "../database/decide.ts";
import type { Capacity } from "./decide.ts";
import type { Ending, Work } from "./failover.ts";
import { record } from "./failover.ts";
import { late, permitted, planOf } from "./permitted.ts";
import type { PublicView } from "./ports.ts";

/** States and records what is lost, then opens the one-way door. */
export const promote = async (work: Work): Promise<Ending> => {
  const { steps, clock, ports, run } = work;
  // Carried on after the promotion: it is not asked for again, only waited for.
  const isBegun = run.pastReturn;
  if (!isBegun) {
    await stateLoss(work);
    run.stated = true;
    const refusal = await lastLook(work);
    if (refusal) return { on: "give-back", notes: [refusal.reason] };
  }
  run.pastReturn = true;
  const promoted = await ensure(steps, clock, {
    name: "promote",
    observe: ports.replica,
    satisfied: ({ isReplica, status }) => !isReplica && status === "available",
    due: ({ isReplica, status }) => !isBegun && isReplica && status === "available",
    // The reboot is the last that RDS does.
    near: ({ isReplica, status }) => !isReplica || status === "rebooting",
    act: () => ports.promote(),
    permitted: () => permitted(work),
    // Minutes pass anyway, and in a regional outage everybody asks RDS: not more often than this.
    within: { seconds: 1800, everySeconds: 10, actAgainAfterSeconds: 90 },
  });
  run.promoteCalls = promoted.acts;
  if (promoted.is === "ensured") {
    return { on: "promoted", notes: [`${promoted.seen.id} is a primary of its own.`] };
  }
  if (promoted.is === "refused") {
    return late(`The promotion may have been asked for, then: ${promoted.refusal.reason}`);
  }
  const seen = promoted.last.known ? JSON.stringify(promoted.last.value) : promoted.last.why;
  return late(inSentences([`Last seen: ${seen}`, promoted.doubt ?? ""]));
};

const stateLoss = async (work: Work): Promise<void> => {
  const { steps, clock, ports } = work;
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
};

/**
 * Waits until the replica can be promoted, and asks for the last time whether it may be. Kept as a step
 * of its own: a run that is killed between the promotion and its checkpoint must not take a later word
 * for one that came in time, and give the lease back to a region whose replica is a primary by now.
 */
const lastLook = async (work: Work): Promise<Refusal | undefined> => {
  const { steps, clock, ports } = work;
  const ready = await ensure(steps, clock, {
    name: "ready to be promoted",
    observe: async () => {
      const { isReplica, status } = await ports.replica();
      const refusal = await permitted(work);
      // A lease does not go back while its replica is a primary, whoever has promoted it.
      return {
        isReady: !isReplica || status === "available",
        refusal: (isReplica && refusal) || null,
      };
    },
    satisfied: ({ isReady, refusal }) => isReady || refusal !== null,
    due: () => false,
    act: async () => undefined,
    within: { seconds: 1800, everySeconds: 5 },
  });
  if (ready.is === "ensured") return ready.seen.refusal ?? undefined;
  const reason = "The replica could not be promoted for half an hour, and nobody has asked it to.";
  return { code: "not-promotable", reason };
};

export const open = async (work: Work): Promise<Ending> => {
  const { steps, clock, ports, run } = work;
  const opened = await ensure(steps, clock, {
    name: "open",
    observe: async () => {
      const { recovery } = await ports.database({ do: "position" });
      return { recovery, open: isOpen(await ports.database({ do: "logins" })) };
    },
    satisfied: (seen) => !seen.recovery && seen.open,
    due: ({ recovery }) => !recovery,
    act: async () => void (await ports.database({ do: "liftFence", epoch: run.epoch ?? 0 })),
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

export const repoint = async (work: Work): Promise<Ending> => {
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

/**
 * A standby's minimum is too small for users: the first quiet night would scale the region in to it.
 * Raised and never lowered, for half a minute at most, since users wait. What a person has to know
 * when that has failed; nothing otherwise.
 */
const raiseMinimum = async (work: Work): Promise<string[]> => {
  const { steps, clock, ports } = work;
  const { activeMinimum } = ports.policy;
  const raised = await ensure(steps, clock, {
    name: "minimum",
    observe: ports.capacity,
    satisfied: ({ minimum, maximum }) => minimum >= Math.min(activeMinimum, maximum),
    act: ({ maximum }) => ports.setMinimum(Math.min(activeMinimum, maximum)),
    permitted: () => permitted(work),
    within: { seconds: 30, everySeconds: 5, actAgainAfterSeconds: 10 },
  });
  if (raised.is === "ensured") return [];
  const { to } = planOf(work);
  const why = raised.is === "refused" ? raised.refusal.reason : unraised(raised);
  return [
    inSentences([
      `Mind: the minimum of ${to} is not known to be ${activeMinimum} instances (${why})`,
      "Scaling in may take it below that: set MinSize of its Auto Scaling group by hand",
    ]),
  ];
};

const unraised = ({ last, doubt }: { last: Fact<Capacity>; doubt: string | undefined }): string =>
  doubt ?? (last.known ? `it is ${last.value.minimum}` : last.why);

/**
 * Waits for capacity before users are sent: a region that falls over at once helps nobody. Ordered again
 * when it was taken away meanwhile, as by the end of another run that had warmed the region as well.
 */
export const activate = async (work: Work): Promise<Ending> => {
  const { steps, clock, ports, run } = work;
  const plan = planOf(work);
  // First: else scaling in may take away again what is waited for.
  const unguarded = await raiseMinimum(work);
  const capacity = await ensure(steps, clock, {
    name: "capacity",
    observe: ports.capacity,
    // Both: what still serves may be on its way out.
    satisfied: ({ inService, desired, maximum }) =>
      Math.min(inService, desired) >= Math.min(plan.capacity, maximum),
    due: ({ desired, maximum }) => desired < Math.min(plan.capacity, maximum),
    act: ({ maximum }) => ports.setDesired(Math.min(plan.capacity, maximum)),
    permitted: () => permitted(work),
    within: { seconds: 300, everySeconds: 10, actAgainAfterSeconds: 30 },
  });
  const settled = await steps.step("settle the lease", async () => {
    const refusal = await permitted(work);
    if (refusal) return { refusal };
    return ports.settleLease({ epoch: run.epoch ?? 0, holder: run.name, driver: run.again });
  });
  if ("refusal" in settled) return late(settled.refusal.reason);
  if ("lost" in settled) {
    const { epoch, driver = 0 } = settled.lost;
    const by = driver === run.again ? "" : ", and the run was carried on";
    return late(`The lease is at epoch ${epoch} by now${by}.`);
  }
  const active = await ensure(steps, clock, {
    name: "activate",
    observe: async () => ({ role: (await ports.obey(plan.to, run.epoch ?? 0)).role }),
    satisfied: ({ role }) => role === "active",
    due: () => false,
    act: async () => undefined,
    within: { seconds: 180, everySeconds: 5 },
  });
  if (active.is !== "ensured") return late("The guard does not turn the role rule.");
  const isEnough = capacity.is === "ensured";
  const missing = isEnough ? [] : ["Not all wanted instances are in service yet."];
  return { on: "active", notes: [...missing, ...unguarded] };
};

/** The health checks have had time to move users by then: 3 failures of 10 s and the TTL, doubled. */
const patienceSeconds = (ttlSeconds: number) => 2 * (30 + ttlSeconds);

/**
 * Resolvers, then a write: an address alone says nothing about what answers there. When the health
 * checks do not move users in time, or the operator has chosen so, the records themselves are changed.
 */
export const verify = async (work: Work): Promise<Ending> => {
  const { steps, clock, ports, run } = work;
  // What the region lacks is worth more at the end than it is now.
  const before = run.notes;
  const { ttlSeconds, dns } = ports.policy;
  const since = await steps.step("verification begins", async () => Math.floor(clock.now()));
  const waitSeconds = dns === "change-records" ? 0 : patienceSeconds(ttlSeconds);
  const verified = await ensure(steps, clock, {
    name: "verify",
    observe: async () => {
      const view = await ports.publicView();
      const waitedSeconds = (clock.now() - since) / 1000;
      const untried = { accepted: false, detail: "not tried yet" };
      const probe = view.elsewhere.length > 0 ? untried : await ports.probePublicWrite();
      return { ...view, ...probe, waitedSeconds };
    },
    satisfied: ({ elsewhere, here, accepted }) =>
      elsewhere.length === 0 && here.length > 0 && accepted,
    due: ({ elsewhere, waitedSeconds }) => elsewhere.length > 0 && waitedSeconds >= waitSeconds,
    act: () => ports.changeRecords(),
    permitted: () => permitted(work),
    within: { seconds: 300 + 4 * ttlSeconds, everySeconds: 5, actAgainAfterSeconds: 120 },
  });
  if (verified.is === "ensured") {
    return {
      on: "verified",
      notes: [`Resolvers: ${verified.seen.here.join(", ")}.`, ...changed(verified), ...before],
    };
  }
  if (verified.is === "refused") {
    return { on: "late", notes: [verified.refusal.reason, ...before] };
  }
  const { last, doubt, acts } = verified;
  const notes = [last.known ? seenOf(last.value) : `What users get cannot be seen: ${last.why}.`];
  if (doubt) notes.push(`The records could not be changed: ${doubt}.`);
  else if (acts > 0) notes.push("The records were changed, and resolvers do not show it.");
  return { on: "late", notes: [...notes, ...before] };
};

/** Records that were changed follow no health check any more, which somebody has to mend one day. */
const changed = ({ acts, doubt }: { acts: number; doubt: string | undefined }): string[] => {
  if (acts === 0) return [];
  if (!doubt) return ["The records were changed: health checks did not do it."];
  return [`The records may have been changed, which gave no answer (${doubt}).`];
};

const seenOf = ({
  elsewhere,
  accepted,
  detail,
}: PublicView & { accepted: boolean; detail: string }) =>
  elsewhere.length > 0
    ? `Resolvers that do not answer with the new region: ${elsewhere.join(", ")}.`
    : `A write through the public name was ${accepted ? "accepted" : "not accepted"} (${detail}).`;

/**
 * A promoted replica has no backups, no second zone and nothing that protects it. Done last, since
 * users are served meanwhile; what RDS has taken up counts, because a second zone takes it an hour.
 */
export const harden = async (work: Work): Promise<Ending> => {
  const { steps, clock, ports, run } = work;
  // What users were sent by is still worth reading at the end.
  const before = run.notes;
  const unfinished = (note: string): Ending => ({ on: "late", notes: [...before, note] });
  // Users are served meanwhile: a table that is silent for a while is no reason to call anybody.
  const kept = await ensure(steps, clock, {
    name: "the settings of the old primary",
    observe: ports.keptSettings,
    satisfied: () => true,
    act: async () => undefined,
    within: { seconds: 300, everySeconds: 10 },
  });
  const value = kept.is === "ensured" ? kept.seen : null;
  if (value === null) {
    const silence = kept.is === "late" && !kept.last.known ? kept.last.why : null;
    const why = silence === null ? "never kept" : `not to be read for 5 min: ${silence}`;
    return unfinished(`Nobody knows the old primary's settings (${why}).`);
  }
  const hardened = await ensure(steps, clock, {
    name: "harden",
    observe: async () => ({ lacks: differing(await ports.settings(), value) }),
    satisfied: ({ lacks }) => lacks.length === 0,
    act: () => ports.applySettings(value),
    permitted: () => permitted(work),
    within: { seconds: 900, everySeconds: 10, actAgainAfterSeconds: 60 },
  });
  if (hardened.is === "ensured") return { on: "hardened", notes: [...before] };
  if (hardened.is === "refused") return unfinished(hardened.refusal.reason);
  const { last, doubt } = hardened;
  const lacks = last.known ? last.value.lacks.join(", ") : last.why;
  return unfinished(inSentences([`Still differing: ${lacks}`, doubt ?? ""]));
};
