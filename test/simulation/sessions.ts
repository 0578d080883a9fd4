import { statements } from "../../functions/database/statements.ts";
import type { Backend, ModelledSession } from "../../local/postgres/session.ts";

type Row = Record<string, unknown>;

/** As PostgreSQL writes a time to the microsecond; the model's times are whole milliseconds or less. */
const moment = (at: number): string => {
  const text = new Date(at).toISOString().replace("Z", "");
  return `${text}${String(Math.round((at - Math.floor(at)) * 1000)).padStart(3, "0")}Z`;
};

/**
 * What the statements about sessions answer on a modelled database; undefined for every other one. Locks,
 * slots, sizes and statistics are not modelled: nobody waits, and there is nothing to tell.
 */
export const sessionRows = (
  session: ModelledSession,
  now: number,
  me: string,
  text: string,
  values: unknown[],
): Row[] | undefined => {
  switch (text) {
    case statements.beginLook.text:
    case statements.endLook.text:
    case statements.moment.text:
    case statements.blocking.text:
    case statements.findStatistics.text:
    case statements.slots.text:
    case statements.largestTables.text:
    case statements.waits.text:
    case statements.running.text:
      return [];
    case statements.size.text:
      return [{ bytes: 0 }];
    case statements.connections.text:
      return [connections(session)];
    case statements.connectionGroups.text:
      return groups(session.activity(), now);
    case statements.connectionRoles.text:
      return (values[0] as string[]).map((role) => ({
        role,
        most: -1,
        used: session.sessions(role),
      }));
    case statements.idleInTransaction.text:
    case statements.transactions.text:
      return forgotten(session, now, me, values);
    case statements.endFrozen.text:
      return endFrozen(session, now, me, values);
    case statements.remaining.text: {
      const [pids, starts] = values as [number[], string[]];
      return session
        .activity()
        .filter(({ pid, startedAt }) => starts[pids.indexOf(pid)] === moment(startedAt))
        .map(({ pid }) => ({ pid }));
    }
    default:
      return undefined;
  }
};

/** PostgreSQL always has a limit; a model without one has more room than anybody needs. */
const connections = (session: ModelledSession): Row => ({
  most: session.limit()?.most ?? 5000,
  reserved: session.limit()?.reserved ?? 0,
  used: session.activity().length,
  unseen: 0,
  idle_timeout_seconds: 0,
});

const groups = (activity: Backend[], now: number): Row[] => {
  const found = new Map<string, Row & { sessions: number }>();
  for (const { user, application, state, stateAt } of activity) {
    const key = JSON.stringify([user, application, state]);
    const oldest_seconds = (now - stateAt) / 1000;
    const group = found.get(key) ?? {
      user,
      application,
      state,
      client: null,
      sessions: 0,
      oldest_seconds,
    };
    group.sessions += 1;
    found.set(key, group);
  }
  return [...found.values()].toSorted((one, other) => other.sessions - one.sessions);
};

const seen = (
  { pid, startedAt, state, stateAt, user, application }: Backend,
  now: number,
): Row => ({
  pid,
  backend_start: moment(startedAt),
  xact_start: state === "idle" ? null : moment(stateAt),
  state,
  state_since: moment(stateAt),
  user,
  application,
  client: null,
  state_seconds: (now - stateAt) / 1000,
  xact_seconds: state === "idle" ? null : (now - stateAt) / 1000,
  fingerprint: null,
  wrote: false,
  waits: null,
});

/** The order of the reasons is that of the statement itself. */
const spared = (
  { user, application }: Backend,
  me: string,
  [roles, neverEnd, onlyEnd]: unknown[],
): string | null => {
  const name = application.toLowerCase();
  const begins = (list: unknown) => (list as string[]).some((each) => name.startsWith(each));
  if (user === me) return "own";
  if (!(roles as string[]).includes(user)) return "not-the-application";
  return begins(neverEnd) || (onlyEnd !== null && !begins(onlyEnd)) ? "named" : null;
};

const forgotten = (session: ModelledSession, now: number, me: string, values: unknown[]): Row[] =>
  session
    .activity()
    .filter(({ state, stateAt }) => {
      const leastSeconds = Number(values[3] ?? 0);
      return state !== "idle" && now - stateAt >= 1000 * leastSeconds;
    })
    .slice(0, 301)
    .map((each) => ({ ...seen(each, now), spared: spared(each, me, values) }));

const endFrozen = (session: ModelledSession, now: number, me: string, values: unknown[]): Row[] => {
  const [pids, starts, transactions, states, since] = values.slice(3, 8) as [
    number[],
    string[],
    (string | null)[],
    string[],
    string[],
  ];
  const [idleSeconds, atMost] = [Number(values[8]), Number(values[9])];
  const activity = new Map(session.activity().map((each) => [each.pid, each]));
  let left = atMost;
  return pids.map((pid, index) => {
    const there = activity.get(pid);
    const row = there ? seen(there, now) : {};
    const frozen = { frozen_pid: pid, frozen_start: starts[index] };
    const changed = (): string | null => {
      if (!there) return "gone";
      if (row.backend_start !== starts[index]) return "another-session";
      const why = spared(there, me, values);
      if (why) return why;
      if (there.state === "idle") return "not-idle-in-transaction";
      if (there.state !== states[index]) return "another-state";
      if (row.xact_start !== transactions[index]) return "another-transaction";
      if (row.state_since !== since[index]) return "worked-since";
      return now - there.stateAt < 1000 * idleSeconds ? "too-recent" : null;
    };
    const because = changed();
    const told = because === null && left > 0 && session.terminate(pid);
    if (told) left -= 1;
    return { ...row, ...frozen, because, told };
  });
};
