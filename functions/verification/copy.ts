import { isOurs, marksOf, runTag } from "../../shared/copy.ts";
import type { Ensured } from "../../shared/ensure.ts";
import { ensure } from "../../shared/ensure.ts";
import type { Refusal } from "../../shared/outcome.ts";
import { whilePaused } from "../../shared/pause.ts";
import type { CheckResult } from "./checks.ts";
import type { CopySeen, Quarantine } from "./ports.ts";
import type { Plan } from "./record.ts";
import type { Work } from "./verification.ts";

/** RDS ends a restore that it cannot do with one of these. (Viewing DB instance status.) */
const hopeless = /^(failed|incompatible-|inaccessible-|storage-full|stopped)/;

const orderSeconds = 900;
const tagSeconds = 900;
const isolateSeconds = 1800;
const removeSeconds = 3 * 3600;

const result = (
  name: string,
  expected: string,
  is: CheckResult["is"],
  actual: string,
  says: string,
): CheckResult => ({ name, expected, is, actual, says });

/** Why an `ensure` has not come to its end, for people. */
const whyLate = (late: Extract<Ensured<CopySeen | null>, { is: "late" }>): string => {
  const { last, doubt } = late;
  const seen = last.known
    ? (last.value?.status ?? "there is none")
    : `RDS did not answer: ${last.why}`;
  return doubt ? `${seen} (${doubt})` : seen;
};

/** Asked right before the restore is ordered: it is the one thing that makes something. */
const mayMake = async ({ ports }: Work): Promise<Refusal | undefined> => {
  const paused = whilePaused(await ports.readPause());
  if (paused) return paused;
  const [move] = await ports.readMoves();
  if (move) return { code: "failover-moves", reason: `${move.reason}.` };
  return undefined;
};

/** Orders the copy, takes what it has inherited off it, and waits until it is there. */
export const restore = async (work: Work, plan: Plan): Promise<CheckResult[]> => {
  const ordered = await order(work, plan);
  if (ordered.is !== "passed") return [ordered];
  const tagged = await takeOffTags(work, plan);
  const available = await arrive(work, plan);
  if (available.is !== "passed") return [ordered, tagged, available];
  return [ordered, tagged, available, await shut(work, plan)];
};

const order = async (work: Work, plan: Plan): Promise<CheckResult> => {
  const { steps, clock, ports } = work;
  const say = (is: CheckResult["is"], actual: string, says: string) =>
    result("restore-begins", "a copy of that name", is, actual, says);
  const begun = await ensure<CopySeen | null>(steps, clock, {
    name: "order the copy",
    observe: () => ports.copies.find(plan.copy),
    satisfied: (seen) => seen !== null,
    act: () => ports.copies.restore(plan, marksOf(work.record.run, plan.deleteAfterMilliseconds)),
    permitted: () => mayMake(work),
    within: { seconds: orderSeconds, everySeconds: 15, actAgainAfterSeconds: 30 },
  });
  if (begun.is === "refused") {
    return say("could-not-run", begun.refusal.code, begun.refusal.reason);
  }
  if (begun.is === "late") return say("failed", whyLate(begun), "RDS has begun no restore.");
  if (begun.seen && !isOurs(ports.quarantine.prefix, begun.seen.id, begun.seen.tags)) {
    return say("failed", "a stranger", `${plan.copy} is there and does not carry our mark.`);
  }
  return say("passed", begun.seen?.status ?? "", "RDS restores the backup.");
};

/** A copy has its source's tags, and whatever is driven by tags would take it for production. */
const takeOffTags = async (work: Work, plan: Plan): Promise<CheckResult> => {
  const { steps, clock, ports, record } = work;
  const wanted = marksOf(record.run, plan.deleteAfterMilliseconds);
  const say = (is: CheckResult["is"], actual: string, says: string) =>
    result("no-production-tags", Object.keys(wanted).join(", "), is, actual, says);
  const done = await ensure<CopySeen | null>(steps, clock, {
    name: "take its tags off",
    observe: () => ports.copies.find(plan.copy),
    satisfied: (seen) => seen === null || sameTags(seen.tags, wanted),
    act: async (seen) => {
      if (seen) await ports.copies.retag(seen, wanted);
    },
    within: { seconds: tagSeconds, everySeconds: 15, actAgainAfterSeconds: 15 },
  });
  if (done.is !== "ensured") {
    const actual = done.is === "late" ? whyLate(done) : done.refusal.reason;
    return say("could-not-run", actual, "It may still carry tags of production.");
  }
  const { seen } = done;
  if (!seen) return say("could-not-run", "no copy", "The copy is gone.");
  return say("passed", Object.keys(seen.tags).join(", "), "It carries our mark and nothing else.");
};

