import { isoSeconds } from "../../shared/clock.ts";
import type { Demand } from "../../shared/demand.ts";
import type { Fact, Refusal } from "../../shared/outcome.ts";
import type { Aged, Verdict } from "../../shared/readiness.ts";
import { isFailing, verdictOf } from "../../shared/readiness.ts";
import type { Upheaval } from "../../shared/upheaval.ts";
import type { Facts, Policy, Replica } from "./decide.ts";
import type { Trigger } from "./request.ts";

/** How many instances the standby region is to run, and where that number comes from. */
export interface Wanted {
  instances: number;
  why: string;
}

/** The peak is of 24 hours, and is looked at every few minutes while its region is there to be asked. */
const demandFreshSeconds = 25 * 3600;

/**
 * What users needed lately, and never less than the operator's file says. A peak that nobody has
 * looked at for a day says nothing about today.
 */
export const wantedOf = (demand: Fact<Demand | null>, policy: Policy, now: number): Wanted => {
  const { wantedCapacity, home } = policy;
  const byFile = (because: string): Wanted => ({
    instances: wantedCapacity,
    why: `${wantedCapacity} by the operator's file: ${because}`,
  });
  if (!demand.known) return byFile(`the demand of ${home} cannot be read (${demand.why})`);
  if (demand.value === null) return byFile(`nobody has kept the demand of ${home}`);
  const { peakInstances, atMilliseconds } = demand.value;
  const looked = isoSeconds(atMilliseconds);
  if (now - atMilliseconds > demandFreshSeconds * 1000) {
    return byFile(`the demand of ${home} was last looked at ${looked}, which is too long ago`);
  }
  const peak = `${home} had ${peakInstances} in service at its peak in the 24 h before ${looked}`;
  if (peakInstances <= wantedCapacity) return byFile(peak);
  return { instances: peakInstances, why: `${peakInstances}, since ${peak}` };
};

/** What people should mind before they approve. None of it forbids an emergency. */
export const warningsOf = (facts: Facts, policy: Policy, wanted: Wanted, now: number): string[] => [
  ...capacityWarnings(facts, policy, wanted),
  ...secretWarnings(facts, policy),
  ...(facts.replica.known ? blockersOf(facts.replica.value, now) : []),
  ...upheavalWarnings(facts, policy, now),
  ...readinessWarnings(facts, policy, now),
];

const capacityWarnings = ({ capacity }: Facts, { here }: Policy, wanted: Wanted): string[] => {
  if (!capacity.known) return [`The capacity of ${here} is unknown (${capacity.why}).`];
  const { maximum } = capacity.value;
  if (maximum >= wanted.instances) return [];
  return [`${here} may run ${maximum} instances, and ${wanted.instances} are wanted.`];
};

const secretWarnings = ({ secrets }: Facts, { here }: Policy): string[] => {
  if (!secrets.known) return [`The secrets in ${here} cannot be seen (${secrets.why}).`];
  return secrets.value
    .filter(({ replicated }) => !replicated)
    .map(({ name }) => `The secret ${name} has no value in ${here}.`);
};

/** A promotion that is asked for while maintenance is about to begin may find the replica busy. */
const soonSeconds = 3600;

/**
 * What RDS does to the replica, or is about to do, and what that means for the promotion: it passes by
 * itself, so the run waits, and those who approve should know that it will.
 */
export const blockersOf = (replica: Replica, now: number): string[] => {
  const { id, status, pending = [], maintenanceWindow } = replica;
  const warnings: string[] = [];
  if (status !== "available") {
    warnings.push(`${id} is ${status}: the promotion will wait until it is available.`);
  }
  if (pending.length > 0) {
    const what = pending.join(", ");
    warnings.push(
      `Changes of ${id} are pending (${what}): the promotion will wait while RDS makes them.`,
    );
  }
  const inSeconds = maintenanceWindow ? secondsUntil(maintenanceWindow, now) : null;
  if (maintenanceWindow && inSeconds !== null && inSeconds <= soonSeconds) {
    const when = inSeconds === 0 ? "is open" : `opens in ${Math.ceil(inSeconds / 60)} min`;
    warnings.push(
      `The maintenance window of ${id} (${maintenanceWindow} UTC) ${when}: ` +
        "the promotion will wait while RDS works on it.",
    );
  }
  return warnings;
};

const days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const weekMinutes = 7 * 24 * 60;

/**
 * Seconds until a weekly window opens, 0 while it is open, null when it is not understood. RDS writes
 * it as `ddd:hh24:mi-ddd:hh24:mi` in UTC (API reference, PreferredMaintenanceWindow).
 */
