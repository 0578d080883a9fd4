import { inSentences } from "../../../shared/outcome.ts";
import type { CacheAnswer } from "../cache.ts";
import { newPassword } from "../generate.ts";
import type { Kind, SecretValue, Told, Tools } from "../kinds.ts";
import { did, refuse } from "../kinds.ts";

const tokenOf = ({ token }: SecretValue): string => {
  if (typeof token !== "string") throw new Error(`a version of the secret has no "token"`);
  return token;
};

const failed = (whose: string, answer: Exclude<CacheAnswer, { is: "in" }>) => {
  const meaning = answer.is === "refused" ? "is not taken" : "could not be tried: nothing answers";
  return refuse(
    `${whose}-${answer.is}`,
    inSentences([`The ${whose} token ${meaning}`, answer.why]),
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
  isInEveryRegion: true,
  isReadByFleet: true,

  make: async (current, { random }) => ({ made: { ...current, token: newPassword(random) } }),

  set: async ({ current, pending }, tools) => {
    const { cache } = tools;
    const token = tokenOf(pending);
    const settled = await quiet(tools);
    if ("refused" in settled) return settled;
    const before = await cache.login(token);
    // Where no token is needed any token may be taken, which proves nothing.
    if (before.is === "in" && settled.isTokenNeeded) return did("The new token is taken already.");
    if (before.is === "unreachable") return failed("new", before);
    if (settled.isTokenNeeded) {
      const now = await cache.login(tokenOf(current));
      if (now.is !== "in") return failed("current", now);
    }
    const mark = await tools.markSent();
    if ("refused" in mark) return mark;
    if (!mark.isFirst) {
      const found = await whatCame(token, mark.sentAtMilliseconds, tools);
      if (found) return found;
    }
    await cache.change(token, "ROTATE");
    const after = await quiet(tools);
    if ("refused" in after) return after;
    return did("The cache takes the new token beside the current one.");
  },

  test: async ({ current, pending }, { cache }) => {
    const after = await cache.login(tokenOf(pending));
    if (after.is !== "in") return failed("new", after);
    const before = await cache.login(tokenOf(current));
    if (before.is === "in") return did("The cache takes both tokens.");
    // After the first ROTATE of a group without a token, who brings none still comes in.
    const none = await cache.login(null);
    if (none.is !== "in") return failed("current", before);
    return did("The cache takes the new token, and still asks for none.");
  },

  putBack: async ({ current }, { cache }) => {
    const answer = await cache.login(tokenOf(current));
    if (answer.is !== "in") return failed("current", answer);
    return did("The current token is still taken: nothing has to be put back.");
  },

  prove: async (current, { cache }) => {
    const answer = await cache.login(tokenOf(current));
    return answer.is === "in" ? did("The cache takes the token.") : failed("current", answer);
  },

  retire: async ({ current, previous }, tools) => {
    const { cache } = tools;
    const settled = await quiet(tools);
    if ("refused" in settled) return settled;
    const now = await cache.login(tokenOf(current));
    if (now.is !== "in") return failed("current", now);
    // SET a second time is an error: look first.
    if (await isOver(previous, tools)) return did("Only the new token is taken.");
    await cache.change(tokenOf(current), "SET");
    const after = await quiet(tools);
    if ("refused" in after) return after;
    const answer = await cache.login(tokenOf(current));
    if (answer.is !== "in") return failed("current", answer);
    if (await isOver(previous, tools)) return did("Only the new token is taken.");
    return refuse("not-retired", "The old token, or none, still opens the cache.");
  },
};

/** By then a call that was on its way has arrived or never will. */
const arrivalSeconds = 60;
/** How far AWS's clock and ours may be apart. */
const skewSeconds = 5;

/**
 * What became of a ROTATE that was sent before and whose end nobody knows; undefined when it never came
 * through, so that it may be sent again.
 */
const whatCame = async (token: string, sentAt: number, tools: Tools): Promise<Told | undefined> => {
  const { cache, now, sleep } = tools;
  await sleep(Math.max(1, sentAt + arrivalSeconds * 1000 - now()));
  const settled = await quiet(tools);
  if ("refused" in settled) return settled;
  const answer = await cache.login(token);
  if (answer.is === "in" && settled.isTokenNeeded) return did("The new token is taken already.");
  if (answer.is === "unreachable") return failed("new", answer);
  const changedAt = settled.tokenChangedAtMilliseconds;
  if (changedAt === null || changedAt < sentAt - skewSeconds * 1000) return undefined;
  if (!settled.isTokenNeeded) return did("A token was added to a cache that asked for none.");
  // A second one on top of that could push out the one in use.
  const reason = "A change of the token came through that was not this one. Look before you go on.";
  return refuse("token-in-doubt", reason);
};

/** Neither the old token nor none at all opens it. */
const isOver = async (previous: SecretValue, { cache }: Tools): Promise<boolean> => {
  const [old, none] = [await cache.login(tokenOf(previous)), await cache.login(null)];
  return old.is === "refused" && none.is === "refused";
};

/** The group when no change is under way. */
const quiet = async ({ cache, now, sleep }: Tools) => {
  const until = now() + waitSeconds * 1000;
  for (;;) {
    const standing = await cache.standing();
    if (standing.status === "available" && !standing.isTokenChanging) return standing;
    if (now() >= until) {
      const reason = `The cache has been ${standing.status} for ${waitSeconds} s.`;
      return refuse("cache-busy", reason) satisfies Told;
    }
    await sleep(everySeconds * 1000);
  }
};
