import { isoSeconds } from "../../shared/clock.ts";
import type { Contact } from "../../shared/contact.ts";
import { readContact } from "../../shared/contact.ts";
import type { Lease } from "../../shared/lease.ts";
import { readLease } from "../../shared/lease.ts";
import { escaped } from "../../shared/message.ts";
import type { Fact } from "../../shared/outcome.ts";
import type { Pause } from "../../shared/pause.ts";
import { readPause, whilePaused } from "../../shared/pause.ts";
import type { Readiness } from "../../shared/readiness.ts";
import { readinessLines, readReadiness, verdictOf } from "../../shared/readiness.ts";
import { readRepairs, repairsLines } from "../../shared/repairs.ts";
import type { Within } from "./deadline.ts";
import type { Desk } from "./orders.ts";

interface Look {
  door: Desk;
  within: Within;
}

/** Where the platform runs and what is under way; what does not answer is said to be unknown. */
export const status = async ({ door, within }: Look): Promise<string> => {
  const { primary, standby } = door.config.regions;
  const readinessOf = (region: string) =>
    within("readiness", () => readReadiness(door.table, region));
  const [lease, pause, atHome, atStandby, ...contacts] = await Promise.all([
    within("lease", () => readLease(door.table)),
    within("pause", () => readPause(door.table)),
    readinessOf(primary),
    readinessOf(standby),
    ...[primary, standby].map((region) => within("contact", () => readContact(door.table, region))),
  ]);
  const now = door.clock.now();
  return [
    leaseText(lease),
    ...[primary, standby].map((region, index) => contactText(region, contacts[index], now)),
    pauseText(pause),
    // Of the region that would take over: where the lease is, nobody asks whether it could.
    lease.known && lease.value.region === standby
      ? readinessText(primary, atHome, now)
      : readinessText(standby, atStandby, now),
  ].join("\n");
};

const leaseText = (lease: Fact<Lease>): string => {
  if (!lease.known) return `Lease: UNKNOWN (${escaped(lease.why)})`;
  const { region, epoch, state, holder, movedAtMilliseconds, acknowledged } = lease.value;
  const seen = acknowledged ? ", acknowledged" : "";
  const since = `epoch ${epoch}, since ${isoSeconds(movedAtMilliseconds)} by ${escaped(holder)}${seen}`;
  return state === "held"
    ? `*${region}* may write (${since}). No failover is under way past its approval.`
    : `The lease is MOVING to *${region}* (${since}).`;
};

const contactText = (
  region: string,
  contact: Fact<Contact | undefined> | undefined,
  now: number,
): string => {
  if (!contact?.known) return `Guard of ${region}: UNKNOWN (${escaped(contact?.why ?? "")})`;
  if (!contact.value) return `Guard of ${region}: never seen`;
  const ageSeconds = Math.round((now - contact.value.contactAtMilliseconds) / 1000);
  return `Guard of ${region}: last contact ${ageSeconds} s ago, obeys epoch ${contact.value.epoch}`;
};

const readinessText = (region: string, fact: Fact<Readiness | null>, now: number): string => {
  const lines = fact.known
    ? readinessLines(region, verdictOf(fact.value, now))
    : [`${region}: UNKNOWN (${fact.why})`];
  return `Readiness of ${lines.map(escaped).join("\n• ")}`;
};

const pauseText = (fact: Fact<Pause>): string =>
  pauseLine(fact.known ? fact.value : { is: "unknown", why: fact.why });

export const pauseLine = (pause: Pause): string => {
  const at = pause.is === "paused" ? ` (since ${isoSeconds(pause.atMilliseconds)})` : "";
  const refused = whilePaused(pause);
  return refused ? `${escaped(refused.reason)}${at}` : "Pause switch: running";
};

/** What is done by itself in the region that users are on, and how each playbook has done. */
export const repairs = async ({ door, within }: Look): Promise<string> => {
  const seen = await within("repairs", async () => {
    const { region } = await readLease(door.table);
    return readRepairs(door.table, region, door.config);
  });
  if (!seen.known) return `Repairs: UNKNOWN (${escaped(seen.why)})`;
  return repairsLines(seen.value).map(escaped).join("\n• ");
};
