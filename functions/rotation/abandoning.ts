import { rotationRun } from "../../shared/rotation.ts";
import { holderOf, judgeStuck } from "./decide.ts";
import type { Told } from "./kinds.ts";
import { did, refuse } from "./kinds.ts";
import type { Work } from "./rotation.ts";

/** Who gives it up, and why. */
interface Said {
  by: string;
  reason: string;
}

/**
 * Gives up what is not complete of a secret's rotation, so that the next one can begin, and says what is
 * valid then. Nothing loses its validity by it.
 */
export const abandon = async (work: Work, said: Said): Promise<Told> => {
  const { ports, name, scope } = work;
  const flight = await ports.readFlight(scope);
  if (flight?.secret === name && flight.phase === "overlap") return endless(work, flight.run, said);
  const described = await ports.describe(name);
  const pending = holderOf(described, "AWSPENDING");
  const value = pending === undefined ? undefined : await ports.read(name, pending);
  const stuck = judgeStuck(described, value !== undefined);
  if (stuck.is === "idle") {
    return refuse("nothing-left", `No rotation of ${name} is in the middle of anything.`);
  }
  const isAtWork = flight?.token === stuck.version && flight.phase === "exchange";
  if (isAtWork && flight.untilMilliseconds > ports.now()) {
    return refuse("under-way", `${flight.run} is at work: wait until Secrets Manager gives it up.`);
  }
  return dropped(work, stuck.version, said);
};

/** Both stay valid: whoever looks for the end of the overlap is told so, and stops. */
const endless = async (work: Work, run: string, { by, reason }: Said): Promise<Told> => {
  const { ports, kind, name, scope } = work;
  const token = (await ports.readFlight(scope))?.token ?? "";
  // Its new key may be on instances, and the next rotation takes it for one that comes first.
  if (kind.promote && holderOf(await ports.describe(name), "AWSCURRENT") === token) {
    const reason = `The new key of ${run} is not the primary yet: have its overlap carried on.`;
    return refuse("not-promoted", reason);
  }
  await ports.keepRule(run, { mode: "abandon", reason, by });
  await ports.advanceFlight({ scope, run }, "ended");
  await ports.letGo(run);
  const later = kind.isSealing
    ? "The next rotation goes on with sealing rows again; no key goes before that."
    : "The next rotation takes the old one away, whoever still uses it then.";
  const left = `Old and new value of ${name} are both valid. ${later}`;
  await ports.record(run, {
    key: "abandoned",
    kind: "decided",
    text: `${by} gave up the end of its overlap: ${reason} ${left}`,
    data: { secret: name, by },
  });
  return did(left);
};

/** AWSPENDING goes, after it is sure that what is current is good. */
const dropped = async (work: Work, version: string, { by, reason }: Said): Promise<Told> => {
  const { ports, kind, name, scope, tools } = work;
  const described = await ports.describe(name);
  const current = holderOf(described, "AWSCURRENT");
  const [now, pending] = await Promise.all([
    current === undefined ? undefined : ports.read(name, current),
    ports.read(name, version),
  ]);
  if (!now) return refuse("no-current", `No version of ${name} is current.`);
  const change = { current: now, pending: pending ?? now };
  const back = pending ? await kind.putBack(change, tools) : await kind.prove(now, tools);
  if ("refused" in back) return back;
  const run = rotationRun(name, version);
  await ports.keepRule(run, { mode: "abandon", reason, by });
  await ports.dropPending(name, version);
  const flight = await ports.readFlight(scope);
  if (flight?.run === run) await ports.advanceFlight(flight, "ended");
  await ports.letGo(run);
  const left = `Version ${current} of ${name} is current and good. ${back.did}${leftBy(kind.name)}`;
  await ports.record(run, {
    key: "abandoned",
    kind: "decided",
    text: `${by} gave it up: ${reason} ${left}`,
    data: { secret: name, version, by },
  });
  return did(left);
};

/** What a set may have made good that has no label any more. */
const leftBy = (kind: string): string => {
  if (kind === "database-login")
    return " The idle login may have the password that was dropped, until the next rotation.";
  if (kind === "redis-auth")
    return " The caches may take the token that was dropped as well, until the next rotation.";
  return "";
};
