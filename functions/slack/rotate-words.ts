import {
  isOrdered,
  type Ordered,
  orderedKinds,
  type RotationMode,
} from "../../shared/rotation-order.ts";

/** What somebody typed after `rotate`. */
export type RotateWords =
  | { ordered: Ordered; does: "dry-run" }
  | { ordered: Ordered; does: "ask"; mode: RotationMode; reason: string }
  /** `code`: the first digits of the plan's hash, as they were shown. */
  | { ordered: Ordered; does: "confirm"; code: string };

/** Undefined when it was not understood: nothing is guessed where a secret is changed. */
export const rotateOf = (words: readonly string[]): RotateWords | undefined => {
  const [ordered = "", what, ...more] = words;
  if (!isOrdered(ordered)) return undefined;
  if (what === undefined)
    return { ordered, does: "ask", mode: "usual", reason: "asked for by hand" };
  if (what === "dry-run") return more.length === 0 ? { ordered, does: "dry-run" } : undefined;
  if (what === "confirm") {
    const [code = ""] = more;
    const isCode = more.length === 1 && /^[0-9a-f]{12,64}$/.test(code);
    return isCode ? { ordered, does: "confirm", code } : undefined;
  }
  if (what !== "compromise") return undefined;
  const reason = more.join(" ").slice(0, 500);
  return reason.length < 3 ? undefined : { ordered, does: "ask", mode: "compromise", reason };
};

export const rotateUsage =
  `rotate takes ${Object.keys(orderedKinds).join(", ")}, and after it nothing, dry-run, ` +
  "compromise <reason>, or confirm and the digits that were shown.";
