import type { Clock } from "../../shared/clock.ts";
import { observed } from "../../shared/outcome.ts";
import type { DatabaseAnswers } from "../database/decide.ts";
import type { ApplicationLooks } from "./evidence-application.ts";
import type { DatabaseLooks } from "./evidence-database.ts";
import type { EdgeLooks } from "./evidence-edge.ts";
import type { PastLooks } from "./evidence-past.ts";
import type { PathSeen } from "./evidence-path.ts";
import type { Evidence, Subject } from "./playbooks.ts";

/** A target as the load balancer sees it. `state` and `reason` are its own words. */
export interface TargetSeen {
  id: string;
  state: string;
  reason: string;
}

export interface InstanceSeen {
  id: string;
  zone: string;
  lifecycle: string;
  healthy: boolean;
  /** Its group has put it into service so lately that its health checks do not count yet. */
  isStarting?: boolean;
}

export interface GroupSeen {
  name: string;
  minimum: number;
  desired: number;
  maximum: number;
  /** `ELB` when the group itself replaces what the load balancer finds sick. */
  healthCheckType: string;
  graceSeconds: number;
  /** Processes that somebody has suspended, such as `ReplaceUnhealthy`. */
  suspended: string[];
  instances: InstanceSeen[];
}

export interface RefreshSeen {
  id: string;
  status: string;
  startedAtMilliseconds: number;
  endedAtMilliseconds: number | null;
}

/** What users get, over the last minutes: all requests, and those that ended with a 5xx. */
export interface ServiceSeen {
  minutes: number;
  requests: number;
  errors: number;
}

/** How long users wait, and how many they are now and in the hour before. */
export interface LoadSeen {
  /** What 19 of 20 requests are quicker than; null when none were measured. */
  slowestSeconds: number | null;
  perMinute: number;
  perMinuteBefore: number;
  /** How many minutes this is about: fewer than usual right after a deed. As usual when left out. */
  minutes?: number;
}

export interface DatabaseSeen {
  id: string;
  status: string;
  isReplica: boolean;
  allocatedGigabytes: number;
  /** Where RDS itself stops to grow it; equal to `allocatedGigabytes` or null when it does not. */
  maximumGigabytes: number | null;
  /** Where the operator's file ends it: nobody grows it further by this door. */
  limitGigabytes: number;
  instanceClass: string;
  storageType: string;
  multiAz: boolean;
  /** RDS may show the old one for minutes after a failover. */
  zone: string;
  /** Names of what is ordered and not yet done. */
  pending: string[];
}

export interface StorageSeen {
  /** Oldest first. */
  points: { atMilliseconds: number; freeBytes: number }[];
}

export interface DatabaseEventSeen {
  atMilliseconds: number;
  text: string;
}

/** What the database function saw. A part of it may be unknown by itself. */
export interface SessionsSeen {
  /** So long an open transaction has to be silent to count as forgotten. */
  idleSeconds: number;
  seen: DatabaseAnswers["examine"];
}

/** Connections that the database turned away, by its log, over the last minutes. */
export interface RefusalsSeen {
  minutes: number;
  refused: number;
}

/** The application's secret; `changedAtMilliseconds` is null when it never was. */
export interface LoginSeen {
  secret: string;
  changedAtMilliseconds: number | null;
}

/** Everything that can be looked at, by name. A look changes nothing and answers within seconds. */
export interface Looks extends EdgeLooks, DatabaseLooks, ApplicationLooks, PastLooks {
  /** The security groups on the way of a request. */
  path: PathSeen;
  /** The targets of the region's target group. */
  targets: TargetSeen[];
  /** The region's Auto Scaling group. */
  group: GroupSeen;
  /** The newest instance refresh; null when there never was one. */
  deploy: RefreshSeen | null;
  service: ServiceSeen;
  load: LoadSeen;
  database: DatabaseSeen;
  storage: StorageSeen;
  databaseEvents: DatabaseEventSeen[];
  sessions: SessionsSeen;
  refusals: RefusalsSeen;
  login: LoginSeen;
}

export type Look = keyof Looks;

/**
 * `since`: when a deed was done, where it is to be seen whether it has helped. What counts over the last
 * minutes leaves out those before it, and the first one after it, in which it was still coming about.
 */
export type Lookers = {
  [Name in Look]: (subject: Subject, since?: number | null) => Promise<Looks[Name]>;
};

const period = 60_000;

/**
 * From when on a metric of minutes counts: the whole window, or what of it lies after the deed. Throws while
 * there is nothing: the minute has to be over, and a metric comes a minute late.
 */
export const countedFrom = (now: number, minutes: number, since?: number | null): number => {
  const from = now - minutes * period;
  if (since === undefined || since === null) return from;
  const after = Math.ceil(since / period) * period + period;
  if (now < after + 2 * period) throw new Error("no whole minute was measured since the deed");
  return Math.max(from, after);
};

/**
 * All that a playbook asked for, at once: the slowest look bounds the time. One that fails is a fact as
 * well, with why, and no rule takes it for good.
 */
export const gather = async <Need extends Look>(
  clock: Clock,
  lookers: Lookers,
  needs: readonly Need[],
  subject: Subject,
  since: number | null = null,
): Promise<Evidence<Need>> => {
  const seen = await Promise.all(
    needs.map(
      async (name) =>
        [name, await observed(name, clock.now, () => lookers[name](subject, since))] as const,
    ),
  );
  return Object.fromEntries(seen) as unknown as Evidence<Need>;
};
