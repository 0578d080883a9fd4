import type { Deed } from "../../actions.ts";
import type { GroupSeen, ServiceSeen, TargetSeen } from "../../evidence.ts";
import type { Decision, Evidence, Finding, Playbook, Subject, Verdict } from "../../playbooks.ts";
import { isWellFor } from "../../traffic.ts";

type Need = "targets" | "group" | "deploy" | "service";

type Code =
  | "recovered"
  | "starting"
  | "most-are-sick"
  | "deploy-under-way"
  | "group-replaces"
  | "one-sick-host"
  | "several-sick-hosts";

/** So many minutes the group itself has for what it is made for; its checks take one or two. */
const groupsTurnSeconds = 300;

/** Without these the group ends no instance, or starts none instead of it. */
const neededProcesses = ["HealthCheck", "ReplaceUnhealthy", "Terminate", "Launch"];

/** More errors than before by this share of all requests, and enough requests to say so. */
const worseShare = 0.05;
const tellingRequests = 20;

interface Fleet {
  sick: TargetSeen[];
  healthy: TargetSeen[];
  all: TargetSeen[];
  /** Unhealthy, and within the time that their group gives them. */
  starting: TargetSeen[];
}

const fleetOf = (targets: TargetSeen[], group: GroupSeen): Fleet => {
  const members = group.instances.filter(({ lifecycle }) => lifecycle === "InService");
  const starting = new Set(members.filter(({ isStarting }) => isStarting).map(({ id }) => id));
  const serving = new Set(members.map(({ id }) => id));
  const all = targets.filter(({ id }) => serving.has(id));
  return {
    all,
    sick: all.filter((each) => isSick(each) && !starting.has(each.id)),
    starting: all.filter((each) => isSick(each) && starting.has(each.id)),
    healthy: all.filter(({ state }) => state === "healthy"),
  };
};

/** What the load balancer blames on itself is no sign of a sick host. */
const isSick = ({ state, reason }: TargetSeen): boolean =>
  state === "unhealthy" && !reason.startsWith("Elb.");

const finding = (is: Code | "unknown", says: string, advice: string[] = []): Finding<Code> => ({
  is,
  says,
  advice,
});

const diagnose = (evidence: Evidence<Need>, { sinceMilliseconds }: Subject): Finding<Code> => {
  const { targets, group, deploy } = evidence;
  if (!targets.known || !group.known || !deploy.known) {
    const blind = [targets, group, deploy].flatMap((fact) =>
      fact.known ? [] : [`${fact.source}: ${fact.why}`],
    );
    return finding("unknown", `Not everything could be seen (${blind.join("; ")}).`, [
      "Look at the target group in the console: nothing is done on half of a picture.",
    ]);
  }
  const { sick, healthy, all, starting } = fleetOf(targets.value, group.value);
  const share = `${sick.length} of ${all.length} instances are unhealthy, ${healthy.length} serve`;
  const named = sick.map(({ id, reason }) => `${id} (${reason})`).join(", ");
  if (all.length === 0) return finding("unknown", "No instance in service is known as a target.");
  if (sick.length === 0 && starting.length > 0) {
    const who = starting.map(({ id }) => id).join(", ");
    return finding("starting", `${share}. Within their grace period: ${who}.`);
  }
  if (sick.length === 0)
    return finding("recovered", `No instance is unhealthy any more; ${share}.`);
  if (sick.length * 2 > all.length || healthy.length === 0) {
    return finding("most-are-sick", `${share}: ${named}.`, [
      "This is no matter of one host. Look at what all of them need: database, secrets, image.",
      "Was something deployed? Then take that back before anything else.",
    ]);
  }
  if (deploy.value !== null && deploy.value.endedAtMilliseconds === null) {
    return finding("deploy-under-way", `${share}, while ${deploy.value.id} replaces instances.`, [
      "Instances of a deploy are unhealthy while they start. If it lasts, roll the refresh back.",
    ]);
  }
  const sickSeconds = (targets.atMilliseconds - sinceMilliseconds) / 1000;
  if (replaces(group.value) && sickSeconds < groupsTurnSeconds) {
    return finding("group-replaces", `${share}. Auto Scaling replaces by itself: ${named}.`);
  }
  const why = replaces(group.value)
    ? `Auto Scaling has not replaced it for ${Math.round(sickSeconds)} s`
    : `Auto Scaling does not replace it (${whyNot(group.value)})`;
  if (sick.length === 1) return finding("one-sick-host", `${share}: ${named}. ${why}.`);
  return finding("several-sick-hosts", `${share}: ${named}. ${why}.`, [
    "Compare them: one zone, one image, one start time? Then it is not the hosts.",
  ]);
};

