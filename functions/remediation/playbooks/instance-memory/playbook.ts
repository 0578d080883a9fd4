import type { HostMemory } from "../../evidence-application.ts";
import type { Decision, Evidence, Finding, Playbook, Verdict } from "../../playbooks.ts";
import { isWellFor } from "../../traffic.ts";

type Need = "memory" | "container" | "deeds" | "release" | "group" | "targets" | "service";

type Code =
  | "recovered"
  | "deploy-under-way"
  | "leak-of-the-image"
  | "several-hosts"
  | "one-host"
  | "restarted-before";

/** So long a restart counts as tried: a leak that fills it again within a day is no matter of luck. */
const triedSeconds = 24 * 3600;
const worseShare = 0.05;
const tellingRequests = 20;

const finding = (is: Code | "unknown", says: string, advice: string[] = []): Finding<Code> => ({
  is,
  says,
  advice,
});

const fullOf = ({ memory }: Evidence<Need>): HostMemory[] =>
  memory.known
    ? memory.value.hosts.filter(
        ({ percent }) => percent !== null && percent > memory.value.boundPercent,
      )
    : [];

const diagnose = (evidence: Evidence<Need>): Finding<Code> => {
  const { memory, release, deeds } = evidence;
  if (!memory.known || !release.known || !deeds.known) {
    return finding("unknown", "Which instances are short of memory could not be seen.", [
      "Look at mem_used_percent of each instance in the namespace CWAgent.",
    ]);
  }
  const { hosts, boundPercent } = memory.value;
  const silent = hosts.filter(({ percent }) => percent === null).length;
  const full = fullOf(evidence);
  const named = full.map(({ id, percent }) => `${id} (${Math.round(percent ?? 0)} %)`).join(", ");
  const says =
    `${full.length} of ${hosts.length} instances use more than ${boundPercent} % of their memory` +
    `${named === "" ? "" : `: ${named}`}${silent > 0 ? `; ${silent} tell nothing` : ""}.`;
  if (silent > 0) {
    return finding("unknown", says, [
      "Is the CloudWatch agent running on those that tell nothing? A host that is full may be silent.",
    ]);
  }
  const [first, ...more] = full;
  if (!first) return finding("recovered", says);
  const { refresh } = release.value;
  if (refresh && refresh.endedAtMilliseconds === null) {
    return finding("deploy-under-way", `${says} ${refresh.id} replaces instances.`, [
      "If those are full that run the new version, it leaks: roll the deploy back.",
    ]);
  }
  if (more.length > 0) return several(full, says);
  return oneHost(evidence, first, says);
};

/** What several have is what they have in common, and restarting one after the other hides it. */
const several = (full: HostMemory[], says: string): Finding<Code> => {
  const versions = [...new Set(full.map(({ version }) => version))];
  if (versions.length > 1) {
    return finding("several-hosts", `${says} They run versions ${versions.join(" and ")}.`, [
      "Not one image: has the load grown, or is the container's limit too near to what the machine has?",
    ]);
  }
  return finding("leak-of-the-image", `${says} All of them run version ${versions[0]}.`, [
    "Several hosts on one image are a leak: release the image before it again (docs/DEPLOY.md).",
    "Until then a larger instance type buys time. Keep one host as it is for a heap dump.",
  ]);
};

const oneHost = (
  { container, deeds, memory }: Evidence<Need>,
  { id }: HostMemory,
  says: string,
): Finding<Code> => {
  const lookHere = [
    `On ${id}: docker stats, docker logs --tail 200 application, journalctl --dmesg --grep oom.`,
  ];
  const tried = deeds.known
    ? deeds.value.find(({ deed, resource, atMilliseconds }) => {
        const ago = (memory.atMilliseconds - atMilliseconds) / 1000;
        const isRestart = deed === "restart-container" && resource === `instance:${id}`;
        return isRestart && ago < triedSeconds;
      })
    : undefined;
  if (tried) {
    const minutes = Math.round((memory.atMilliseconds - tried.atMilliseconds) / 60_000);
    const again = `Its container was restarted ${minutes} minutes ago, and it is full again.`;
    return finding("restarted-before", `${says} ${again}`, lookHere);
  }
  if (!container.known || container.value?.instance !== id || container.value.startedAt === null) {
    const why = container.known ? "it says nothing of its container" : container.why;
    return finding("unknown", `${says} It cannot be looked into (${why}).`, lookHere);
  }
  const { startedAt, lines } = container.value;
  return finding("one-host", `${says} Its container runs since ${startedAt}.`, lines.slice(0, 6));
};

