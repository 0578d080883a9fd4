import { expect } from "vitest";
import type { ReadinessReport } from "../../functions/readiness/readiness.ts";
import { keepProof } from "../../shared/proof.ts";
import type { Check, Readiness } from "../../shared/readiness.ts";
import { type Stage, stage } from "../failover/stage.ts";

const dayMilliseconds = 86_400_000;

/** The platform as others have it, in which somebody has once rehearsed a move to the standby. */
export const looked = async (options: Parameters<typeof stage>[0] = {}) => {
  const at = await stage(options);
  const { standby, home } = at.platform;
  for (const { region } of [home, standby]) {
    const atMilliseconds = at.timeline.now() - 7 * dayMilliseconds;
    const proof = { region, run: "rehearsal-1", kind: "rehearsal" as const, atMilliseconds };
    await at.timeline.run(keepProof(at.table, proof));
  }
  return at;
};

/** One look of a region now, through the handler. */
export const look = async (
  at: Pick<Stage, "cloud" | "timeline">,
  region: string,
): Promise<ReadinessReport> => {
  const asked = at.cloud.ask<{ Payload: Uint8Array; FunctionError?: string }>(
    "lambda",
    "Invoke",
    region,
    { FunctionName: "readiness", Payload: Buffer.from("{}") },
  );
  const { Payload, FunctionError } = await at.timeline.run(asked, 120_000);
  const text = Buffer.from(Payload).toString();
  if (FunctionError) throw new Error(text);
  return JSON.parse(text) as ReadinessReport;
};

/** The active region keeps what it knows, and then the other one judges itself. */
export const lookAll = async (at: Stage): Promise<ReadinessReport> => {
  await look(at, at.platform.home.region);
  return look(at, at.platform.standby.region);
};

export const kept = async (at: Stage, region: string): Promise<Readiness> => {
  const items = await at.items("nightshift-coordination");
  return items.find(({ id }) => id === `readiness#${region}`) as unknown as Readiness;
};

export const checkOf = async (at: Stage, name: string): Promise<Check> => {
  const { checks } = await kept(at, at.platform.standby.region);
  const found = checks.find((each) => each.name === name);
  if (!found) throw new Error(`there is no check ${name}`);
  return found;
};

/** The newest value of a metric that a region has told its own CloudWatch. */
export const metric = async (
  at: Stage,
  name: string,
  region: string,
  dimension: { Name: string; Value: string },
): Promise<number | undefined> => {
  const now = at.timeline.now();
  const { Datapoints } = await at.cloud.ask<{ Datapoints: { Timestamp: Date; Minimum: number }[] }>(
    "cloudwatch",
    "GetMetricStatistics",
    region,
    {
      Namespace: "Nightshift",
      MetricName: name,
      Dimensions: [dimension],
      StartTime: new Date(now - 600_000),
      EndTime: new Date(now + 60_000),
      Period: 60,
      Statistics: ["Minimum"],
    },
  );
  expect(Datapoints.length, `${name} of ${region} was told`).toBeGreaterThan(0);
  return Datapoints.toSorted((a, b) => a.Timestamp.getTime() - b.Timestamp.getTime()).at(-1)
    ?.Minimum;
};
