import type { Clock } from "../../shared/clock.ts";
import { ensure } from "../../shared/ensure.ts";
import type { EntryKind } from "../../shared/journal.ts";
import type { Refusal } from "../../shared/outcome.ts";
import { observed, sentence } from "../../shared/outcome.ts";
import type { Steps } from "../../shared/steps.ts";
import type { Looked, Order, Policy } from "./decide.ts";
import { quietSince, whoIsLeft } from "./decide.ts";

/** What the rotation function answers. `idle` is the login that the rotation has put out of use. */
export type Told = { did: string; idle?: string } | { refused: Refusal };
export type Asked = "prove" | "promote" | "retire";

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
  end: "retired" | "needs-human" | "not-finished";
  notes: string[];
}

interface Work {
  steps: Steps;
  ports: Ports;
  order: Order;
  startedAt: number;
}

type Ending = Pick<Result, "end" | "notes">;

/**
 * Ends an overlap: the fleets of all regions read the new value, nobody uses the old one for a while, and
 * only then does it lose its validity. Whenever that cannot be shown, both stay valid and people are told.
 */
export const retireOld = async (steps: Steps, ports: Ports, order: Order): Promise<Result> => {
  const startedAt = await steps.step("begin", async () => Math.floor(ports.clock.now()));
  const ending = await attempted({ steps, ports, order, startedAt });
  const { run, secret } = order;
  await steps.step("end", async () => {
    const text = ending.notes.join(" ");
    await ports.record(run, { key: `ended: ${ending.end}`, kind: "did", text: text || secret });
    await ports.letGo(run);
    if (ending.end !== "needs-human") return;
    await ports.page(run, `${secret}: the old value is still valid. ${text}`);
  });
  return { run, ...ending };
};

/** A step that failed for longer than its retries ends the run with a human, never silently. */
const attempted = async (work: Work): Promise<Ending> => {
  try {
    return await carried(work);
  } catch (error) {
    return { end: "needs-human", notes: [`${sentence(error)}.`] };
  }
};

const carried = async (work: Work): Promise<Ending> => {
  const { ports, order } = work;
  const [here = "", ...others] = ports.regions;
  const first = await proven(work, here, finishSeconds);
  if (!("did" in first)) {
    // The label never moved: AWSCURRENT is what it was, and Secrets Manager goes on or gives up.
    return { end: "not-finished", notes: [first.refused.reason] };
  }
  for (const region of others) {
    const there = await proven(work, region, left(work));
    if ("refused" in there) return needsHuman([`In ${region}: ${there.refused.reason}`]);
  }
  const spread = await propagated(work, "add");
  if (spread) return spread;
  const promotion = await work.steps.step("promote", () => ports.ask(here, "promote", order));
  if ("refused" in promotion) return needsHuman([promotion.refused.reason]);
  if (promotion.did !== nothingToPromote) {
    const again = await propagated(work, "promote");
    if (again) return again;
  }
  const quiet = await unused(work, first.idle);
  if (quiet) return quiet;
  return retired(work, here);
};

/** As the rotation function says it for a secret that is no ring. */
export const nothingToPromote = "There is nothing to promote.";

/** Secrets Manager tries a failed rotation again for a while. */
const finishSeconds = 7200;

const needsHuman = (notes: string[]): Ending => ({ end: "needs-human", notes });

const left = ({ ports, startedAt }: Work): number =>
  Math.max(1, (startedAt - ports.clock.now()) / 1000 + ports.policy.deadlineSeconds);

/** The new value is current in `region` and has just been used there. */
const proven = async ({ steps, ports, order }: Work, region: string, seconds: number) => {
  const found = await ensure<Told>(steps, ports.clock, {
    name: `prove in ${region}`,
    observe: () => ports.ask(region, "prove", order),
    satisfied: (told) => "did" in told,
    due: () => false,
    act: async () => undefined,
    within: { seconds: Math.ceil(seconds), everySeconds: 20 },
  });
  if (found.is === "ensured") return found.seen;
  const last = found.is === "late" ? found.last : undefined;
  const why = last?.known && "refused" in last.value ? last.value.refused.reason : undefined;
  const unknown = last && !last.known ? last.why : "nobody knows";
  return { refused: { code: "not-proven", reason: why ?? `It could not be proven: ${unknown}.` } };
};

/** Every instance of every region has been started since, and so has read the new value. */
const propagated = async (work: Work, what: string): Promise<Ending | undefined> => {
  const { steps, ports, order } = work;
  await steps.step(`hold for ${what}`, () =>
    ports.hold(order.run, `instances are replaced to read ${order.secret}`),
  );
  const since = await steps.step(`since ${what}`, async () => Math.floor(ports.clock.now()));
  for (const region of ports.regions) {
    const found = await ensure<Fleet>(steps, ports.clock, {
      name: `${what}: fleet of ${region}`,
      observe: () => ports.fleet(region, since),
      satisfied: ({ status }) => status === "done",
      due: ({ status }) => status !== "under-way",
      act: () => ports.replaceFleet(region),
      within: { seconds: Math.ceil(left(work)), everySeconds: 20, actAgainAfterSeconds: 300 },
    });
    if (found.is !== "ensured") {
      return needsHuman([`The instances of ${region} were not all replaced in time.`]);
    }
  }
  return undefined;
};

const lookSeconds = 60;

/** Nobody is on the old login in any region, for the whole hold time. */
const unused = async (work: Work, idle: string | undefined): Promise<Ending | undefined> => {
  const { steps, ports, startedAt } = work;
  const { holdSeconds, deadlineSeconds } = ports.policy;
  const every = Math.max(lookSeconds, Math.ceil(deadlineSeconds / mostLooks));
  let since: number | null = null;
  let looked: Looked = [];
  for (let look = 1; look <= mostLooks; look += 1) {
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

/** A durable execution keeps a few thousand operations at the most. */
const mostLooks = 500;

const lookAt = (ports: Ports, idle: string | undefined): Promise<Looked> =>
  Promise.all(
    ports.regions.map(async (region) => {
      if (idle === undefined) return { region, sessions: 0 };
      const { now } = ports.clock;
      const seen = await observed(region, now, () => ports.sessions(region, idle));
      return { region, sessions: seen.known ? seen.value : null };
    }),
  );

const retired = async (work: Work, here: string): Promise<Ending> => {
  const { steps, ports, order } = work;
  const told = await steps.step("retire", () => ports.ask(here, "retire", order));
  if ("did" in told) return { end: "retired", notes: [told.did] };
  return needsHuman([told.refused.reason]);
};
