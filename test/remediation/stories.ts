import type { DeedName } from "../../functions/remediation/actions.ts";
import type { AttemptEnd } from "../../shared/incident.ts";
import type { Stage, StageOptions } from "./platform.ts";
import { deployStory, errorStory, memoryStory } from "./story-application.ts";
import { certificateStory } from "./story-certificate.ts";
import { connectionsStory } from "./story-connections.ts";
import { primaryStory } from "./story-database.ts";
import { hostStory, latencyStory, storageStory } from "./story-platform.ts";

/** Trouble that one playbook is for, in a form in which it can be disturbed at every point. */
export interface Story {
  playbook: string;
  deed: DeedName;
  options: StageOptions;
  /** Makes the trouble on a platform that is well. What comes back is called every 30 s of the story. */
  arrange(at: Stage): Promise<Lives>;
  /** How its last attempt ends when nothing disturbs it. */
  ends: { end: AttemptEnd; code: string };
  /** How many different changing calls the deed is made of, its undo not among them; one when left out. */
  changes?: number;
  /** Its alarm rings for hours after the repair, and this is how the last look at it ends. */
  goesOnUntil?: AttemptEnd;
  /** It takes hours of modelled time, so that a smaller share of what can befall it is tried each time. */
  isLong?: true;
}

export interface Lives {
  /** What the world does meanwhile, such as to be quicker once there are more instances. */
  live?(): Promise<void> | void;
  /** What must hold at any time, however it is disturbed: what does not, as sentences. */
  wrongs(): Promise<string[]>;
}

/** Every playbook that has a deed is in it, with a story for each deed. */
export const stories: readonly Story[] = [
  hostStory,
  latencyStory,
  storageStory,
  connectionsStory,
  primaryStory,
  errorStory,
  deployStory,
  memoryStory,
  certificateStory,
];
