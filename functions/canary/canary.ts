import type { Look, Verdict } from "./decide.ts";
import { judgeActive, judgePublic, judgeRegion } from "./decide.ts";

export interface CanaryPorts {
  observer: string;
  /** The regions that can be active. */
  regions: string[];
  lookAtRegion(region: string): Promise<Look>;
  lookAtPublicName(): Promise<Look>;
  /** Every region that may have to decide on it. */
  reportTo: string[];
  report(region: string, told: Told[]): Promise<void>;
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
  await reportAll(ports, told);
  return { observer: ports.observer, told };
};

/**
 * Fails when a report did not arrive, so that the silence is seen. A region that this very look has
 * found lost is expected not to take one; but when none arrives anywhere it is the observer who is cut
 * off, and whatever he saw explains nothing.
 */
const reportAll = async (ports: CanaryPorts, told: Told[]): Promise<void> => {
  const lost = told.flatMap(({ subject, verdict }) =>
    subject.kind === "region" && !verdict.well ? [subject.region] : [],
  );
  const sent = await Promise.allSettled(ports.reportTo.map((region) => ports.report(region, told)));
  const arrived = sent.some(({ status }) => status === "fulfilled");
  for (const [index, each] of sent.entries()) {
    const isExpected = arrived && lost.includes(ports.reportTo[index] ?? "");
    if (each.status === "rejected" && !isExpected) throw each.reason;
  }
};
