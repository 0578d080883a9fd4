import type { CapacitySeen, ZoneSeen } from "../../evidence-application.ts";
import type { Evidence, Finding, Playbook, Subject, Verdict } from "../../playbooks.ts";
import { isWellIn, signsOf } from "../../traffic.ts";

type Need = "traffic" | "group" | "targets" | "capacity" | "release";

type Code =
  | "recovered"
  | "one-sign"
  | "several-zones"
  | "deploy-under-way"
  | "too-little-elsewhere"
  | "zone-impaired";

/** So busy the instances that are left may be: above it their answers get slow. */
const mostCpuPercent = 80;
const signsWanted = 2;

const finding = (is: Code | "unknown", says: string, advice: string[] = []): Finding<Code> => ({
  is,
  says,
  advice,
});

const diagnose = (evidence: Evidence<Need>, subject: Subject): Finding<Code> => {
  const { traffic, group, release } = evidence;
  if (!traffic.known || !group.known || !release.known) {
    return finding("unknown", "The zones could not be seen.", [
      "Look at HealthyHostCount and HTTPCode_Target_5XX_Count of each zone, and at the AWS Health Dashboard.",
    ]);
  }
  const { zones } = traffic.value;
  if (zones.length < 2) return finding("unknown", `There is no other zone than ${shown(zones)}.`);
  const bad = zones.filter((zone) => signsOf(zone).length > 0);
  const says = bad.map((zone) => `${zone.zone}: ${signsOf(zone).join(" and ")}`).join("; ");
  const [first] = bad;
  if (!first) return finding("recovered", `No sign of trouble in ${shown(zones)}.`);
  const { refresh } = release.value;
  if (refresh && refresh.endedAtMilliseconds === null) {
    return finding("deploy-under-way", `${says}, while ${refresh.id} replaces instances.`);
  }
  if (bad.length > 1) {
    return finding("several-zones", `${says}.`, [
      "More than one zone: it is not the zone. Look at what all instances need, and at the region.",
    ]);
  }
  const others = zones.filter(({ zone }) => zone !== first.zone);
  if (signsOf(first).length < signsWanted || !others.every(isWellIn)) {
    return finding("one-sign", `${says}; the other sign does not agree.`, [
      "One sign alone may be a host or a network check. Others look at hosts and at errors.",
    ]);
  }
  return impaired(evidence, subject, first, others, says);
};

const shown = (zones: ZoneSeen[]): string => zones.map(({ zone }) => zone).join(", ") || "none";

/** Both signs, and all other zones are well: what is left to say is whether those can carry it. */
const impaired = (
  { capacity, group }: Evidence<Need>,
  subject: Subject,
  { zone }: ZoneSeen,
  others: ZoneSeen[],
  says: string,
): Finding<Code> => {
  const well = `${says}. ${shown(others)} are well.`;
  const checks = [
    "First ask AWS: aws health describe-events, or the AWS Health Dashboard. RDS and Redis are not shifted.",
  ];
  if (!capacity.known) {
    return finding("too-little-elsewhere", `${well} What the others can carry cannot be seen.`, [
      ...checks,
      `Do not shift before you know it (${capacity.why}).`,
    ]);
  }
  const serving = others.reduce((sum, { healthy }) => sum + (healthy ?? 0), 0);
  const all = group.known ? group.value.desired : serving;
  const { busy, text } = carried(capacity.value, serving, all);
  if (busy === null || busy > mostCpuPercent) {
    const least = busy === null ? all : Math.ceil((serving * busy) / mostCpuPercent);
    const missing = Math.max(1, least - serving);
    return finding("too-little-elsewhere", `${well} ${text}`, [
      ...checks,
      `Grow the group by ${missing} first, and shift when they serve.`,
      ...shift(capacity.value, subject.region, zone),
    ]);
  }
  return finding("zone-impaired", `${well} ${text}`, [
    ...checks,
    ...shift(capacity.value, subject.region, zone),
  ]);
};

/** N-1: how busy those that are left would be at the peak of the last day. */
const carried = (
  { hours, peakPerMinute, peakCpuPercent }: CapacitySeen,
  serving: number,
  all: number,
): { busy: number | null; text: string } => {
  const peak = `at the peak of the last ${hours} h, ${peakPerMinute} requests a minute`;
  const left = `${serving} of ${all} instances would be left`;
  if (peakCpuPercent === null || serving === 0) {
    return { busy: null, text: `${left}; how busy they were ${peak} is not known.` };
  }
  const busy = (peakCpuPercent * all) / serving;
  const cpu = `${Math.round(peakCpuPercent)} % busy ${peak}`;
  return { busy, text: `${left}: ${cpu}, they would be ${Math.round(busy)} % busy.` };
};

/**
 * A shift wants the zone's id, which is another one than its name, and the load balancer's attribute.
 * Source: "Examples of using the AWS CLI with zonal shift", ARC; "Zonal shift", Application Load Balancers.
 */
const shift = ({ balancerArn }: CapacitySeen, region: string, zone: string): string[] => [
  `Two hours away from ${zone}, and back by itself: aws arc-zonal-shift start-zonal-shift ` +
    `--region ${region} --resource-identifier ${balancerArn} ` +
    `--away-from "$(aws ec2 describe-availability-zones --region ${region} --zone-names ${zone} ` +
    `--query 'AvailabilityZones[0].ZoneId' --output text)" ` +
    `--expires-in 2h --comment "nightshift: ${zone} is impaired"`,
  `It is refused while the load balancer's attribute zonal_shift.config.enabled is not true: ` +
    `aws elbv2 modify-load-balancer-attributes --region ${region} --load-balancer-arn ${balancerArn} ` +
    "--attributes Key=zonal_shift.config.enabled,Value=true",
  "Back before that: aws arc-zonal-shift cancel-zonal-shift with the id that it has answered.",
];

/** Nothing is done, so nothing is proven; what is asked for is said all the same. */
const judge = (_before: Evidence<Need>, now: Evidence<Need>): Verdict => {
  if (!now.traffic.known) return { is: "unknown", says: "The zones cannot be seen" };
  const bad = now.traffic.value.zones.filter((zone) => !isWellIn(zone));
  const says = bad.length === 0 ? "every zone is well" : `not well: ${shown(bad)}`;
  return { is: bad.length === 0 ? "healed" : "same", says };
};

/** One zone is not well and the others are. Says how to shift away from it, and never does. */
export const zoneImpairment: Playbook<Need, Code> = {
  name: "zone-impairment",
  // Hosts and errors of a zone that is lost are no matter of single hosts.
  rank: 15,
  alarms: ["zone-hosts", "zone-errors"],
  evidence: ["traffic", "group", "targets", "capacity", "release"],
  diagnose,
  decide: {},
  next: {
    recovered: "passes",
    "one-sign": "passes",
    "several-zones": "passes",
    "deploy-under-way": "passes",
    "too-little-elsewhere": "people",
    "zone-impaired": "people",
    unknown: "again",
  },
  proof: {
    what: "no zone shows a sign of trouble",
    judge,
    withinSeconds: 600,
    holdSeconds: 120,
    everySeconds: 60,
  },
  budget: { perHour: 1, cooldownSeconds: 3600 },
  right: "shadow",
  approvals: 1,
};
