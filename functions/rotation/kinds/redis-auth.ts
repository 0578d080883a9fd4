import { inSentences, observed } from "../../../shared/outcome.ts";
import type { CacheAnswer, CachePort } from "../cache.ts";
import { newPassword } from "../generate.ts";
import type { Change, Kind, SecretValue, Told, Tools } from "../kinds.ts";
import { did, refuse } from "../kinds.ts";

const tokenOf = ({ token }: SecretValue): string => {
  if (typeof token !== "string") throw new Error(`a version of the secret has no "token"`);
  return token;
};

const failed = (whose: string, cache: CachePort, answer: Exclude<CacheAnswer, { is: "in" }>) => {
  const meaning = answer.is === "refused" ? "is not taken" : "could not be tried: nothing answers";
  return refuse(
    `${whose}-${answer.is}`,
    inSentences([`The ${whose} token ${meaning} in ${cache.region}`, answer.why]),
  );
};

/** A change of the token takes minutes; a function has fifteen. */
const waitSeconds = 600;
const everySeconds = 10;

/**
 * ElastiCache's AUTH token. ROTATE adds a token, and a third pushes out the oldest, so it is asked for once
 * for each value, and never while another one is on its way. SET, much later, leaves only the new one.
 * https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth.html
 */
export const redisAuth: Kind = {
  name: "redis-auth",
  isReadByFleet: true,

  make: async (current, { random }) => ({ made: { ...current, token: newPassword(random) } }),

  set: async (change, tools) => {
    const caches = farFirst(await tools.caches());
    // All are looked at before the first is changed: what one of them cannot follow is not begun.
    for (const cache of caches) {
      const found = await examined(cache, change, tools);
      if ("refused" in found) return found;
    }
    for (const cache of caches) {
      const told = await added(cache, change, tools);
      if ("refused" in told) return told;
    }
    return did(`${whole(caches)} the new token beside the current one.`);
  },

  test: async ({ current, pending }, tools) => {
    const caches = await tools.caches();
    for (const cache of caches) {
      const after = await cache.login(tokenOf(pending));
      if (after.is !== "in") return failed("new", cache, after);
      const before = await cache.login(tokenOf(current));
      if (before.is === "in") continue;
      // After the first ROTATE of a group without a token, who brings none still comes in.
      const none = await cache.login(null);
      if (none.is !== "in") return failed("current", cache, before);
    }
    return did(`${whole(caches)} the new token, and nobody is shut out.`);
  },

  putBack: async ({ current }, tools) => {
    for (const cache of await tools.caches()) {
      const answer = await cache.login(tokenOf(current));
      if (answer.is !== "in") return failed("current", cache, answer);
    }
    return did("The current token is still taken: nothing has to be put back.");
  },

  prove: async (current, { cache }) => {
    const answer = await cache.login(tokenOf(current));
    return answer.is === "in"
      ? did("The cache takes the token.")
      : failed("current", cache, answer);
  },

  retire: async ({ current, previous }, tools) => {
    const caches = farFirst(await tools.caches());
    for (const cache of caches) {
      const settled = await quiet(cache, tools);
      if ("refused" in settled) return settled;
      const now = await cache.login(tokenOf(current));
      if (now.is !== "in") return failed("current", cache, now);
    }
    for (const cache of caches) {
      const told = await closed(cache, { current, previous }, tools);
      if ("refused" in told) return told;
    }
    return did(`${whole(caches)} only the new token.`);
  },
};

/** The region that users are on comes last: by then it has gone well in the others. */
const farFirst = (caches: readonly CachePort[]): CachePort[] => caches.toReversed();

const whole = (caches: readonly CachePort[]): string =>
  caches.length === 1 ? "The cache takes" : `The caches of ${caches.length} regions take`;

