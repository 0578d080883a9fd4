import type { Contact } from "../../shared/contact.ts";
import type { Check } from "../../shared/readiness.ts";
import type { DatabaseSettings } from "../../shared/settings.ts";
import { lossOf } from "../failover/decide.ts";
import { backupsCheck } from "./backups.ts";
import type { Facts, Maintenance, Policy, RecordSeen, TrafficSeen } from "./facts.ts";
import { check, minutes, notReady, ready, unknown } from "./judged.ts";

/** ACM renews 60 days ahead and retries; three weeks before the end somebody has to look. */
const certificateDays = 21;
/** Three of the guard's minutes: one may be late, and one lost. */
const guardSilentSeconds = 180;
/** What begins within the hour may begin in the middle of a move. */
const maintenanceNoticeSeconds = 3600;
export const rolePath = "/.well-known/nightshift/role";

/** Judges everything; what could not be seen is `unknown`, which is not ready. */
export const judge = (facts: Facts, policy: Policy, now: number): Check[] => [
  replicaCheck(facts, now),
  lagCheck(facts, policy),
  sizeCheck(facts, policy),
  settingsCheck(facts, policy, now),
  backupsCheck(facts, policy, now),
  capacityCheck(facts, policy, now),
  imageCheck(facts, policy),
  secretsCheck(facts, policy),
  certificateCheck(facts, policy, now),
  trafficCheck(facts, policy),
  rolesCheck(facts, policy),
  guardsCheck(facts, policy, now),
  tablesCheck(facts),
  approversCheck(policy, now),
  proofCheck(facts, policy, now),
];

const replicaCheck = ({ replica, maintenance }: Facts, now: number): Check =>
  check("replica", { replica, maintenance }, ({ replica: seen, maintenance: planned }) => {
    const { id, status, isReplica, replicating, pending } = seen;
    if (!isReplica)
      return notReady(`${id} is no replica: rebuild redundancy before anything else.`);
    if (status === "backing-up") {
      return notReady(`${id} is backing-up, and cannot be promoted until that ends.`);
    }
    if (status !== "available") {
      return notReady(`${id} is ${status}, and only an available replica can be promoted.`);
    }
    if (!replicating) return notReady(`${id} does not replicate: look at its log and its source.`);
    if (pending.length > 0) {
      const changes = pending.join(", ");
      return notReady(`${id} has pending changes (${changes}): apply them, or they meet the move.`);
    }
    const due = dueSoon(planned, seen.maintenanceWindow, now);
    if (due) return notReady(`${id} is about to be maintained: ${due}. Put it off, or wait.`);
    const announced = planned.map(({ action }) => action).join(", ");
    return ready(`${id} is available and replicates${announced && `; announced: ${announced}`}.`);
  });

/** The announced action that may begin within the hour: at its date, or in the weekly window. */
const dueSoon = (planned: Maintenance[], window: string, now: number): string | undefined => {
  const opensSeconds = secondsUntil(window, now);
  for (const { action, applyAtMilliseconds: at, inWindowAfterMilliseconds: after } of planned) {
    if (at !== null && at - now < maintenanceNoticeSeconds * 1000) return `${action} is due`;
    const isAllowed = after !== null && after <= now + opensSeconds * 1000;
    if (isAllowed && opensSeconds < maintenanceNoticeSeconds) {
      return `${action} in the window ${window}`;
    }
  }
  return undefined;
};

const days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const weekSeconds = 7 * 86_400;

/** Until the weekly window opens; 0 inside of it, and endless for what is no window. */
export const secondsUntil = (window: string, now: number): number => {
  const [opens, closes] = window.split("-").map(secondOfWeek);
  if (opens === undefined || closes === undefined) return Number.POSITIVE_INFINITY;
  const date = new Date(now);
  const time = date.getUTCHours() * 3600 + date.getUTCMinutes() * 60 + date.getUTCSeconds();
  const moment = date.getUTCDay() * 86_400 + time;
  const after = (from: number, to: number) => (to - from + weekSeconds) % weekSeconds;
  return after(opens, moment) < after(opens, closes) ? 0 : after(moment, opens);
};

const secondOfWeek = (text: string): number | undefined => {
  const [day = "", hour = "", minute = ""] = text.toLowerCase().split(":");
  const index = days.indexOf(day);
  return index < 0 ? undefined : index * 86_400 + Number(hour) * 3600 + Number(minute) * 60;
};

