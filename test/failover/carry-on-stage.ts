import type { Result } from "../../functions/failover/failover.ts";
import type { State } from "../../functions/failover/states.ts";
import type { Observer } from "../../local/aws/endpoint.ts";
import type { FaultKind } from "../../local/aws/faults.ts";
import type { Told } from "../../ops/operations.ts";
import type { Entry } from "../../shared/journal.ts";
import { person } from "../ops/stage.ts";
import { labelOf, type Move } from "./faults-stage.ts";
import { brief, type Stage, type StageOptions, stage } from "./stage.ts";

/** What a run cannot do without, failing from the moment at which the run enters a state. */
export interface Trouble {
  since: State | "loss";
  /** By the labels of the fault tests. */
  calls: RegExp;
  /** How many of them pass before. */
  after?: number;
  times?: number;
  /** An error without effect, when left out. */
  kind?: FaultKind;
}

/** How a run is brought to ask for a human, and what comes of it when it is carried on. */
export interface Stop {
  move: Move;
  trouble: Trouble;
  /** Strikes as well. */
  also?: Trouble;
  /** Also from the beginning, until all is well again. */
  always?: RegExp;
  policy?: StageOptions["policy"];
  /** The health check that moves users does not follow anybody. */
  stuck?: boolean;
  ends?: "done" | "aborted";
}

/** Three, since the one who carries a run on is none of those who approve it. */
const people: StageOptions["people"] = [
  { user: "U0ANA", says: "approve", thinksSeconds: [2, 4] },
  { user: "U0BEN", says: "approve", thinksSeconds: [5, 8] },
  { user: "U0CHIARA", says: "approve", thinksSeconds: [9, 12] },
];

const isEntry = (input: unknown, since: Trouble["since"]): boolean => {
  const { Item } = (input ?? {}) as { Item?: { key?: { S?: string } } };
  if (since === "loss") return /(^|: )loss$/.test(Item?.key?.S ?? "");
  return JSON.stringify(Item ?? {}).includes(`"to":{"S":"${since}"}`);
};

/** Troubles that can be begun at any time, and all ended at once. */
const troubles = () => {
  const ground: { at?: Stage; waiting: Trouble[] } = { waiting: [] };
  const ends: (() => void)[] = [];
  const add = ({ calls, after, times, kind = "error" }: Omit<Trouble, "since">) => {
    if (!ground.at) throw new Error("there is no stage yet");
    const asks = (...[call, input, caller = ""]: Parameters<typeof labelOf>) =>
      caller.includes("/failover/") && calls.test(labelOf(call, input, caller));
    const rule = { match: { asks }, kind };
    ends.push(
      ground.at.faults.add({ ...rule, ...(after ? { after } : {}), ...(times ? { times } : {}) }),
    );
  };
  const observe: Observer = {
    after: (_call, input, outcome) => {
      if (outcome.kind !== "answered") return;
      const begun = ground.waiting.filter(({ since }) => isEntry(input, since));
      ground.waiting = ground.waiting.filter((each) => !begun.includes(each));
      for (const each of begun) add(each);
    },
  };
  return {
    ground,
    observe,
    add,
    heal: () => {
      for (const end of ends.splice(0)) end();
      ground.waiting = [];
    },
  };
};

export type Stopped = Awaited<ReturnType<typeof stopped>>;

/** Users are at work, and a run has stopped where the trouble struck it. */
export const stopped = async (stop: Stop, hooks: StageOptions["hooks"] = () => ({})) => {
  const { ground, observe, add, heal } = troubles();
  const at = await stage({
    people,
    policy: { ...brief, ...stop.policy },
    hooks: (tools) => {
      const more = hooks(tools);
      return { ...more, observe: { ...more.observe, ...observe } };
    },
  });
  ground.at = at;
  at.users.start();
  if (stop.stuck) await stickChecks(at);
  if (stop.move === "emergency") at.loseHome();
  if (stop.always) add({ calls: stop.always });
  ground.waiting.push(stop.trouble, ...(stop.also ? [stop.also] : []));
  await at.request("U0CHIARA", stop.move);
  const result = await at.ended();
  return {
    at,
    result,
    heal,
    /** Begins when the run enters that state the next time. */
    trouble: (next: Trouble) => void ground.waiting.push(next),
    last: async (): Promise<Entry | undefined> => (await at.journal()).at(-1),
  };
};

/** An operator's order from the command line. */
export const carryOn = (at: Stage, who = "U0ANA", words = ""): Promise<Told> =>
  person(at, who)(`carry-on ${words}`.trim());

/** Carried on by an operator, and seen through. */
export const carriedOn = async (at: Stage): Promise<Result> => {
  const told = await carryOn(at);
  if (!told.ok) throw new Error(told.lines.join(" "));
  return at.ended();
};

const stickChecks = async ({ cloud }: Stage): Promise<void> => {
  type Answer = { HealthChecks: { Id: string; HealthCheckConfig: { Type: string } }[] };
  const { HealthChecks } = await cloud.ask<Answer>("route-53", "ListHealthChecks", "us-east-1", {});
  const moved = HealthChecks.find(({ HealthCheckConfig: { Type } }) => Type === "CALCULATED");
  const input = { HealthCheckId: moved?.Id, Disabled: true };
  await cloud.ask("route-53", "UpdateHealthCheck", "us-east-1", input);
};
