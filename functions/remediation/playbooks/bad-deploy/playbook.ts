import type { TargetSeen } from "../../evidence.ts";
import type { RefreshDetail, ReleaseSeen, TrafficSeen } from "../../evidence-application.ts";
import type { Decision, Evidence, Finding, Playbook, Subject, Verdict } from "../../playbooks.ts";
import { alarmingShare, errorShare, isAway, percent, shareBetween } from "../../traffic.ts";

type Need = "release" | "traffic" | "targets" | "database";

type Code =
  | "no-deploy"
  | "not-the-deploy"
  | "recovered"
  | "going-back"
  | "aws-rolls-back"
  | "still-starting"
  | "cannot-go-back"
  | "deploy-has-ended"
  | "bad-deploy";

/** So long after its end a deploy is held to account. */
const lingersSeconds = 1800;
/** Errors of so long before it are what they are compared with. */
const baselineSeconds = 1800;
/** So many times the errors of before, and one in a hundred more: then they began with it. */
const times = 2;
/** New instances have so long to boot and to pass their first checks. */
const bootSeconds = 600;
/** So long after an alarm of its own the deploy has to turn round by itself; it looks every few seconds. */
const awsTurnSeconds = 120;

const finding = (is: Code | "unknown", says: string, advice: string[] = []): Finding<Code> => ({
  is,
  says,
  advice,
});

const diagnose = (evidence: Evidence<Need>, subject: Subject): Finding<Code> => {
  const { release, traffic, targets, database } = evidence;
  if (!release.known || !traffic.known || !targets.known) {
    return finding("unknown", "Whether a deploy is under way, and who fails, could not be seen.", [
      "Look at the instance refreshes of the group: when did the newest one begin?",
    ]);
  }
  const now = release.atMilliseconds;
  const { refresh } = release.value;
  if (!refresh) return finding("no-deploy", "The group has never been refreshed.");
  const says = saysOf(refresh, now);
  const ended = refresh.endedAtMilliseconds;
  if (ended !== null && (now - ended) / 1000 > lingersSeconds) return finding("no-deploy", says);
  if (database.known && isAway(database.value)) {
    const { id, status } = database.value;
    return finding("not-the-deploy", `${says} But ${id} is ${status}.`);
  }
  if (/^(RollbackInProgress|Cancelling)$/.test(refresh.status)) {
    return finding("going-back", `${says} It goes back already.`);
  }
  const sign = signOf(refresh, release.value, traffic.value, targets.value, subject, now);
  if (sign.is !== "bad") return finding(sign.is, `${says} ${sign.says}`);
  if (ended !== null) return afterwards(refresh, `${says} ${sign.says}`);
  return underWay(release.value, refresh, subject, `${says} ${sign.says}`, now);
};

const saysOf = ({ id, status, percent: done, ...refresh }: RefreshDetail, now: number): string => {
  const minutes = Math.round((now - refresh.startedAtMilliseconds) / 60_000);
  return `The deploy ${id} began ${minutes} minutes ago and is ${status}, ${done} % of it done.`;
};

type Sign = {
  is: "bad" | "recovered" | "not-the-deploy" | "still-starting" | "unknown";
  says: string;
};

/** Whether users or health checks say that the new version is bad, and not something that was before. */
const signOf = (
  refresh: RefreshDetail,
  release: ReleaseSeen,
  traffic: TrafficSeen,
  targets: TargetSeen[],
  subject: Subject,
  now: number,
): Sign => {
  const errors = errorsSince(refresh, traffic);
  if (errors && errors.is !== "recovered") return errors;
  const unhealthy = newcomers(refresh, release, targets, subject, now);
  return unhealthy ?? errors ?? { is: "unknown", says: "There are too few requests to tell." };
};

