import type { Clock } from "../../shared/clock.ts";
import type { Contact, FenceLayer } from "../../shared/contact.ts";
import type { Lease } from "../../shared/lease.ts";
import type { Fact } from "../../shared/outcome.ts";
import { observed, sentence } from "../../shared/outcome.ts";
import type { Pause } from "../../shared/pause.ts";
import { whilePaused } from "../../shared/pause.ts";
import type { DatabaseSettings } from "../../shared/settings.ts";
import type { DatabaseAnswers, DatabaseRequest, Logins } from "../database/decide.ts";
import { isFenced, isOpen } from "../database/decide.ts";
import type { GuardDecision, GuardFacts, GuardPolicy, GuardRequest, Role } from "./decide.ts";
import { decide } from "./decide.ts";

export interface GuardPorts {
  region: string;
  clock: Clock;
  policy: GuardPolicy & { heartbeatSeconds: number };
  readLease(): Promise<Lease>;
  readContact(): Promise<Contact | undefined>;
  writeContact(contact: Contact): Promise<void>;
  database<Do extends DatabaseRequest["do"]>(
    request: Extract<DatabaseRequest, { do: Do }>,
  ): Promise<DatabaseAnswers[Do]>;
  role(): Promise<Role>;
  setRole(role: Role): Promise<void>;
  /** How many ways in from the application to the database the security group still has. */
  openIngress(): Promise<number>;
  closeIngress(): Promise<void>;
  restoreIngress(): Promise<void>;
  capacity(): Promise<{ desired: number; running: number }>;
  emptyCapacity(): Promise<void>;
  /** To what a region runs that is the active one or stands by, by the operator's file. */
  restoreCapacity(as: "active" | "standby"): Promise<void>;
  /** What the group keeps at this time of day and at the others; null without quiet hours here. */
  minimums(): { now: number; otherwise: number } | null;
  minimum(): Promise<number>;
  setMinimum(instances: number): Promise<void>;
  readPause(): Promise<Pause>;
  databaseSettings(): Promise<DatabaseSettings>;
  keepSettings(settings: DatabaseSettings): Promise<void>;
  /** Kept by the execution environment between events, and lost with it. */
  memory: {
    lastContactMilliseconds?: number;
    firstBeatMilliseconds?: number;
    settings?: string;
  };
  log(message: string, fields: Record<string, unknown>): void;
}

export interface GuardReport {
  region: string;
  decision: GuardDecision["kind"];
  epoch: number | null;
  reasons: string[];
  role: Role | "unknown";
  fence: FenceLayer[];
  /** Where the database's log stood after its logins were closed: nothing acknowledged is beyond it. */
  fencedLsn: string | null;
}

/** One minute of guarding: as many beats as fit before the schedule starts the next minute's. */
export const watch = async (ports: GuardPorts, request: GuardRequest): Promise<GuardReport> => {
  const { heartbeatSeconds } = ports.policy;
  const beats = request.do === "watch" ? Math.max(1, Math.floor(60 / heartbeatSeconds)) : 1;
  const start = ports.clock.now();
  let report = await beat(ports, true);
  if (request.do === "watch" && report.role === "active") {
    await Promise.all([keepSettings(ports), keepMinimum(ports, report.epoch)]);
  }
  for (let count = 1; count < beats; count += 1) {
    const due = start + count * heartbeatSeconds * 1000;
    // A beat that would fall into the next minute belongs to the next invocation.
    if (ports.clock.now() >= start + 60_000 - 1000) break;
    await ports.clock.sleep(Math.max(0, due - ports.clock.now()));
    report = await beat(ports, false);
  }
  return report;
};

/**
 * What the primary is made of, kept where it can be read when the region is gone. Written when it has
 * changed, and once per execution environment.
 */
const keepSettings = async (ports: GuardPorts): Promise<void> => {
  const settings = await observed("RDS", ports.clock.now, ports.databaseSettings);
  if (!settings.known) {
    ports.log("the settings of the database cannot be seen", { why: settings.why });
    return;
  }
  const text = JSON.stringify(settings.value);
  if (text === ports.memory.settings) return;
  await ports.keepSettings(settings.value);
  ports.memory.settings = text;
};

