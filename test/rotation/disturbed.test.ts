import { describe, expect, it } from "vitest";
import { modelled } from "./modelled.ts";
import { names, token } from "./stage.ts";
import type { Blow } from "./striking.ts";

type At = Awaited<ReturnType<typeof modelled>>;

/** A rotation that `blow` befalls, and at every call whether the current login gets in. */
const disturbed = async (secret: string, blow?: Blow) => {
  const locked: string[] = [];
  let at: At | undefined;
  const look = () => {
    if (!at) return;
    // There is one owner, so that its new password may be in force while its label is on the way.
    const labels = secret === names.owner ? ["AWSCURRENT", "AWSPENDING"] : ["AWSCURRENT"];
    if (!labels.some((label) => opens(at as At, secret, label))) locked.push(secret);
  };
  at = await modelled({ look, ...(blow ? { blow } : {}) });
  await at.rotated(secret, token(1));
  return { ...at, locked };
};

/** AWSPENDING has no content at first. */
const opens = (at: At, secret: string, label: string): boolean => {
  const stages = Object.entries(at.stages(secret)).find(([, labels]) => labels.includes(label));
  if (!stages || (label === "AWSPENDING" && !hasContent(at, secret))) return false;
  return at.opens(secret, label);
};

const hasContent = (at: At, secret: string): boolean => {
  try {
    return at.value(secret, "AWSPENDING").password !== undefined;
  } catch (error) {
    if ((error as Error).name === "ResourceNotFoundException") return false;
    throw error;
  }
};

const kinds = ["error", "throttle", "timeout-before", "timeout-after"] as const;

/** The calls of a rotation that nothing befalls. */
const undisturbed = async (secret: string): Promise<number> => (await disturbed(secret)).calls();

const blowsAt = (call: number): Blow[] => [
  { is: "killed", call, phase: "before" },
  { is: "killed", call, phase: "after" },
  ...kinds.map((kind): Blow => ({ is: "fault", call, kind })),
];

/** A death before and after each call, and one fault of it; of the owner's rotation one blow at each call. */
const shareOf = (secret: string, call: number): Blow[] => {
  const all = blowsAt(call);
  const [before, after, ...rest] = all;
  const one = (blows: (Blow | undefined)[]) => blows[call % blows.length];
  const share = secret === names.owner ? [one(all)] : [before, after, one(rest)];
  return process.env.EVERY_BLOW ? all : share.filter((blow) => blow !== undefined);
};

const told = (blow: Blow): string =>
  `call ${blow.call} ${blow.is === "killed" ? `killed ${blow.phase} it` : blow.kind}`;

describe.each([names.database, names.owner])("a rotation of %s", (secret) => {
  it("ends with the new value in force, whatever befalls any call of it", async () => {
    const calls = await undisturbed(secret);
    expect(calls).toBeGreaterThan(20);
    const failed: string[] = [];
    for (let call = 1; call <= calls; call += 1) {
      for (const blow of shareOf(secret, call)) {
        const at = await disturbed(secret, blow);
        if (at.locked.length > 0) failed.push(`${told(blow)}: locked out`);
        if (at.value(secret).VersionId !== token(1)) {
          failed.push(`${told(blow)}: not through: ${at.failures.join("; ")}`);
        }
        if (!at.opens(secret)) failed.push(`${told(blow)}: AWSCURRENT does not log in`);
        if (at.orders.length === 0) failed.push(`${told(blow)}: nobody ends the overlap`);
        const wrong = Object.entries(at.stages(secret)).filter(
          ([id, labels]) => labels.includes("AWSPENDING") && id !== token(1),
        );
        if (wrong.length > 0) failed.push(`${told(blow)}: AWSPENDING lies about`);
      }
    }
    expect(failed).toEqual([]);
  }, 120_000);
});
