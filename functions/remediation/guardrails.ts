import type { Freeze } from "../../shared/freeze.ts";
import { whileFrozen } from "../../shared/freeze.ts";
import type { Fact, Refusal } from "../../shared/outcome.ts";
import type { Pause } from "../../shared/pause.ts";
import { whilePaused } from "../../shared/pause.ts";
import type { Deed } from "./actions.ts";
import { malformedOf, takesFromFleet } from "./actions.ts";
import type { GroupSeen, RefreshSeen, TargetSeen } from "./evidence.ts";

/** The alarm as CloudWatch has it now. */
export interface AlarmNow {
  state: string;
  key: string;
  /** Why its actions are held back; null when they are not. */
  held: string | null;
}

/** What every deed has to stand up to, looked at anew before it. */
export interface GuardFacts {
  pause: Pause;
  freezes: Fact<Freeze[]>;
  alarm: Fact<AlarmNow>;
  /** Only for what takes a member of the fleet away. */
  fleet: {
    targets: Fact<TargetSeen[]>;
    group: Fact<GroupSeen>;
    deploy: Fact<RefreshSeen | null>;
  } | null;
}

/** All that forbids the deed now; nothing when it may be done. Pure. */
export const objections = (
  deed: Deed,
  facts: GuardFacts,
  { key, despite }: { key: string; despite: readonly string[] },
): Refusal[] => [
  ...brakes(facts, despite),
  ...alarmObjections(facts.alarm, key),
  ...selector(deed),
  ...(takesFromFleet(deed) ? fleetObjections(deed, facts.fleet, despite) : []),
];

const refusal = (code: string, reason: string): Refusal => ({ code, reason });

/** Asked once more immediately before each change. */
export const brakes = (
  { pause, freezes }: Pick<GuardFacts, "pause" | "freezes">,
  despite: readonly string[],
): Refusal[] => {
  const paused = whilePaused(pause);
  if (paused) return [paused];
  if (!freezes.known) {
    const reason = `Whether something else is under way cannot be read (${freezes.why}).`;
    return [refusal("freeze-unknown", reason)];
  }
  const frozen = whileFrozen(freezes.value, despite);
  return frozen ? [frozen] : [];
};

/**
 * The alarm that it is about has to ring still, for the same reason, with nobody holding it: also before a
 * call that gave no answer is made again, since what it was for may have got well by itself.
 */
export const alarmObjections = (alarm: Fact<AlarmNow>, key: string): Refusal[] => {
  if (!alarm.known) return holds(alarm);
  const { state } = alarm.value;
  if (state !== "ALARM") return [refusal("superseded", `The alarm is ${state} by now.`)];
  if (alarm.value.key === key) return holds(alarm);
  return [refusal("superseded", "The alarm was well in between: this is another one.")];
};

/** Somebody may mute an alarm or switch its actions off. What cannot be read counts as held. */
const holds = (alarm: Fact<AlarmNow>): Refusal[] => {
  if (!alarm.known) {
    return [refusal("alarm-unknown", `The alarm cannot be read again (${alarm.why}).`)];
  }
  const { held } = alarm.value;
  return held === null ? [] : [refusal("held", `The alarm is held: ${held}.`)];
};

const selector = (deed: Deed): Refusal[] => {
  const why = malformedOf(deed);
  return why === null ? [] : [refusal("empty-selector", `The target is not one thing: ${why}.`)];
};

const fleetObjections = (
  deed: Deed,
  fleet: GuardFacts["fleet"],
  despite: readonly string[],
): Refusal[] => {
  if (!fleet?.targets.known || !fleet.group.known || !fleet.deploy.known) {
    return [refusal("fleet-unknown", "The fleet cannot be seen, so nothing is taken from it.")];
  }
  const { value: group } = fleet.group;
  const members = group.instances.filter(({ lifecycle }) => lifecycle === "InService");
  if (members.length === 0) {
    return [refusal("empty-selector", "The group has nobody in service.")];
  }
  return [
    ...manySick(deed, fleet.targets.value, group, members),
    ...startsNone(group),
    ...comingAndGoing(group),
    ...(despite.includes("deploy") ? [] : rolling(fleet.deploy.value)),
  ];
};

