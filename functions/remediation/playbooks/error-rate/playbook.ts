import type { GroupSeen, TargetSeen } from "../../evidence.ts";
import type { TrafficSeen } from "../../evidence-application.ts";
import type { Decision, Evidence, Finding, Playbook, Verdict } from "../../playbooks.ts";
import { alarmingShare, errorShare, isAway, isWellIn, percent, signsOf } from "../../traffic.ts";

type Need =
  | "traffic"
  | "targets"
  | "anomalies"
  | "group"
  | "release"
  | "database"
  | "refusals"
  | "service";

type Code =
  | "recovered"
  | "too-few-requests"
  | "deploy-under-way"
  | "nobody-serves"
  | "most-are-sick"
  | "database-down"
  | "database-refuses"
  | "unhealthy-host"
  | "one-bad-host"
  | "several-bad-hosts"
  | "one-zone"
  | "balancer-answers"
  | "everywhere";

/** More refusals than a client that tries twice makes: as in the playbook database-connections. */
const tellingRefusals = 5;
/** So long after its end a deploy is named as a reason. */
const lingersSeconds = 1800;
/** Errors in one more of twenty requests than before: it was the wrong answer. */
const worseShare = 0.05;
/** Two that answer well are needed to say that a third does not. Source: "Automatic target weights", ALB. */
const leastCompared = 3;

const finding = (is: Code | "unknown", says: string, advice: string[] = []): Finding<Code> => ({
  is,
  says,
  advice,
});

interface Fleet {
  all: TargetSeen[];
  healthy: TargetSeen[];
  sick: TargetSeen[];
}

const fleetOf = (targets: TargetSeen[], group: GroupSeen): Fleet => {
  const serving = new Set(
    group.instances.filter(({ lifecycle }) => lifecycle === "InService").map(({ id }) => id),
  );
  const all = targets.filter(({ id }) => serving.has(id));
  return {
    all,
    healthy: all.filter(({ state }) => state === "healthy"),
    sick: all.filter(({ state }) => state === "unhealthy"),
  };
};

const diagnose = (evidence: Evidence<Need>): Finding<Code> => {
  const { traffic, targets, group, release } = evidence;
  if (!traffic.known || !targets.known || !group.known || !release.known) {
    const blind = [traffic, targets, group, release].flatMap((fact) =>
      fact.known ? [] : [`${fact.source}: ${fact.why}`],
    );
    return finding("unknown", `Not everything could be seen (${blind.join("; ")}).`, [
      "Look at the load balancer's metrics by hand: HTTPCode_ELB_5XX_Count and HTTPCode_Target_5XX_Count.",
    ]);
  }
  const share = errorShare(traffic.value);
  const says = saysOf(traffic.value, share);
  if (share === null) {
    return finding("too-few-requests", says, ["So few requests are no share of anything: wait."]);
  }
  if (share <= alarmingShare) return finding("recovered", says);
  const { refresh } = release.value;
  if (refresh && refresh.endedAtMilliseconds === null) {
    const deploy = `${says} ${refresh.id} replaces instances, ${refresh.percent} % of it is done.`;
    return finding("deploy-under-way", deploy, [
      "If the errors began with it, roll it back: that is what the playbook bad-deploy is for.",
    ]);
  }
  const fleet = fleetOf(targets.value, group.value);
  return byWhom(evidence, fleet, traffic.value, says, deployAdvice(evidence));
};

const saysOf = (
  { requests, application, balancer, minutes }: TrafficSeen,
  share: number | null,
): string => {
  const whose = `${application} by the application, ${balancer} by the load balancer`;
  const much = share === null ? "too few to tell" : percent(share);
  return `${requests} requests in ${minutes} minutes, ${much} of them failed: ${whose}.`;
};

/** What has ended lately is the first thing to look at, and cannot be rolled back any more. */
const deployAdvice = ({ release, traffic }: Evidence<Need>): string[] => {
  const refresh = release.known ? release.value.refresh : null;
  const ended = refresh?.endedAtMilliseconds;
  if (!refresh || !ended) return [];
  const seconds = (traffic.atMilliseconds - ended) / 1000;
  if (seconds > lingersSeconds) return [];
  const minutes = Math.round(seconds / 60);
  return [
    `The deploy ${refresh.id} ended ${minutes} minutes ago (${refresh.status}): release the image before ` +
      "it again, since a deploy that has ended cannot be rolled back.",
  ];
};

