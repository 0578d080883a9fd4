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
const stride = 6;

/** Those of a call that no other story makes: without an answer, in turn, and what differs by its effect. */
const tellingAt = (label: string, turn: number): Blow[] => {
  const silent = blowsAt(label).slice(0, 3);
  const rest = blowsAt(label).slice(3);
  const telling = rest.filter((blow) =>
    blow.is === "fault" ? true : !reads.test(label) && "phase" in blow && blow.phase === "after",
  );
  return [...silent.slice(turn % silent.length).slice(0, 1), ...telling];
};

/**
 * A share that the stories have between them. A call that only this story makes meets the blows that tell
 * most; of what the engine does for every playbook a quarter meets one blow in each story, others in turn.
 */
export const shareOf = (all: readonly (readonly string[])[], story: number): Blow[] => {
  const own = all[story] ?? [];
  const others = new Set(all.flatMap((labels, index) => (index === story ? [] : labels)));
  const inTurn = own.flatMap((label, index) => {
    const blows = blowsAt(label);
    if (!others.has(label)) return tellingAt(label, index);
    const turn = Math.floor((index + story) / 4) % blows.length;
    return (index + story) % 4 === 0 ? blows.slice(turn, turn + 1) : [];
  });
  const kills = Array.from({ length: Math.floor(checkpoints / stride) }, (_, index): Blow => {
    const number = 1 + (story % stride) + index * stride;
    return { is: "killed-at-checkpoint", number, phase: index % 2 === 0 ? "before" : "after" };
  });
  return [...inTurn, ...kills];
};
