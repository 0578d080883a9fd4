import {
  isOrdered,
  type Ordered,
  orderedKinds,
  type RotationMode,
  rotationModes,
} from "../../shared/rotation-order.ts";

/** What somebody typed after `rotate`. */
export type RotateWords =
  | { ordered: Ordered; does: "dry-run"; mode: RotationMode }
  | { ordered: Ordered; does: "ask"; mode: RotationMode; reason: string }
  /** `code`: the first digits of the plan's hash, as they were shown. */
  | { ordered: Ordered; does: "confirm"; code: string };

/** Undefined when it was not understood: nothing is guessed where a secret is changed. */
export const rotateOf = (words: readonly string[]): RotateWords | undefined => {
  const [ordered = "", what, ...more] = words;
  if (!isOrdered(ordered)) return undefined;
  if (what === undefined)
    return { ordered, does: "ask", mode: "usual", reason: "asked for by hand" };
  if (what === "dry-run") {
    const mode = more.length === 0 ? "usual" : rotationModes.find((one) => one === more[0]);
    return mode && more.length < 2 ? { ordered, does: "dry-run", mode } : undefined;
  }
  if (what === "confirm") {
    const [code = ""] = more;
    const isCode = more.length === 1 && /^[0-9a-f]{12,64}$/.test(code);
    return isCode ? { ordered, does: "confirm", code } : undefined;
  }
  if (what !== "compromise" && what !== "abandon") return undefined;
  const reason = more.join(" ").slice(0, 500);
  return reason.length < 3 ? undefined : { ordered, does: "ask", mode: what, reason };
};

export const rotateUsage =
  `rotate takes ${Object.keys(orderedKinds).join(", ")}, and after it nothing, dry-run, ` +
  "compromise <reason>, abandon <reason>, or confirm and the digits that were shown. " +
  "dry-run takes one of the two words as well.";