/** The nearest to the root first: nobody, the database, a host, a zone, the load balancer, all of it. */
const byWhom = (
  evidence: Evidence<Need>,
  { all, healthy, sick }: Fleet,
  traffic: TrafficSeen,
  says: string,
  deploy: string[],
): Finding<Code> => {
  if (healthy.length === 0) {
    return finding("nobody-serves", `${says} None of ${all.length} instances is healthy.`, [
      ...deploy,
      "Look at what all instances need: the database, the secrets, the image, the security groups.",
      "What the application says last: its log group, the newest stream of each instance.",
    ]);
  }
  if (sick.length * 2 > all.length) {
    return finding(
      "most-are-sick",
      `${says} ${sick.length} of ${all.length} are unhealthy.`,
      deploy,
    );
  }
  const database = databaseTrouble(evidence, says);
  if (database) return database;
  const host = badHost(evidence, healthy, sick, says, deploy);
  if (host) return host;
  const zone = oneZone(traffic, says);
  if (zone) return zone;
  if (traffic.balancer > traffic.application) return balancerAnswers(traffic, says, deploy);
  if (!evidence.anomalies.known) {
    const { why } = evidence.anomalies;
    return finding("unknown", `${says} Which instance it is cannot be seen (${why}).`, deploy);
  }
  return finding("everywhere", `${says} No instance and no zone stands out.`, [
    ...deploy,
    "It is in what all of them share: the database's slowest statements and waits, Redis, a secret that " +
      "was rotated, or a service that the application calls.",
    "Read one of its stack traces before anything is restarted: a restart would take it away.",
  ]);
};

const databaseTrouble = (
  { database, refusals }: Evidence<Need>,
  says: string,
): Finding<Code> | null => {
  if (database.known && isAway(database.value)) {
    const { id, status } = database.value;
    return finding("database-down", `${says} ${id} is ${status}.`, [
      "The application cannot be well before its database is: look at the events of RDS.",
      "Do not restart instances meanwhile: they would all come back at once.",
    ]);
  }
  if (refusals.known && refusals.value.refused > tellingRefusals) {
    const { refused, minutes } = refusals.value;
    const turned = `The database refused ${refused} logins in ${minutes} minutes.`;
    return finding("database-refuses", `${says} ${turned}`, [
      "No room for connections, or a password that is not its own: compare AWSCURRENT with the role.",
    ]);
  }
  return null;
};

const badHost = (
  { anomalies, release }: Evidence<Need>,
  healthy: TargetSeen[],
  sick: TargetSeen[],
  says: string,
  deploy: string[],
): Finding<Code> | null => {
  const bad = anomalies.known
    ? healthy.filter(({ id }) => anomalies.value.ids.includes(id)).map(({ id }) => id)
    : [];
  const named = bad.join(", ");
  const others = `the other ${healthy.length - bad.length} answer well`;
  if (bad.length === 1 && sick.length === 0 && healthy.length >= leastCompared) {
    return finding("one-bad-host", `${says} They come from ${named}; ${others}.`);
  }
  if (bad.length > 0 && bad.length * 2 <= healthy.length) {
    const versions = release.known
      ? release.value.instances.filter(({ id }) => bad.includes(id)).map(({ version }) => version)
      : [];
    return finding("several-bad-hosts", `${says} They come from ${named}; ${others}.`, [
      ...deploy,
      `What have they in common? Their template's version is ${[...new Set(versions)].join(" or ")}.`,
      "End one of them only when you know that the next one will not be the same.",
    ]);
  }
  if (sick.length > 0 && bad.length === 0) {
    const ids = sick.map(({ id, reason }) => `${id} (${reason})`).join(", ");
    return finding("unhealthy-host", `${says} The load balancer finds unhealthy: ${ids}.`);
  }
  return null;
};

const oneZone = ({ zones }: TrafficSeen, says: string): Finding<Code> | null => {
  const bad = zones.filter((zone) => signsOf(zone).length > 0);
  const [first] = bad;
  const isAlone = bad.length === 1 && zones.filter(isWellIn).length === zones.length - 1;
  if (!first || !isAlone || zones.length < 2) return null;
  const signs = signsOf(first).join(", ");
  return finding("one-zone", `${says} Only ${first.zone} is not well: ${signs}.`, [
    "When the alarms of the zone agree, the playbook zone-impairment says how to shift away from it.",
  ]);
};