/** Whether a cache can be told of the pending token, or takes it already. */
const examined = async (cache: CachePort, { current, pending }: Change, tools: Tools) => {
  const settled = await quiet(cache, tools);
  if ("refused" in settled) return settled;
  const before = await cache.login(tokenOf(pending));
  if (before.is === "unreachable") return failed("new", cache, before);
  // Where no token is needed any token may be taken, which proves nothing.
  const isTaken = before.is === "in" && settled.isTokenNeeded;
  if (isTaken || !settled.isTokenNeeded) return { isTaken };
  const now = await cache.login(tokenOf(current));
  return now.is === "in" ? { isTaken } : failed("current", cache, now);
};

/** ROTATE, once for each value and region. */
const added = async (cache: CachePort, change: Change, tools: Tools): Promise<Told> => {
  const found = await examined(cache, change, tools);
  if ("refused" in found) return found;
  if (found.isTaken) return did("The new token is taken already.");
  const token = tokenOf(change.pending);
  const mark = await tools.markSent(cache.region);
  if ("refused" in mark) return mark;
  if (!mark.isFirst) {
    const came = await whatCame(cache, token, mark.sentAtMilliseconds, tools);
    if (came) return came;
  }
  await cache.change(token, "ROTATE");
  const after = await quiet(cache, tools);
  return "refused" in after ? after : did("The cache takes the new token beside the current one.");
};

/** SET. A second time it is an error: look first. */
const closed = async (
  cache: CachePort,
  { current, previous }: { current: SecretValue; previous: SecretValue },
  tools: Tools,
): Promise<Told> => {
  if (await isOver(previous, cache)) return did("Only the new token is taken.");
  await cache.change(tokenOf(current), "SET");
  const after = await quiet(cache, tools);
  if ("refused" in after) return after;
  const answer = await cache.login(tokenOf(current));
  if (answer.is !== "in") return failed("current", cache, answer);
  if (await isOver(previous, cache)) return did("Only the new token is taken.");
  const reason = `The old token, or none, still opens the cache in ${cache.region}.`;
  return refuse("not-retired", reason);
};

/** By then a call that was on its way has arrived or never will. */
const arrivalSeconds = 60;
/** How far AWS's clock and ours may be apart. */
const skewSeconds = 5;

/**
 * What became of a ROTATE that was sent before and whose end nobody knows; undefined when it never came
 * through, so that it may be sent again.
 */
const whatCame = async (
  cache: CachePort,
  token: string,
  sentAt: number,
  tools: Tools,
): Promise<Told | undefined> => {
  const { now, sleep } = tools;
  await sleep(Math.max(1, sentAt + arrivalSeconds * 1000 - now()));
  const settled = await quiet(cache, tools);
  if ("refused" in settled) return settled;
  const answer = await cache.login(token);
  if (answer.is === "in" && settled.isTokenNeeded) return did("The new token is taken already.");
  if (answer.is === "unreachable") return failed("new", cache, answer);
  const changedAt = settled.tokenChangedAtMilliseconds;
  if (changedAt === null || changedAt < sentAt - skewSeconds * 1000) return undefined;
  if (!settled.isTokenNeeded) return did("A token was added to a cache that asked for none.");
  // A second one on top of that could push out the one in use.
  const reason = "A change of the token came through that was not this one. Look before you go on.";
  return refuse("token-in-doubt", reason);
};

/** Neither the old token nor none at all opens it. */
const isOver = async (previous: SecretValue, cache: CachePort): Promise<boolean> => {
  const [old, none] = [await cache.login(tokenOf(previous)), await cache.login(null)];
  return old.is === "refused" && none.is === "refused";
};

/** The group when no change is under way. */
const quiet = async (cache: CachePort, { now, sleep }: Tools) => {
  const until = now() + waitSeconds * 1000;
  for (;;) {
    const seen = await observed(cache.region, now, cache.standing);
    if (!seen.known) {
      const reason = `The cache in ${cache.region} could not be looked at: ${seen.why}.`;
      return refuse("cache-unreachable", reason);
    }
    const { status, isTokenChanging } = seen.value;
    if (status === "available" && !isTokenChanging) return seen.value;
    if (now() >= until) {
      const reason = `The cache in ${cache.region} has been ${status} for ${waitSeconds} s.`;
      return refuse("cache-busy", reason);
    }
    await sleep(everySeconds * 1000);
  }
};
