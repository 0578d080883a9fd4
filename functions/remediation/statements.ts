import { blockersOf } from "../database/decide.ts";
import type { ActivitySeen } from "./evidence-database.ts";

const slowestMost = 3;
const blockersMost = 3;

/** Shapes by fingerprint, as far as the database has told them. */
const shapesOf = ({ slowest }: ActivitySeen): Map<string, string> => {
  if (!slowest?.known) return new Map();
  const { statements, underWay = [] } = slowest.value;
  const kept = statements.flatMap(({ fingerprint, shape }): [string, string][] =>
    fingerprint && shape ? [[fingerprint, shape]] : [],
  );
  return new Map([
    ...kept,
    ...underWay.map((one): [string, string] => [one.fingerprint, one.shape]),
  ]);
};

/** `query 42: SELECT … WHERE id = $1`; without a shape only the number. */
const queryOf = (shapes: ReadonlyMap<string, string>, fingerprint: string | null): string => {
  if (fingerprint === null) return "a statement without fingerprint";
  const shape = shapes.get(fingerprint);
  return shape ? `query ${fingerprint}: ${shape}` : `query ${fingerprint}`;
};

/** What has taken most time in all, for people. Not known is told as well: it is not none. */
export const slowestLines = (seen: ActivitySeen): string[] => {
  const { slowest } = seen;
  if (!slowest?.known) return [`Slowest statements: unknown (${slowest?.why ?? "no answer"}).`];
  const shapes = shapesOf(seen);
  return slowest.value.statements
    .slice(0, slowestMost)
    .map(
      ({ fingerprint, calls, meanMilliseconds, totalMilliseconds }) =>
        `Slow: ${calls} times ${meanMilliseconds.toFixed(0)} ms, ` +
        `${(totalMilliseconds / 1000).toFixed(0)} s in all, ${queryOf(shapes, fingerprint)}`,
    );
};

/** Who blocks whom at this moment, for people. */
export const blockerLines = (seen: ActivitySeen): string[] => {
  const { blocking } = seen;
  if (!blocking?.known) return [`Blocking sessions: unknown (${blocking?.why ?? "no answer"}).`];
  const shapes = shapesOf(seen);
  return blockersOf(blocking.value.rows)
    .slice(0, blockersMost)
    .map(({ pid, session, waiting }) => {
      if (!session)
        return `${waiting} wait for a prepared transaction: select * from pg_prepared_xacts.`;
      const { application, user, state, stateSeconds, fingerprint } = session;
      const seconds = Math.round(stateSeconds ?? 0);
      const who = `pid ${pid} of ${application || user || "nameless"} (${state}, ${seconds} s)`;
      return `${waiting} wait for ${who}, ${queryOf(shapes, fingerprint)}`;
    });
};
