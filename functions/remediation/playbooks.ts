import type { Fact, Refusal } from "../../shared/outcome.ts";
import type { Deed } from "./actions.ts";
import type { Look, Looks } from "./evidence.ts";
import { badDeploy } from "./playbooks/bad-deploy/playbook.ts";
import { cacheMemory } from "./playbooks/cache-memory/playbook.ts";
import { certificate } from "./playbooks/certificate/playbook.ts";
import { databaseConnections } from "./playbooks/database-connections/playbook.ts";
import { databaseFailover } from "./playbooks/database-failover/playbook.ts";
import { databaseLoad } from "./playbooks/database-load/playbook.ts";
import { databaseStorage } from "./playbooks/database-storage/playbook.ts";
import { errorRate } from "./playbooks/error-rate/playbook.ts";
import { instanceMemory } from "./playbooks/instance-memory/playbook.ts";
import { latency } from "./playbooks/latency/playbook.ts";
import { regionImpaired } from "./playbooks/region-impaired/playbook.ts";
import { replicaLag } from "./playbooks/replica-lag/playbook.ts";
import { unhealthyHost } from "./playbooks/unhealthy-host/playbook.ts";
import { zoneImpairment } from "./playbooks/zone-impairment/playbook.ts";

/** The alarm that a run is about, as it was when the run was started. */
export interface Subject {
  region: string;
  /** Its whole name, `<prefix>-<kind>[-<resource>]`. */
  alarm: string;
  kind: string;
  resource: string | null;
  sinceMilliseconds: number;
  /** CloudWatch's own sentence about it. */
  reason: string;
}

/** What a playbook asked to see. Each by itself may be unknown, with why, and has its time. */
export type Evidence<Need extends Look> = { [Name in Need]: Fact<Looks[Name]> };

/** What is the matter. `unknown` is always among them, and nothing is ever done about it. */
export interface Finding<Code extends string> {
  is: Code | "unknown";
  /** What was seen, in sentences with figures. */
  says: string;
  /** What a tired person should look at or do next, when nothing is done by itself. */
  advice: string[];
}

export type Decision =
  /** Done by itself where the playbook's right is `automatic`. */
  | { kind: "proceed"; deed: Deed; reasons: string[] }
  /** People are asked, also where the right is `automatic`. */
  | { kind: "ask"; deed: Deed; reasons: string[] }
  | { kind: "refuse"; refusals: Refusal[]; advice: string[] };

/** Whether what was done has helped, by what users feel. */
export interface Verdict {
  is: "healed" | "same" | "worse" | "unknown";
  says: string;
}

/**
 * How far a playbook may go: not at all; say what it would do; do it after a yes; do it. An irreversible
 * action is asked for in any case.
 */
export type Right = "off" | "shadow" | "ask" | "automatic";

/**
 * What comes after a finding. `deed`: it is decided about. `again`: nothing now; it looks again, others
 * may look meanwhile, and people are called when that takes too long. `waits`: it gets well by itself,
 * and treating its symptoms would harm: others wait for it, for a quarter of an hour at most. `passes`:
 * it is none of this playbook's matters. `people`: it does not get well by waiting, and nothing of the
 * menu is for it.
 */
export type Next = "deed" | "again" | "waits" | "passes" | "people";

/** What is done about a kind of alarm. Pure: it looks at evidence and names deeds of the menu. */
export interface Playbook<Need extends Look = Look, Code extends string = string> {
  /** The name of its folder. */
  name: string;
  /** Of several that have an alarm, the one with the smallest rank is nearest to the root. */
  rank: number;
  /** Kinds of alarms, as `stacks/alarms/` names them. */
  alarms: readonly string[];
  evidence: readonly Need[];
  diagnose(evidence: Evidence<Need>, subject: Subject): Finding<Code>;
  /** Only what is named here is ever acted upon. */
  decide: {
    readonly [Actionable in Exclude<Code, "unknown">]?: (
      evidence: Evidence<Need>,
      subject: Subject,
    ) => Decision;
  };
  /** What comes after each finding. `deed` for what `decide` names, and for nothing else. */
  next: { readonly [Is in Code | "unknown"]: Next };
  proof: {
    /** What has to be seen, in words. */
    what: string;
    judge(before: Evidence<Need>, now: Evidence<Need>, deed: Deed): Verdict;
    /** Whether what was done can show by now; left out where it shows as soon as it is done. */
    shows?(now: Evidence<Need>, deed: Deed): boolean;
    /** In all, from the deed on. */
    withinSeconds: number;
    /** How long it has to stay healed. */
    holdSeconds: number;
    everySeconds: number;
  };
  budget: {
    /** Deeds of this playbook in any hour, in its region. */
    perHour: number;
    /** No second deed on the same resource for so long. */
    cooldownSeconds: number;
  };
  /** The most that the operator's file can give it. */
  right: Right;
  /** How many operators have to agree where they are asked. */
  approvals: 1 | 2;
  /**
   * It is not asked unless such a thing is under way, or has just ended: so that it may stand before others
   * without costing them time.
   */
  onlyWhile?: "deploy";
  /** Freezes that do not hold it, such as a deploy for the playbook that takes deploys back. */
  despite?: readonly string[];
}

/** Lets a playbook with needs and diagnoses of its own stand in the list with the others. */
export const playbook = <Need extends Look, Code extends string>(
  one: Playbook<Need, Code>,
): Playbook => one as unknown as Playbook;

/** All of them. A new one is a folder and a line here: docs/playbooks.md. */
export const playbooks: readonly Playbook[] = [
  playbook(unhealthyHost),
  playbook(latency),
  playbook(errorRate),
  playbook(badDeploy),
  playbook(instanceMemory),
  playbook(zoneImpairment),
  playbook(databaseStorage),
  playbook(databaseConnections),
  playbook(databaseLoad),
  playbook(databaseFailover),
  playbook(replicaLag),
  playbook(regionImpaired),
  playbook(cacheMemory),
  playbook(certificate),
];