export const secondsUntil = (window: string, now: number): number | null => {
  const found = /^(\w{3}):(\d\d):(\d\d)-(\w{3}):(\d\d):(\d\d)$/.exec(window.toLowerCase());
  if (!found) return null;
  const [, fromDay = "", fromHour, fromMinute, toDay = "", toHour, toMinute] = found;
  const minuteOf = (day: string, hour?: string, minute?: string) =>
    days.indexOf(day) * 1440 + Number(hour) * 60 + Number(minute);
  const from = minuteOf(fromDay, fromHour, fromMinute);
  const to = minuteOf(toDay, toHour, toMinute);
  const date = new Date(now);
  const at =
    date.getUTCDay() * 1440 +
    date.getUTCHours() * 60 +
    date.getUTCMinutes() +
    date.getUTCSeconds() / 60;
  const since = (at - from + weekMinutes) % weekMinutes;
  const lasts = (to - from + weekMinutes) % weekMinutes;
  return since < lasts ? 0 : (weekMinutes - since) * 60;
};

/** Others explain what the observers see: named to those who decide, and never a reason to wait. */
const upheavalWarnings = ({ upheavals }: Facts, { home }: Policy, now: number): string[] => {
  if (!upheavals.known) {
    return [`Whether ${home} is being deployed or maintained is unknown (${upheavals.why}).`];
  }
  return underWay(upheavals.value, now).map(({ kind, by, reason, sinceMilliseconds }) => {
    const what = kind === "deploy" ? "A deploy" : "A maintenance window";
    const since = isoSeconds(sinceMilliseconds);
    return (
      `${what} of ${home} is under way since ${since} (by ${by}: ${reason}): ` +
      "it may be what the observers see."
    );
  });
};

/** A deploy or maintenance that may be what the observers see, or nobody could tell that there is none. */
export const isExplained = ({ upheavals }: Pick<Facts, "upheavals">, now: number): boolean =>
  !upheavals.known || underWay(upheavals.value, now).length > 0;

const underWay = (upheavals: Upheaval[], now: number): Upheaval[] =>
  upheavals.filter(({ untilMilliseconds }) => untilMilliseconds > now);

const readinessWarnings = (facts: Facts, policy: Policy, now: number): string[] => {
  const verdict = readinessOf(facts, now);
  if ("unread" in verdict) {
    return [`Whether ${policy.here} is ready is unknown (${verdict.unread}).`];
  }
  if (verdict.checks.length === 0) return [verdict.text];
  return verdict.checks.filter(isFailing).map(sentenceOf);
};

const readinessOf = ({ readiness }: Facts, now: number): Verdict | { unread: string } =>
  readiness.known ? verdictOf(readiness.value, now) : { unread: readiness.why };

const sentenceOf = (check: Aged): string => {
  const { name, source, ageSeconds, detail } = check;
  const age = ageSeconds < 120 ? `${Math.round(ageSeconds)} s` : `${minutes(ageSeconds)} min`;
  const shown = standingOf(check) === "stale" ? "stale (nobody has looked since)" : check.verdict;
  return `Readiness: ${name} is ${shown}, looked at ${age} ago in ${source}: ${detail}`;
};

const minutes = (seconds: number) => Math.round(seconds / 60);

const standingOf = (check: Aged): string => (check.isStale ? "stale" : check.verdict);

/** A planned move can wait until the other region is ready, or until somebody accepts that it is not. */
export const readinessRefusals = (
  facts: Facts,
  policy: Policy,
  trigger: Trigger,
  now: number,
): Refusal[] => {
  if (trigger.overrides.includes("readiness")) return [];
  const verdict = readinessOf(facts, now);
  if ("verdict" in verdict && verdict.verdict === "ready") return [];
  const what =
    "unread" in verdict
      ? `The readiness of ${policy.here} cannot be read (${verdict.unread}).`
      : verdict.text;
  const remedy = 'Mend it, or repeat with the override "readiness" to accept it by name.';
  return [{ code: "not-ready", reason: `${what} ${remedy}` }];
};

/**
 * Checks that look at the region that is left, and go red because it is lost. They say nothing that
 * its silence does not say, and must not make an approval void minutes after it was given.
 */
export const checksOfHome: readonly string[] = [
  "replica",
  "lag",
  "settings",
  "backups",
  "capacity",
  "traffic",
  "roles",
  "guards",
];

/**
 * What a careful person would want to hear of again: each check by its verdict, never by its age, and
 * what else is going on in the old region. Of a region that is silent, only what it cannot have caused.
 */
export const circumstancesOf = (
  facts: Facts,
  isSilent: boolean,
  now: number,
): Record<string, unknown> => {
  const verdict = readinessOf(facts, now);
  const checks = "checks" in verdict ? verdict.checks : [];
  const counted = isSilent
    ? checks.filter(({ name, verdict }) => verdict === "not-ready" && !checksOfHome.includes(name))
    : checks;
  const standing = counted.map((check): [string, string] => [
    check.name,
    isSilent ? check.verdict : standingOf(check),
  ]);
  const { upheavals } = facts;
  return {
    readiness: Object.fromEntries(standing),
    upheavals: upheavals.known
      ? underWay(upheavals.value, now).map((each) => [each.kind, each.by, each.sinceMilliseconds])
      : "unknown",
  };
};
