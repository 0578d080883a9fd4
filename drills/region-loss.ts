import { approvers } from "./people.ts";
import type { Incident, Scenario, Stage } from "./scenario.ts";
import type { DrillWorld } from "./world.ts";

/** The home region loses its power, now. */
export const lose = ({ world }: Stage): Incident => {
  const { timeline, network, platform } = world;
  const atMilliseconds = timeline.now();
  network.set(platform.home.region, "dead");
  return {
    kind: "loss",
    atMilliseconds,
    text: `${platform.home.region} loses its power: nothing in it answers any more`,
  };
};

/** The old disk is read by starting its server once more, out of everybody's reach. */
export const openLost = ({ engine, platform }: DrillWorld): Promise<void> =>
  engine.start(platform.home.engineId);

export const regionLoss: Scenario = {
  name: "region-loss",
  about: "the home region loses its power under load, and the platform moves",
  people: approvers,
  mayLose: "objective",
  strike: async (stage) => lose(stage),
  openOld: openLost,
};
