import { names } from "../../drills/names.ts";
import { commands } from "../../drills/remediation.ts";
import { approvesQuickly, type Stage } from "./platform.ts";
import type { Story } from "./stories.ts";

/** One instance of three passes its health checks and answers users with errors. */
export const errorStory: Story = {
  playbook: "error-rate",
  deed: "replace-instance",
  options: {
    writesPerSecond: 0.15,
    instances: 3,
    rights: { "error-rate": "automatic" },
    // Asked when it cannot be read how the playbook has done.
    people: [approvesQuickly],
  },
  ends: { end: "done", code: "healed" },
  arrange: async (at) => {
    const before = await at.serving();
    const [bad = ""] = before;
    at.cloud.fleet.ail({ region: at.region, instanceId: bad }, { is: "errors" });
    return {
      wrongs: async () => {
        const there = new Set((await at.members()).map(({ InstanceId }) => InstanceId));
        const gone = before.filter((id) => id !== bad && !there.has(id));
        return gone.map((id) => `${id} was well and is gone`);
      },
    };
  },
};

/** A deploy to a version whose instances answer users with errors; nobody watches it. */
export const deploy = async (at: Stage, preferences: object = {}): Promise<string> => {
  await at.cloud.ask("ec2", "CreateLaunchTemplateVersion", at.region, {
    LaunchTemplateName: names.group,
    SourceVersion: "1",
    LaunchTemplateData: { InstanceType: "m7g.large" },
  });
  const { InstanceRefreshId } = await at.cloud.ask<{ InstanceRefreshId: string }>(
    "auto-scaling",
    "StartInstanceRefresh",
    at.region,
    {
      AutoScalingGroupName: names.group,
      DesiredConfiguration: {
        LaunchTemplate: { LaunchTemplateName: names.group, Version: "2" },
      },
      // New ones are ready before old ones go, so that nobody is missing meanwhile.
      Preferences: { MinHealthyPercentage: 100, InstanceWarmup: 600, ...preferences },
    },
  );
  return InstanceRefreshId;
};

export const refreshOf = async (at: Stage) => {
  const { InstanceRefreshes } = await at.cloud.ask<{
    InstanceRefreshes: { InstanceRefreshId: string; Status: string }[];
  }>("auto-scaling", "DescribeInstanceRefreshes", at.region, {
    AutoScalingGroupName: names.group,
  });
  return InstanceRefreshes[0];
};

export const badImage = (at: Stage) =>
  at.cloud.fleet.ail(
    { region: at.region, launchTemplate: names.group, templateVersion: 2 },
    { is: "errors" },
  );

export const deployStory: Story = {
  playbook: "bad-deploy",
  deed: "rollback-refresh",
  options: {
    writesPerSecond: 0.15,
    instances: 3,
    rights: { "bad-deploy": "automatic" },
    // Asked when it cannot be read how the playbook has done: a deploy does not wait for an answer.
    people: [approvesQuickly],
  },
  ends: { end: "done", code: "healed" },
  arrange: async (at) => {
    badImage(at);
    await deploy(at);
    return {
      wrongs: async () => {
        const status = (await refreshOf(at))?.Status ?? "gone";
        return /^(Successful|Failed|Cancelled|RollbackFailed)$/.test(status)
          ? [`the deploy is ${status}`]
          : [];
      },
    };
  },
};

/** Docker on each instance: what it says, and how often it was told to begin anew. */
export const docker = (at: Stage) => {
  const started = new Map<string, string>();
  const restarts: string[] = [];
  const leaks = new Map<string, () => void>();
  const startedOf = (id: string) => started.get(id) ?? "2026-11-21T20:00:00.123456789Z";
  at.cloud.commands.register(commands.inspect, async ({ instanceId }) => ({
    code: 0,
    output: `started ${startedOf(instanceId)}\nuses 7.4GiB / 7.6GiB 97.3 %\noom-kill: none`,
  }));
  const restart = async (instanceId: string, startedAt: string | undefined) => {
    if (startedAt !== startedOf(instanceId)) return { code: 0, output: "another" };
    await at.timeline.sleep(20_000);
    started.set(instanceId, new Date(at.timeline.now()).toISOString());
    restarts.push(instanceId);
    leaks.get(instanceId)?.();
    return { code: 0, output: "restarted" };
  };
  // One after the other on a machine, as the document's lock has it.
  const turns = new Map<string, Promise<unknown>>();
  at.cloud.commands.register(commands.restart, ({ instanceId, parameters }) => {
    const [startedAt] = parameters.startedAt ?? [];
    const before = turns.get(instanceId) ?? Promise.resolve();
    const turn = before.then(() => restart(instanceId, startedAt));
    turns.set(instanceId, turn);
    return turn;
  });
  return {
    restarts,
    /** Its memory fills until its container is started anew, or for good. */
    leak: (instanceId: string, memoryPercent = 97): (() => void) => {
      const cure = at.cloud.fleet.ail(
        { region: at.region, instanceId },
        { is: "leaks", memoryPercent },
      );
      leaks.set(instanceId, cure);
      return cure;
    },
  };
};

/** The container of one instance of three leaks, and somebody says yes to starting it anew. */
export const memoryStory: Story = {
  playbook: "instance-memory",
  deed: "restart-container",
  options: {
    writesPerSecond: 0.1,
    instances: 3,
    rights: { "instance-memory": "ask" },
    people: [approvesQuickly],
  },
  ends: { end: "done", code: "healed" },
  arrange: async (at) => {
    const { restarts, leak } = docker(at);
    const before = await at.serving();
    leak(before[0] ?? "");
    return {
      wrongs: async () => {
        const there = new Set((await at.members()).map(({ InstanceId }) => InstanceId));
        const gone = before.filter((id) => !there.has(id));
        const often = restarts.length > 1 ? [`restarted ${restarts.length} times`] : [];
        return [...often, ...gone.map((id) => `${id} is gone`)];
      },
    };
  },
};
