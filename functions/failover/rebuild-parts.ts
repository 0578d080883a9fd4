import { ensure } from "../../shared/ensure.ts";
import { observed } from "../../shared/outcome.ts";
import { lsnOf } from "./fencing.ts";
import {
  type Instance,
  misplaced,
  type PartEnding,
  permitted,
  type Rebuild,
  type RebuildWork,
} from "./rebuild.ts";
import { approve, isFenced } from "./rebuild-approval.ts";
import { backups, parameters } from "./rebuild-database.ts";
import { noteActs, stopped, stoppedBy, unreached } from "./rebuild-ending.ts";
import { records } from "./rebuild-records.ts";

/** RDS allows identifiers of 63 characters; the end is what tells this one from others. */
export const quarantineName = (id: string, epoch: number): string => {
  const ending = `-quarantine-${epoch}`;
  return `${id.slice(0, 63 - ending.length).replace(/-+$/, "")}${ending}`;
};

/** Where the run begins: at the old primary, or where an earlier run has stopped. */
const look = async ({ steps, ports, run }: RebuildWork): Promise<PartEnding> => {
  const to = quarantineName(ports.awayId, run.epoch);
  const seen = await steps.step("look", async () => {
    const lease = await ports.readLease();
    const refusal = (await permitted({ steps, clock: ports.clock, ports, run })) ?? null;
    const [primary, found, aside] = await Promise.all([
      ports.primary(),
      ports.awayInstance(ports.awayId),
      ports.awayInstance(to),
    ]);
    return { lease, refusal: misplaced(lease, run) ?? refusal, primary, found, aside };
  });
  const { lease, refusal, primary, found, aside } = seen;
  if (refusal) return stoppedBy(refusal);
  run.movedBy = lease.holder;
  run.old = aside ?? found;
  run.quarantine = aside ? to : null;
  run.inPlace = found !== null && found.sourceArn === null && aside === null;
  run.builds = found === null || found.sourceArn === null;
  const why = strange(seen, run, ports.awayId);
  if (why) return stopped(why);
  const text = run.inPlace
    ? `${found?.id} in ${run.to} is the old primary and still has its name.`
    : `The old primary has been put aside before; what is missing is done.`;
  return { is: "reached", text, data: { primary: primary.id, found, aside } };
};

/** What nobody foresaw is for a person: an instance that is not known for what it is stays as it is. */
const strange = (
  seen: { primary: Instance; found: Instance | null; aside: Instance | null },
  { from, to }: Rebuild,
  id: string,
): string | undefined => {
  const { primary, found, aside } = seen;
  if (primary.sourceArn !== null) return `${primary.id} in ${from} is a replica itself.`;
  if (found === null && aside === null) return `${to} has no instance ${id} and none put aside.`;
  if (found === null || found.sourceArn === primary.arn) return undefined;
  if (found.sourceArn !== null) return `${id} in ${to} is a replica of ${found.sourceArn}.`;
  if (aside) return `${to} has both ${aside.id} and another ${id} that stands alone.`;
  return undefined;
};

/** The old primary is touched only once its own region's guard has proven every layer of its fence. */
const fenced = async (work: RebuildWork): Promise<PartEnding> => {
  const { steps, clock, ports, run } = work;
  if (!run.inPlace) return { is: "reached", text: "The old primary was fenced before." };
  const proven = await ensure(steps, clock, {
    name: "fenced",
    observe: async () => {
      const { decision, fence } = await ports.obeyAway(run.epoch);
      return { decision, fence };
    },
    satisfied: isFenced,
    due: () => false,
    act: async () => undefined,
    within: { seconds: 900, everySeconds: 15 },
  });
  if (proven.is !== "ensured") {
    return unreached(proven, `${run.to} did not report all layers of its fence as closed.`);
  }
  const text = `${run.to} reports its fence closed in all layers.`;
  return { is: "reached", text, data: { fence: proven.seen.fence } };
};

/**
 * Only recorded: what the old primary has beyond the promotion stays in quarantine for people to look
 * at. Asked for now, because after the rename nobody in Nightshift knows its address.
 */
