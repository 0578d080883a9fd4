import type { Clock } from "../../shared/clock.ts";
import type { Contact, FenceLayer } from "../../shared/contact.ts";
import type { Lease } from "../../shared/lease.ts";
import type { Fact } from "../../shared/outcome.ts";
import { observed, sentence } from "../../shared/outcome.ts";
import type { DatabaseAnswers, DatabaseRequest, Logins } from "../database/decide.ts";
import { isFenced } from "../database/decide.ts";
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
  capacity(): Promise<{ desired: number; running: number }>;
  emptyCapacity(): Promise<void>;
  /** Kept by the execution environment between events, and lost with it. */
  memory: { lastContactMilliseconds?: number; firstBeatMilliseconds?: number };
  log(message: string, fields: Record<string, unknown>): void;
}

export interface GuardReport {
  region: string;
  decision: GuardDecision["kind"];
  epoch: number | null;
  reasons: string[];
  role: Role | "unknown";
  fence: FenceLayer[];
}

/** One minute of guarding: as many beats as fit before the schedule starts the next minute's. */
export const watch = async (ports: GuardPorts, request: GuardRequest): Promise<GuardReport> => {
  const { heartbeatSeconds } = ports.policy;
  const beats = request.do === "watch" ? Math.max(1, Math.floor(60 / heartbeatSeconds)) : 1;
  const start = ports.clock.now();
  let report = await beat(ports);
  for (let count = 1; count < beats; count += 1) {
    const due = start + count * heartbeatSeconds * 1000;
    // A beat that would fall into the next minute belongs to the next invocation.
    if (ports.clock.now() >= start + 60_000 - 1000) break;
    await ports.clock.sleep(Math.max(0, due - ports.clock.now()));
    report = await beat(ports);
  }
  return report;
};

const beat = async (ports: GuardPorts): Promise<GuardReport> => {
  const { clock, region } = ports;
  const contactAtMilliseconds = Math.floor(clock.now());
  const seen = await look(ports);
  const firstBeatMilliseconds = (ports.memory.firstBeatMilliseconds ??= contactAtMilliseconds);
  const rememberedContactMilliseconds = ports.memory.lastContactMilliseconds;
  const facts = { region, ...seen, rememberedContactMilliseconds, firstBeatMilliseconds };
  const decision = decide(facts, ports.policy, clock.now());
  const fence = decision.kind === "fence" ? await raiseFence(ports) : [];
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
  if (contact) {
    await ports.writeContact(contact);
    // Only now: a failed write is no contact, since whoever waits for this region cannot see it.
    ports.memory.lastContactMilliseconds = contactAtMilliseconds;
  }
  const role = decision.kind === "hold" ? await ports.role() : await keepRole(ports, decision.role);
  const epoch = decision.kind === "hold" ? null : decision.epoch;
  const report = { region, decision: decision.kind, epoch, reasons: decision.reasons, role, fence };
  if (decision.kind === "fence") ports.log("this region is fenced", report);
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

/** All layers at once: each is worth having when another cannot be reached. */
const raiseFence = (ports: GuardPorts): Promise<FenceLayer[]> =>
  Promise.all([
    layer("logins", async () => {
      let logins: Logins = await ports.database({ do: "logins" });
      if (!isFenced(logins)) logins = await ports.database({ do: "fence" });
      const open = logins.roles.filter((role) => role.canLogin || role.sessions > 0);
      return { fenced: isFenced(logins), detail: `${open.length} role(s) still open` };
    }),
    layer("security-group", async () => {
      if ((await ports.openIngress()) > 0) await ports.closeIngress();
      const open = await ports.openIngress();
      return { fenced: open === 0, detail: `${open} way(s) in from the application` };
    }),
    layer("capacity", async () => {
      if ((await ports.capacity()).desired > 0) await ports.emptyCapacity();
      const { desired, running } = await ports.capacity();
      return { fenced: desired === 0 && running === 0, detail: `${running} instance(s) running` };
    }),
    layer("role-rule", async () => {
      if ((await ports.role()) !== "renounced") await ports.setRole("renounced");
      return { fenced: true, detail: "the region says that it is renounced" };
    }),
  ]);

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
