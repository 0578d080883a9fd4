import type {
  Change,
  ChangeResourceRecordSetsCommandInput,
  CreateHostedZoneCommandInput,
  GetChangeCommandInput,
  HostedZone,
  ListHostedZonesByNameCommandInput,
  ListResourceRecordSetsCommandInput,
  ResourceRecordSet,
} from "@aws-sdk/client-route-53";
import { duration } from "./durations.ts";
import type { Surroundings } from "./service.ts";
import { AwsError } from "./service.ts";

export interface ZoneState {
  id: string;
  /** With the final dot, lower case. */
  name: string;
  reference: string;
  comment: string | undefined;
  /** As the API shows them, by `recordKey`. */
  records: Map<string, ResourceRecordSet>;
  /** As the name servers answer: the same, some seconds later. */
  published: Map<string, ResourceRecordSet>;
  /** No change overtakes an earlier one on its way to the name servers. */
  lastPublishedAt: number;
  /** Changes on their way to the name servers, oldest first. */
  waiting: { records: ZoneState["records"]; change: ChangeState }[];
}

interface ChangeState {
  id: string;
  submittedAt: number;
  status: "PENDING" | "INSYNC";
  comment: string | undefined;
}

/** Lower case, with the final dot, `*` unescaped. */
export const canonicalName = (name: string): string =>
  `${name.toLowerCase().replace(/\.$/, "").replaceAll("\\052", "*")}.`;

const recordKey = (set: ResourceRecordSet): string =>
  `${canonicalName(set.Name ?? "")}|${set.Type}|${set.SetIdentifier ?? ""}`;

const bareId = (id: string | undefined): string => (id ?? "").split("/").at(-1) ?? "";

interface Context {
  surroundings: Surroundings;
  healthCheckExists: (id: string) => boolean;
  zones: Map<string, ZoneState>;
  changes: Map<string, ChangeState>;
}

/** Hosted zones and their records: what the control plane of Route 53 keeps. */
export const recordKeeper = (
  surroundings: Surroundings,
  healthCheckExists: (id: string) => boolean,
) => {
  const zones = new Map<string, ZoneState>();
  const context: Context = { surroundings, healthCheckExists, zones, changes: new Map() };
  return {
    zones,
    operations: { ...zoneOperations(context), ...recordOperations(context) },
  };
};

const awsId = ({ random }: Surroundings, letter: string) =>
  letter + random.bytes(10).toString("hex").toUpperCase();

const zoneOperations = (context: Context) => ({
  CreateHostedZone: (input: CreateHostedZoneCommandInput) => {
    const { zones, surroundings } = context;
    const { CallerReference: reference = "" } = input;
    if ([...zones.values()].some((zone) => zone.reference === reference)) {
      const message = `A hosted zone with the caller reference ${reference} exists`;
      throw new AwsError("HostedZoneAlreadyExists", message);
    }
    const name = canonicalName(input.Name ?? "");
    const zone: ZoneState = {
      id: awsId(surroundings, "Z"),
      name,
      reference,
      comment: input.HostedZoneConfig?.Comment,
      records: new Map(),
      published: new Map(),
      lastPublishedAt: 0,
      waiting: [],
    };
    for (const set of ownRecords(name)) {
      zone.records.set(recordKey(set), set);
      zone.published.set(recordKey(set), set);
    }
    zones.set(zone.id, zone);
    return {
      HostedZone: zoneShown(zone),
      ChangeInfo: changeShown(submit(context, zone, undefined)),
      DelegationSet: { NameServers: nameServers },
      Location: `https://route53.amazonaws.com/2013-04-01/hostedzone/${zone.id}`,
    };
  },
  ListHostedZonesByName: (input: ListHostedZonesByNameCommandInput) => {
    const size = Number(input.MaxItems ?? 100);
    const from = input.DNSName ? orderOf(canonicalName(input.DNSName)) : "";
    const found = [...context.zones.values()]
      .filter(({ name }) => orderOf(name) >= from)
      .sort((a, b) => (orderOf(a.name) < orderOf(b.name) ? -1 : 1));
    const next = found[size];
    return {
      HostedZones: found.slice(0, size).map(zoneShown),
      DNSName: input.DNSName,
      IsTruncated: next !== undefined,
      ...(next ? { NextDNSName: next.name, NextHostedZoneId: next.id } : {}),
      MaxItems: size,
    };
  },
  GetChange: (input: GetChangeCommandInput) => {
    const change = context.changes.get(bareId(input.Id));
    if (change) return { ChangeInfo: changeShown(change) };
    throw new AwsError("NoSuchChange", `A change with the id ${input.Id} does not exist`);
  },
});