/** Null when there are too few requests now. */
const errorsSince = (
  { startedAtMilliseconds: start }: RefreshDetail,
  traffic: TrafficSeen,
): Sign | null => {
  const share = errorShare(traffic);
  if (share === null) return null;
  const now = `${percent(share)} of requests fail`;
  if (share <= alarmingShare) return { is: "recovered", says: `No more than ${now}.` };
  const { history } = traffic;
  const old = baselineOf(history, start);
  if (old === null) return { is: "unknown", says: `${now}, and nobody knows how many did before.` };
  const both = `${now}, and ${percent(old)} did before.`;
  const beganWithIt = share > old + alarmingShare && share > times * old;
  return { is: beganWithIt ? "bad" : "not-the-deploy", says: both };
};

/** What failed before it began; where that is not known any more, the oldest that is. */
const baselineOf = (history: TrafficSeen["history"], start: number): number | null => {
  const [first] = history;
  const last = history.at(-1);
  if (!first || !last) return null;
  if (start > first.atMilliseconds) {
    return shareBetween(history, start - baselineSeconds * 1000, start);
  }
  const until = first.atMilliseconds + (baselineSeconds * 1000) / 2;
  return until < last.atMilliseconds - (baselineSeconds * 1000) / 2
    ? shareBetween(history, first.atMilliseconds, until)
    : null;
};

/** Instances of the new version that do not get healthy; null when that says nothing. */
const newcomers = (
  { toVersion, startedAtMilliseconds }: RefreshDetail,
  { instances, version }: ReleaseSeen,
  targets: TargetSeen[],
  { sinceMilliseconds }: Subject,
  now: number,
): Sign | null => {
  if (toVersion === null || toVersion === version) return null;
  const fresh = new Set(
    instances
      .filter((one) => one.version === toVersion && one.lifecycle === "InService")
      .map(({ id }) => id),
  );
  const among = targets.filter(({ id }) => fresh.has(id));
  const sick = among.filter(({ state }) => state === "unhealthy").length;
  const healthy = among.filter(({ state }) => state === "healthy").length;
  if (sick === 0) return null;
  const says = `Of version ${toVersion} ${healthy} instances are healthy and ${sick} are not.`;
  const waited = Math.min(now - sinceMilliseconds, now - startedAtMilliseconds) / 1000;
  const isOver = healthy === 0 && waited >= bootSeconds;
  return { is: isOver ? "bad" : "still-starting", says };
};

/** One that has ended cannot be rolled back. Source: "Undo changes with a … rollback", Auto Scaling. */
const afterwards = ({ status }: RefreshDetail, says: string): Finding<Code> => {
  if (status.startsWith("Rollback")) {
    return finding("not-the-deploy", `${says} It was taken back, and that has not helped.`);
  }
  return finding("deploy-has-ended", says, [
    "It has ended, so there is nothing to roll back: release the image before it again (docs/DEPLOY.md).",
    status === "Successful"
      ? "All instances run it. The one before is the version of the launch template before this one."
      : "Instances of both versions run: the release of the image before replaces the new ones only.",
  ]);
};

const underWay = (
  { version }: ReleaseSeen,
  { toVersion, rollsBackItself, alarms }: RefreshDetail,
  { alarm, sinceMilliseconds }: Subject,
  says: string,
  now: number,
): Finding<Code> => {
  if (toVersion === null || !/^\d+$/.test(version)) {
    const why =
      toVersion === null
        ? "it was started without a desired configuration"
        : `the group is started from ${version}, which is no number`;
    return finding("cannot-go-back", `${says} It cannot be rolled back: ${why}.`, [
      "Cancel it, so that no more instances are replaced: aws autoscaling cancel-instance-refresh.",
      "Then release the image before it again (docs/DEPLOY.md).",
    ]);
  }
  const rings = (now - sinceMilliseconds) / 1000;
  if (rollsBackItself && alarms.includes(alarm) && rings < awsTurnSeconds) {
    return finding("aws-rolls-back", `${says} Auto Scaling rolls it back for this very alarm.`);
  }
  return finding("bad-deploy", says, [
    `It goes from version ${version} to ${toVersion} of the launch template: what is new in it?`,
  ]);
};

