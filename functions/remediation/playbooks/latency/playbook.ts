import type { Deed } from "../../actions.ts";
import type { Decision, Evidence, Finding, Playbook, Verdict } from "../../playbooks.ts";
import { blockerLines, slowestLines } from "../../statements.ts";
import { isAway, isWellFor } from "../../traffic.ts";

type Need =
  | "load"
  | "group"
  | "targets"
  | "deploy"
  | "service"
  | "database"
  | "databaseLoad"
  | "statements";

type Code =
  | "recovered"
  | "deploy-under-way"
  | "database-is-the-cause"
  | "load-has-grown"
  | "at-maximum"
  | "slower-alone";

/** The alarm's own bound. */
const boundSeconds = 1;
/** So many times the load of the hour before, and more instances are the answer. */
const grown = 1.4;
/** At least one more, and a fifth of what is there: each one opens connections to the database. */
const growBy = 0.2;
/** As `stacks/alarms/data.ts` has it for the database's processor. */
const busyPercent = 85;
/** Statements that wait for the volume: as many as this, and each instance more brings more of them. */
const queued = 10;
/** Without it in the figure a window is a whole one: the minutes of `load`. */
const wholeMinutes = 4;
/** So much slower than before, or so many more errors, and it was the wrong answer. */
const worseTimes = 1.25;
const worseShare = 0.05;

const finding = (is: Code | "unknown", says: string, advice: string[] = []): Finding<Code> => ({
  is,
  says,
  advice,
});

const lookElsewhere = [
  "The load is what it was, so more instances do not help: look at the database's waits and top SQL.",
  "Was something deployed, or does one zone or one instance answer late?",
];

const databaseAdvice = [
  "More instances open more connections to it and make it worse: look at its waits and top SQL.",
];

/** Which statements and which sessions: whoever looks at the database by hand begins there. */
const inside = ({ statements }: Evidence<Need>): string[] =>
  statements.known
    ? [...blockerLines(statements.value), ...slowestLines(statements.value)]
    : [`What the database works on could not be seen (${statements.why}).`];

/** What makes the database slow in words; null when it is well, or has not been measured. */
const databaseTrouble = ({ database, databaseLoad }: Evidence<Need>): string | null => {
  if (database.known && isAway(database.value)) {
    return `${database.value.id} is ${database.value.status}`;
  }
  if (!databaseLoad.known) return null;
  const { cpuPercent, queueDepth } = databaseLoad.value;
  if ((cpuPercent.now ?? 0) >= busyPercent) {
    return `the database's processor is busy to ${Math.round(cpuPercent.now ?? 0)} %`;
  }
  const waiting = queueDepth.now ?? 0;
  const hasGrown = waiting > 2 * (queueDepth.before ?? 0);
  return waiting >= queued && hasGrown
    ? `${Math.round(waiting)} reads and writes wait for the database's volume`
    : null;
};

const diagnose = (evidence: Evidence<Need>): Finding<Code> => {
  const { load, group, deploy, database, databaseLoad } = evidence;
  if (!load.known || !group.known || !deploy.known) {
    return finding("unknown", "Not everything could be seen.", lookElsewhere);
  }
  const { slowestSeconds, perMinute, perMinuteBefore } = load.value;
  if (slowestSeconds === null) return finding("unknown", "Nobody has measured how long it takes.");
  const { desired, maximum, instances } = group.value;
  const times = perMinuteBefore > 0 ? perMinute / perMinuteBefore : null;
  const against = times === null ? "" : `, ${times.toFixed(1)} times that of the hour before`;
  const says =
    `One request in twenty takes ${slowestSeconds.toFixed(2)} s at ${perMinute} a minute${against}; ` +
    `${instances.length} instances of ${maximum} at most.`;
  if (slowestSeconds <= boundSeconds) return finding("recovered", says);
  if (deploy.value !== null && deploy.value.endedAtMilliseconds === null) {
    return finding("deploy-under-way", `${says} ${deploy.value.id} replaces instances.`);
  }
  const trouble = databaseTrouble(evidence);
  if (trouble) {
    const advice = [...databaseAdvice, ...inside(evidence)];
    return finding("database-is-the-cause", `${says} ${trouble}.`, advice);
  }
  if (!database.known || !databaseLoad.known) {
    return finding("unknown", `${says} The database could not be seen.`, databaseAdvice);
  }
  if (times === null || times < grown) {
    return finding("slower-alone", says, [...lookElsewhere, ...inside(evidence)]);
  }
  if (desired >= maximum) {
    return finding("at-maximum", says, ["Raise sizes.application.maximum, or shed load."]);
  }
  return finding("load-has-grown", says);
};

