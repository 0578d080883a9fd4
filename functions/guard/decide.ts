import * as z from "zod/mini";
import type { Contact } from "../../shared/contact.ts";
import type { Lease } from "../../shared/lease.ts";
import type { Fact } from "../../shared/outcome.ts";
import type { Position } from "../database/decide.ts";

/** The schedule's minute, or a request of a run to obey the lease at once and say how it went. */
export const request = z.discriminatedUnion("do", [
  z.strictObject({ do: z.literal("watch") }),
  z.strictObject({ do: z.literal("obey"), epoch: z.int() }),
]);

export type GuardRequest = z.infer<typeof request>;

/** What the load balancer of a region says about it, and Route 53's health checks read. */
export type Role = "active" | "renounced";

export interface GuardFacts {
  region: string;
  /** The lease, read with strong consistency. Unknown when no replica of the table answered. */
  lease: Fact<Lease>;
  /** Where this region's database stands. Unknown when it could not be asked. */
  position: Fact<Position>;
  /** This region's own contact, as the table has it; undefined before the first. */
  contact: Contact | undefined;
  /**
   * The last contact that this execution environment has had itself; undefined before the first. The
   * database remembers contacts across environments; this stands in when it cannot be asked.
   */
  rememberedContactMilliseconds: number | undefined;
  /** Counts only when nothing else is known: a new environment is no sign of a contact. */
  firstBeatMilliseconds: number;
}

export interface GuardPolicy {
  isolationSeconds: number;
}

export type GuardDecision =
  /**
   * This region writes: keep the heartbeat, and say `active` once the lease has settled. `reopen` when
   * a fence of its own still stands, because the lease has come back.
   */
  | { kind: "serve"; role: Role; epoch: number; reopen: boolean; reasons: string[] }
  /**
   * Another region writes and this one's database is its replica: nothing to stop. `reopen` when a fence
   * from the time before it was a replica still stands.
   */
  | { kind: "stand-by"; role: "renounced"; epoch: number; reopen: boolean; reasons: string[] }
  /**
   * This region must not write any more. `epoch` is what it obeys; null when it is isolated. A
   * `gentle` fence closes the logins only: a planned move that is given up must be able to go back
   * without waiting for instances.
   */
  | { kind: "fence"; role: "renounced"; epoch: number | null; gentle: boolean; reasons: string[] }
  /** Too little is known to change anything: wait for the next beat. */
  | { kind: "hold"; reasons: string[] };

/**
 * Fences on an explicit word (the lease is elsewhere) or on long enough silence, never on a single
 * failed read: one lost answer must not take a healthy region down, and a region that nobody can
 * reach must not go on writing once somebody else may.
 */
export const decide = (facts: GuardFacts, policy: GuardPolicy, now: number): GuardDecision => {
  if (!facts.lease.known) return isolated(facts, policy, now, facts.lease.why);
  const lease = facts.lease.value;
  if (lease.region === facts.region) {
    const role: Role = lease.state === "held" ? "active" : "renounced";
    const reasons = [`the lease of epoch ${lease.epoch} is here and ${lease.state}`];
    // While the lease is on its way here the run that moves it opens the database, not the guard.
    const reopen = lease.state === "held" && (facts.contact?.fence ?? []).length > 0;
    return { kind: "serve", role, epoch: lease.epoch, reopen, reasons };
  }
  const elsewhere = `the lease of epoch ${lease.epoch} is in ${lease.region}`;
  if (facts.position.known && facts.position.value.recovery) {
    const reasons = [elsewhere, "the database here is a replica"];
    const reopen = (facts.contact?.fence ?? []).length > 0;
    return { kind: "stand-by", role: "renounced", epoch: lease.epoch, reopen, reasons };
  }
  if (!facts.position.known && isReplicaByRecord(facts.contact, lease)) {
    const reasons = [elsewhere, `the database here did not answer (${facts.position.why})`];
    return { kind: "stand-by", role: "renounced", epoch: lease.epoch, reopen: false, reasons };
  }
  const why = facts.position.known
    ? "the database here takes writes"
    : `the database here did not answer (${facts.position.why}) and this region has held the lease`;
  const gentle = lease.planned === true && lease.state === "moving";
  const reasons = [elsewhere, why];
  return { kind: "fence", role: "renounced", epoch: lease.epoch, gentle, reasons };
};

/**
 * A database that does not answer is a replica when its region has never written, or when the guard has
 * taken its fence down at this very epoch, which it does on seeing a replica and nothing else.
 */
const isReplicaByRecord = (contact: Contact | undefined, { epoch }: Lease): boolean =>
  contact?.heartbeatAtMilliseconds === undefined ||
  (contact.epoch === epoch && contact.fence?.length === 0);

const isolated = (
  facts: GuardFacts,
  policy: GuardPolicy,
  now: number,
  why: string,
): GuardDecision => {
  const silence = `no replica of the coordination table answered (${why})`;
  if (facts.position.known && facts.position.value.recovery) {
    return { kind: "hold", reasons: [silence, "the database here is a replica"] };
  }
  const inDatabase = facts.position.known
    ? facts.position.value.heartbeat?.contactAtMilliseconds
    : undefined;
  const remembered = facts.rememberedContactMilliseconds;
  const last =
    inDatabase === undefined && remembered === undefined
      ? facts.firstBeatMilliseconds
      : Math.max(inDatabase ?? 0, remembered ?? 0);
  const silentSeconds = (now - last) / 1000;
  const reasons = [silence, `the last contact was ${Math.round(silentSeconds)} s ago`];
  return silentSeconds >= policy.isolationSeconds
    ? { kind: "fence", role: "renounced", epoch: null, gentle: false, reasons }
    : { kind: "hold", reasons };
};