const nameServers = ["ns-1.awsdns-01.org", "ns-2.awsdns-02.net"];

/** Every zone has them; the negative answers' time to live is the last figure of the SOA. */
const ownRecords = (name: string): ResourceRecordSet[] => [
  {
    Name: name,
    Type: "NS",
    TTL: 172800,
    ResourceRecords: nameServers.map((server) => ({ Value: `${server}.` })),
  },
  {
    Name: name,
    Type: "SOA",
    TTL: 900,
    ResourceRecords: [
      { Value: `${nameServers[0]}. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400` },
    ],
  },
];

const zoneShown = (zone: ZoneState): HostedZone => ({
  Id: `/hostedzone/${zone.id}`,
  Name: zone.name,
  CallerReference: zone.reference,
  Config: { Comment: zone.comment, PrivateZone: false },
  ResourceRecordSetCount: zone.records.size,
});

const changeShown = (change: ChangeState) => ({
  Id: `/change/${change.id}`,
  Status: change.status,
  SubmittedAt: new Date(change.submittedAt),
  Comment: change.comment,
});

/** Route 53 sorts names by their labels from the right, a zone before the names in it. */
const orderOf = (name: string): string => name.split(".").reverse().join("\u0001");

/** Publishes what the zone says now, once it has reached the name servers. */
const submit = (context: Context, zone: ZoneState, comment: string | undefined): ChangeState => {
  const { timeline, random } = context.surroundings;
  const change: ChangeState = {
    id: awsId(context.surroundings, "C"),
    submittedAt: timeline.now(),
    status: "PENDING",
    comment,
  };
  context.changes.set(change.id, change);
  const arrival = timeline.now() + duration(random, "route53.propagation");
  zone.lastPublishedAt = Math.max(arrival, zone.lastPublishedAt);
  const records = new Map(zone.records);
  zone.waiting.push({ records, change });
  // Two changes may be due at the same instant, and timers may swap them: the order is the zone's.
  timeline.after(zone.lastPublishedAt - timeline.now(), () => {
    const next = zone.waiting.shift();
    if (!next) return;
    zone.published = next.records;
    next.change.status = "INSYNC";
  });
  return change;
};

const recordOperations = (context: Context) => {
  const zoneOf = (id: string | undefined): ZoneState => {
    const zone = context.zones.get(bareId(id));
    if (zone) return zone;
    throw new AwsError("NoSuchHostedZone", `No hosted zone found with ID: ${bareId(id)}`);
  };
  return {
    ChangeResourceRecordSets: (input: ChangeResourceRecordSetsCommandInput) => {
      const zone = zoneOf(input.HostedZoneId);
      // A batch is taken whole or not at all.
      const draft = new Map(zone.records);
      const problems = (input.ChangeBatch?.Changes ?? []).flatMap(
        (change) => apply(context, zone, draft, change) ?? [],
      );
      if (problems.length > 0) {
        const message = `[${problems.join(", ")}]`;
        throw new AwsError("InvalidChangeBatch", message, { fields: { messages: problems } });
      }
      zone.records = draft;
      return { ChangeInfo: changeShown(submit(context, zone, input.ChangeBatch?.Comment)) };
    },
    ListResourceRecordSets: (input: ListResourceRecordSetsCommandInput) => {
      const size = Number(input.MaxItems ?? 300);
      const place = (name: string, type: string, identifier: string) =>
        [orderOf(name), type, identifier].join("\u0000");
      const placeOf = ({ Name = "", Type = "A", SetIdentifier = "" }: ResourceRecordSet) =>
        place(canonicalName(Name), Type, SetIdentifier);
      const { StartRecordName, StartRecordType = "A", StartRecordIdentifier = "" } = input;
      const from = StartRecordName
        ? place(canonicalName(StartRecordName), StartRecordType, StartRecordIdentifier)
        : "";
      const found = [...zoneOf(input.HostedZoneId).records.values()]
        .filter((set) => placeOf(set) >= from)
        .sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
      const next = found[size];
      return {
        ResourceRecordSets: found.slice(0, size),
        IsTruncated: next !== undefined,
        MaxItems: size,
        ...(next
          ? {
              NextRecordName: next.Name,
              NextRecordType: next.Type,
              NextRecordIdentifier: next.SetIdentifier,
            }
          : {}),
      };
    },
  };
};

