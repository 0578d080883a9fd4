import { journalPrefix } from "../../shared/again.ts";
import type { Clock } from "../../shared/clock.ts";
import { ensure } from "../../shared/ensure.ts";
import type { EntryKind } from "../../shared/journal.ts";
import type { Refusal } from "../../shared/outcome.ts";
import { observed, sentence } from "../../shared/outcome.ts";
import type { Steps } from "../../shared/steps.ts";
import { atOnce } from "./compromise.ts";
import type { Looked, Order, Policy } from "./decide.ts";
import { mostLooks, passes, pauseSeconds, quietSince, whoIsLeft } from "./decide.ts";
import { sealedAgain } from "./reencrypt.ts";

/**
 * What the rotation function answers. `idle` is the login that the rotation has put out of use;
 * `restSeconds`, for how long what the old value has made is still shown to the platform.
 */
export type Told =
  | {
      did: string;
      idle?: string;
      restSeconds?: number;
      /** Somebody else may know the old value: it gets no time. */
      isCompromised?: boolean;
      left?: number;
      isHeld?: boolean;
    }
  | { refused: Refusal };
export type Asked = "prove" | "promote" | "reencrypt" | "retire" | "expel";

/** How far a region's fleet is with reading the new value. */
export interface Fleet {
  /** Of the newest replacement that began after the order; null when none has. */
  status: "under-way" | "done" | "failed" | null;
}

/** The world as the end of an overlap needs it. None of it gives a secret's value. */
export interface Ports {
  clock: Clock;
  /** This region first; then where replicas are. */
  regions: readonly string[];
  policy: Policy;
  /** Asks the rotation function of a region about this very rotation. */
  ask(region: string, question: Asked, order: Order): Promise<Told>;
  /** Sessions on a login, by the region's own database. */
  sessions(region: string, role: string): Promise<number>;
  fleet(region: string, sinceMilliseconds: number): Promise<Fleet>;
  /** Has every instance of the region replaced, a few at a time. */
  replaceFleet(region: string): Promise<void>;
  hold(run: string, reason: string): Promise<void>;
  letGo(run: string): Promise<void>;
  record(run: string, line: { key: string; kind: EntryKind; text: string }): Promise<void>;
  /** Calls people: it does not go on by itself. */
  page(run: string, text: string): Promise<void>;
}

export interface Result {
  run: string;
  end: "retired" | "needs-human" | "not-finished" | "abandoned";
  notes: string[];
}

export interface Work {
  steps: Steps;
  ports: Ports;
  order: Order;
  startedAt: number;
}

export type Ending = Pick<Result, "end" | "notes"> & {
  /** The old value is worth nothing already, and something else is left. */
  isOldVoid?: boolean;
};

/**
 * Ends an overlap: the fleets of all regions read the new value, nobody uses the old one for a while, and
 * only then does it lose its validity. Whenever that cannot be shown, both stay valid and people are told.
 */
export const retireOld = async (steps: Steps, ports: Ports, order: Order): Promise<Result> => {
  const startedAt = await steps.step("begin", async () => Math.floor(ports.clock.now()));
  const work = { steps, ports, order, startedAt };
  const { isOldVoid, ...ending } = await unlessAbandoned(work, await attempted(work));
  const { run, secret, again = 0 } = order;
  await steps.step("end", async () => {
    const text = ending.notes.join(" ");
    const key = `${journalPrefix(again)}ended: ${ending.end}`;
    await ports.record(run, { key, kind: "did", text: text || secret });
    await ports.letGo(run);
    if (ending.end !== "needs-human") return;
    const standing = isOldVoid ? "the old value is worth nothing" : "the old value is still valid";
    await ports.page(run, `${secret}: ${standing}. ${text}`);
  });
  return { run, ...ending };
};

/** Nobody is called for an overlap that people have given up meanwhile. */
const unlessAbandoned = async (work: Work, ending: Ending): Promise<Ending> => {
  const [region = ""] = work.ports.regions;
  if (ending.end !== "needs-human" || ending.isOldVoid) return ending;
  const told = await work.steps.step("still wanted", async () => {
    const answer = await observed(region, work.ports.clock.now, () =>
      work.ports.ask(region, "prove", work.order),
    );
    return answer.known ? answer.value : null;
  });
  if (!told || !("refused" in told) || !isAbandoned(told.refused)) return ending;
  return { end: "abandoned", notes: [told.refused.reason] };
};

