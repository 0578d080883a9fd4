import { AutoScalingClient, DescribeInstanceRefreshesCommand } from "@aws-sdk/client-auto-scaling";
import {
  type AlarmHistoryItem,
  CloudWatchClient,
  DescribeAlarmHistoryCommand,
} from "@aws-sdk/client-cloudwatch";
import { DescribeEventsCommand, RDSClient } from "@aws-sdk/client-rds";
import { readReservations } from "../../shared/budget.ts";
import { clientOptions } from "../../shared/clients.ts";
import type { Coordination } from "../../shared/coordination.ts";
import { coordination } from "../../shared/coordination.ts";
import { lastFreeze } from "../../shared/freeze.ts";
import { readLease } from "../../shared/lease.ts";
import { observed } from "../../shared/outcome.ts";
import { lastTurn } from "../../shared/pause.ts";
import { type Flight, readFlight } from "../../shared/rotation.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { readUpheavals } from "../../shared/upheaval.ts";
import type { RemediatedLink } from "./aws.ts";
import type { ChangeKind, ChangeSeen, ChangesSeen, HistorySeen } from "./evidence-past.ts";
import { historyOf } from "./past.ts";
import type { Subject } from "./playbooks.ts";

const historyHours = 24;
/** The most that DescribeAlarmHistory gives at once. An alarm that has changed more often than this flaps. */
const pageSize = 100;
const pagesLimit = 3;
const changesMinutes = 60;
const changesMost = 20;

/** What every run looks at: how its alarm has behaved, and what was changed in its region before it. */
export const pastLooks = (runtime: Runtime, region: string, link: RemediatedLink) => ({
  history: historyLook(runtime, region),
  changes: changesLook(runtime, region, link),
});

const historyLook = (runtime: Runtime, region: string) => {
  const client = new CloudWatchClient(clientOptions(runtime, region));
  return async ({ alarm }: Subject): Promise<HistorySeen> => {
    const now = runtime.clock.now();
    const items: AlarmHistoryItem[] = [];
    let NextToken: string | undefined;
    for (let page = 1; page <= pagesLimit; page += 1) {
      const answer = await client.send(
        new DescribeAlarmHistoryCommand({
          AlarmName: alarm,
          AlarmTypes: ["MetricAlarm", "CompositeAlarm"],
          HistoryItemType: "StateUpdate",
          StartDate: new Date(now - historyHours * 3_600_000),
          EndDate: new Date(now),
          ScanBy: "TimestampDescending",
          MaxRecords: pageSize,
          ...(NextToken ? { NextToken } : {}),
        }),
      );
      items.push(...(answer.AlarmHistoryItems ?? []));
      NextToken = answer.NextToken;
      if (!NextToken) break;
    }
    const about = { now, hours: historyHours, isCut: NextToken !== undefined };
    return historyOf(items.flatMap(changeOf), about);
  };
};

/**
 * `Alarm updated from OK to ALARM`. The data beside it is JSON that ends after 4095 characters, whole or not.
 * Source: the example of `describe-alarm-history` in the AWS CLI's reference.
 */
const stateChange = /from (OK|ALARM|INSUFFICIENT_DATA) to (OK|ALARM|INSUFFICIENT_DATA)/;

const changeOf = ({ Timestamp, HistorySummary }: AlarmHistoryItem) => {
  const [, from, to] = stateChange.exec(HistorySummary ?? "") ?? [];
  if (!from || !to || !Timestamp) return [];
  return [{ atMilliseconds: Timestamp.getTime(), from, to }];
};

/** One place to look at, and the kinds of changes that are seen there. */
interface Place {
  source: string;
  kinds: ChangeKind[];
  look(since: number): Promise<ChangeSeen[]>;
}

const changesLook = (runtime: Runtime, region: string, link: RemediatedLink) => {
  const table = coordination(runtime);
  const { now } = runtime.clock;
  const places = placesOf(runtime, region, link, table);
  return async (): Promise<ChangesSeen> => {
    const since = now() - changesMinutes * 60_000;
    const facts = await Promise.all(
      places.map(async ({ source, kinds, look }) => ({
        kinds,
        fact: await observed(source, now, () => look(since)),
      })),
    );
    const found = facts.flatMap(({ fact }) => (fact.known ? fact.value : []));
    return {
      minutes: changesMinutes,
      changes: found.toSorted((one, other) => endOf(other) - endOf(one)).slice(0, changesMost),
      unread: facts.flatMap(({ kinds, fact }) => (fact.known ? [] : [{ kinds, why: fact.why }])),
    };
  };
};

