import type { Decision, Evidence, Finding, Playbook, Verdict } from "../../playbooks.ts";

type Need = "load" | "group" | "deploy" | "service";

type Code = "recovered" | "deploy-under-way" | "load-has-grown" | "at-maximum" | "slower-alone";

/** The alarm's own bound. */
const boundSeconds = 1;
/** So many times the load of the hour before, and more instances are the answer. */
const grown = 1.4;
/** At least one more, and a fifth of what is there: each one opens connections to the database. */
const growBy = 0.2;
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

const diagnose = ({ load, group, deploy }: Evidence<Need>): Finding<Code> => {
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
  if (times === null || times < grown) return finding("slower-alone", says, lookElsewhere);
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
  const seconds = fresh.value.slowestSeconds;
  const says = `one request in twenty takes ${seconds.toFixed(2)} s`;
  const slower = seconds > (old.value.slowestSeconds ?? 0) * worseTimes && seconds > boundSeconds;
  if (slower || failsMore(before, now)) return { is: "worse", says };
  return { is: seconds <= boundSeconds ? "healed" : "same", says };
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
  evidence: ["load", "group", "deploy", "service"],
  diagnose,
  decide: { "load-has-grown": grow },
  passesOn: ["recovered"],
  proof: {
    what: "19 of 20 requests take less than a second, and no more of them fail",
    judge,
    withinSeconds: 1200,
    holdSeconds: 180,
    everySeconds: 60,
  },
  budget: { perHour: 2, cooldownSeconds: 900 },
  right: "automatic",
  approvals: 1,
};
