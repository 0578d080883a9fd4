import type { Look, Verdict } from "./decide.ts";
import { judgePublic, judgeRegion } from "./decide.ts";

export interface CanaryPorts {
  observer: string;
  /** The regions that are watched, except the observer's own. */
  regions: string[];
  lookAtRegion(region: string): Promise<Look>;
  lookAtPublicName(): Promise<Look>;
  /** Reports to every region that may have to decide on it. */
  report(verdicts: { place: string; verdict: Verdict }[]): Promise<void>;
}

/** One look from here at the other regions and the public name, told as metrics. */
export const look = async (ports: CanaryPorts) => {
  const [publicName, ...regions] = await Promise.all([
    ports.lookAtPublicName().then((seen) => ({ place: "public", verdict: judgePublic(seen) })),
    ...ports.regions.map(async (place) => ({
      place,
      verdict: judgeRegion(await ports.lookAtRegion(place)),
    })),
  ]);
  const verdicts = [publicName, ...regions];
  await ports.report(verdicts);
  return { observer: ports.observer, verdicts };
};