/** What is under way is the newest of all. */
const endOf = ({ untilMilliseconds }: ChangeSeen): number =>
  untilMilliseconds ?? Number.POSITIVE_INFINITY;

const placesOf = (
  runtime: Runtime,
  region: string,
  { autoScalingGroup, databaseId }: RemediatedLink,
  table: Coordination,
): Place[] => {
  const scaling = new AutoScalingClient(clientOptions(runtime, region));
  const rds = new RDSClient(clientOptions(runtime, region));
  const { now } = runtime.clock;
  const rotated: ChangeKind[] = ["database-rotation", "cache-rotation", "key-rotation"];
  return [
    {
      ...{ source: "Auto Scaling", kinds: ["deploy"] },
      look: (since) => deploysOf(scaling, autoScalingGroup, since),
    },
    {
      ...{ source: "RDS", kinds: ["database-failover", "database-event"] },
      look: () => databaseChangesOf(rds, databaseId),
    },
    {
      ...{ source: "coordination table", kinds: ["failover"] },
      look: (since) => moveOf(table, since),
    },
    {
      ...{ source: "coordination table", kinds: rotated },
      look: (since) => rotationsOf(table, region, now(), since),
    },
    {
      ...{ source: "coordination table", kinds: ["repair"] },
      look: (since) => repairsOf(table, region, since),
    },
    {
      ...{ source: "coordination table", kinds: ["order"] },
      look: (since) => ordersOf(table, region, since),
    },
  ];
};

/** More within an hour would each have replaced the one before. */
const refreshesMost = 5;

const deploysOf = async (
  scaling: AutoScalingClient,
  AutoScalingGroupName: string,
  since: number,
): Promise<ChangeSeen[]> => {
  const { InstanceRefreshes } = await scaling.send(
    new DescribeInstanceRefreshesCommand({ AutoScalingGroupName, MaxRecords: refreshesMost }),
  );
  return (InstanceRefreshes ?? [])
    .map((one) => ({
      what: "deploy" as const,
      by: one.InstanceRefreshId ?? "",
      text: `instances are replaced, ${one.Status ?? "unknown"}`,
      sinceMilliseconds: one.StartTime?.getTime() ?? 0,
      untilMilliseconds: one.EndTime?.getTime() ?? null,
    }))
    .filter(isWithin(since));
};

/** The lease has come here or left: users, database, and what a fence has closed. */
const moveOf = async (table: Coordination, since: number): Promise<ChangeSeen[]> => {
  const lease = await readLease(table);
  const { state, region, holder, movedAtMilliseconds, settledAtMilliseconds: settled } = lease;
  const change = { what: "failover" as const, by: holder, sinceMilliseconds: movedAtMilliseconds };
  if (state === "moving") {
    return [{ ...change, text: `users are moved to ${region}`, untilMilliseconds: null }];
  }
  // The first lease is a deploy's, and has never moved.
  if (settled === undefined) return [];
  const hasMoved = lease.lastMovedEpoch === lease.epoch;
  const text = hasMoved ? `users were moved to ${region}` : "a move was begun and given up";
  // A lease that is given back has the date of the move before it.
  const begun = hasMoved ? movedAtMilliseconds : settled;
  const moved = { ...change, text, sinceMilliseconds: begun, untilMilliseconds: settled };
  return [moved].filter(isWithin(since));
};

const isWithin =
  (since: number) =>
  ({ untilMilliseconds }: ChangeSeen): boolean =>
    untilMilliseconds === null || untilMilliseconds >= since;

/** Words of RDS's own events. Source: "Amazon RDS event categories and event messages". */
const databaseEvents: readonly [pattern: RegExp, what: ChangeKind][] = [
  [/failover/i, "database-failover"],
  [/maintenance|patch|upgrad|reboot|restart|shut ?down|recover|modif/i, "database-event"],
];