const lagCheck = ({ position, contact }: Facts, policy: Policy): Check =>
  check("lag", { position, contact }, () => {
    const { verdict, text } = lossOf({ position, contact }, policy);
    if (verdict === "within") return ready(text);
    return (verdict === "over" ? notReady : unknown)(text);
  });

/** Classes of one family differ by size only; those of two are not compared by anybody but people. */
const sizes = ["micro", "small", "medium", "large", "xlarge"];

const sizeOf = (instanceClass: string): { family: string; rank: number } => {
  const [, family = "", size = ""] = instanceClass.split(".");
  const times = /^(\d+)xlarge$/.exec(size)?.[1];
  return { family, rank: times ? sizes.length + Number(times) : sizes.indexOf(size) };
};

const isSmaller = (here: string, there: string): boolean => {
  const [mine, theirs] = [sizeOf(here), sizeOf(there)];
  return mine.family !== theirs.family || mine.rank < theirs.rank;
};

const sizeCheck = ({ replica, footprint }: Facts, { active }: Policy): Check =>
  check("size", { replica, footprint }, ({ replica: { id, ...mine }, footprint: kept }) => {
    const theirs = kept?.database;
    if (!theirs) return unknown(`${active} has not told how large its database is.`);
    const seen = { seenAtMilliseconds: kept.atMilliseconds };
    const there = `${theirs.instanceClass} with ${theirs.storageGigabytes} GiB in ${active}`;
    const same = mine.instanceClass === theirs.instanceClass;
    if (!same && isSmaller(mine.instanceClass, theirs.instanceClass)) {
      const what = `${id} is ${mine.instanceClass}, and the primary ${there}`;
      return {
        ...notReady(`${what}: give it the same class before it has to carry the load.`),
        ...seen,
      };
    }
    if (mine.storageGigabytes < theirs.storageGigabytes) {
      const what = `${id} has ${mine.storageGigabytes} GiB, and the primary is ${there}`;
      return { ...notReady(`${what}: let it grow.`), ...seen };
    }
    return { ...ready(`${id} is no smaller than ${there}.`), ...seen };
  });

const settingsCheck = (facts: Facts, { active, here }: Policy, now: number): Check => {
  const { settings, parameterGroup, footprint } = facts;
  return check("settings", { settings, parameterGroup, footprint }, (values) => {
    const { settings: kept, parameterGroup: isHere, footprint: seen } = values;
    if (!kept) {
      return notReady(`No settings of ${active}'s database are kept: is its guard running?`);
    }
    const group = kept.parameterGroup ?? "none";
    if (!isHere)
      return notReady(`The parameter group ${group} is not in ${here}: create it there.`);
    if (!seen?.settings) return unknown(`Nobody has compared the settings with ${active} itself.`);
    const names = Object.keys(kept) as (keyof DatabaseSettings)[];
    const other = names.filter((name) => kept[name] !== seen.settings?.[name]);
    const at = { seenAtMilliseconds: seen.atMilliseconds };
    if (other.length > 0) {
      const what = other.join(", ");
      return {
        ...notReady(`The kept settings differ from the database of ${active}: ${what}.`),
        ...at,
      };
    }
    const age = minutes(now - seen.atMilliseconds);
    return { ...ready(`The kept settings are those of ${active} ${age} min ago.`), ...at };
  });
};

const capacityCheck = ({ capacity, demand }: Facts, policy: Policy, now: number): Check =>
  check("capacity", { capacity, demand }, ({ capacity: { maximum, inService }, demand: kept }) => {
    const { here, active, wantedCapacity, standbyMinimum } = policy;
    if (!kept) return unknown(`Nobody has kept how many instances ${active} needs.`);
    const seen = { seenAtMilliseconds: kept.atMilliseconds };
    const needed = Math.max(kept.peakInstances, wantedCapacity);
    if (maximum < needed) {
      const what = `${here} may run ${maximum} instances, and ${active} has needed ${needed}`;
      return { ...notReady(`${what} in 24 hours: raise the group's maximum.`), ...seen };
    }
    if (inService < standbyMinimum) {
      const what = `${inService} of ${standbyMinimum} standby instances are in service in ${here}`;
      return { ...notReady(`${what}: look at the group's activities.`), ...seen };
    }
    const age = minutes(now - kept.atMilliseconds);
    const what = `${here} may run ${maximum} instances, ${needed} are needed (${age} min ago)`;
    return { ...ready(`${what}, ${inService} in service.`), ...seen };
  });