const position = async ({ steps, clock, ports, run }: RebuildWork): Promise<PartEnding> => {
  if (!run.inPlace) return { is: "reached", text: "Its position was recorded before." };
  const seen = await steps.step("position", async () => {
    const [last, promoted] = await Promise.all([
      observed("old primary", clock.now, ports.awayPosition),
      observed("journal", clock.now, () => ports.promotedAt(run.movedBy)),
    ]);
    return { last, promoted };
  });
  const { last, promoted } = seen;
  const data = { position: last, promotedAt: promoted };
  if (!last.known) {
    const text = `The old primary does not say where its log ends (${last.why}).`;
    return { is: "reached", text, notes: [text], data };
  }
  const ends = `The old primary's log ends at ${last.value.lsn}`;
  if (!promoted.known || promoted.value === null) {
    const text = `${ends}; where the new primary left it is not recorded.`;
    return { is: "reached", text, notes: [text], data };
  }
  const ahead = lsnOf(last.value.lsn) - lsnOf(promoted.value);
  const bytes = ahead > 0n ? ahead : 0n;
  const text =
    `${ends}: at most ${bytes} bytes of it are not in the new primary, ` +
    `which left it at ${promoted.value}.`;
  return { is: "reached", text, notes: [text], data: { ...data, aheadBytes: Number(bytes) } };
};

/** Renamed, marked and protected; nothing in Nightshift ever deletes it. */
const quarantine = async (work: RebuildWork): Promise<PartEnding> => {
  const { steps, clock, ports, run } = work;
  const to = quarantineName(ports.awayId, run.epoch);
  const { old } = run;
  if (!run.inPlace && run.quarantine === null) {
    return { is: "reached", text: "Nothing is to be put aside: the replica is in its place." };
  }
  const isOld = (one: Instance | null) => one !== null && one.resourceId === old?.resourceId;
  const complete = (one: Instance) =>
    one.deletionProtected && one.quarantined === String(run.epoch);
  const put = await ensure(steps, clock, {
    name: "quarantine",
    observe: async () => {
      const [found, aside] = [await ports.awayInstance(ports.awayId), await ports.awayInstance(to)];
      return { found, aside };
    },
    satisfied: ({ found, aside }) =>
      aside !== null &&
      isOld(aside) &&
      !isOld(found) &&
      aside.status === "available" &&
      complete(aside),
    due: ({ found, aside }) => {
      const target = isOld(found) ? found : aside;
      // Never a replica: that would be the new one, or somebody else's.
      return isOld(target) && target?.sourceArn === null && target.status === "available";
    },
    act: async ({ found, aside }) => {
      const target = isOld(found) ? found : aside;
      if (!target) return;
      // The mark goes first: it stays with the instance, so the renamed one is known for what it is.
      await ports.mark(target, run.epoch);
      await ports.setAside(target, to);
    },
    permitted: () => permitted(work),
    within: { seconds: 2400, everySeconds: 15, actAgainAfterSeconds: 120 },
  });
  noteActs(run, put);
  if (put.is !== "ensured")
    return unreached(put, `${ports.awayId} could not be put aside in time.`);
  run.quarantine = to;
  const text = `The old primary is ${to} now, marked and protected from deletion.`;
  return { is: "reached", text, data: { quarantine: to } };
};

const create = async (work: RebuildWork): Promise<PartEnding> => {
  const { steps, clock, ports, run } = work;
  const { old } = run;
  if (!old) throw new Error(`${run.name} does not know in whose place the replica belongs`);
  const created = await ensure(steps, clock, {
    name: "create",
    observe: async () => {
      const [primary, replica] = [await ports.primary(), await ports.awayInstance(ports.awayId)];
      return { primary, replica };
    },
    satisfied: ({ primary, replica }) => replica?.sourceArn === primary.arn,
    // RDS makes a replica only of an available source that has backups.
    due: ({ primary, replica }) =>
      replica === null && primary.status === "available" && primary.backupRetentionDays > 0,
    act: ({ primary }) => ports.createReplica(primary, old, run.name),
    permitted: () => permitted(work),
    within: { seconds: 3600, everySeconds: 20, actAgainAfterSeconds: 120 },
  });
  noteActs(run, created);
  if (created.is !== "ensured") {
    return unreached(created, `${ports.awayId} could not be made a replica of the new primary.`);
  }
  const { primary } = created.seen;
  const text = `${ports.awayId} in ${run.to} is being built as a replica of ${primary.id}.`;
  return { is: "reached", text, data: { source: primary.arn } };
};

/** A snapshot, its copy and a restore: AWS gives no figure, and hours are usual for large databases. */
const longestBuildSeconds = 7200;
const buildLookSeconds = 60;
const hopeless = /^(failed|deleting|incompatible-|storage-full|stopped)/;