/**
 * The minimum of the quiet hours, and that of the others after them. A scheduled action of Auto Scaling
 * knows nothing of the lease: it would start instances behind a fence, whose minimum is 0. Here only one
 * of the two numbers is exchanged for the other: any other number is a fence's, or somebody's own.
 */
const keepMinimum = async (ports: GuardPorts, epoch: number | null): Promise<void> => {
  const wanted = ports.minimums();
  if (!wanted) return;
  const kept = await observed("capacity", ports.clock.now, async () => {
    if ((await ports.minimum()) !== wanted.otherwise) return false;
    const [lease, pause] = await Promise.all([ports.readLease(), ports.readPause()]);
    const isHere = lease.region === ports.region && lease.epoch === epoch;
    if (!isHere || lease.state !== "held" || whilePaused(pause)) return false;
    await ports.setMinimum(wanted.now);
    return true;
  });
  if (!kept.known) ports.log("the minimum of this hour was not set", { why: kept.why });
  else if (kept.value) ports.log("the minimum of this hour was set", wanted);
};

const beat = async (ports: GuardPorts, isFirst: boolean): Promise<GuardReport> => {
  const { clock, region } = ports;
  const contactAtMilliseconds = Math.floor(clock.now());
  const seen = await look(ports);
  const firstBeatMilliseconds = (ports.memory.firstBeatMilliseconds ??= contactAtMilliseconds);
  const rememberedContactMilliseconds = ports.memory.lastContactMilliseconds;
  const facts = { region, ...seen, rememberedContactMilliseconds, firstBeatMilliseconds };
  const decision = decide(facts, ports.policy, clock.now());
  const raised = decision.kind === "fence" ? await raiseFence(ports, decision, seen.contact) : null;
  const fence = raised?.layers ?? [];
  const serves = decision.kind === "serve" && decision.role === "active";
  const open =
    !serves || !(isFirst || decision.reopen) || (await keepOpen(ports, decision, seen.contact));
  const reopened = decision.kind === "stand-by" && decision.reopen;
  if (reopened) await openStandby(ports);
  const isReplica = decision.kind === "stand-by" && seen.position.known;
  if (isReplica && isFirst && !reopened) await keepStandbyOpen(ports, decision.epoch);
  const contact: Contact | undefined = seen.lease.known
    ? { region, contactAtMilliseconds, epoch: seen.lease.value.epoch }
    : undefined;
  // While the lease is on its way here the database is still a replica and takes no row.
  const writable = seen.position.known && !seen.position.value.recovery;
  if (decision.kind === "serve" && contact && writable) {
    const confirmed = confirmedContact(facts) ?? contactAtMilliseconds;
    Object.assign(contact, await keepHeartbeat(ports, decision.epoch, confirmed));
  }
  if (contact && decision.kind === "fence") contact.fence = fence;
  if (contact && ((serves && open && decision.reopen) || reopened)) contact.fence = [];
  if (contact) {
    await ports.writeContact(contact);
    // Only now: a failed write is no contact, since whoever waits for this region cannot see it.
    ports.memory.lastContactMilliseconds = contactAtMilliseconds;
  }
  // Closed and not to be opened is not active: "nobody is active" is what alarms are made of.
  const wanted = decision.kind === "hold" ? await ports.role() : open ? decision.role : "renounced";
  const role = decision.kind === "hold" ? wanted : await keepRole(ports, wanted);
  const epoch = decision.kind === "hold" ? null : decision.epoch;
  const report = {
    region,
    decision: decision.kind,
    epoch,
    reasons: decision.reasons,
    role,
    fence,
    fencedLsn: raised?.lsn ?? null,
  };
  const before = JSON.stringify(seen.contact?.fence ?? []);
  if (decision.kind === "fence" && JSON.stringify(fence) !== before) {
    ports.log("this region is fenced", report);
  }
  return report;
};

/**
 * The newest contact that is known to stand in the table. The database is told of no later one: the
 * guard must never count from a contact that the orchestrator cannot read.
 */
