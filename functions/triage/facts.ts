import type { Attempt, Incident } from "../../shared/incident.ts";
import type { Fate } from "../../shared/invoke.ts";
import type { Fact } from "../../shared/outcome.ts";
import type { Right } from "../remediation/playbooks.ts";

/** An alarm of ours that is in ALARM now, as it was read a moment ago. */
export interface Ringing {
  name: string;
  arn: string;
  kind: string;
  resource: string | null;
  /** Since when it has been in ALARM. */
  sinceMilliseconds: number;
  reason: string;
  /** Why it is not to be acted upon: suppressed, or its actions are switched off; null when it is. */
  held: string | null;
}

/** As much of a playbook as the intake has to know. */
export interface Covers {
  name: string;
  rank: number;
  alarms: readonly string[];
  /** What the operator's file gives it. */
  right: Right;
  /** Left out while no such thing is known to be under way. */
  onlyWhile?: "deploy";
}

export interface TriageFacts {
  region: string;
  now: number;
  alarms: Ringing[];
  /** There were more than were read. */
  isCut: boolean;
  /** A deploy of the region is under way or has just ended, as its own detection notes it each minute. */
  isDeploying: boolean;
  /** Why nothing may begin anywhere, such as a pause; null when it may. */
  brake: string | null;
  incident: Incident | null;
  covers: readonly Covers[];
  /** By alarm: whether a mute rule holds it. Only for those that could be acted upon first. */
  mutes: Record<string, Fact<boolean>>;
  /** Of the attempt that is under way; null when Lambda was not asked, or has not answered. */
  fate: Fate | null;
}

export interface Start {
  attempt: Attempt;
  ringing: Ringing;
  others: number;
  /** Where the incident's one message is; null before the first attempt has put it up. */
  message: Incident["message"];
}

export interface Judged {
  /** As it is to be kept; null when there is nothing to keep. */
  incident: Incident | null;
  /** To be told to begin, also once more when nobody knows whether it has. */
  start: Start | null;
  /** For people, once. */
  page: { key: string; text: string } | null;
  /** Newly parked, to be answered below the incident's message. */
  parked: string[];
}

/** The same for every delivery of one change: ARN and time of the change. */
export const keyOf = ({ arn, sinceMilliseconds }: Pick<Ringing, "arn" | "sinceMilliseconds">) =>
  `${arn}@${sinceMilliseconds}`;

export const isCovered = (covers: readonly Covers[], kind: string): boolean =>
  covers.some(({ alarms }) => alarms.includes(kind));

/** Those that could be acted upon. What people hold, or have a playbook off for, keeps no incident open. */
export const liveOf = ({ alarms, covers }: Pick<TriageFacts, "alarms" | "covers">): Ringing[] => {
  const kinds = new Set(
    covers.filter(({ right }) => right !== "off").flatMap((each) => each.alarms),
  );
  return alarms.filter(({ held, kind }) => held === null && kinds.has(kind));
};

/** The one that has rung for longest. */
export const oldestOf = (alarms: readonly Ringing[]): Ringing | undefined =>
  alarms.toSorted(
    (a, b) => a.sinceMilliseconds - b.sinceMilliseconds || (a.name < b.name ? -1 : 1),
  )[0];