/** Nothing is changed while it is waited for, so the run rests between its looks. */
const replicating = async ({ steps, clock, ports, run }: RebuildWork): Promise<PartEnding> => {
  const looks = Math.ceil(longestBuildSeconds / buildLookSeconds);
  let last = "";
  for (let number = 1; number <= looks; number += 1) {
    const seen = await steps.step(`replicating #${number}`, async () => {
      const fact = await observed("RDS", clock.now, () => ports.awayInstance(ports.awayId));
      if (!fact.known) return { status: fact.why, ready: false };
      const status = fact.value?.status ?? "gone";
      return { status, ready: status === "available" && fact.value?.replicating === true };
    });
    if (seen.ready) {
      return { is: "reached", text: `${ports.awayId} in ${run.to} is available and replicating.` };
    }
    last = seen.status;
    if (hopeless.test(last)) break;
    await steps.rest(`replicating rest #${number}`, buildLookSeconds);
  }
  return stopped(`${ports.awayId} in ${run.to} does not replicate. Last seen: ${last}.`);
};

/**
 * The other region's secrets still believe to be primaries, of a replica here. They are written over and
 * never told to give that replica up: on such an order AWS deletes the replica, which is the only good copy.
 */
const secrets = async (work: RebuildWork): Promise<PartEnding> => {
  const { steps, clock, ports, run } = work;
  for (const name of ports.secretNames) {
    const copied = await ensure(steps, clock, {
      name: `secret ${name}`,
      observe: () => ports.secretCopy(name),
      satisfied: ({ status, same }) => status === "InSync" && same,
      due: ({ status }) => status !== "InProgress",
      act: () => ports.replicateSecret(name),
      permitted: () => permitted(work),
      within: { seconds: 600, everySeconds: 10, actAgainAfterSeconds: 60 },
    });
    noteActs(run, copied);
    if (copied.is !== "ensured") {
      return unreached(copied, `The secret ${name} is not replicated to ${run.to}.`);
    }
  }
  return { is: "reached", text: `${ports.secretNames.length} secret(s) follow ${run.from} again.` };
};

/** Its guard sees the replica, takes down what it had closed before it, and says so. */
const standBy = async ({ steps, clock, ports, run }: RebuildWork): Promise<PartEnding> => {
  const standing = await ensure(steps, clock, {
    name: "stand-by",
    observe: async () => {
      const { decision, role } = await ports.obeyAway(run.epoch);
      return { decision, role };
    },
    satisfied: ({ decision, role }) => decision === "stand-by" && role === "renounced",
    due: () => false,
    act: async () => undefined,
    within: { seconds: 600, everySeconds: 10 },
  });
  if (standing.is !== "ensured") return unreached(standing, `${run.to} does not stand by.`);
  return { is: "reached", text: `The guard of ${run.to} says that it stands by.` };
};

/** After the guard has said `stand-by`: before that it empties what it finds. */
const capacity = async (work: RebuildWork): Promise<PartEnding> => {
  const { steps, clock, ports, run } = work;
  const wanted = ports.standbyMinimum;
  const isSet = ({ minimum, desired }: { minimum: number; desired: number }) =>
    minimum === wanted && desired >= wanted;
  const warm = await ensure(steps, clock, {
    name: "capacity",
    observe: ports.awayCapacity,
    satisfied: (seen) => isSet(seen) && seen.inService >= wanted,
    due: (seen) => !isSet(seen),
    act: () => ports.setAwayMinimum(wanted),
    permitted: () => permitted(work),
    within: { seconds: 900, everySeconds: 15, actAgainAfterSeconds: 60 },
  });
  noteActs(run, warm);
  if (warm.is !== "ensured")
    return unreached(warm, `${run.to} does not run ${wanted} instance(s).`);
  return { is: "reached", text: `${run.to} runs ${warm.seen.inService} instance(s).` };
};

export interface Part {
  /** Names the part in the journal. */
  key: string;
  act(work: RebuildWork): Promise<PartEnding>;
}

/** In this order: each needs what the one before it has reached. */
export const parts: readonly Part[] = [
  { key: "looked", act: look },
  { key: "fenced", act: fenced },
  { key: "position", act: position },
  { key: "approved", act: approve },
  { key: "quarantined", act: quarantine },
  { key: "created", act: create },
  { key: "replicating", act: replicating },
  { key: "parameters", act: parameters },
  { key: "secrets", act: secrets },
  { key: "stand-by", act: standBy },
  { key: "capacity", act: capacity },
  { key: "records", act: records },
  { key: "backups", act: backups },
];