const databaseChangesOf = async (
  rds: RDSClient,
  SourceIdentifier: string,
): Promise<ChangeSeen[]> => {
  const { Events } = await rds.send(
    new DescribeEventsCommand({
      SourceIdentifier,
      SourceType: "db-instance",
      Duration: changesMinutes,
      MaxRecords: 100,
    }),
  );
  return (Events ?? []).flatMap(({ Date: at, Message = "" }) => {
    const what = databaseEvents.find(([pattern]) => pattern.test(Message))?.[1];
    if (!what || !at) return [];
    const when = { sinceMilliseconds: at.getTime(), untilMilliseconds: at.getTime() };
    return [{ what, by: SourceIdentifier, text: Message, ...when }];
  });
};

/** What has two valid secrets at a time, and what a wrong one of it would look like. */
const rotatedScopes: readonly [scope: string, what: ChangeKind][] = [
  ["database", "database-rotation"],
  ["cache", "cache-rotation"],
  ["signing-keys", "key-rotation"],
  ["encryption-keys", "key-rotation"],
];

const rotationsOf = async (
  table: Coordination,
  region: string,
  now: number,
  since: number,
): Promise<ChangeSeen[]> => {
  const [freeze, ...flights] = await Promise.all([
    lastFreeze(table, region, "rotation"),
    ...rotatedScopes.map(async ([scope, what]) => ({
      what,
      flight: await readFlight(table, scope),
    })),
  ]);
  return flights.flatMap(({ what, flight }) => {
    if (!flight) return [];
    // The freeze of the exchange, and that of the retirement after it, say when the last of it was done.
    const touched = freeze?.by === flight.run ? Math.min(now, freeze.untilMilliseconds) : 0;
    const change = rotationOf(what, flight, now, touched);
    const isOpen = flight.phase === "overlap" || isWithin(since)(change);
    return isOpen ? [change] : [];
  });
};

const phases: Record<Flight["phase"], string> = {
  exchange: "gets a new value",
  overlap: "old and new are both valid",
  ended: "the old value is not valid any more",
};

const rotationOf = (
  what: ChangeKind,
  { phase, run, secret, sinceMilliseconds, untilMilliseconds: most }: Flight,
  now: number,
  touched: number,
): ChangeSeen => {
  const isUnderWay = phase === "exchange" && most > now;
  const done = Math.max(sinceMilliseconds, touched);
  return {
    ...{ what, by: run, text: `${secret}: ${phases[phase]}`, sinceMilliseconds },
    untilMilliseconds: isUnderWay ? null : done,
  };
};

/** Deeds of playbooks, and of people where they are reserved. */
const repairsOf = async (
  table: Coordination,
  region: string,
  since: number,
): Promise<ChangeSeen[]> =>
  (await readReservations(table, region))
    .filter(({ atMilliseconds }) => atMilliseconds >= since)
    .map(({ by, deed, resource, atMilliseconds }) => ({
      ...{ what: "repair" as const, by, text: `${deed ?? "changed"} ${resource}` },
      ...{ sinceMilliseconds: atMilliseconds, untilMilliseconds: atMilliseconds },
    }));

/** The switch, and a maintenance window that somebody has declared. Other orders show as what they did. */
const ordersOf = async (
  table: Coordination,
  region: string,
  since: number,
): Promise<ChangeSeen[]> => {
  const [turn, windows] = await Promise.all([lastTurn(table), readUpheavals(table, region, since)]);
  const switched = turn
    ? [
        {
          ...{ what: "order" as const, by: turn.by },
          text: `${turn.isPaused ? "paused" : "resumed"} Nightshift: ${turn.reason}`,
          ...{ sinceMilliseconds: turn.atMilliseconds, untilMilliseconds: turn.atMilliseconds },
        },
      ]
    : [];
  const declared = windows
    .filter(({ kind }) => kind === "maintenance")
    .map(({ by, reason, sinceMilliseconds, untilMilliseconds }) => ({
      ...{ what: "order" as const, by, text: `maintenance window: ${reason}` },
      ...{ sinceMilliseconds, untilMilliseconds },
    }));
  return [...switched, ...declared].filter(isWithin(since));
};