const imageCheck = ({ launch, footprint }: Facts, { here, active }: Policy): Check =>
  check("image", { launch, footprint }, ({ launch: seen, footprint: kept }) => {
    const { template, version, machineImage, machineImageState, image, isImageHere } = seen;
    const from = `Launch template ${template} version ${version}`;
    if (machineImageState !== "available") {
      return notReady(
        `${from} starts from ${machineImage}, which is ${machineImageState} in ${here}.`,
      );
    }
    if (!image) return unknown(`${from} names no container: give it the tag nightshift:image.`);
    if (!isImageHere) return notReady(`${image} is not in the registry of ${here}: replicate it.`);
    if (!kept?.image) return unknown(`${active} has not told which container it runs.`);
    const at = { seenAtMilliseconds: kept.atMilliseconds };
    if (kept.image !== image) {
      const what = `${here} would start ${image}, and ${active} runs ${kept.image}`;
      return { ...notReady(`${what}: deploy the same to both.`), ...at };
    }
    return { ...ready(`${from} starts what ${active} runs.`), ...at };
  });

const secretsCheck = ({ secrets, footprint }: Facts, { here, active }: Policy): Check =>
  check("secrets", { secrets, footprint }, ({ secrets: mine, footprint: kept }) => {
    const absent = Object.keys(mine).filter((name) => mine[name] === null);
    if (absent.length > 0) {
      return notReady(`${absent.join(", ")} is not in ${here}: replicate it there.`);
    }
    const theirs = kept?.secrets;
    if (!theirs) return unknown(`${active} has not told which versions are current there.`);
    const at = { seenAtMilliseconds: kept.atMilliseconds };
    const other = Object.keys(mine).filter((name) => mine[name] !== theirs[name]);
    if (other.length > 0) {
      const what = `${other.join(", ")} has another version in ${here} than in ${active}`;
      return { ...notReady(`${what}: look at its replication.`), ...at };
    }
    return { ...ready(`${Object.keys(mine).length} secrets are the same in both regions.`), ...at };
  });

/** `*.example.com` stands for one label, so not for `example.com` and not for `a.b.example.com`. */
export const covers = (pattern: string, name: string): boolean => {
  const [first, ...rest] = name.toLowerCase().split(".");
  const wanted = pattern.toLowerCase();
  return wanted === name.toLowerCase() || (first !== "" && wanted === ["*", ...rest].join("."));
};

const dayMilliseconds = 86_400_000;

const certificateCheck = ({ certificate }: Facts, { here, domain }: Policy, now: number): Check =>
  check("certificate", { certificate }, ({ certificate: seen }) => {
    if (!seen) return notReady(`The load balancer of ${here} has no listener for TLS.`);
    const { status, domains, expiresAtMilliseconds } = seen;
    const daysLeft = Math.floor((expiresAtMilliseconds - now) / dayMilliseconds);
    if (status !== "ISSUED")
      return notReady(`The certificate in ${here} is ${status}, not ISSUED.`);
    if (!domains.some((pattern) => covers(pattern, domain))) {
      const what = domains.join(", ");
      return notReady(`The certificate in ${here} is for ${what}, and not for ${domain}.`);
    }
    if (daysLeft < certificateDays) {
      const what = `The certificate in ${here} ends in ${daysLeft} days`;
      return notReady(`${what}: see in Certificate Manager why it was not renewed.`);
    }
    return ready(`The certificate of ${domain} is valid for ${daysLeft} days more.`);
  });

const trafficCheck = ({ traffic }: Facts, policy: Policy): Check =>
  check("traffic", { traffic }, ({ traffic: seen }) => {
    const problems = [
      ...recordProblems(seen.records, policy),
      ...healthCheckProblems(seen, policy),
    ];
    if (problems.length === 0) {
      return ready(`The records of ${policy.domain} follow the role rules of both regions.`);
    }
    return notReady(`${problems.join("; ")}: put records and health checks back as deployed.`);
  });

const recordProblems = (records: RecordSeen[], policy: Policy): string[] => {
  const problems: string[] = [];
  const wanted = [
    ["PRIMARY", policy.home],
    ["SECONDARY", policy.standby],
  ] as const;
  for (const [failover, region] of wanted) {
    const found = records.find((record) => record.failover === failover);
    const name = policy.loadBalancers[region] ?? "";
    if (!found) problems.push(`there is no ${failover} record of ${policy.domain}`);
    else if (found.region !== region || found.values.join() !== name) {
      problems.push(`the ${failover} record does not name ${region}`);
    } else if (found.ttlSeconds > policy.ttlSeconds) {
      problems.push(`the ${failover} record is kept for ${found.ttlSeconds} s by resolvers`);
    }
  }
  const secondary = records.find(({ failover }) => failover === "SECONDARY");
  if (secondary?.healthCheck) problems.push("the SECONDARY record has a health check");
  return problems;
};

