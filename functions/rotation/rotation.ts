import { whileFrozen } from "../../shared/freeze.ts";
import type { Refusal } from "../../shared/outcome.ts";
import { whilePaused } from "../../shared/pause.ts";
import type { Flight } from "../../shared/rotation.ts";
import { rotationRun } from "../../shared/rotation.ts";
import type { RotationRequest, Step } from "./decide.ts";
import { judgeReplicas, judgeVersions } from "./decide.ts";
import type { SecretValue, Told, Tools } from "./kinds.ts";
import { did, refuse } from "./kinds.ts";
import type { Ports, Registered } from "./ports.ts";
import { answerQuestion } from "./questions.ts";

/** What a call is about. */
export interface Work extends Registered {
  ports: Ports;
  run: string;
  token: string;
  tools: Tools;
}

/**
 * One call: a step of Secrets Manager, or a question of whoever ends the overlap. Every step may come again,
 * and whatever it finds done it leaves as it is.
 */
export const rotate = async (ports: Ports, event: RotationRequest): Promise<Told> => {
  const isStep = "Step" in event;
  const secret = isStep ? event.SecretId : event.secret;
  const token = isStep ? event.ClientRequestToken : event.token;
  const registered = ports.registered(secret);
  if (!registered) return refuse("not-ours", `${secret} is no secret that is rotated here.`);
  const { name, scope } = registered;
  const run = rotationRun(name, token);
  const tools = ports.tools({ secret: name, token }, (region) =>
    ports.markSent({ scope, run, token }, region),
  );
  const work: Work = { ...registered, ports, run, token, tools };
  if (!isStep) return answerQuestion(work, event);
  const told = await perform(work, event.Step);
  if ("refused" in told) await recordRefusal(work, event.Step, told.refused);
  return told;
};

const recordRefusal = ({ ports, run, name, token }: Work, step: string, refusal: Refusal) =>
  ports.record(run, {
    key: `${step} refused: ${refusal.code}`,
    kind: "refused",
    text: refusal.reason,
    data: { secret: name, version: token, step, code: refusal.code },
  });

const perform = async (work: Work, step: Step["Step"]): Promise<Told> => {
  const { ports, name, token } = work;
  const described = await ports.describe(name);
  const judged = judgeVersions(described, token);
  if (judged.is === "refused") return { refused: judged.refusal };
  if (judged.is === "current") return hasFinished(work, step);
  const read = async (version: string) => {
    const value = await ports.read(name, version);
    if (!value && version !== token) throw new Error(`AWSCURRENT of ${name} has no content`);
    return value;
  };
  const current = (await read(judged.current)) ?? {};
  const pending = await read(token);
  if (step === "createSecret") return create(work, current, pending);
  if (!pending) {
    // A try of the configuration: Secrets Manager gives testSecret a version that never gets a content.
    if (step === "testSecret") return work.kind.prove(current, work.tools);
    return refuse(
      "no-value",
      `Version ${token} has no content: createSecret did not come through.`,
    );
  }
  const change = { current, pending };
  if (step === "setSecret") return set(work, change);
  if (step === "testSecret") return test(work, change);
  return finish(work, change, judged.current);
};

/** The label has moved: a repeated call only makes sure that the overlap will end. */
const hasFinished = async (work: Work, step: Step["Step"]): Promise<Told> => {
  if (step === "finishSecret") await toOverlap(work);
  return did("AWSCURRENT is on this version already.");
};

/** The value is fixed here, before anybody is told of it; a repeated call finds it. */
const create = async (
  work: Work,
  current: SecretValue,
  pending: SecretValue | undefined,
): Promise<Told> => {
  const { ports, kind, name, token, tools } = work;
  if (pending) return did("The new value is there already.");
  const refused = await unlessFree(work);
  if (refused) return { refused };
  const made = await kind.make(current, tools);
  if ("refused" in made) return made;
  const isOurs = await ports.put(name, token, made.made, "AWSPENDING");
  return did(isOurs ? "The new value is made." : "Another call was faster: its value stands.");
};