/** Does one change to the draft; returns what is wrong with it instead. */
const apply = (
  context: Context,
  zone: ZoneState,
  draft: Map<string, ResourceRecordSet>,
  { Action, ResourceRecordSet: given }: Change,
): string | undefined => {
  if (!given) return "A change must have a ResourceRecordSet";
  const set: ResourceRecordSet = { ...given, Name: canonicalName(given.Name ?? "") };
  const key = recordKey(set);
  const named = `[name='${set.Name}', type='${set.Type}']`;
  const present = draft.get(key);
  if (Action === "DELETE") {
    if (!present) return `Tried to delete resource record set ${named} but it was not found`;
    if (!sameValues(present, set)) {
      return (
        `Tried to delete resource record set ${named} but the values provided do not match ` +
        "the current values"
      );
    }
    draft.delete(key);
    return undefined;
  }
  if (Action === "CREATE" && present) {
    return `Tried to create resource record set ${named} but it already exists`;
  }
  const problem = flaw(context, zone, draft, set);
  if (!problem) draft.set(key, set);
  return problem;
};

const sameValues = (a: ResourceRecordSet, b: ResourceRecordSet): boolean =>
  a.TTL === b.TTL &&
  a.AliasTarget?.DNSName === b.AliasTarget?.DNSName &&
  JSON.stringify(a.ResourceRecords ?? []) === JSON.stringify(b.ResourceRecords ?? []);

type Policy = "failover" | "weighted" | "simple";

export const policyOf = (set: ResourceRecordSet): Policy =>
  set.Failover ? "failover" : set.Weight !== undefined ? "weighted" : "simple";

const flaw = (
  context: Context,
  zone: ZoneState,
  draft: Map<string, ResourceRecordSet>,
  set: ResourceRecordSet,
): string | undefined => {
  const name = set.Name ?? "";
  if (name !== zone.name && !name.endsWith(`.${zone.name}`)) {
    return `RRSet with DNS name ${name} is not permitted in zone ${zone.name}`;
  }
  if (set.Region || set.GeoLocation || set.MultiValueAnswer || set.CidrRoutingConfig) {
    return `The routing policy of ${name} is not modelled`;
  }
  if ((set.SetIdentifier === undefined) !== (policyOf(set) === "simple")) {
    return `RRSet with DNS name ${name} needs a SetIdentifier together with a routing policy`;
  }
  const values = set.ResourceRecords?.length ?? 0;
  if (
    set.AliasTarget ? values > 0 || set.TTL !== undefined : values === 0 || !(Number(set.TTL) >= 0)
  ) {
    return `RRSet with DNS name ${name} needs either an alias or values with a TTL`;
  }
  if (set.HealthCheckId && !context.healthCheckExists(set.HealthCheckId)) {
    return `The health check ${set.HealthCheckId} does not exist`;
  }
  if (set.Type === "CNAME" && name === zone.name) {
    return `RRSet of type CNAME with DNS name ${name} is not permitted at apex in zone ${zone.name}`;
  }
  const others = [...draft.values()].filter(
    (other) => other.Name === name && recordKey(other) !== recordKey(set),
  );
  return conflict(name, set, others);
};

const conflict = (
  name: string,
  set: ResourceRecordSet,
  others: ResourceRecordSet[],
): string | undefined => {
  for (const other of others) {
    if (other.Type !== set.Type) {
      if (set.Type !== "CNAME" && other.Type !== "CNAME") continue;
      return (
        `RRSet of type ${set.Type} with DNS name ${name} is not permitted as it conflicts with ` +
        "other records with the same DNS name in zone"
      );
    }
    if (policyOf(other) !== policyOf(set)) {
      return (
        `RRSet with DNS name ${name}, type ${set.Type}, SetIdentifier ${set.SetIdentifier ?? ""} ` +
        "cannot be created as another RRSet exists with the same name and a different policy"
      );
    }
    if (set.Failover && other.Failover === set.Failover) {
      return `RRSet with DNS name ${name}, type ${set.Type} has a ${set.Failover} already`;
    }
  }
  return undefined;
};