const confirmedContact = (facts: GuardFacts): number | undefined =>
  facts.contact?.contactAtMilliseconds ??
  facts.rememberedContactMilliseconds ??
  (facts.position.known ? facts.position.value.heartbeat?.contactAtMilliseconds : undefined);

const look = async (ports: GuardPorts) => {
  const { now } = ports.clock;
  const [lease, position, contact] = await Promise.all([
    observed("coordination table", now, ports.readLease),
    observed("database", now, () => ports.database({ do: "position" })),
    observed("coordination table", now, ports.readContact),
  ]);
  return { lease, position, contact: valueIfKnown(contact) };
};

const valueIfKnown = <T>(fact: Fact<T>): T | undefined => (fact.known ? fact.value : undefined);

/**
 * A heartbeat that cannot be written is no reason to fence: the database may be failing over inside
 * its region. The contact then keeps its older heartbeat, and that age is what alarms look at.
 */
const keepHeartbeat = async (
  ports: GuardPorts,
  epoch: number,
  contactAtMilliseconds: number,
): Promise<Partial<Contact>> => {
  const writtenAtMilliseconds = Math.floor(ports.clock.now());
  const written = await observed("database", ports.clock.now, () =>
    ports.database({
      do: "heartbeat",
      region: ports.region,
      epoch,
      writtenAtMilliseconds,
      contactAtMilliseconds,
    }),
  );
  if (written.known) {
    return { heartbeatAtMilliseconds: writtenAtMilliseconds, lsn: written.value.lsn };
  }
  ports.log("the heartbeat was not written", { why: written.why });
  return {};
};

const keepRole = async (ports: GuardPorts, wanted: Role): Promise<Role> => {
  if ((await ports.role()) !== wanted) {
    await ports.setRole(wanted);
    ports.log("the role rule was changed", { role: wanted });
  }
  return wanted;
};

/**
 * All layers at once: each is worth having when another cannot be reached. A gentle fence leaves
 * security group and instances as they are, since closed logins alone stop every write.
 */
const raiseFence = async (
  ports: GuardPorts,
  { gentle, epoch }: { gentle: boolean; epoch: number | null },
  contact: Contact | undefined,
): Promise<{ layers: FenceLayer[]; lsn: string | null }> => {
  let lsn: string | null = null;
  const logins = layer("logins", async () => {
    let state: Logins = await ports.database({ do: "logins" });
    if (!isFenced(state) || !isFencedAt(contact, epoch)) {
      state = await ports.database({ do: "fence", ...(epoch === null ? {} : { epoch }) });
    }
    lsn = (await ports.database({ do: "position" })).lsn;
    const open = state.roles.filter((role) => role.canLogin || role.sessions > 0);
    return { fenced: isFenced(state), detail: `${open.length} role(s) still open` };
  });
  const roleRule = layer("role-rule", async () => {
    if ((await ports.role()) !== "renounced") await ports.setRole("renounced");
    return { fenced: true, detail: "the region says that it is renounced" };
  });
  if (gentle) return { layers: await Promise.all([logins, roleRule]), lsn };
  const securityGroup = layer("security-group", async () => {
    if ((await ports.openIngress()) > 0) await ports.closeIngress();
    const open = await ports.openIngress();
    return { fenced: open === 0, detail: `${open} way(s) in from the application` };
  });
  const capacity = layer("capacity", async () => {
    if ((await ports.capacity()).desired > 0) await ports.emptyCapacity();
    const { desired, running } = await ports.capacity();
    return { fenced: desired === 0 && running === 0, detail: `${running} instance(s) running` };
  });
  return { layers: await Promise.all([logins, securityGroup, capacity, roleRule]), lsn };
};

/** Whether the database has been told of this very epoch; closed in isolation, it has heard of none. */
const isFencedAt = (contact: Contact | undefined, epoch: number | null): boolean =>
  epoch === null ||
  (contact?.epoch === epoch &&
    contact.fence?.some(({ layer, result }) => layer === "logins" && result === "fenced") === true);