const set = async (work: Work, change: Change): Promise<Told> => {
  const { ports, kind, run, name, token, tools } = work;
  const refused = await unlessFree(work);
  if (refused) {
    // Once it is set, to stop in the middle is worse than to go on.
    const isSet = await kind.test(change, tools);
    return "did" in isSet ? did("It was set before.") : { refused };
  }
  await ports.record(run, {
    key: "set",
    kind: "decided",
    text: `${name}: its new value is made good beside the current one.`,
    data: { secret: name, version: token, kind: kind.name },
  });
  return kind.set(change, tools);
};

interface Change {
  current: SecretValue;
  pending: SecretValue;
}

const test = async (work: Work, change: Change): Promise<Told> => {
  const { ports, kind, run, name, tools } = work;
  const told = await kind.test(change, tools);
  if ("did" in told) return told;
  const { code, reason } = told.refused;
  const back = await kind.putBack(change, tools);
  const isBack = "did" in back;
  const after = isBack ? back.did : back.refused.reason;
  const data = { secret: name, code, isCurrentGood: isBack };
  await ports.record(run, { key: `put back: ${code}`, kind: "did", text: after, data });
  return refuse(code, `${reason} ${after}`);
};

const finish = async (work: Work, change: Change, current: string): Promise<Told> => {
  const { ports, kind, run, name, token, tools } = work;
  if (kind.isReadByFleet) {
    const refusal = judgeReplicas(await ports.describe(name));
    if (refusal) return { refused: refusal };
  }
  // Not the test of a minute ago: the label only ever moves to what has just been used.
  const told = await kind.test(change, tools);
  if ("refused" in told) return told;
  // Before the label moves, because nobody calls again who was killed after it: it waits for the label.
  await toOverlap(work);
  await ports.moveCurrent(name, token, current);
  await ports.keepRotated(name);
  await ports.record(run, {
    key: "finished",
    kind: "did",
    text: `${name}: AWSCURRENT is on the new version. ${told.did}`,
    data: { secret: name, version: token, before: current },
  });
  return did(told.did);
};

const toOverlap = async ({ ports, run, name, token, scope }: Work): Promise<void> => {
  await carryOn(ports, { run, secret: name, token });
  const flight = await ports.readFlight(scope);
  if (flight?.run === run && flight.phase === "exchange") {
    await ports.advanceFlight({ scope, run }, "overlap");
  }
};

/**
 * Has the end of an overlap looked for, by the execution that is at work, or by the next one if that has
 * given up. True when there had been one that gave up.
 */
export const carryOn = async (
  ports: Ports,
  { run, secret, token }: Pick<Flight, "run" | "secret" | "token">,
): Promise<boolean> => {
  const again = await ports.retirementsEnded(run);
  await ports.startRetirement({ run, secret, token, again });
  return again > 0;
};

/** Why nothing may be begun at the moment, whoever is at work on the same thing. Changes nothing. */
export const forbidden = async ({ ports, name }: Work): Promise<Refusal | undefined> => {
  const paused = whilePaused(await ports.readPause());
  if (paused) return paused;
  // Another rotation is kept apart below, by what it holds.
  const frozen = whileFrozen(await ports.readFreezes(), ["rotation"]);
  if (frozen) return frozen;
  const repair = await ports.repairUnderWay();
  if (repair) return { code: "repair", reason: `${repair} is at work: one change at a time.` };
  return judgeReplicas(await ports.describe(name));
};

/** Why nothing may be begun at the moment. Read before each change. */
const unlessFree = async (work: Work): Promise<Refusal | undefined> => {
  const { ports, run, name, token, scope } = work;
  const refused = await forbidden(work);
  if (refused) return refused;
  const taken = await ports.takeFlight({ scope, run, secret: name, token });
  if ("refused" in taken) {
    const flight = await ports.readFlight(scope);
    // An overlap that was left to people would hold back this rotation and all that come: look again.
    if (flight?.phase === "overlap") await carryOn(ports, flight);
    return taken.refused;
  }
  return ports.hold(run, `${name} gets a new value`);
};