/** PRIMARY is unhealthy on somebody's explicit word only: see "DNS" in docs/ARCHITECTURE.md. */
const healthCheckProblems = ({ check: seen }: TrafficSeen, policy: Policy): string[] => {
  if (!seen) return ["the PRIMARY record has no health check"];
  const problems: string[] = [];
  if (seen.type !== "CALCULATED" || !seen.inverted || seen.threshold !== 1) {
    problems.push("the health check of PRIMARY is not the inverted one over one of two");
  }
  if ([seen, ...seen.children].some(({ disabled }) => disabled)) {
    problems.push("a health check is disabled, so it never turns");
  }
  const words = [
    [policy.standby, "active"],
    [policy.home, "renounced"],
  ] as const;
  for (const [region, says] of words) {
    const host = policy.loadBalancers[region];
    const isThere = seen.children.some(
      (child) =>
        /^HTTPS?_STR_MATCH$/.test(child.type) &&
        child.host === host &&
        child.path === rolePath &&
        child.says === says,
    );
    if (!isThere) problems.push(`nothing checks whether ${region} says ${says}`);
  }
  if (seen.children.length !== words.length) {
    problems.push(`${seen.children.length} checks are counted, not ${words.length}`);
  }
  return problems;
};

/** Health checks read the role rules, so a rule that is not true to the lease sends users astray. */
const rolesCheck = ({ lease, role, footprint }: Facts, { here, active }: Policy): Check =>
  check("roles", { role, footprint }, ({ role: mine, footprint: kept }) => {
    if (mine !== "renounced") {
      return notReady(`${here} says ${mine}, and the lease is in ${active}: is its guard running?`);
    }
    if (!kept?.role) return unknown(`${active} has not told what its role rule says.`);
    const at = { seenAtMilliseconds: kept.atMilliseconds };
    if (lease.state === "held" && kept.role !== "active") {
      return { ...notReady(`${active} holds the lease and says ${kept.role}.`), ...at };
    }
    return { ...ready(`${active} says ${kept.role}, ${here} says ${mine}.`), ...at };
  });

const guardsCheck = ({ contact, ownContact }: Facts, policy: Policy, now: number): Check =>
  check("guards", { contact, ownContact }, ({ contact: theirs, ownContact: mine }) => {
    const silent = [
      [policy.active, theirs],
      [policy.here, mine],
    ].flatMap(([region, seen]) => {
      const at = (seen as Contact | null)?.contactAtMilliseconds;
      if (at === undefined) return [`${region} was never heard of`];
      const age = Math.round((now - at) / 1000);
      return age > guardSilentSeconds ? [`${region} is silent for ${age} s`] : [];
    });
    if (silent.length > 0) return notReady(`The guard of ${silent.join(", and that of ")}.`);
    return ready("Both guards have reached the coordination table lately.");
  });

const tablesCheck = ({ coordination, journal }: Facts): Check =>
  check("tables", { coordination, journal }, () =>
    ready("The coordination table and the journal take writes from here."),
  );

const approversCheck = (policy: Policy, now: number): Check => {
  const fact = {
    known: true,
    value: true,
    source: "nightshift.config.ts",
    atMilliseconds: now,
  } as const;
  return check("approvers", { config: fact }, () => {
    const { approvals, approvers, approversWithoutSlack } = policy;
    if (approvers < approvals) {
      return notReady(`${approvers} operators may approve, and ${approvals} have to.`);
    }
    if (approversWithoutSlack < approvals) {
      const what = `${approversWithoutSlack} operators may approve without Slack`;
      return notReady(`${what}, and ${approvals} have to: give them their \`iam\`.`);
    }
    return ready(
      `${approvers} operators may approve, ${approversWithoutSlack} also without Slack.`,
    );
  });
};

const proofCheck = ({ proof }: Facts, policy: Policy, now: number): Check =>
  check("proof", { proof }, ({ proof: kept }) => {
    const { here, rehearsalDays } = policy;
    if (!kept)
      return notReady(`No move to ${here} was ever carried out or rehearsed: rehearse one.`);
    const age = Math.floor((now - kept.atMilliseconds) / dayMilliseconds);
    const what = `${kept.run} (${kept.kind}) was ${age} days ago`;
    if (age > rehearsalDays)
      return notReady(`${what}, more than ${rehearsalDays}: rehearse again.`);
    return ready(`${what}.`);
  });
