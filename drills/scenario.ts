import type { Script } from "../local/slack/operators.ts";
import type { Config } from "../shared/config.ts";
import type { Findings } from "./findings.ts";
import type { Site } from "./platform.ts";
import type { Recorder } from "./recorder.ts";
import type { Check, Phase, Sample } from "./report.ts";
import type { DrillWorld } from "./world.ts";

/** What is told while a drill goes on. */
export interface ScenarioOptions {
  seed: string;
  /** Modelled seconds in a real one. */
  speed: number;
  /** Told of every sample, for the live view. */
  onSample(sample: Omit<Sample, "atSeconds"> & { atMilliseconds: number }): void;
  /** Called when the incident has begun, with its instant. */
  onIncident(atMilliseconds: number): void;
}

/** Where a scenario does its work. */
export interface Stage {
  world: DrillWorld;
  seen: Recorder;
  seed: string;
}

/** - `loss`: nothing answers any more. `cut`: it lives behind a partition. `planned`: it is well. */
export type IncidentKind = "loss" | "cut" | "planned";

/** Something that has begun: all times of the report count from it. */
export interface Incident {
  kind: IncidentKind;
  /** Modelled milliseconds since 1970. */
  atMilliseconds: number;
  text: string;
  /** What had happened before it was an earlier move's: its losses are that move's. */
  sinceMilliseconds?: number;
  /** What a reader of the figures has to know besides; a sentence. */
  caveat?: string;
  /** What was done before it, for the timeline. */
  earlier?: readonly EarlierPhase[];
  /** Ends what goes on beside the run; called when the run has ended. */
  stop?(): void;
  /** What this incident asks for beyond what is asked of every move. */
  checks?(findings: Findings): Check[] | Promise<Check[]>;
}

/** A stretch of time before the incident, at its modelled instants. */
export interface EarlierPhase extends Pick<Phase, "name" | "on"> {
  fromMilliseconds: number;
  toMilliseconds: number;
}

export interface Scenario {
  name: string;
  /** One sentence for the list of scenarios; the regions are not named. */
  about: string;
  /** Who presses the buttons in Slack, unless somebody sits at the terminal. */
  people: readonly Script[];
  /**
   * What users may lose at most: nothing at all, the operator's objective, or, where the old region
   * goes on acknowledging behind a partition, only what was stated.
   */
  mayLose: "nothing" | "objective" | "stated";
  /** Where the platform goes; to the standby region when left out. */
  towards?: "home";
  /** What differs from the operator's own policy, for a story that would take too long to watch. */
  policy?: Partial<Config["failover"]>;
  /** Makes it happen; resolves once it has begun. */
  strike(stage: Stage): Promise<Incident>;
  /** Makes the old database readable for the judge. */
  openOld(world: DrillWorld): Promise<void>;
}

/** The region that the scenario's move leaves, and the one that it goes to. */
export const directionOf = (
  { platform }: Pick<DrillWorld, "platform">,
  { towards }: Pick<Scenario, "towards">,
): { from: Site; to: Site } =>
  towards === "home"
    ? { from: platform.standby, to: platform.home }
    : { from: platform.home, to: platform.standby };
