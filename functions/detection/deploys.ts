import { sentence } from "../../shared/outcome.ts";
import type { Upheaval } from "../../shared/upheaval.ts";

/** The newest instance refresh of a region's group, as Auto Scaling tells of it. */
export interface Refresh {
  id: string;
  status: string;
  startedAtMilliseconds: number;
  /** Null while it is under way. */
  endedAtMilliseconds: number | null;
  percentComplete: number;
}

/** A bad image shows itself some minutes after the last instance was replaced. */
const lingersSeconds = 600;
/** What was under way when the region fell silent is named for so long; nobody there can end it. */
const rememberedSeconds = 900;

/** A deploy as a rival explanation, from the region's own look at it; null when there is none. */
export const deployOf = (refresh: Refresh | null, region: string, now: number): Upheaval | null => {
  if (!refresh) return null;
  const { id, status, startedAtMilliseconds, endedAtMilliseconds, percentComplete } = refresh;
  const untilMilliseconds =
    endedAtMilliseconds === null
      ? now + rememberedSeconds * 1000
      : endedAtMilliseconds + lingersSeconds * 1000;
  if (untilMilliseconds <= now) return null;
  return {
    region,
    kind: "deploy",
    by: "Auto Scaling",
    reason: `instance refresh ${id} is ${status}, ${percentComplete} % of it done`,
    sinceMilliseconds: startedAtMilliseconds,
    untilMilliseconds: Math.floor(untilMilliseconds),
  };
};

export interface DeployPorts {
  region: string;
  now(): number;
  newestRefresh(): Promise<Refresh | null>;
  declare(upheaval: Upheaval): Promise<void>;
}

/**
 * Each minute, in the region itself: once it is lost nobody can ask it any more what was being done to
 * it. Gives back why it failed, so that a group that cannot be seen delays no proposal.
 */
export const noteDeploy = async (ports: DeployPorts): Promise<string | null> => {
  try {
    const deploy = deployOf(await ports.newestRefresh(), ports.region, ports.now());
    if (deploy) await ports.declare(deploy);
    return null;
  } catch (error) {
    // Told by the caller once the alarms have been looked at, which matter more.
    return sentence(error);
  }
};
