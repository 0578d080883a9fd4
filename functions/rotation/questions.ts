import { sha256 } from "../../shared/canonical.ts";
import type { Flight } from "../../shared/rotation.ts";
import { rotationRun } from "../../shared/rotation.ts";
import { abandon } from "./abandoning.ts";
import { digestOf } from "./cache.ts";
import type { Question } from "./decide.ts";
import { holderOf, judgeStuck } from "./decide.ts";
import type { Changed, SecretValue, Told } from "./kinds.ts";
import { did, refuse } from "./kinds.ts";
import { look } from "./looking.ts";
import { reencrypt } from "./reencrypt.ts";
import type { Work } from "./rotation.ts";
import { carryOn } from "./rotation.ts";

/**
 * The ids of the versions that follow on one of a ring, in order: known beforehand, so that a repeated call
 * finds what it has made.
 */
const following = (token: string) => ({
  promoted: sha256(`${token} promoted`).slice(0, 32),
  pruned: sha256(`${token} pruned`).slice(0, 32),
});

/** What changes the secret. After a failover it is another one here than where users are. */
const changing: readonly Question["do"][] = ["promote", "reencrypt", "retire"];

export const answerQuestion = async (work: Work, question: Question): Promise<Told> => {
  const { ports, run } = work;
  const active = changing.includes(question.do) ? await ports.activeRegion() : ports.region;
  if (active !== ports.region) {
    const reason = `Users are in ${active} by now: have the overlap of ${run} carried on there.`;
    return refuse("users-elsewhere", reason);
  }
  switch (question.do) {
    case "prove":
      return prove(work);
    case "promote":
      return promote(work);
    case "reencrypt":
      return own(work).then((found) => ("refused" in found ? found : reencrypt(work, found.value)));
    case "retire":
      return retire(work);
    case "expel":
      return expel(work);
    case "login":
      return login(work, question.digest);
    case "begin":
      return begin(work, question);
    case "look":
      return look(work);
  }
};

/** AWSCURRENT as this region has it, if it is what this rotation has made of it. */
const own = async ({ ports, name, token }: Work) => {
  const described = await ports.describe(name);
  const current = holderOf(described, "AWSCURRENT");
  const ours = [token, ...Object.values(following(token))];
  if (current === undefined || !ours.includes(current)) {
    const reason = `AWSCURRENT of ${name} is on ${current ?? "no version"} here, not on ${token}.`;
    // A replica gets there. One that stands alone since a failover only does when it is rebuilt.
    return refuse(described.isReplica ? "another-version" : "stands-alone", reason);
  }
  const value = await ports.read(name, current);
  if (!value) return refuse("no-value", `Version ${current} of ${name} has no content here.`);
  return { current, value, described };
};

const prove = async (work: Work): Promise<Told> => {
  const found = await own(work);
  if ("refused" in found) return found;
  const mode = await work.ports.readMode(work.run);
  if (mode === "abandon") return givenUp(work);
  const told = await work.kind.prove(found.value, work.tools);
  if ("refused" in told) return told;
  // Rows need the old keys of a ring that seals, whoever else has them: nothing can be cut short.
  const isCompromised = mode === "compromise" && !work.kind.isSealing;
  const said = { ...told, did: `${told.did} Version ${found.current}.` };
  return isCompromised ? { ...said, isCompromised } : said;
};

const givenUp = ({ run }: Work): Told =>
  refuse("abandoned", `${run} was given up: nobody ends its overlap.`);

/** Only after the old value has lost its validity, or who was put out would come in again. */
const expel = async (work: Work): Promise<Told> => {
  const { ports, kind, run, name, tools } = work;
  if (!kind.expel) return did("There are no sessions that could be ended.");
  const found = await own(work);
  if ("refused" in found) return found;
  if ((await ports.readMode(run)) !== "compromise") {
    return refuse("not-compromised", `Nobody has said that ${name} is compromised.`);
  }
  const told = await kind.expel(found.value, tools);
  if ("did" in told) {
    const key = `expelled in ${ports.region}`;
    await ports.record(run, { key, kind: "did", text: told.did, data: { secret: name } });
  }
  return told;
};

const promote = async (work: Work): Promise<Told> => {
  const { kind, token } = work;
  if (!kind.promote) return did("There is nothing to promote.");
  const found = await own(work);
  if ("refused" in found) return found;
  if (found.current !== token) return did("The new key is the primary already.");
  return replace(work, found.value, following(token).promoted, kind.promote);
};

const stays = "The value stays as it is.";

/** Puts a version after the current one that is made of it alone, so that it comes out the same each time. */
const replace = async (
  { ports, name, token, run }: Work,
  value: SecretValue,
  version: string,
  change: (value: SecretValue) => Changed | null | Promise<Changed | null>,
): Promise<Told> => {
  const made = await change(value);
  if (made === null) return did(stays);
  if ("refused" in made) return made;
  // AWSPENDING may lie on AWSCURRENT or nowhere, or the next rotation is refused.
  const described = await ports.describe(name);
  if (described.stages[token]?.includes("AWSPENDING")) await ports.dropPending(name, token);
  await ports.put(name, version, made.made, "AWSCURRENT");
  const text = [`${name}: AWSCURRENT is on version ${version}.`, made.told ?? []].flat().join(" ");
  await ports.record(run, {
    key: `put ${version}`,
    kind: "did",
    text,
    data: { secret: name, version },
  });
  return did(text);
};

