import { check } from "./checks.ts";
import type { Site } from "./platform.ts";
import type { Check } from "./report.ts";
import type { DrillWorld } from "./world.ts";

interface RecordSet {
  SetIdentifier?: string;
  Failover?: string;
  HealthCheckId?: string;
}

/** The public name leads to `site`, and goes on following its health check. */
export const publicNameChecks = async (world: DrillWorld, site: Site): Promise<Check[]> => {
  const { cloud, config, platform } = world;
  const { ResourceRecordSets } = await cloud.ask<{ ResourceRecordSets: RecordSet[] }>(
    "route-53",
    "ListResourceRecordSets",
    "us-east-1",
    { HostedZoneId: platform.zoneId },
  );
  const sets = ResourceRecordSets.filter(({ SetIdentifier }) => SetIdentifier);
  const primary = sets.find(({ Failover }) => Failover === "PRIMARY");
  const there = cloud.balancers.addressesOf(site.loadBalancerName);
  const { records } = cloud.names.answer(config.domain.name, "A");
  const answers = records.map(({ value }) => value);
  const last = world.users.acknowledged.at(-1);
  return [
    check(
      "the public name leads to the active region, by its health check",
      primary?.HealthCheckId !== undefined && answers.some((value) => there.includes(value)),
      `${site.region}, with a health check`,
      `${answers.join(", ") || "no answer"}, ${primary?.HealthCheckId ? "with" : "without"} one`,
    ),
    check(
      "the last write that a user made was taken there",
      last?.region === site.region,
      site.region,
      last?.region,
    ),
  ];
};
