import type { Look, Verdict } from "./decide.ts";
import { judgeActive, judgePublic, judgeRegion } from "./decide.ts";

export interface CanaryPorts {
  observer: string;
  /** The regions that can be active. */
  regions: string[];
  lookAtRegion(region: string): Promise<Look>;
  lookAtPublicName(): Promise<Look>;
  /** Reports to every region that may have to decide on it. */
  report(told: Told[]): Promise<void>;
}

/** What a verdict is about: a region, the public name, or whether anybody is active at all. */
export type Subject = { kind: "region"; region: string } | { kind: "public" } | { kind: "active" };

export interface Told {
  subject: Subject;
  verdict: Verdict;
}

/** One look from here at the regions and the public name, told as metrics. */
export const look = async (ports: CanaryPorts): Promise<{ observer: string; told: Told[] }> => {
  const [publicName, ...looks] = await Promise.all([
    ports.lookAtPublicName(),
    ...ports.regions.map((region) => ports.lookAtRegion(region)),
  ]);
  const seen = ports.regions.flatMap((place, index) => {
    const found = looks[index];
    return found ? [{ place, look: found }] : [];
  });
  const told: Told[] = [
    { subject: { kind: "public" }, verdict: judgePublic(publicName) },
    { subject: { kind: "active" }, verdict: judgeActive(seen) },
    // Nobody is a witness of the loss of the region he stands in.
    ...seen
      .filter(({ place }) => place !== ports.observer)
      .map(
        ({ place, look: found }): Told => ({
          subject: { kind: "region", region: place },
          verdict: judgeRegion(found),
        }),
      ),
  ];
  await ports.report(told);
  return { observer: ports.observer, told };
};