const refuse = (code: string, reason: string): Decision => ({
  kind: "refuse",
  refusals: [{ code, reason }],
  advice: [],
});

const restart = (evidence: Evidence<Need>): Decision => {
  const { group, container } = evidence;
  const seen = container.known ? container.value : null;
  if (!group.known || !seen?.startedAt) {
    return refuse("empty-selector", "No single container is known.");
  }
  return {
    kind: "ask",
    deed: {
      do: "restart-container",
      target: { group: group.value.name, instance: seen.instance, startedAt: seen.startedAt },
    },
    reasons: [
      "What Docker and the kernel say of it is in the journal. Requests that it is at are cut off.",
      "It helps once: the next time its instance is to be replaced.",
    ],
  };
};

const replace = (evidence: Evidence<Need>): Decision => {
  const [first, ...more] = fullOf(evidence);
  if (!evidence.group.known || !first || more.length > 0) {
    return refuse("empty-selector", "No single instance is known.");
  }
  return {
    kind: "ask",
    deed: {
      do: "replace-instance",
      target: { group: evidence.group.value.name, instance: first.id, sign: "memory" },
    },
    reasons: ["A restart has not helped for long. What is left on the host goes with it."],
  };
};

const failing = ({ service }: Evidence<Need>): number | null =>
  service.known && service.value.requests >= tellingRequests
    ? service.value.errors / service.value.requests
    : null;

const healthyOf = ({ targets }: Evidence<Need>): number | null =>
  targets.known ? targets.value.filter(({ state }) => state === "healthy").length : null;

const judge = (before: Evidence<Need>, now: Evidence<Need>): Verdict => {
  const [serving, wanted] = [healthyOf(now), healthyOf(before)];
  if (!now.memory.known || serving === null || wanted === null) {
    return { is: "unknown", says: "Memory or targets cannot be seen" };
  }
  const { hosts, boundPercent } = now.memory.value;
  const told = hosts.flatMap(({ percent }) => (percent === null ? [] : [percent]));
  const most = Math.max(0, ...told);
  const says = `the fullest instance uses ${Math.round(most)} %, ${serving} of ${wanted} serve`;
  const [share, old] = [failing(now), failing(before)];
  if (share !== null && share > (old ?? 0) + worseShare) return { is: "worse", says };
  if (serving < wanted - 1) return { is: "worse", says };
  const isWhole = told.length === hosts.length && serving >= wanted;
  const areUsersWell = now.service.known && isWellFor(now.service.value);
  return { is: isWhole && most <= boundPercent && areUsersWell ? "healed" : "same", says };
};

/** Instances run out of memory. */
export const instanceMemory: Playbook<Need, Code> = {
  name: "instance-memory",
  rank: 65,
  alarms: ["instance-memory"],
  evidence: ["memory", "container", "deeds", "release", "group", "targets", "service"],
  diagnose,
  decide: {
    "one-host": restart,
    "restarted-before": replace,
  },
  next: {
    recovered: "passes",
    "deploy-under-way": "again",
    "leak-of-the-image": "people",
    "several-hosts": "people",
    "one-host": "deed",
    "restarted-before": "deed",
    unknown: "again",
  },
  proof: {
    what: "no instance uses more memory than the alarm allows, as many serve, and 1 % fail at most",
    judge,
    withinSeconds: 1500,
    // Two of the alarm's periods: what leaks fast is full again by then.
    holdSeconds: 600,
    everySeconds: 60,
  },
  budget: { perHour: 1, cooldownSeconds: 3600 },
  // A restart cuts off what the container is at, so somebody says yes to it.
  right: "ask",
  approvals: 1,
};
