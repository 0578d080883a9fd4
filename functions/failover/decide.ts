import { isoSeconds } from "../../shared/clock.ts";
import type { Contact } from "../../shared/contact.ts";
import type { Demand } from "../../shared/demand.ts";
import type { Lease } from "../../shared/lease.ts";
import type { Fact, Refusal } from "../../shared/outcome.ts";
import type { Pause } from "../../shared/pause.ts";
import { whilePaused } from "../../shared/pause.ts";
import type { Readiness } from "../../shared/readiness.ts";
import type { Upheaval } from "../../shared/upheaval.ts";
import type { Position } from "../database/decide.ts";
import type { Kind, Trigger, Wish } from "./request.ts";
import {
  circumstancesOf,
  isExplained,
  readinessRefusals,
  wantedOf,
  warningsOf,
} from "./warnings.ts";

/**
 * What an operator may say yes to beforehand, each by its own name, since each accepts a risk of its
 * own. The one list of them, for every door.
 */
export const overrides = ["unknown-loss", "block-period", "readiness"] as const;

export interface Replica {
  id: string;
  status: string;
  /** False once it stands on its own. */
  isReplica: boolean;
  replicating: boolean;
  /** Names of the values that RDS is asked to change and has not changed yet. */
  pending?: string[];
  /** As RDS writes it: `sun:04:00-sun:04:30`, in UTC. */
  maintenanceWindow?: string;
}

export interface Capacity {
  /** Scaling in goes no further than this. */
  minimum: number;
  desired: number;
  inService: number;
  maximum: number;
}

/** Everything that is looked at before a plan is made. */
export interface Facts {
  lease: Fact<Lease>;
  pause: Pause;
  replica: Fact<Replica>;
  position: Fact<Position>;
  contact: Fact<Contact | null>;
  capacity: Fact<Capacity>;
  secrets: Fact<{ name: string; replicated: boolean }[]>;
  /** Of the region that is to be active; null when nobody has ever looked. */
  readiness: Fact<Readiness | null>;
  /** What the region that is to be left has needed. */
  demand: Fact<Demand | null>;
  /** Of the region that is to be left. */
  upheavals: Fact<Upheaval[]>;
}

export interface Policy {
  here: string;
  home: string;
  automatic: boolean;
  approvals: number;
  maximumLagSeconds: number;
  blockPeriodSeconds: number;
  isolationSeconds: number;
  isolationMarginSeconds: number;
  heartbeatSeconds: number;
  wantedCapacity: number;
}

/** After which silence a region has fenced itself. */
type Bounds = Pick<Policy, "isolationSeconds" | "isolationMarginSeconds" | "heartbeatSeconds">;

/** What may be lost, said before anybody decides. */
export interface LossStatement {
  verdict: "within" | "over" | "unknown";
  /** How far the replica was behind the last heartbeat that is known to be committed. */
  lagSeconds: number | null;
  /** Everything acknowledged before this is on the replica. */
  replayedUntilMilliseconds: number | null;
  /** No more seconds of acknowledged writing than this can be lost, even if the region is only cut off. */
  boundSeconds: number | null;
  lsn: string | null;
  text: string;
}

export interface Plan {
  kind: Kind;
  run: string;
  epoch: number;
  from: string;
  to: string;
  replica: string;
  capacity: number;
  /** Where the number of instances comes from. */
  capacityWhy: string;
  trigger: Trigger;
  loss: LossStatement;
  approvals: number;
  warnings: string[];
}

export type Decision =
  | { kind: "proceed"; plan: Plan; reasons: string[] }
  | { kind: "refuse"; refusals: Refusal[] };

/**
 * Judges all facts at once and names every reason, not only the first. When the lease is `claimed`
 * already, by the run that is carried on, home has been told to stop: that it is silent, how far the
 * replica was behind and who moved last were judged before, and the fence will show the rest.
 */
export const judge = (
  facts: Facts,
  policy: Policy,
  { kind, trigger, run }: Wish,
  now: number,
  claimed = false,
): Decision => {
  const planned = kind === "switchover";
  const measured = lossOf(facts, policy);
  const loss = planned ? lossless(measured) : measured;
  const refusals = [
    ...leaseRefusals(facts.lease, policy),
    // A rehearsal moves nothing, so it cannot move too soon.
    ...(kind === "rehearsal" || claimed ? [] : blockRefusals(facts.lease, policy, trigger, now)),
    ...pauseRefusals(facts.pause),
    ...replicaRefusals(facts.replica),
    ...(planned ? [] : lossRefusals(loss, trigger)),
    ...(planned && !claimed ? switchoverRefusals(facts, policy, measured, now) : []),
    ...(planned && !claimed ? readinessRefusals(facts, policy, trigger, now) : []),
  ];
  if (refusals.length > 0 || !facts.lease.known || !facts.replica.known) {
    return { kind: "refuse", refusals };
  }
  const beats = homeBeats(facts, policy, now);
  const wanted = wantedOf(facts.demand, policy, now);
  const alive = kind === "emergency" && beats;
  const plan: Plan = {
    kind,
    run,
    epoch: facts.lease.value.epoch + 1,
    from: policy.home,
    to: policy.here,
    replica: facts.replica.value.id,
    capacity: wanted.instances,
    capacityWhy: wanted.why,
    trigger,
    loss,
    approvals: approvalsNeeded(policy, { kind, trigger }, loss, {
      isAlive: beats,
      hasRival: isExplained(facts, now),
    }),
    warnings: [...(alive ? [aliveWarning(policy)] : []), ...warningsOf(facts, policy, wanted, now)],
  };
  return { kind: "proceed", plan, reasons: [loss.text, ...plan.warnings] };
};