const isAbandoned = ({ code }: Refusal): boolean => code === "abandoned";

/** A step that failed for longer than its retries ends the run with a human, never silently. */
const attempted = async (work: Work): Promise<Ending> => {
  try {
    return await carried(work);
  } catch (error) {
    return { end: "needs-human", notes: [`${sentence(error)}.`] };
  }
};

const carried = async (work: Work): Promise<Ending> => {
  const { ports } = work;
  const [here = "", ...others] = ports.regions;
  const first = await proven(work, here, () => finishSeconds);
  if ("refused" in first) {
    if (isAbandoned(first.refused)) return { end: "abandoned", notes: [first.refused.reason] };
    // The label never moved: AWSCURRENT is what it was, and Secrets Manager goes on or gives up.
    return { end: "not-finished", notes: [first.refused.reason] };
  }
  const isOver = (refusal: Refusal) => !passes(refusal);
  if (first.isCompromised) return atOnce(work, { asked, propagated, isOver });
  for (const region of others) {
    const there = await proven(work, region, () => left(work), isFinal);
    if ("refused" in there) return needsHuman([`In ${region}: ${there.refused.reason}`]);
  }
  const spread = await propagated(work, "add");
  if (spread) return spread;
  const promoting = {
    region: here,
    question: "promote" as const,
    isOver,
    seconds: () => left(work),
  };
  const promotion = await asked(work, promoting);
  if ("refused" in promotion) return needsHuman([promotion.refused.reason]);
  if (promotion.did !== nothingToPromote) {
    const again = await propagated(work, "promote");
    if (again) return again;
    const unsealed = await sealedAgain(work, here);
    if (unsealed) return needsHuman([unsealed]);
  }
  const quiet = await unused(work, first.idle);
  if (quiet) return quiet;
  return retired(await rested(work, first.restSeconds ?? 0), here);
};

/** A session outlives the key that has signed it: for so long the old one only has to open. */
const rested = async (work: Work, seconds: number): Promise<Work> => {
  if (seconds === 0) return work;
  await work.steps.rest("until nothing made by the old value is shown", seconds);
  return { ...work, startedAt: work.startedAt + seconds * 1000 };
};

/** As the rotation function says it for a secret that is no ring. */
export const nothingToPromote = "There is nothing to promote.";

/** Secrets Manager tries a failed rotation again for a while. */
const finishSeconds = 7200;

const needsHuman = (notes: string[]): Ending => ({ end: "needs-human", notes });

const left = ({ ports, startedAt }: Work): number =>
  Math.max(1, (startedAt - ports.clock.now()) / 1000 + ports.policy.deadlineSeconds);

/**
 * Asks a region until it says that it is done, or something that will not pass, for `seconds` at the most.
 * No answer is tried again as well: each of the questions may be repeated.
 */
const asked = async (
  { steps, ports, order }: Work,
  { region, question, isOver, seconds }: Asking,
): Promise<Told> => {
  const bound = await steps.step(`${question} in ${region}`, async () => {
    const most = Math.ceil(seconds());
    return { most, until: Math.floor(ports.clock.now()) + most * 1000 };
  });
  const { most, until } = bound;
  let told: Told = { refused: { code: "unknown", reason: "Nobody was asked." } };
  for (let look = 1; look <= mostLooks; look += 1) {
    const seen = await steps.step(`${question} in ${region} #${look}`, async () => {
      const answer = await observed(region, ports.clock.now, () =>
        ports.ask(region, question, order),
      );
      return { at: Math.floor(ports.clock.now()), told: answer.known ? answer.value : answer.why };
    });
    told = typeof seen.told === "string" ? unanswered(region, seen.told) : seen.told;
    if ("did" in told || (typeof seen.told !== "string" && isOver(told.refused))) return told;
    if (seen.at >= until) return told;
    const pause = Math.min(pauseSeconds(look, most), Math.ceil((until - seen.at) / 1000));
    await steps.rest(`${question} in ${region} rest #${look}`, pause);
  }
  return told;
};