const grow = ({ group }: Evidence<Need>): Decision => {
  if (!group.known || group.value.name === "") {
    const reason = "The group is not known by name.";
    return { kind: "refuse", refusals: [{ code: "empty-selector", reason }], advice: [] };
  }
  const { name, desired, maximum } = group.value;
  const to = Math.min(maximum, desired + Math.max(1, Math.ceil(desired * growBy)));
  return {
    kind: "proceed",
    deed: { do: "grow-group", target: { group: name, from: desired, to } },
    reasons: ["It can be taken back, and what Auto Scaling adds by itself comes on top."],
  };
};

const judge = (before: Evidence<Need>, now: Evidence<Need>): Verdict => {
  const [old, fresh] = [before.load, now.load];
  if (!old.known || !fresh.known || fresh.value.slowestSeconds === null) {
    return { is: "unknown", says: "How long requests take cannot be seen." };
  }
  const { slowestSeconds: seconds, perMinute, minutes = wholeMinutes } = fresh.value;
  const says =
    `one request in twenty takes ${seconds.toFixed(2)} s at ${perMinute} a minute ` +
    `(before: ${old.value.perMinute})`;
  const areUsersWell = now.service.known && isWellFor(now.service.value);
  if (seconds <= boundSeconds && areUsersWell) return { is: "healed", says };
  // While users ask for more than before, they would wait still longer without what was added.
  if (minutes < wholeMinutes || perMinute > old.value.perMinute) return { is: "same", says };
  const slower = seconds > (old.value.slowestSeconds ?? 0) * worseTimes && seconds > boundSeconds;
  return { is: slower || failsMore(before, now) ? "worse" : "same", says };
};

/** All that was ordered is in service, and answers its health checks. */
const shows = ({ group, targets }: Evidence<Need>, deed: Deed): boolean => {
  if (!group.known || !targets.known || deed.do !== "grow-group") return false;
  const wanted = Math.min(deed.target.to, group.value.desired);
  const members = group.value.instances.filter(({ lifecycle }) => lifecycle === "InService");
  const healthy = new Set(
    targets.value.filter(({ state }) => state === "healthy").map(({ id }) => id),
  );
  return members.filter(({ id }) => healthy.has(id)).length >= wanted;
};

const failsMore = (before: Evidence<Need>, now: Evidence<Need>): boolean => {
  const share = ({ service }: Evidence<Need>) =>
    service.known && service.value.requests >= 20
      ? service.value.errors / service.value.requests
      : 0;
  return share(now) > share(before) + worseShare;
};

/** Users wait because there are more of them than before. */
export const latency: Playbook<Need, Code> = {
  name: "latency",
  rank: 70,
  alarms: ["latency"],
  evidence: [
    "load",
    "group",
    "targets",
    "deploy",
    "service",
    "database",
    "databaseLoad",
    "statements",
  ],
  diagnose,
  decide: { "load-has-grown": grow },
  next: {
    recovered: "passes",
    "deploy-under-way": "again",
    "database-is-the-cause": "passes",
    "load-has-grown": "deed",
    "at-maximum": "people",
    "slower-alone": "again",
    unknown: "again",
  },
  proof: {
    what: "19 of 20 requests take less than a second, and no more than 1 % fail",
    judge,
    shows,
    withinSeconds: 1200,
    holdSeconds: 180,
    everySeconds: 60,
  },
  budget: { perHour: 2, cooldownSeconds: 900 },
  right: "automatic",
  approvals: 1,
};