const meanings: Record<string, string> = {
  "500": "500: the load balancer itself failed, or one of its rules did.",
  "502":
    "502: the application broke the connection. Was a container killed for its memory? See dmesg.",
  "503": "503: there was nobody to ask. Is the target group empty, or at its limit?",
  "504":
    "504: no answer in time. What does the application wait for: the database, Redis, another service?",
};

const balancerAnswers = ({ codes }: TrafficSeen, says: string, deploy: string[]): Finding<Code> => {
  const shown = codes.map(({ code, count }) => `${count} × ${code}`).join(", ");
  const most = codes.toSorted((a, b) => b.count - a.count);
  return finding("balancer-answers", `${says} By code: ${shown || "not told"}.`, [
    ...deploy,
    ...most.flatMap(({ code }) => meanings[code] ?? []),
  ]);
};

const refuse = (code: string, reason: string): Decision => ({
  kind: "refuse",
  refusals: [{ code, reason }],
  advice: [],
});

const replaceOne = ({ targets, group, anomalies }: Evidence<Need>): Decision => {
  if (!targets.known || !group.known || !anomalies.known) {
    return refuse("unknown", "The instance is not known any more.");
  }
  const { healthy } = fleetOf(targets.value, group.value);
  const [instance, ...more] = anomalies.value.ids.filter((id) =>
    healthy.some((each) => each.id === id),
  );
  if (!instance || more.length > 0 || group.value.name === "") {
    return refuse("empty-selector", "No single bad instance is known by name.");
  }
  return {
    kind: "proceed",
    deed: {
      do: "replace-instance",
      target: { group: group.value.name, instance, sign: "errors" },
    },
    reasons: [
      "It passes its health checks, so nobody else takes it out, and users get its errors.",
    ],
  };
};

const judge = (before: Evidence<Need>, now: Evidence<Need>): Verdict => {
  if (!now.traffic.known || !now.targets.known || !now.group.known) {
    return { is: "unknown", says: "Requests or targets cannot be seen" };
  }
  const share = errorShare(now.traffic.value);
  const old = before.traffic.known ? (errorShare(before.traffic.value) ?? 0) : 0;
  const serving = fleetOf(now.targets.value, now.group.value).healthy.length;
  const wanted =
    before.targets.known && before.group.known
      ? fleetOf(before.targets.value, before.group.value).healthy.length
      : now.group.value.desired;
  const much = share === null ? "too few requests to tell" : `${percent(share)} of requests fail`;
  const says = `${much}, ${serving} of ${wanted} serve`;
  if (share !== null && share > old + worseShare) return { is: "worse", says };
  // One is gone until the group has made another; more than that is not of this deed.
  if (serving < wanted - 1) return { is: "worse", says };
  const isHealed = share !== null && share <= alarmingShare && serving >= wanted;
  return { is: isHealed ? "healed" : "same", says };
};

/** More than one in a hundred requests ends with a 5xx: whose are they? */
export const errorRate: Playbook<Need, Code> = {
  name: "error-rate",
  rank: 60,
  alarms: ["error-rate"],
  evidence: [
    "traffic",
    "targets",
    "anomalies",
    "group",
    "release",
    "database",
    "refusals",
    "service",
  ],
  diagnose,
  decide: {
    "one-bad-host": replaceOne,
  },
  next: {
    recovered: "passes",
    "too-few-requests": "again",
    "deploy-under-way": "again",
    "nobody-serves": "people",
    "most-are-sick": "people",
    "database-down": "waits",
    "database-refuses": "people",
    "unhealthy-host": "passes",
    "one-bad-host": "deed",
    "several-bad-hosts": "people",
    "one-zone": "people",
    "balancer-answers": "people",
    everywhere: "people",
    unknown: "again",
  },
  proof: {
    what: "no more than 1 % of requests fail, and as many serve as before",
    judge,
    withinSeconds: 1200,
    holdSeconds: 180,
    everySeconds: 60,
  },
  budget: { perHour: 2, cooldownSeconds: 3600 },
  right: "automatic",
  approvals: 1,
};
