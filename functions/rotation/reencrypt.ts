import { rowsIn } from "../../shared/sealed.ts";
import { idOf, leftText } from "./kinds/release.ts";
import { ringOf } from "./kinds/ring.ts";
import type { SecretValue, Told } from "./kinds.ts";
import { did, refuse } from "./kinds.ts";
import type { Work } from "./rotation.ts";
import { forbidden } from "./rotation.ts";

/**
 * For so long the application goes on when nobody asks any more, because whoever asks has died, or may not
 * go on. Longer than the pause between two questions.
 */
export const permitSeconds = 420;

/**
 * How much the application still has to seal again with the primary, and whether it may: for a while, if
 * nothing forbids it, so that it stops by itself when it is not told so again.
 */
export const reencrypt = async (work: Work, value: SecretValue): Promise<Told> => {
  const { ports, tools, run, name } = work;
  const { ciphertexts } = tools;
  if (!work.kind.isSealing || !ciphertexts.isKnown) {
    return { ...did("There is nothing to seal again."), left: 0 };
  }
  if ((await ports.readMode(run)) === "abandon") {
    await ciphertexts.permit(0);
    return refuse("abandoned", `${run} was given up: its rows stay as they are.`);
  }
  const ring = ringOf(value);
  const primary = ring.keys[ring.primary];
  if (!primary) throw new Error("a key ring has no primary");
  const found = await ciphertexts.left(idOf(primary));
  const left = found.reduce((sum, each) => sum + rowsIn(each), 0);
  const text = leftText(ring, found);
  if (text === null) {
    await ciphertexts.permit(0);
    const done = `All that is sealed is sealed by ${ring.primary}.`;
    await ports.record(run, { key: "sealed again", kind: "saw", text: done, data: { name } });
    return { ...did(done), left };
  }
  const held = (await forbidden(work)) ?? (await whileSick(work));
  await ciphertexts.permit(held ? 0 : permitSeconds);
  return held
    ? { ...did(`${text} It waits: ${held.reason}`), left, isHeld: true }
    : // As long as not all are counted nobody can say whether the application gets on.
      { ...did(text), left, isHeld: found.some(({ more }) => more) };
};

/** More load is the last that a platform needs of which an alarm is up. */
const whileSick = async ({ ports }: Work) => {
  const incident = await ports.openIncident();
  return incident === null ? undefined : { reason: `an alarm is up (${incident}).` };
};
