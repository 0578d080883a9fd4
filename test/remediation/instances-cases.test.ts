import { describe, expect, it } from "vitest";
import type {
  CapacitySeen,
  HostMemory,
  ZoneSeen,
} from "../../functions/remediation/evidence-application.ts";
import { instanceMemory } from "../../functions/remediation/playbooks/instance-memory/playbook.ts";
import { zoneImpairment } from "../../functions/remediation/playbooks/zone-impairment/playbook.ts";
import { playbook } from "../../functions/remediation/playbooks.ts";
import { ids, refresh, release, table, traffic, usual, zone } from "./application-facts.ts";
import { minute, now, type Seen, verdictOf } from "./facts.ts";

describe("the playbook instance-memory", () => {
  const one = playbook(instanceMemory);
  const host = (id: string, percent: number | null, version = "3"): HostMemory => ({
    id,
    zone: "a",
    version,
    percent,
  });
  const memory = (...hosts: HostMemory[]) => ({ memory: { boundPercent: 85, hosts } });
  const startedAt = "2026-11-21T20:00:00.123456789Z";
  const full = memory(host(ids[0], 97), host(ids[1], 50), host(ids[2], 50));
  const base: Seen = {
    ...usual,
    ...full,
    container: { instance: ids[0], startedAt, lines: ["uses 7.4GiB"] },
    deeds: [],
  };
  const deed = (hoursAgo: number, resource = `instance:${ids[0]}`) => ({
    deeds: [
      {
        by: "instance-memory",
        deed: "restart-container",
        resource,
        atMilliseconds: now - hoursAgo * 60 * minute,
      },
    ],
  });
  table(one, base, [
    ["one of three is full", {}, ["one-host", "ask"]],
    ["none is full any more", memory(host(ids[0], 60)), ["recovered", "passed"]],
    ["one tells nothing", memory(host(ids[0], 97), host(ids[1], null)), ["unknown", "nothing"]],
    ["memory cannot be seen", { memory: undefined }, ["unknown", "nothing"]],
    ["nobody knows what was done before", { deeds: undefined }, ["unknown", "nothing"]],
    ["nobody knows of deploys", { release: undefined }, ["unknown", "nothing"]],
    ["a deploy replaces instances", release(refresh()), ["deploy-under-way", "nothing"]],
    [
      "two of one image are full",
      memory(host(ids[0], 97), host(ids[1], 91)),
      ["leak-of-the-image", "people"],
    ],
    [
      "two of two images are full",
      memory(host(ids[0], 97), host(ids[1], 91, "4")),
      ["several-hosts", "people"],
    ],
    ["its container cannot be looked into", { container: undefined }, ["unknown", "nothing"]],
    [
      "it has no container at this moment",
      { container: { instance: ids[0], startedAt: null, lines: [] } },
      ["unknown", "nothing"],
    ],
    [
      "another was looked into",
      { container: { instance: ids[1], startedAt, lines: [] } },
      ["unknown", "nothing"],
    ],
    ["it was restarted three hours ago", deed(3), ["restarted-before", "ask"]],
    ["it was restarted the day before", deed(25), ["one-host", "ask"]],
    ["another was restarted", deed(3, `instance:${ids[1]}`), ["one-host", "ask"]],
  ]);

  it("restarts the container that was seen, and replaces the host that is full again", () => {
    expect(verdictOf(one, base).decision).toMatchObject({
      deed: { do: "restart-container", target: { group: "platform", instance: ids[0], startedAt } },
    });
    expect(verdictOf(one, { ...base, ...deed(3) }).decision).toMatchObject({
      deed: { do: "replace-instance", target: { instance: ids[0], sign: "memory" } },
    });
  });
});

describe("the playbook zone-impairment", () => {
  const one = playbook(zoneImpairment);
  const balancerArn =
    "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/platform/1";
  const capacity = (more: Partial<CapacitySeen> = {}) => ({
    capacity: { hours: 24, peakPerMinute: 900, peakCpuPercent: 40, balancerArn, ...more },
  });
  const lost = zone("eu-central-1a", { errors: 120, healthy: 0, unhealthy: 2 });
  const others = [zone("eu-central-1b"), zone("eu-central-1c")];
  const zones = (...seen: ZoneSeen[]) => traffic({ zones: seen });
  const six = { ...usual.group, desired: 6 } as NonNullable<Seen["group"]>;
  const base: Seen = { ...usual, ...zones(lost, ...others), ...capacity(), group: six };
  table(one, base, [
    ["both signs agree and the others are well", {}, ["zone-impaired", "people"]],
    ["no zone shows a sign", zones(zone("a"), ...others), ["recovered", "passed"]],
    [
      "only its hosts are unhealthy",
      zones({ ...lost, errors: 0 }, ...others),
      ["one-sign", "passed"],
    ],
    [
      "only its requests fail",
      zones({ ...lost, healthy: 2, unhealthy: 0 }, ...others),
      ["one-sign", "passed"],
    ],
    [
      "another zone is not well either",
      zones(lost, zone("b", { errors: 40 }), zone("c")),
      ["several-zones", "passed"],
    ],
    [
      "nobody has measured another zone",
      zones(lost, zone("b", { healthy: null, unhealthy: null }), zone("c")),
      ["one-sign", "passed"],
    ],
    ["there is no other zone", zones(lost), ["unknown", "nothing"]],
    ["the zones cannot be seen", { traffic: undefined }, ["unknown", "nothing"]],
    ["a deploy replaces instances", release(refresh()), ["deploy-under-way", "passed"]],
    [
      "the others were busy already",
      capacity({ peakCpuPercent: 70 }),
      ["too-little-elsewhere", "people"],
    ],
    [
      "nobody knows how busy they were",
      capacity({ peakCpuPercent: null }),
      ["too-little-elsewhere", "people"],
    ],
    [
      "what they carried cannot be seen",
      { capacity: undefined },
      ["too-little-elsewhere", "people"],
    ],
  ]);

  it("says the whole command, what is left without the zone, and how many to add when it is too few", () => {
    const { finding } = verdictOf(one, base);
    expect(finding.says).toContain("4 of 6 instances would be left");
    expect(finding.says).toContain("they would be 60 % busy");
    expect(finding.advice.join("\n")).toContain(
      `start-zonal-shift --region eu-central-1 --resource-identifier ${balancerArn}`,
    );
    const busy = verdictOf(one, { ...base, ...capacity({ peakCpuPercent: 70 }) });
    // 70 % of six are 105 % of four: it takes six to be at 80 % or below.
    expect(busy.finding.advice.join("\n")).toContain("Grow the group by 2 first");
  });

  it("has no deed", () => {
    expect(Object.keys(one.decide)).toEqual([]);
  });
});
