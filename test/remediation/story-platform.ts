import { names } from "../../drills/names.ts";
import { loadGenerator } from "../../local/load/generator.ts";
import { seededRandom } from "../../shared/random.ts";
import { usersSend } from "../simulation/ground.ts";
import { approvesQuickly, type Stage } from "./platform.ts";
import type { Story } from "./stories.ts";

/** One instance that its group leaves alone. */
export const hostStory: Story = {
  playbook: "unhealthy-host",
  deed: "replace-instance",
  options: { writesPerSecond: 0.1, instances: 3 },
  ends: { end: "done", code: "healed" },
  arrange: async (at) => {
    const before = await at.serving();
    const { ids } = await at.sicken();
    return {
      wrongs: async () => {
        const gone = before.filter((id) => !ids.includes(id));
        const there = new Set((await at.members()).map(({ InstanceId }) => InstanceId));
        return gone.filter((id) => !there.has(id)).map((id) => `${id} was well and is gone`);
      },
    };
  },
};

/** Users are twice as many, and wait until there are more instances. */
export const latencyStory: Story = {
  playbook: "latency",
  deed: "grow-group",
  options: { writesPerSecond: 0.2, instances: 3, rights: { latency: "automatic" } },
  ends: { end: "done", code: "healed" },
  arrange: async (at) => {
    const { region, timeline } = at;
    const users = loadGenerator(
      {
        timeline,
        random: seededRandom("more users"),
        send: usersSend(at.cloud, at.platform.config.domain.name, timeline),
      },
      { perSecond: 0.6, accounts: ["account-1", "account-2"], prefix: "more-" },
    );
    users.start();
    let cure: (() => void) | null = null;
    const live = async () => {
      const isCrowded = (await at.serving()).length < 4;
      if (isCrowded) cure ??= at.cloud.fleet.ail({ region }, { is: "slow", milliseconds: 1500 });
      else {
        cure?.();
        cure = null;
      }
    };
    await live();
    const wrongs = async () => {
      const wanted = await desired(at);
      return wanted > 4 || wanted < 3 ? [`the group wants ${wanted} instances`] : [];
    };
    return { live, wrongs };
  },
};

const desired = async ({ cloud, region }: Stage): Promise<number> => {
  const { AutoScalingGroups } = await cloud.ask<{
    AutoScalingGroups: { DesiredCapacity: number }[];
  }>("auto-scaling", "DescribeAutoScalingGroups", region, {
    AutoScalingGroupNames: [names.group],
  });
  return AutoScalingGroups[0]?.DesiredCapacity ?? 0;
};

/** A disk that fills, and somebody who says yes. */
export const storageStory: Story = {
  playbook: "database-storage",
  deed: "grow-storage",
  options: { writesPerSecond: 0.1, instances: 2, people: [approvesQuickly] },
  ends: { end: "done", code: "healed" },
  arrange: async (at) => {
    const { databaseId } = at.platform.home;
    at.cloud.databases.strain(at.region, databaseId, {
      usedPercent: 88,
      growsGigabytesPerHour: 4,
    });
    return {
      wrongs: async () => {
        const { DBInstances } = await at.cloud.ask<{ DBInstances: { AllocatedStorage: number }[] }>(
          "rds",
          "DescribeDBInstances",
          at.region,
          { DBInstanceIdentifier: databaseId },
        );
        const now = DBInstances[0]?.AllocatedStorage;
        return now === 100 || now === 120 ? [] : [`its storage is ${now} GB`];
      },
    };
  },
};