/**
 * Never below what has to serve, and never host by host what all of them have. A member that serves is
 * only taken while the others are the group's minimum without it. One that is sick, or passes its checks
 * and answers users with errors, serves nobody, so its exchange takes nothing from users; but where more
 * than it are missing, it is no matter of one host.
 */
const manySick = (
  deed: Deed,
  targets: TargetSeen[],
  { minimum }: GroupSeen,
  members: GroupSeen["instances"],
): Refusal[] => {
  const isTarget = (id: string) => id === targetOf(deed);
  const healthy = new Set(targets.filter(({ state }) => state === "healthy").map(({ id }) => id));
  const serving = members.filter(({ id }) => healthy.has(id) && !isTarget(id)).length;
  const takesOneThatServes = !answersErrors(deed) && healthy.has(targetOf(deed) ?? "");
  const starting = startingOf(targets, members);
  const sick = members.filter(
    ({ id }) => isTarget(id) || !(healthy.has(id) || starting.includes(id)),
  );
  const refusals: Refusal[] = [...notYet(deed, starting), ...oneZone(sick, members)];
  if (sick.length * 2 > members.length) {
    const reason = `${sick.length} of ${members.length} do not serve: this is no matter of one host.`;
    refusals.push(refusal("fleet-wide", reason));
  }
  const least = Math.max(1, takesOneThatServes ? minimum : minimum - 1);
  if (serving < least) {
    const reason = `${serving} others serve, and it takes ${least} to exchange one.`;
    refusals.push(refusal("minimum-healthy", reason));
  }
  return refusals;
};

type Members = GroupSeen["instances"];

/** Those that have not had the time yet that their group gives them, or that nobody has checked yet. */
const startingOf = (targets: TargetSeen[], members: Members): string[] => {
  const unchecked = targets.filter(({ state }) => state === "initial").map(({ id }) => id);
  return members
    .filter((each) => each.isStarting || unchecked.includes(each.id))
    .map(({ id }) => id);
};

const notYet = (deed: Deed, starting: string[]): Refusal[] => {
  const target = targetOf(deed);
  if (target === null || !starting.includes(target)) return [];
  return [refusal("starting", `${target} has only just been started: it is given its time.`)];
};

/** Two that are sick in one of several zones are sick of the zone, also where the fleet is small. */
const oneZone = (sick: Members, members: Members): Refusal[] => {
  const [zone, ...others] = new Set(sick.map((each) => each.zone));
  const isOnly = members.every((each) => each.zone === zone);
  if (sick.length < 2 || zone === undefined || others.length > 0 || isOnly) return [];
  const reason =
    `All ${sick.length} that do not serve are in ${zone}: look at the zone, ` +
    "and shift away from it if the others can carry it. Host by host nothing would be won.";
  return [refusal("one-zone", reason)];
};

/** Health checks do not see it, and what users get of it is errors. */
const answersErrors = ({ target }: Deed): boolean => "sign" in target && target.sign === "errors";

/** A group that starts no instances would be left with one less. */
const startsNone = ({ suspended }: GroupSeen): Refusal[] =>
  suspended.includes("Launch")
    ? [refusal("no-replacement", "The group starts no instance: its Launch process is suspended.")]
    : [];

const comingAndGoing = ({ instances }: GroupSeen): Refusal[] => {
  // Somebody has put it aside on purpose, for hours perhaps: it neither comes nor goes.
  const settled = ["InService", "Standby"];
  const coming = instances.filter(({ lifecycle }) => !settled.includes(lifecycle));
  if (coming.length === 0) return [];
  const who = coming.map(({ id, lifecycle }) => `${id} is ${lifecycle}`).join(", ");
  return [refusal("exchange-under-way", `One at a time: ${who}.`)];
};

const rolling = (deploy: RefreshSeen | null): Refusal[] =>
  deploy !== null && deploy.endedAtMilliseconds === null
    ? [refusal("frozen", `A deploy is under way: ${deploy.id}.`)]
    : [];

const targetOf = ({ target }: Deed): string | null =>
  "instance" in target ? target.instance : null;
