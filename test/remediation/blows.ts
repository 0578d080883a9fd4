import type { FaultKind } from "../../local/aws/faults.ts";
import type { Blow, Phase } from "./disturbed.ts";

const reads = /\.(?:Describe|Get|List|Query|Scan)/;

/** A read has no effect, so that no answer is no answer, and a death after it is one before the next call. */
const blowsAt = (label: string): Blow[] => {
  const faults: FaultKind[] = ["throttle", "error", "timeout-before"];
  const struck = (fault: FaultKind): Blow => ({ is: "fault", label, fault });
  const killed = (phase: Phase): Blow => ({ is: "killed-at-call", label, phase });
  if (reads.test(label)) return [...faults.map(struck), struck("stale"), killed("before")];
  return [
    ...faults.map(struck),
    struck("timeout-after"),
    ...(["before", "after"] as const).map(killed),
  ];
};

/** More than any story has; a story that has fewer is not disturbed by the rest. */
const checkpoints = 60;

/** All that can befall a story whose calls are these. */
export const everyBlow = (labels: readonly string[]): Blow[] => [
  ...labels.flatMap(blowsAt),
  ...Array.from({ length: checkpoints }, (_, index) => index + 1).flatMap((number) =>
    (["before", "after"] as const).map(
      (phase): Blow => ({ is: "killed-at-checkpoint", number, phase }),
    ),
  ),
];

/** Of so many checkpoints one is tried in a story; the next story tries the one after it. */
const stride = 17;
/** So many blows to calls at most in each story, besides those to its own changes. */
const most = 5;

/**
 * A share that the stories have between them. The changes that only this story makes meet all of their
 * blows; every other call meets one, another in each story, and each story takes some of them in turn.
 */
export const shareOf = (
  all: readonly (readonly string[])[],
  story: number,
  isLong = false,
): Blow[] => {
  const labels = all[story] ?? [];
  const others = new Set(all.flatMap((each, index) => (index === story ? [] : each)));
  const isOwnChange = (label: string) => !reads.test(label) && !others.has(label);
  const rest = labels.filter((label) => !isOwnChange(label));
  const step = Math.max(1, Math.ceil(rest.length / (isLong ? most / 3 : most)));
  const inTurn = rest.flatMap((label, index) => {
    if ((index + story) % step !== 0) return [];
    const blows = blowsAt(label);
    const turn = (Math.floor(index / step) + story) % blows.length;
    return blows.slice(turn, turn + 1);
  });
  const apart = isLong ? 2 * stride : stride;
  const kills = Array.from({ length: Math.floor(checkpoints / apart) }, (_, index): Blow => {
    const number = 1 + (story % stride) + index * apart;
    return { is: "killed-at-checkpoint", number, phase: index % 2 === 0 ? "before" : "after" };
  });
  return [...labels.filter(isOwnChange).flatMap(blowsAt), ...inTurn, ...kills];
};
