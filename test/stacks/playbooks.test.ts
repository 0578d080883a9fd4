import { describe, expect, it } from "vitest";
import type { Recording } from "../../deploy/recording.ts";
import { alarmsOf, prefix } from "../../drills/alarms.ts";
import { playbooks } from "../../functions/remediation/playbooks.ts";
import config from "../../nightshift.config.ts";
import { platform } from "./drill.ts";
import { every, recorded } from "./recordings.ts";

const { primary, standby } = config.regions;
const kinds = [...new Set(playbooks.flatMap(({ alarms }) => alarms))].sort();

/** Alarms of the platform that no playbook is for, and why: people have them by e-mail all the same. */
const forPeople: Readonly<Record<string, string>> = {
  requests: "more or fewer users than usual is no trouble by itself; what they feel has alarms",
  "instance-cpu": "Auto Scaling has added what it may by then: latency decides about more",
  "database-transaction-ids": "vacuum is a person's work, with days of time for it",
  "cache-cpu": "one busy thread is cured by other commands, which are the application's",
};

const isOf = (name: string, kind: string) => name === kind || name.startsWith(`${kind}-`);

/** As triage finds it: the longest kind that a name begins with. */
const kindOf = (name: string) =>
  kinds.toSorted((a, b) => b.length - a.length).find((kind) => isOf(name, kind));

const namesIn = (recording: Recording, region: string): string[] =>
  ["metricAlarm:MetricAlarm", "compositeAlarm:CompositeAlarm"]
    .flatMap((type) => every(recording, `aws:cloudwatch/${type}`))
    .filter((alarm) => alarm.region === region)
    .map(({ inputs }) => String(inputs.alarmName ?? inputs.name))
    .map((name) => name.replace(`nightshift-${recording.stage}-`, ""));

const platformsOwn = alarmsOf(platform, platform.home).map(({ name }) => name);

describe("alarms and playbooks", () => {
  it.each(kinds)("%s, which a playbook is for, is an alarm in both regions", async (kind) => {
    const recording = await recorded("production");
    for (const region of [primary, standby]) {
      const found = namesIn(recording, region).filter((name) => kindOf(name) === kind);
      expect(found, `${kind} in ${region}`).not.toEqual([]);
    }
  });

  it("have a playbook for every alarm of the platform, or a reason why people have it", () => {
    const left = platformsOwn.filter(
      (name) => !kindOf(name) && !Object.keys(forPeople).some((kind) => isOf(name, kind)),
    );
    expect(left).toEqual([]);
  });

  it("give no reason for an alarm that does not exist, or that a playbook is for", () => {
    const idle = Object.keys(forPeople).filter(
      (kind) => kindOf(kind) || !platformsOwn.some((name) => isOf(name, kind)),
    );
    expect(idle).toEqual([]);
  });

  it("take no alarm about Nightshift itself for one of the platform", async () => {
    const recording = await recorded("production");
    const own = new Set([...platformsOwn, ...[primary, standby].map((of) => `region-lost-${of}`)]);
    for (const region of [primary, standby]) {
      const others = namesIn(recording, region).filter((name) => !own.has(name));
      expect(others.length).toBeGreaterThan(30);
      expect(others.filter((name) => kindOf(name) !== undefined)).toEqual([]);
    }
  });

  it("are called the same in a drill and in a deployment, whatever is before the kind", async () => {
    const deployed = namesIn(await recorded("production"), primary);
    expect(platformsOwn.filter((name) => !deployed.includes(name))).toEqual([]);
    expect(prefix).not.toContain("-");
  });
});
