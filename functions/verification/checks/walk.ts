import type { Session } from "../../../shared/runtime.ts";
import type { Json, Turn } from "../checks.ts";
import { isDamage, isTooSlow, sentenceOf } from "./look.ts";

/** Something that is read along the blocks of one table. */
export interface Target {
  /** Unique, and in the order in which targets are read. */
  id: number;
  name: string;
  blocks: number;
}

/** Where a walk stands: plain JSON, of a size that does not grow with the database. */
export interface Position<State extends Json> {
  [name: string]: Json;
  /** The target that is being read, or that was finished when `block` is null. */
  id: number;
  block: number | null;
  /** How many blocks are read at once. */
  chunk: number;
  /** What could not be read, each with its place. */
  damage: string[];
  state: State;
}

export interface Walk<Of extends Target, State extends Json> {
  /** The first target with an id above `after`; undefined when all are read. */
  next(after: number): Promise<Of | undefined>;
  /** Reads the blocks from `from` up to, and without, `to`. The new state, never the old one changed. */
  read(target: Of, from: number, to: number, state: State): Promise<State>;
  /** After the last block of a target. */
  finish(target: Of, state: State): State;
  first: State;
}

const firstChunk = 256;
const largestChunk = 65_536;
/** A chunk that took less is followed by one of twice its size, one that took more by half of it. */
const quickMilliseconds = 1000;
const slowMilliseconds = 5000;
/** More places would not make it more damaged, and each of them takes its own attempts. */
export const mostDamage = 20;

/** Reads on from a cursor until all is read, or the turn is over, or too much is damaged. */
export const walk = async <Of extends Target, State extends Json>(
  turn: Turn,
  { next, read, finish, first }: Walk<Of, State>,
): Promise<{ more: Json } | { damage: string[]; state: State }> => {
  let at = (turn.cursor as Position<State> | null) ?? {
    id: 0,
    block: null,
    chunk: firstChunk,
    damage: [],
    state: first,
  };
  for (;;) {
    const target = await next(at.block === null ? at.id : at.id - 1);
    if (!target) return { damage: at.damage, state: at.state };
    at = { ...at, id: target.id, block: at.id === target.id ? (at.block ?? 0) : 0 };
    for (let block = at.block ?? 0; block < target.blocks; block = at.block ?? 0) {
      at = await step(turn, target, { ...at, block }, read);
      if (at.damage.length >= mostDamage) return { damage: at.damage, state: at.state };
      if (turn.isOver()) return { more: at };
    }
    at = { ...at, block: null, state: finish(target, at.state) };
  }
};

/**
 * One chunk. What is damaged is halved until one block is left, which is noted and left behind, so that
 * all damage is told and not only the first.
 */
const step = async <Of extends Target, State extends Json>(
  turn: Turn,
  target: Of,
  at: Position<State> & { block: number },
  read: Walk<Of, State>["read"],
): Promise<Position<State>> => {
  const to = Math.min(at.block + at.chunk, target.blocks);
  const size = to - at.block;
  const began = turn.now();
  try {
    const state = await read(target, at.block, to, at.state);
    return { ...at, block: to, state, chunk: nextChunk(at.chunk, turn.now() - began) };
  } catch (error) {
    if (!isDamage(error) && !isTooSlow(error)) throw error;
    if (size > 1) return { ...at, chunk: Math.ceil(size / (isDamage(error) ? 2 : 8)) };
    if (isTooSlow(error)) throw error;
    const damage = [...at.damage, `${target.name} block ${at.block}: ${sentenceOf(error)}`];
    return { ...at, block: to, damage, chunk: firstChunk };
  }
};

const nextChunk = (chunk: number, milliseconds: number): number => {
  if (milliseconds > slowMilliseconds) return Math.max(1, Math.floor(chunk / 2));
  return milliseconds < quickMilliseconds ? Math.min(largestChunk, chunk * 2) : chunk;
};

/** Asks for many targets at once, and gives them one after the other. */
export const inBatches = <T extends { id: number }>(
  ask: (after: number) => Promise<T[]>,
): ((after: number) => Promise<T | undefined>) => {
  let known: T[] = [];
  return async (after) => {
    const next = known.find(({ id }) => id > after);
    if (next) return next;
    known = await ask(after);
    return known[0];
  };
};

/** How `walk` reads one table: rows whose place is within these blocks. */
export const withinBlocks = (alias: string): string =>
  `${alias}.ctid >= $1::tid and ${alias}.ctid < $2::tid`;

export const blockBounds = (from: number, to: number): string[] => [`(${from},0)`, `(${to},0)`];

/** One row of a query that always gives one. */
export const oneRow = async (
  session: Session,
  text: string,
  values?: unknown[],
): Promise<Record<string, unknown>> => {
  const { rows } = await session.query(text, values);
  const [row] = rows;
  if (!row) throw new Error(`no answer to: ${text.slice(0, 80)}`);
  return row;
};