const retire = async (work: Work): Promise<Told> => {
  const { ports, kind, run, name, token, scope, tools } = work;
  const flight = await ports.readFlight(scope);
  if (flight?.run !== run) {
    return refuse("not-its-overlap", `${run} is not the rotation of the ${scope} any more.`);
  }
  const mode = await ports.readMode(run);
  if (mode === "abandon") return givenUp(work);
  if (flight.phase === "ended") return did("It was retired before.");
  const found = await own(work);
  if ("refused" in found) return found;
  const { pruned } = kind;
  if (pruned && found.current !== following(token).pruned) {
    const change = (value: SecretValue) => pruned(value, tools);
    const told = await replace(work, found.value, following(token).pruned, change);
    if ("refused" in told) return told;
    if (told.did !== stays) return retire(work);
  }
  const before = holderOf(found.described, "AWSPREVIOUS");
  const previous = before && (await ports.read(name, before));
  if (!previous) return refuse("no-previous", `${name} has no version before this one.`);
  const isCompromised = mode === "compromise";
  const told = await kind.retire({ current: found.value, previous, isCompromised }, tools);
  const code = "did" in told ? "retired" : `not retired: ${told.refused.code}`;
  const text = "did" in told ? told.did : told.refused.reason;
  const data = { secret: name, version: found.current, before };
  const how = "did" in told ? "did" : "refused";
  await ports.record(run, { key: code, kind: how, text, data });
  if ("did" in told) {
    await ports.advanceFlight({ scope, run }, "ended");
    await ports.letGo(run);
  }
  return told;
};

/** Which version is meant is said by a digest, so that no token is ever in what functions tell each other. */
const login = async ({ ports, name, token, tools }: Work, digest: string | null): Promise<Told> => {
  const meant = digest === null ? null : await meantBy({ ports, name, token }, digest);
  if (meant === undefined) {
    return refuse("unreachable", `No version of ${name} that is known here is meant.`);
  }
  const answer = await tools.cache.login(meant);
  return answer.is === "in" ? did("It is taken.") : refuse(answer.is, answer.why);
};

const meantBy = async (
  { ports, name, token }: Pick<Work, "ports" | "name" | "token">,
  digest: string,
): Promise<string | undefined> => {
  const { stages } = await ports.describe(name);
  for (const version of new Set([token, ...Object.keys(stages)])) {
    // It is not said of a replica whether it gets a version that is pending only.
    const here = await ports.read(name, version);
    const value = here ?? (version === token ? await ports.readAtOrigin(name, version) : undefined);
    const found = value?.token;
    if (typeof found === "string" && digestOf(token, found) === digest) return found;
  }
  return undefined;
};

/** Mends what a rotation that failed has left, and begins one or has that one go on. */
const begin = async (
  work: Work,
  { by, reason, mode = "usual" }: Extract<Question, { do: "begin" }>,
): Promise<Told> => {
  if (mode === "abandon") return abandon(work, { by, reason });
  const { ports, run, name, token, scope } = work;
  const before = await ports.readFlight(scope);
  if (before?.phase === "overlap") return carriedOn(work, before, by);
  const described = await ports.describe(name);
  const pending = holderOf(described, "AWSPENDING");
  const hasContent = pending !== undefined && (await ports.read(name, pending)) !== undefined;
  const stuck = judgeStuck(described, hasContent);
  if (stuck.is === "empty") {
    const flight = await ports.readFlight(scope);
    const isAtWork = flight?.token === stuck.version && flight.phase === "exchange";
    if (isAtWork && flight.untilMilliseconds > ports.now()) {
      return refuse("under-way", `${flight.run} is just making its value: let it go on.`);
    }
    await ports.dropPending(name, stuck.version);
    if (isAtWork) await ports.advanceFlight(flight, "ended");
  }
  if (mode === "compromise") {
    // A rotation that is not complete goes on, and then stands under this rule as well.
    const goesOn = stuck.is === "unfinished" ? rotationRun(name, stuck.version) : run;
    await ports.keepRule(goesOn, { mode, reason, by });
  }
  const how = mode === "compromise" ? ", and for the end of the old one at once" : "";
  await ports.record(run, {
    key: "asked",
    kind: "asked",
    text: `${by} asked for a new value of ${name}${how}: ${reason}`,
    data: { secret: name, version: token, found: stuck.is, mode },
  });
  const isNew = await ports.askForRotation(name, token);
  if (!isNew) return did(`An earlier rotation of ${name} was not complete: it goes on.`);
  return did(stuck.is === "empty" ? "Mended an empty version, and began anew." : "It has begun.");
};

/** The end of the last overlap comes first; whoever asks for a rotation asks for that as well. */
const carriedOn = async ({ ports }: Work, flight: Flight, by: string): Promise<Told> => {
  const { run, scope } = flight;
  const isAgain = await carryOn(ports, flight);
  if (!isAgain) {
    const reason = `The old value of ${run} is not retired yet: one rotation of the ${scope} at a time.`;
    return refuse("in-overlap", reason);
  }
  const again = await ports.retirementsEnded(run);
  const text = `${by} had the end of the overlap looked for again.`;
  await ports.record(run, { key: `again ${again}: asked`, kind: "asked", text });
  return did(`The overlap of ${run} is carried on. Ask again when its old value is retired.`);
};
