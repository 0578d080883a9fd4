import type { FaultKind, FaultRule } from "../../local/aws/faults.ts";
import type { Call } from "../../local/aws/service.ts";
import { planned, type Scenario } from "../simulation/scenario.ts";
import { calm, type Simulated, simulate } from "../simulation/simulate.ts";

export type Move = "emergency" | "switchover";

/** What befalls calls of one kind, for a minute from the first one on. */
export interface Blow {
  /** As `labelOf` names it. */
  label: string;
  fault: FaultKind;
}

export interface Struck extends Simulated {
  /** The calls that were hit, by their labels. */
  hits: string[];
}

const minute = 60_000;

/** Quick people and nothing else that is wrong: what is seen is what the fault did. */
const stories: Record<Move, Partial<Scenario>> = {
  emergency: {
    people: [
      { user: "U0ANA", says: "approve", thinksSeconds: [2, 6] },
      { user: "U0BEN", says: "approve", thinksSeconds: [2, 6] },
    ],
    // Not before the run has ended: what comes last is struck as well.
    healedAfterSeconds: 600,
  },
  switchover: {
    ...planned,
    people: [
      { user: "U0BEN", says: "approve", thinksSeconds: [2, 6] },
      { user: "U0CHIARA", says: "approve", thinksSeconds: [2, 6] },
    ],
    healedAfterSeconds: 300,
  },
};

interface Asked {
  Key?: { id?: { S?: string } };
  Item?: { key?: { S?: string } };
  FunctionName?: string;
  Payload?: Uint8Array;
}

/**
 * One kind of call: who asks, what, and of which region when that is another one. Items of a table are
 * told apart by the noun in their key, and functions by what they are asked to do. A table is one
 * thing in all regions, so that a fault of it leaves no replica to turn to.
 */
export const labelOf = (call: Call, input: unknown, caller: string): string => {
  const { Key, Item, FunctionName, Payload } = input as Asked;
  const item = Key?.id?.S?.split("#")[0] ?? Item?.key?.S?.replace(/[#.\d]+.*/, "").trim() ?? "";
  const asked = FunctionName ? `${FunctionName} ${wantedOf(Payload)}` : item;
  const isNear = call.region === call.from || call.service === "dynamodb";
  const [region, who] = caller.split("/");
  const what = `${who}@${region} ${call.service}.${call.operation} ${asked}`.trim();
  return isNear ? what : `${what} in ${call.region}`;
};

const wantedOf = (payload: Uint8Array | undefined): string =>
  (JSON.parse(Buffer.from(payload ?? []).toString() || "{}") as { do?: string }).do ?? "";

type Asks = (label: string, input: unknown) => boolean;

/** One whole move in which `asks` says of each call whether the fault hits it. */
const live = (move: Move, kind: FaultKind, asks: Asks, seed: number): Promise<Simulated> => {
  const rule: FaultRule = {
    kind,
    match: { asks: (call, input, caller = "") => asks(labelOf(call, input, caller), input) },
    older: true,
  };
  const weather = { rules: [rule], delivery: {} };
  return simulate({ ...calm, seed, scenario: stories[move], weather });
};

/** Every kind of call that a run makes which nothing strikes, by all functions that take part in it. */
export const callsOf = async (move: Move): Promise<string[]> => {
  const labels = new Set<string>();
  await live(move, "error", (label) => !labels.add(label), 1);
  return [...labels].sort();
};

/** The same run with one blow. */
export const struck = async (move: Move, { label, fault }: Blow): Promise<Struck> => {
  const hits: string[] = [];
  let since: number | undefined;
  const asks: Asks = (asked) => {
    if (asked !== label) return false;
    // Virtual: the simulation has taken the process's clock over.
    since ??= Date.now();
    if (Date.now() - since >= minute) return false;
    hits.push(asked);
    return true;
  };
  return { ...(await live(move, fault, asks, 1)), hits };
};

/** A run in which the first call of every kind is hit. */
export const struckOnce = async (move: Move, fault: FaultKind, seed: number): Promise<Struck> => {
  const hits = new Set<string>();
  const asks: Asks = (label) => !hits.has(label) && Boolean(hits.add(label));
  const simulated = await live(move, fault, asks, seed);
  return { ...simulated, hits: [...hits] };
};

/** The line of the journal with which a run has ended. */
const isEnd = (label: string, input: unknown): boolean =>
  label.includes("dynamodb.PutItem move") && JSON.stringify(input).includes('"to":{"S":"done"}');

/** How often each kind of call is made until the run has ended, when nothing strikes it. */
export const countsOf = async (move: Move): Promise<Map<string, number>> => {
  const counts = new Map<string, number>();
  let isOver = false;
  const asks: Asks = (label, input) => {
    if (!isOver) counts.set(label, (counts.get(label) ?? 0) + 1);
    isOver ||= isEnd(label, input);
    return false;
  };
  await live(move, "error", asks, 1);
  return counts;
};

/** The same run with an error of the call that is the last of its kind in a calm one. */
export const struckLast = async (move: Move, label: string, last: number): Promise<Struck> => {
  const hits: string[] = [];
  let count = 0;
  const asks: Asks = (asked) => {
    if (asked !== label) return false;
    count += 1;
    if (count === last) hits.push(asked);
    return count === last;
  };
  return { ...(await live(move, "error", asks, 1)), hits };
};
