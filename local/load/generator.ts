import type { Random } from "../../shared/random.ts";
import type { CachingResolver } from "../dns/resolver.ts";
import type { HttpRequest, HttpResponse, Send } from "../http.ts";
import type { Timeline, Timer } from "../time/timeline.ts";

/** A write that a user was told is safe. Times are modelled milliseconds since 1970. */
export interface AcknowledgedWrite {
  id: string;
  sentAt: number;
  acknowledgedAt: number;
  /** The region of the instance that answered. */
  region: string;
  instanceId: string;
}

/** The longest time in which nobody was told that a write is safe. */
export interface Outage {
  from: number;
  to: number;
  seconds: number;
}

export interface LoadReport {
  sent: number;
  acknowledged: number;
  /** Sent, and not acknowledged: each may still be in the database. */
  failed: number;
  /** Why, as far as users see it: `503`, `ETIMEDOUT`, … and how often. */
  failures: Record<string, number>;
  /** Not sent because too many others were waiting for an answer. */
  held: number;
  longestOutage: Outage | undefined;
  startedAt: number;
  /** The present while the load still runs. */
  endedAt: number;
}

export interface LoadOptions {
  /** Transfers per modelled second, over all users. */
  perSecond: number;
  accounts: string[];
  /** Users that wait for an answer at the same time; a bound on memory, not a policy. */
  waiting?: number;
  /** In front of every id, so that two loads on one database do not meet. */
  prefix?: string;
}

interface Tally {
  sent: number;
  failed: number;
  held: number;
  waiting: number;
  failures: Record<string, number>;
  startedAt: number;
  endedAt: number | undefined;
}

/** Users who move money through the public name and remember every answer they got. */
export const loadGenerator = (
  ports: { timeline: Timeline; random: Random; send: Send },
  options: LoadOptions,
) => {
  const { timeline, random, send } = ports;
  const acknowledged: AcknowledgedWrite[] = [];
  const tally: Tally = {
    sent: 0,
    failed: 0,
    held: 0,
    waiting: 0,
    failures: {},
    startedAt: timeline.now(),
    endedAt: undefined,
  };
  const onTheWay = new Set<Promise<void>>();
  let timer: Timer | undefined;

  const one = async () => {
    if (tally.waiting >= (options.waiting ?? 256)) {
      tally.held += 1;
      return;
    }
    tally.sent += 1;
    tally.waiting += 1;
    const id = `${options.prefix ?? "t"}-${tally.sent}`;
    const sentAt = timeline.now();
    const answer = await send(transferRequest(id, random, options.accounts)).catch(codeOf);
    tally.waiting -= 1;
    if (typeof answer !== "string" && answer.status === 201) {
      const [region = "", instanceId = ""] = (answer.headers["x-served-by"] ?? "").split("/");
      acknowledged.push({ id, sentAt, acknowledgedAt: timeline.now(), region, instanceId });
      return;
    }
    tally.failed += 1;
    const why = typeof answer === "string" ? answer : String(answer.status);
    tally.failures[why] = (tally.failures[why] ?? 0) + 1;
  };
  const launch = () => {
    const sending = one().finally(() => onTheWay.delete(sending));
    onTheWay.add(sending);
  };
  return {
    /** In the order of the acknowledgements. */
    acknowledged: acknowledged as readonly AcknowledgedWrite[],
    start: () => {
      if (timer) return;
      tally.startedAt = timeline.now();
      timer = timeline.every(1000 / options.perSecond, launch);
    },
    /** Sends nothing more and waits for the answers that are due; each has its time limit. */
    stop: async () => {
      timer?.cancel();
      tally.endedAt ??= timeline.now();
      await Promise.all(onTheWay);
    },
    report: () => reportOf(tally, acknowledged, timeline.now()),
  };
};

const reportOf = (
  { startedAt, endedAt: ended, sent, failed, failures, held }: Tally,
  acknowledged: readonly AcknowledgedWrite[],
  now: number,
): LoadReport => {
  const endedAt = ended ?? now;
  return {
    sent,
    acknowledged: acknowledged.length,
    failed,
    failures: { ...failures },
    held,
    longestOutage: longestOutage(acknowledged, startedAt, endedAt),
    startedAt,
    endedAt,
  };
};

export type LoadGenerator = ReturnType<typeof loadGenerator>;

const codeOf = (error: unknown): string =>
  (error as NodeJS.ErrnoException).code ?? (error instanceof Error ? error.message : "unknown");

const largestAmount = 500;

const transferRequest = (id: string, random: Random, accounts: string[]): HttpRequest => {
  const from = random.integer(0, accounts.length - 1);
  const step = random.integer(1, accounts.length - 1);
  const to = (from + step) % accounts.length;
  return {
    method: "POST",
    path: "/transfers",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      id,
      from: accounts[from],
      to: accounts[to],
      amount: random.integer(1, largestAmount),
    }),
  };
};

/** Counted between acknowledgements, from the start to the end of the load. */
export const longestOutage = (
  acknowledged: readonly AcknowledgedWrite[],
  startedAt: number,
  endedAt: number,
): Outage | undefined => {
  let longest: Outage | undefined;
  let from = startedAt;
  for (const to of [...acknowledged.map(({ acknowledgedAt }) => acknowledgedAt), endedAt]) {
    if (to - from > (longest ? longest.to - longest.from : 0)) {
      longest = { from, to, seconds: (to - from) / 1000 };
    }
    from = Math.max(from, to);
  }
  return longest;
};

/**
 * Requests to a name as a user's machine sends them: resolve through a cache, then go to the first
 * address. A name without addresses fails as it does there.
 */
export const throughName = (
  name: string,
  ports: {
    resolver: CachingResolver;
    /** One request to one address; rejects when nobody answers. */
    send: (address: string, request: HttpRequest) => Promise<HttpResponse>;
  },
): Send => {
  return async (request) => {
    const [address] = await ports.resolver.resolve(name);
    if (address === undefined) {
      throw Object.assign(new Error(`${name} has no address`), { code: "ENOTFOUND" });
    }
    return ports.send(address, { ...request, headers: { ...request.headers, host: name } });
  };
};