const refuse = (code: string, reason: string): Refusal[] => [{ code, reason }];

const leaseRefusals = (lease: Fact<Lease>, policy: Policy): Refusal[] => {
  if (!lease.known) {
    return refuse(
      "lease-unknown",
      `The lease cannot be read (${lease.why}). Nothing is moved blindly.`,
    );
  }
  const { region, state, epoch, holder } = lease.value;
  if (region !== policy.home) {
    return refuse(
      "lease-moved",
      `The lease of epoch ${epoch} is already in ${region}, moved by ${holder}.`,
    );
  }
  if (state !== "held") {
    return refuse(
      "another-run",
      `Run ${holder} is moving the lease (epoch ${epoch}); let it end first.`,
    );
  }
  return [];
};

/** Counts from the last move that was carried through; one that was given back has moved nothing. */
const blockRefusals = (
  lease: Fact<Lease>,
  policy: Policy,
  trigger: Trigger,
  now: number,
): Refusal[] => {
  // A lease that is unknown, elsewhere or on its way has a reason of its own.
  if (!lease.known || lease.value.region !== policy.home || lease.value.state !== "held") return [];
  const { lastMovedEpoch, movedAtMilliseconds, acknowledged } = lease.value;
  if (lastMovedEpoch === undefined || acknowledged === true) return [];
  const sinceSeconds = (now - movedAtMilliseconds) / 1000;
  const isRecent = sinceSeconds < policy.blockPeriodSeconds;
  if (!isRecent || trigger.overrides.includes("block-period")) return [];
  const left = Math.ceil(policy.blockPeriodSeconds - sinceSeconds);
  return refuse(
    "block-period",
    `The last failover was ${Math.round(sinceSeconds)} s ago and the block period lasts ${left} s more. ` +
      'Acknowledge it (/nightshift ack), or name the override "block-period", to go on.',
  );
};

const pauseRefusals = (pause: Pause): Refusal[] => {
  const refusal = whilePaused(pause);
  return refusal ? [refusal] : [];
};

const replicaRefusals = (replica: Fact<Replica>): Refusal[] => {
  if (!replica.known) {
    return refuse("replica-unknown", `The replica cannot be seen (${replica.why}).`);
  }
  const { id, isReplica, status } = replica.value;
  if (!isReplica)
    return refuse("not-a-replica", `${id} is no replica: there is nothing to promote.`);
  // A replica that is backing up or being modified becomes promotable by itself; the run waits.
  const waits = ["available", "backing-up", "modifying", "rebooting", "maintenance"];
  if (waits.includes(status)) return [];
  return refuse("not-promotable", `${id} is ${status}; only an available replica can be promoted.`);
};

const lossRefusals = (loss: LossStatement, trigger: Trigger): Refusal[] => {
  if (loss.verdict !== "unknown" || trigger.overrides.includes("unknown-loss")) return [];
  return refuse(
    "lag-unknown",
    `${loss.text} Unknown never passes for small: ` +
      'repeat with the override "unknown-loss" to accept it by name.',
  );
};

/**
 * A planned move is given up rather than carried through with a loss: it waits until the replica has
 * everything, and gives the lease back when that does not happen.
 */
const lossless = (measured: LossStatement): LossStatement => ({
  ...measured,
  boundSeconds: 0,
  text:
    "Nothing that was acknowledged can be lost: writes are stopped, the replica gets the whole log, " +
    "and only then it is promoted. Otherwise the old region goes on.",
});

const switchoverRefusals = (
  facts: Facts,
  policy: Policy,
  measured: LossStatement,
  now: number,
): Refusal[] => {
  if (!facts.contact.known) {
    return refuse(
      "contact-unknown",
      `The last contact of ${policy.home} cannot be read (${facts.contact.why}), which says nothing ` +
        "about that region. Ask again when the coordination table answers.",
    );
  }
  if (!homeBeats(facts, policy, now)) {
    return refuse(
      "home-silent",
      `${policy.home} does not tell of heartbeats, so it cannot give the lease away by agreement. ` +
        "If it is lost, this is a failover.",
    );
  }
  if (measured.verdict === "within") return [];
  return refuse("lag", `The replica is not close enough to begin: ${measured.text}`);
};