const refuse = (code: string, reason: string): Decision => ({
  kind: "refuse",
  refusals: [{ code, reason }],
  advice: [],
});

const rollBack = ({ release }: Evidence<Need>): Decision => {
  if (!release.known || !release.value.refresh || release.value.group === "") {
    return refuse("empty-selector", "The deploy is not known by its id.");
  }
  const { group, version, refresh } = release.value;
  return {
    kind: "proceed",
    deed: { do: "rollback-refresh", target: { group, refresh: refresh.id, toVersion: version } },
    reasons: [
      "Users were well before it. What it has replaced is replaced again, and nothing else.",
      "A migration of the database is not taken back with it: the version before has to bear it.",
    ],
  };
};

const startOf = ({ release }: Evidence<Need>): number | null =>
  release.known ? (release.value.refresh?.startedAtMilliseconds ?? null) : null;

/** Until a rollback has begun the deploy goes on. */
const turnMilliseconds = 120_000;

/**
 * What the deploy had come to when it was turned round, by its worst minute: a mean over several is still
 * small when somebody is quick, and for as long as it lasts has the same minutes in it afterwards.
 */
const worstOf = (
  before: { value: TrafficSeen; atMilliseconds: number },
  { history }: TrafficSeen,
  start: number,
): number => {
  const shares = history
    .map(({ atMilliseconds }) => atMilliseconds)
    .filter((at) => at >= start && at < before.atMilliseconds + turnMilliseconds)
    .map((at) => shareBetween(history, at, at + 1) ?? 0);
  return Math.max(errorShare(before.value) ?? 0, ...shares);
};

/** Users are well, whatever they got before the deploy, and no target is unhealthy. */
const judge = (before: Evidence<Need>, now: Evidence<Need>): Verdict => {
  if (!now.traffic.known || !now.targets.known || !before.traffic.known) {
    return { is: "unknown", says: "Requests or targets cannot be seen" };
  }
  const share = errorShare(now.traffic.value);
  const old = worstOf(
    before.traffic,
    now.traffic.value,
    startOf(before) ?? Number.POSITIVE_INFINITY,
  );
  const sick = now.targets.value.filter(({ state }) => state === "unhealthy").length;
  const much = share === null ? "too few requests to tell" : `${percent(share)} of requests fail`;
  const says = `${much}, ${sick} targets are unhealthy`;
  if (share !== null && share > old + 0.05) return { is: "worse", says };
  const isWell = share !== null && share <= alarmingShare;
  return { is: isWell && sick === 0 ? "healed" : "same", says };
};

/** A deploy that is under way has made it worse for users, or does not get healthy. */
export const badDeploy: Playbook<Need, Code> = {
  name: "bad-deploy",
  // Before whatever a new version can be the cause of; while nobody deploys it is left out altogether.
  rank: 25,
  onlyWhile: "deploy",
  alarms: ["error-rate", "unhealthy-hosts"],
  evidence: ["release", "traffic", "targets", "database"],
  diagnose,
  decide: {
    "bad-deploy": rollBack,
  },
  next: {
    "no-deploy": "passes",
    "not-the-deploy": "passes",
    recovered: "passes",
    "going-back": "waits",
    "aws-rolls-back": "waits",
    "still-starting": "again",
    "cannot-go-back": "people",
    "deploy-has-ended": "people",
    "bad-deploy": "deed",
    unknown: "again",
  },
  proof: {
    what: "no more than 1 % of requests fail, and every target is healthy",
    judge,
    withinSeconds: 1200,
    holdSeconds: 240,
    everySeconds: 60,
  },
  budget: { perHour: 1, cooldownSeconds: 3600 },
  right: "automatic",
  approvals: 1,
  despite: ["deploy", "standby"],
};