export interface Asking {
  region: string;
  question: Asked;
  /** Whether a refusal will not pass. */
  isOver(refusal: Refusal): boolean;
  /** Called once, in a step: a replay is at another time. */
  seconds(): number;
}

const unanswered = (region: string, why: string): Told => ({
  refused: { code: "unknown", reason: `${region} could not be asked: ${why}.` },
});

/** The new value is current in `region` and has just been used there. */
const proven = (
  work: Work,
  region: string,
  seconds: () => number,
  isOver: (refusal: Refusal) => boolean = isAbandoned,
): Promise<Told> => asked(work, { region, question: "prove", isOver, seconds });

/** Since a failover that region's secret stands alone: it follows this one when it is rebuilt. */
const isFinal = (refusal: Refusal): boolean =>
  isAbandoned(refusal) || refusal.code === "stands-alone";

/** Looks at a fleet cost two operations for each 40 s, and an execution has 3,000 in all. */
const fleetSeconds = 14_400;

/** Every instance of every region has been started since, and so has read the new value. */
const propagated = async (work: Work, what: string): Promise<Ending | undefined> => {
  const { steps, ports, order } = work;
  await steps.step(`hold for ${what}`, () =>
    ports.hold(order.run, `instances are replaced to read ${order.secret}`),
  );
  const since = await steps.step(`since ${what}`, async () => Math.floor(ports.clock.now()));
  for (const region of ports.regions) {
    // In a step of its own: a replay has to come by the same number of slices.
    const seconds = await steps.step(`time for ${what} in ${region}`, async () =>
      Math.ceil(Math.min(left(work), fleetSeconds)),
    );
    const found = await ensure<Fleet>(steps, ports.clock, {
      name: `${what}: fleet of ${region}`,
      observe: () => ports.fleet(region, since),
      satisfied: ({ status }) => status === "done",
      due: ({ status }) => status !== "under-way",
      act: () => ports.replaceFleet(region),
      within: {
        seconds,
        everySeconds: 20,
        actAgainAfterSeconds: 300,
      },
    });
    if (found.is !== "ensured") {
      return needsHuman([`The instances of ${region} were not all replaced in time.`]);
    }
  }
  return undefined;
};

const lookSeconds = 60;
const usageLooks = 500;

/** Nobody is on the old login in any region, for the whole hold time. */
const unused = async (work: Work, idle: string | undefined): Promise<Ending | undefined> => {
  const { steps, ports, startedAt } = work;
  const { holdSeconds, deadlineSeconds } = ports.policy;
  const every = Math.max(lookSeconds, Math.ceil(deadlineSeconds / usageLooks));
  let since: number | null = null;
  let looked: Looked = [];
  for (let look = 1; look <= usageLooks; look += 1) {
    const seen = await steps.step(`look #${look}`, async () => ({
      at: Math.floor(ports.clock.now()),
      looked: await lookAt(ports, idle),
    }));
    looked = seen.looked;
    since = quietSince(since, looked, seen.at);
    if (since !== null && seen.at - since >= holdSeconds * 1000) return undefined;
    if (seen.at >= startedAt + deadlineSeconds * 1000) break;
    await steps.rest(`until look #${look + 1}`, Math.min(every, Math.max(1, holdSeconds)));
  }
  return needsHuman([
    `The old login is still in use: ${whoIsLeft(looked) || "not for long enough"}.`,
  ]);
};

const lookAt = (ports: Ports, idle: string | undefined): Promise<Looked> =>
  Promise.all(
    ports.regions.map(async (region) => {
      if (idle === undefined) return { region, sessions: 0 };
      const { now } = ports.clock;
      const seen = await observed(region, now, () => ports.sessions(region, idle));
      return { region, sessions: seen.known ? seen.value : null };
    }),
  );

const retired = async (work: Work, region: string): Promise<Ending> => {
  const isOver = (refusal: Refusal) => !passes(refusal);
  const told = await asked(work, { region, question: "retire", isOver, seconds: () => left(work) });
  if ("did" in told) return { end: "retired", notes: [told.did] };
  return needsHuman([told.refused.reason]);
};