/**
 * Nobody is skipped for a move whose loss is not known to be within the operator's own limit, nor for
 * leaving a region whose database lives: its alarm may tell of a fence that was just taken down again.
 */
const approvalsNeeded = (
  policy: Policy,
  { kind, trigger }: Pick<Wish, "kind" | "trigger">,
  loss: LossStatement,
  { isAlive, hasRival }: { isAlive: boolean; hasRival: boolean },
): number => {
  const isAlone = !hasRival && (trigger.rivals ?? []).length === 0;
  const isSure = trigger.by === "alarm" && loss.verdict === "within" && !isAlive && isAlone;
  return policy.automatic && isSure && kind !== "rehearsal" ? 0 : policy.approvals;
};

const aliveWarning = ({ home }: Policy) =>
  `${home} is alive: its database still takes writes and tells of them.`;

/**
 * The lag is measured between two heartbeats of the same clock: the newest that the old region told
 * the coordination table it had committed, and the one that the replica holds. Neither grows while
 * the old region is silent, so an outage does not look like lag. The bound is more careful: a region
 * that is only cut off goes on acknowledging until it has fenced itself.
 */
export const lossOf = (
  facts: Pick<Facts, "position" | "contact">,
  policy: Bounds & Pick<Policy, "maximumLagSeconds">,
): LossStatement => {
  const unknown = (why: string): LossStatement => ({
    verdict: "unknown",
    lagSeconds: null,
    replayedUntilMilliseconds: null,
    boundSeconds: null,
    lsn: null,
    text: `What may be lost is unknown: ${why}.`,
  });
  if (!facts.position.known) return unknown(`the replica did not answer (${facts.position.why})`);
  const { heartbeat, lsn } = facts.position.value;
  if (!heartbeat) return unknown("the replica holds no heartbeat row");
  if (!facts.contact.known)
    return unknown(`the last contact cannot be read (${facts.contact.why})`);
  const contact = facts.contact.value;
  if (!contact?.heartbeatAtMilliseconds)
    return unknown("the old region has never told of a heartbeat");
  const replayed = heartbeat.writtenAtMilliseconds;
  const lagSeconds = Math.max(0, (contact.heartbeatAtMilliseconds - replayed) / 1000);
  const verdict = lagSeconds <= policy.maximumLagSeconds ? "within" : "over";
  const boundSeconds = (fencedAt(contact, policy) - replayed) / 1000;
  const limit = `the limit of ${policy.maximumLagSeconds} s`;
  return {
    verdict,
    lagSeconds,
    replayedUntilMilliseconds: replayed,
    boundSeconds,
    lsn,
    text:
      `Everything acknowledged until ${isoSeconds(replayed)} is on the replica (at ${lsn}). ` +
      `It was ${round(lagSeconds)} s behind at the last contact, ${verdict} ${limit}. At most ` +
      `${round(boundSeconds)} s of acknowledged writes can be lost, and that only if the region is cut ` +
      "off and still serving.",
  };
};

const round = (seconds: number) => Math.round(seconds * 10) / 10;

/** The moment by which a silent region has fenced itself, by the clock of its own guard. */
export const fencedAt = (contact: Contact, policy: Bounds): number =>
  contact.contactAtMilliseconds +
  (policy.isolationSeconds + policy.heartbeatSeconds + policy.isolationMarginSeconds) * 1000;

/**
 * Whether the old region still writes heartbeats and tells of them. Two missed beats are a dead or a
 * cut region; one is a slow function.
 */
export const homeBeats = (facts: Facts, policy: Policy, now: number): boolean => {
  const at = facts.contact.known ? facts.contact.value?.heartbeatAtMilliseconds : undefined;
  return at !== undefined && now - at < (2 * policy.heartbeatSeconds + 10) * 1000;
};

/**
 * What an approval is bound to: the plan and the facts that would change a careful person's mind.
 * The time of looking is left out, since it changes at every look without meaning anything, and so
 * are the heartbeats of a region that still beats.
 */
export const evidenceOf = (
  plan: Plan,
  facts: Facts,
  policy: Policy,
  now: number,
): Record<string, unknown> => {
  // Warnings tell of ages, and of what is hashed below by its meaning.
  const { loss, warnings: _warnings, capacityWhy: _why, ...rest } = plan;
  const beats = homeBeats(facts, policy, now);
  const contact = facts.contact.known ? facts.contact.value : null;
  return {
    plan: rest,
    verdict: loss.verdict,
    lease: facts.lease.known ? [facts.lease.value.epoch, facts.lease.value.region] : "unknown",
    replica: facts.replica.known
      ? [facts.replica.value.id, facts.replica.value.isReplica]
      : "unknown",
    beats,
    replayedUntil: beats ? null : loss.replayedUntilMilliseconds,
    heartbeat: beats ? null : (contact?.heartbeatAtMilliseconds ?? "unknown"),
    ...circumstancesOf(facts, !beats, now),
  };
};
