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
  /** This region writes: keep the heartbeat, and say `active` once the lease has settled. */
  | { kind: "serve"; role: Role; epoch: number; reasons: string[] }
  /** Another region writes and this one's database is its replica: nothing to stop. */
  | { kind: "stand-by"; role: "renounced"; epoch: number; reasons: string[] }
  /** This region must not write any more. `epoch` is what it obeys; null when it is isolated. */
  | { kind: "fence"; role: "renounced"; epoch: number | null; reasons: string[] }
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
    return { kind: "serve", role, epoch: lease.epoch, reasons };
  }
  const elsewhere = `the lease of epoch ${lease.epoch} is in ${lease.region}`;
  if (facts.position.known && facts.position.value.recovery) {
    const reasons = [elsewhere, "the database here is a replica"];
    return { kind: "stand-by", role: "renounced", epoch: lease.epoch, reasons };
  }
  if (!facts.position.known && facts.contact?.heartbeatAtMilliseconds === undefined) {
    const reasons = [elsewhere, `the database here did not answer (${facts.position.why})`];
    return { kind: "stand-by", role: "renounced", epoch: lease.epoch, reasons };
  }
  const why = facts.position.known
    ? "the database here takes writes"
    : `the database here did not answer (${facts.position.why}) and this region has held the lease`;
  return { kind: "fence", role: "renounced", epoch: lease.epoch, reasons: [elsewhere, why] };
};

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
    ? { kind: "fence", role: "renounced", epoch: null, reasons }
    : { kind: "hold", reasons };
};
