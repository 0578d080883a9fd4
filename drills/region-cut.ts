import { fenceCheck } from "./fence.ts";
import { approvers } from "./people.ts";
import type { Scenario } from "./scenario.ts";

/** The old primary lives behind a partition and has to stop itself before another one begins. */
export const regionCut: Scenario = {
  name: "region-cut",
  about: "the home region is cut off but alive, and must fence itself before any promotion",
  people: approvers,
  mayLose: "stated",
  strike: async ({ world }) => {
    const { timeline, network, platform } = world;
    const { region } = platform.home;
    const atMilliseconds = timeline.now();
    network.set(region, "cut", { usersReachIt: true });
    return {
      kind: "cut",
      atMilliseconds,
      text: `${region} is cut off from all other regions; users still reach it, and it serves them`,
      checks: async () => [await fenceCheck(world, platform.home)],
    };
  },
  openOld: async () => undefined,
};