const missing = ({ suspended }: GroupSeen) =>
  neededProcesses.filter((process) => suspended.includes(process));

const replaces = (group: GroupSeen): boolean =>
  group.healthCheckType.includes("ELB") && missing(group).length === 0;

const whyNot = (group: GroupSeen): string =>
  missing(group).length > 0
    ? `suspended: ${missing(group).join(", ")}`
    : `its health check is ${group.healthCheckType}`;

const replace = ({ targets, group }: Evidence<Need>): Deed | null => {
  if (!targets.known || !group.known) return null;
  const [first] = fleetOf(targets.value, group.value).sick.toSorted((a, b) =>
    a.id < b.id ? -1 : 1,
  );
  if (!first) return null;
  return {
    do: "replace-instance",
    target: { group: group.value.name, instance: first.id },
  };
};

const nobodyToReplace: Decision = {
  kind: "refuse",
  refusals: [{ code: "empty-selector", reason: "No sick instance is known by name." }],
  advice: [],
};

/** One at a time: when it has helped and another is sick, the alarm is looked at again. */
const decideOne = (evidence: Evidence<Need>): Decision => {
  const deed = replace(evidence);
  if (!deed) return nobodyToReplace;
  const reasons = ["It takes no requests as it is, and its group starts another one."];
  return { kind: "proceed", deed, reasons };
};

const decideSeveral = (evidence: Evidence<Need>): Decision => {
  const deed = replace(evidence);
  if (!deed) return nobodyToReplace;
  const reasons = ["More than one is sick, so somebody should look before the first is ended."];
  return { kind: "ask", deed, reasons };
};

const errorShare = ({ requests, errors }: ServiceSeen): number | null =>
  requests >= tellingRequests ? errors / requests : null;

const percent = (share: number | null) =>
  share === null ? "too few requests to tell" : `${(100 * share).toFixed(1)} % errors`;

/** Users first: fewer that serve, or more errors than before, is worse whatever the host says. */
const judge = (before: Evidence<Need>, now: Evidence<Need>): Verdict => {
  if (!now.targets.known || !now.group.known || !before.targets.known || !before.group.known) {
    return { is: "unknown", says: "The targets cannot be seen." };
  }
  const [old, fleet] = [
    fleetOf(before.targets.value, before.group.value),
    fleetOf(now.targets.value, now.group.value),
  ];
  const share = now.service.known ? errorShare(now.service.value) : null;
  const shareBefore = before.service.known ? errorShare(before.service.value) : null;
  const says = `${fleet.healthy.length} serve (before: ${old.healthy.length}), ${percent(share)}`;
  if (fleet.healthy.length < old.healthy.length) return { is: "worse", says };
  if (share !== null && share > (shareBefore ?? 0) + worseShare) return { is: "worse", says };
  const enough = fleet.healthy.length >= Math.min(now.group.value.desired, old.healthy.length + 1);
  const areUsersWell = now.service.known && isWellFor(now.service.value);
  const isHealed = enough && fleet.sick.length < old.sick.length && areUsersWell;
  return { is: isHealed ? "healed" : "same", says };
};

/** One instance that the load balancer finds sick and that its group does not replace. */
export const unhealthyHost: Playbook<Need, Code> = {
  name: "unhealthy-host",
  rank: 50,
  alarms: ["unhealthy-hosts"],
  evidence: ["targets", "group", "deploy", "service"],
  diagnose,
  decide: { "one-sick-host": decideOne, "several-sick-hosts": decideSeveral },
  next: {
    recovered: "passes",
    starting: "again",
    "most-are-sick": "people",
    "deploy-under-way": "again",
    "group-replaces": "again",
    "one-sick-host": "deed",
    "several-sick-hosts": "deed",
    unknown: "again",
  },
  proof: {
    what: "one instance more serves, and no more than 1 % of requests fail",
    judge,
    withinSeconds: 1200,
    holdSeconds: 120,
    everySeconds: 30,
  },
  budget: { perHour: 3, cooldownSeconds: 3600 },
  right: "automatic",
  approvals: 1,
  // A region that stands by has to be well for the night on which it is needed.
  despite: ["standby"],
};