/**
 * The region that holds the lease is open to its application, whoever closed it: a fence that was
 * raised in isolation comes down when the lease turns out to be still here. Whether it is open; a
 * database that does not answer counts as open, since that is not for a fence to mend.
 */
const keepOpen = async (
  ports: GuardPorts,
  { epoch, reopen }: { epoch: number; reopen: boolean },
  contact: Contact | undefined,
): Promise<boolean> => {
  // Every layer by itself: a guard that reached neither table nor database has closed the other two
  // only, and one that cannot be looked at must not keep the others closed.
  const { now } = ports.clock;
  const [logins, ways, capacity] = await Promise.all([
    observed("logins", now, () => ports.database({ do: "logins" })),
    observed("security-group", now, ports.openIngress),
    observed("capacity", now, ports.capacity),
  ]);
  const shut = {
    logins: logins.known && !isOpen(logins.value),
    ways: ways.known && ways.value === 0,
    capacity: capacity.known && capacity.value.desired === 0,
  };
  // What a fence of ours has closed is open again when it was seen to be, and not before.
  const raised = (contact?.fence ?? []).map(({ layer }) => layer as string);
  const unseen = [logins, ways, capacity].filter(
    (look) => !look.known && raised.includes(look.source),
  );
  const isSure = !reopen || unseen.length === 0;
  if (!isSure) ports.log("it cannot be seen whether the fence is down", { unseen });
  if (!shut.logins && !shut.ways && !shut.capacity) return isSure;
  const lowered = await observed("fence", now, () => lowerFence(ports, epoch, shut));
  if (!lowered.known) ports.log("the fence was not taken down", { why: lowered.why });
  return lowered.known && isSure;
};

/**
 * The logins last, so that nobody comes in before there is anything to come in by. When they were closed
 * at a newer epoch than this beat has read, opening them is refused.
 */
const lowerFence = async (
  ports: GuardPorts,
  epoch: number,
  shut: { logins: boolean; ways: boolean; capacity: boolean },
): Promise<void> => {
  const lease = await ports.readLease();
  if (lease.epoch !== epoch) throw new Error(`the lease is at epoch ${lease.epoch} by now`);
  if (shut.ways) await ports.restoreIngress();
  if (shut.capacity) await ports.restoreCapacity("active");
  if (shut.logins) await ports.database({ do: "liftFence", epoch });
  ports.log("the fence was taken down: the lease is back", {});
};

/**
 * The application comes to the replica as it did before the region was the active one. The logins come
 * with replication, and the capacity is for whoever has built the replica.
 */
const openStandby = async (ports: GuardPorts): Promise<void> => {
  await ports.restoreIngress();
  ports.log("the database here is a replica again: the application may come in", {});
};

/**
 * A guard that reached neither table nor database has fenced a standby as well, and could tell nobody:
 * no contact says so, and nobody builds anything anew. The way in comes last: it is what the next look
 * sees, so what failed before it is tried again.
 */
const keepStandbyOpen = async (ports: GuardPorts, epoch: number): Promise<void> => {
  const opened = await observed("fence", ports.clock.now, async () => {
    if ((await ports.openIngress()) > 0) return false;
    const lease = await ports.readLease();
    // A run may have moved it here meanwhile, and an active region's minimum is not lowered.
    if (lease.epoch !== epoch) throw new Error(`the lease is at epoch ${lease.epoch} by now`);
    await ports.restoreCapacity("standby");
    await ports.restoreIngress();
    return true;
  });
  if (!opened.known) ports.log("the fence of the standby was not taken down", { why: opened.why });
  else if (opened.value) ports.log("the fence was taken down: this region stands by", {});
};

const layer = async (
  name: FenceLayer["layer"],
  raise: () => Promise<{ fenced: boolean; detail: string }>,
): Promise<FenceLayer> => {
  try {
    const { fenced, detail } = await raise();
    return { layer: name, result: fenced ? "fenced" : "unverified", detail };
  } catch (error) {
    return { layer: name, result: "unreachable", detail: sentence(error) };
  }
};