const sameTags = (is: Record<string, string>, wanted: Record<string, string>): boolean =>
  Object.keys(is).length === Object.keys(wanted).length &&
  Object.entries(wanted).every(([name, value]) => is[name] === value);

const arrive = async (work: Work, plan: Plan): Promise<CheckResult> => {
  const { steps, clock, ports, record } = work;
  const say = (is: CheckResult["is"], actual: string, says: string) =>
    result("restores", "available", is, actual, says);
  const done = await ensure<CopySeen | null>(steps, clock, {
    name: "wait for the copy",
    observe: () => ports.copies.find(plan.copy),
    satisfied: (seen) => seen === null || seen.status === "available" || hopeless.test(seen.status),
    due: () => false,
    act: async () => undefined,
    within: { seconds: (ports.policy.hours * 3600) / 2, everySeconds: 30 },
  });
  const at = await steps.step("when it was there", async () => Math.floor(clock.now()));
  if (done.is === "refused") return say("could-not-run", done.refusal.code, done.refusal.reason);
  if (done.is === "late") return say("failed", whyLate(done), "It was not there in time.");
  const status = done.seen?.status ?? "gone";
  if (status !== "available") return say("failed", status, "RDS could not restore the backup.");
  record.times.availableAt = at;
  return say("passed", status, "The backup has become a running database.");
};

/** What of a copy is not as its quarantine wants it, in words. */
const breaches = (seen: CopySeen, quarantine: Quarantine): string[] => {
  const { securityGroups: groups, subnetGroup, retentionDays, isPublic, isProtected } = seen;
  const alone = groups.length === 1 && groups[0] === quarantine.securityGroup;
  return [
    ...(alone ? [] : [`security groups ${groups.join(", ")}`]),
    ...(subnetGroup === quarantine.subnetGroup ? [] : [`subnets ${subnetGroup}`]),
    ...(retentionDays === 0 ? [] : [`backups for ${retentionDays} days`]),
    ...(isPublic ? ["a public address"] : []),
    ...(isProtected ? ["deletion protection"] : []),
  ];
};

/** Nobody connects to a copy that could reach production, or be reached from there. */
const shut = async (work: Work, plan: Plan): Promise<CheckResult> => {
  const { steps, clock, ports } = work;
  const { quarantine } = ports;
  const say = (is: CheckResult["is"], actual: string, says: string) =>
    result("is-isolated", `alone in ${quarantine.securityGroup}`, is, actual, says);
  const done = await ensure<CopySeen | null>(steps, clock, {
    name: "keep it apart",
    observe: () => ports.copies.find(plan.copy),
    satisfied: (seen) => seen !== null && breaches(seen, quarantine).length === 0,
    due: (seen) => seen?.status === "available",
    act: () => ports.copies.isolate(plan.copy),
    within: { seconds: isolateSeconds, everySeconds: 15, actAgainAfterSeconds: 120 },
  });
  if (done.is === "ensured") return say("passed", "alone", "It can reach nothing of production.");
  const seen = done.is === "late" && done.last.known ? done.last.value : null;
  const actual = seen ? breaches(seen, quarantine).join(", ") : "nobody knows";
  return say("failed", actual, "It is not kept apart from production, so nobody has looked in.");
};

/** Takes the copy away, and nothing else. Gives what is left, as sentences. */
export const remove = async (work: Work, plan: Plan): Promise<string[]> => {
  const { steps, clock, ports, record } = work;
  const { prefix } = ports.quarantine;
  const done = await ensure<CopySeen | null>(steps, clock, {
    name: "take the copy away",
    observe: () => ports.copies.find(plan.copy),
    satisfied: (seen) => seen === null,
    // RDS deletes nothing that it is still making.
    due: (seen) => seen !== null && seen.status !== "deleting" && seen.status !== "creating",
    permitted: async () => {
      const seen = await ports.copies.find(plan.copy);
      if (!seen || (seen.tags[runTag] === record.run && isOurs(prefix, seen.id, seen.tags))) {
        return undefined;
      }
      const reason = `${plan.copy} does not carry the mark of ${record.run}: it is not ours to delete.`;
      return { code: "not-ours", reason };
    },
    act: () => ports.copies.destroy(plan.copy),
    within: { seconds: removeSeconds, everySeconds: 30, actAgainAfterSeconds: 120 },
  });
  if (done.is === "refused") return [done.refusal.reason];
  if (done.is === "late") return [`${plan.copy} is still there: ${whyLate(done)}.`];
  record.times.destroyedAt = await steps.step("when it was gone", async () =>
    Math.floor(clock.now()),
  );
  return [];
};
