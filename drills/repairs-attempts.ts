import type { Result } from "../functions/remediation/remediation.ts";
import type { Execution } from "../local/lambda/store.ts";
import type { Entry } from "../shared/journal.ts";
import type { Scene } from "./repairs-scene.ts";
import type { RepairStory } from "./repairs-stories.ts";

/** The durable executions of repairs in the scene's region, oldest first. */
export const attemptsIn = ({ world, region }: Pick<Scene, "world" | "region">): Execution[] =>
  world.cloud.functions.executions(region, "remediation");

/** How an attempt ended; undefined while it goes on, or when it ended without a word. */
export const resultOf = ({ status, result }: Execution): Result | undefined =>
  status === "SUCCEEDED" && result !== undefined ? (JSON.parse(result) as Result) : undefined;

/** Whether this attempt is the answer to the story: a repair may need more than one look. */
export const isAnswer = (story: RepairStory, attempt: Execution): boolean => {
  if (attempt.status !== "SUCCEEDED") return attempt.status !== "RUNNING";
  const result = resultOf(attempt);
  if (!result || result.playbook !== story.playbook) return false;
  const isFinal = result.end === "done" || result.end === "needs-human" || result.end === "shadow";
  // One that has come to nothing for now is an answer only where nothing is expected.
  return isFinal || result.end === story.expects.end;
};

/** The instants of a run, by the keys of its journal. */
export interface Instants {
  begun: number | undefined;
  decided: number | undefined;
  asked: number | undefined;
  approved: number | undefined;
  deed: number | undefined;
  acted: number | undefined;
  ended: number | undefined;
}

export const instantsOf = (entries: readonly Entry[]): Instants => {
  const at = (key: string) => entries.find((entry) => entry.key === key)?.atMilliseconds;
  return {
    begun: at("begin"),
    decided: at("diagnosis"),
    asked: at("asked"),
    approved: at("approved"),
    deed: at("deed"),
    acted: at("acted"),
    ended: at("end"),
  };
};
