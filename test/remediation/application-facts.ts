import { expect, it } from "vitest";
import type {
  RefreshDetail,
  ReleaseSeen,
  TrafficMinute,
  TrafficSeen,
  ZoneSeen,
} from "../../functions/remediation/evidence-application.ts";
import type { Playbook, Subject } from "../../functions/remediation/playbooks.ts";
import { minute, now, outcomeOf, type Seen } from "./facts.ts";

export const target = (id: string, state = "healthy", reason = "") => ({ id, state, reason });
export const sick = (id: string) => target(id, "unhealthy", "Target.Timeout");
export const ids = ["i-0000000a", "i-0000000b", "i-0000000c"] as const;
export const member = (id: string, version = "3") => ({
  id,
  zone: "a",
  lifecycle: "InService",
  version,
});

export const zone = (name: string, more: Partial<ZoneSeen> = {}): ZoneSeen => ({
  zone: name,
  requests: 200,
  errors: 0,
  healthy: 2,
  unhealthy: 0,
  ...more,
});

/** An hour of a hundred requests a minute, of which so many fail before and in the last four minutes. */
export const history = (before: number, lately: number): TrafficMinute[] =>
  Array.from({ length: 60 }, (_, index) => ({
    atMilliseconds: now - (60 - index) * minute,
    requests: 100,
    errors: index < 50 ? before : lately,
  }));

export const traffic = (more: Partial<TrafficSeen> = {}): { traffic: TrafficSeen } => ({
  traffic: {
    minutes: 4,
    requests: 400,
    application: 40,
    balancer: 0,
    codes: [],
    zones: [zone("a"), zone("b"), zone("c")],
    history: history(0, 10),
    ...more,
  },
});

export const refresh = (more: Partial<RefreshDetail> = {}): RefreshDetail => ({
  id: "r-1",
  status: "InProgress",
  reason: "",
  startedAtMilliseconds: now - 12 * minute,
  endedAtMilliseconds: null,
  percent: 40,
  toVersion: "4",
  rollsBackItself: false,
  alarms: [],
  ...more,
});

export const release = (
  under: RefreshDetail | null,
  more: Partial<ReleaseSeen> = {},
): { release: ReleaseSeen } => ({
  release: {
    group: "platform",
    version: "3",
    refresh: under,
    instances: ids.map((id) => member(id)),
    ...more,
  },
});

export const database = {
  id: "platform",
  status: "available",
  isReplica: false,
  allocatedGigabytes: 100,
  maximumGigabytes: null,
  limitGigabytes: 500,
  instanceClass: "db.r7g.large",
  storageType: "gp3",
  multiAz: true,
  pending: [],
} as unknown as NonNullable<Seen["database"]>;

export const usual: Seen = {
  ...traffic(),
  ...release(null),
  targets: ids.map((id) => target(id)),
  anomalies: { ids: [], compared: 3 },
  group: {
    name: "platform",
    minimum: 2,
    desired: 3,
    maximum: 8,
    healthCheckType: "ELB",
    graceSeconds: 300,
    suspended: [],
    instances: ids.map((id) => ({ id, zone: "a", lifecycle: "InService", healthy: true })),
  },
  database,
  refusals: { minutes: 3, refused: 0 },
  service: { minutes: 4, requests: 400, errors: 40 },
};

export type Case = [
  what: string,
  seen: Seen,
  outcome: [is: string, mode: string],
  about?: Partial<Subject>,
];
export const table = (one: Playbook, base: Seen, cases: Case[]) =>
  it.each(cases)("when %s", (_what, seen, outcome, about = {}) => {
    expect(outcomeOf(one, { ...base, ...seen }, about)).toEqual(outcome);
  });
