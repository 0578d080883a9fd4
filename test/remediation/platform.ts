import { unmarshall } from "@aws-sdk/util-dynamodb";
import { names } from "../../drills/names.ts";
import { deployRemediation } from "../../drills/remediation.ts";
import { playbooks, type Right } from "../../functions/remediation/playbooks.ts";
import type { Result } from "../../functions/remediation/remediation.ts";
import type { Execution } from "../../local/lambda/store.ts";
import type { Script } from "../../local/slack/operators.ts";
import { type Approval, approvals } from "../../shared/approval.ts";
import type { Config } from "../../shared/config.ts";
import { type Incident, readIncident } from "../../shared/incident.ts";
import type { Entry } from "../../shared/journal.ts";
import {
  type Hooks,
  type HookTools,
  type Plant,
  type World,
  type WorldOptions,
  world,
} from "../simulation/world.ts";

export interface StageOptions {
  seed?: string;
  people?: Script[];
  /** What the operator's file gives each playbook; those that are left out are off. */
  rights?: Record<string, Right>;
  /** What else differs from the operator's file. */
  config?: (config: Config) => Config;
  hooks?(tools: HookTools): Hooks;
  /** Takes the place of a handler's assembly: the way to plant a bug. */
  plant?: Plant;
  instances?: number;
  /** How many sessions each database takes; any number when left out. */
  connections?: WorldOptions["connections"];
  writesPerSecond?: number;
}

export type Stage = Awaited<ReturnType<typeof raised>>;

export const approvesQuickly: Script = { user: "U0ANA", says: "approve", thinksSeconds: [20, 40] };
export const rejectsQuickly: Script = { user: "U0ANA", says: "reject", thinksSeconds: [20, 40] };

/** A story is about the playbooks that it names: none of the others looks first, and none looks after. */
const allOff = Object.fromEntries(playbooks.map(({ name }) => [name, "off" as const]));

/** Instances have started and are healthy, metrics of several minutes are there. */
const settledSeconds = 420;
const patienceSeconds = 4 * 3600;

/** The whole platform in virtual time with repairs deployed onto it, well and under a little load. */
export const raised = async (options: StageOptions = {}) => {
  const rights = {
    ...allOff,
    "unhealthy-host": "automatic",
    "database-storage": "ask",
    ...options.rights,
  };
  const changed = (config: Config): Config => {
    const repaired = { ...config, remediation: { playbooks: rights as Record<string, Right> } };
    return options.config ? options.config(repaired) : repaired;
  };
  const built = await world({
    seed: options.seed ?? "remediation",
    scripts: options.people ?? [],
    publishesMetrics: true,
    writesPerSecond: options.writesPerSecond ?? 1,
    ...(options.hooks ? { hooks: options.hooks } : {}),
    ...(options.connections ? { connections: options.connections } : {}),
    plant: (definition, { config, ...runtime }, assemble) => {
      const own = { ...runtime, config: changed(config) };
      return options.plant ? options.plant(definition, own, assemble) : assemble(own);
    },
  });
  const { cloud, platform, timeline } = built;
  const { region } = platform.home;
  await deployRemediation(cloud, platform, {});
  // As an operator leaves it who does not trust health checks with his instances.
  await cloud.ask("auto-scaling", "UpdateAutoScalingGroup", region, {
    AutoScalingGroupName: names.group,
    HealthCheckType: "EC2",
    DesiredCapacity: options.instances ?? 4,
  });
  built.users.start();
  await timeline.advance(settledSeconds * 1000);
  return {
    ...built,
    region,
    leave: built.close,
    ...looks(built),
    ...fleet(built),
    ...runs(built),
  };
};

const looks = ({ cloud, platform, table, timeline }: World) => {
  const { region } = platform.home;
  const items = async (TableName: string): Promise<Record<string, unknown>[]> => {
    const { Items = [] } = await cloud.ask<{ Items?: Record<string, never>[] }>(
      "dynamodb",
      "Scan",
      region,
      { TableName },
    );
    return Items.map((item) => unmarshall(item));
  };
  return {
    items,
    /** An operator's yes to everything that is asked, by another door than Slack. */
    answerAll: async (user: string): Promise<void> => {
      const asked = (await items(names.coordination)) as unknown as (Approval & { id: string })[];
      for (const { id, planHash } of asked) {
        if (!id.startsWith("approval#")) continue;
        const answer = { user, says: "approve" as const, atMilliseconds: timeline.now() };
        await timeline.run(approvals(table).answer(planHash, answer, [user]));
      }
    },
    journal: async (run?: string): Promise<Entry[]> =>
      ((await items(names.journal)) as unknown as Entry[])
        .filter((entry) => entry.run.startsWith("remediation-") && (!run || entry.run === run))
        .sort((a, b) => a.run.localeCompare(b.run) || a.sequence - b.sequence),
    incident: async (): Promise<Incident | undefined> =>
      (await timeline.run(readIncident(table, region)))?.incident,
  };
};

interface Member {
  InstanceId: string;
  LifecycleState: string;
}

const fleet = ({ cloud, platform }: World) => {
  const { region } = platform.home;
  const members = async (): Promise<Member[]> => {
    const { AutoScalingGroups } = await cloud.ask<{ AutoScalingGroups: { Instances: Member[] }[] }>(
      "auto-scaling",
      "DescribeAutoScalingGroups",
      region,
      { AutoScalingGroupNames: [names.group] },
    );
    return AutoScalingGroups[0]?.Instances ?? [];
  };
  const serving = async (): Promise<string[]> =>
    (await members())
      .filter(({ LifecycleState }) => LifecycleState === "InService")
      .map(({ InstanceId }) => InstanceId)
      .sort();
  return {
    members,
    serving,
    /** Lets so many instances fail their health checks; gives their ids and the way to heal them. */
    sicken: async (count = 1): Promise<{ ids: string[]; heal: () => void }> => {
      const ids = (await serving()).slice(0, count);
      const cures = ids.map((instanceId) =>
        cloud.fleet.ail({ region, instanceId }, { is: "unready" }),
      );
      const heal = () => {
        for (const cure of cures) cure();
      };
      return { ids, heal };
    },
  };
};

const runs = ({ cloud, platform, timeline }: World) => {
  const { region } = platform.home;
  const executions = (): Execution[] => cloud.functions.executions(region, "remediation");
  const until = async (what: string, holds: () => boolean | Promise<boolean>): Promise<void> => {
    const end = timeline.now() + patienceSeconds * 1000;
    while (!(await holds())) {
      if (timeline.now() > end) throw new Error(`it never came to be: ${what}`);
      await timeline.advance(2000);
    }
  };
  const resultOf = (execution: Execution): Result => {
    if (execution.status !== "SUCCEEDED" || execution.result === undefined) {
      const why = execution.error?.ErrorMessage;
      throw new Error(`${execution.name} is ${execution.status}: ${why}`);
    }
    return JSON.parse(execution.result) as Result;
  };
  return {
    executions,
    until,
    /** How the attempt of this number ended, once it has. */
    ended: async (number = 1): Promise<Result> => {
      await until(`attempt ${number} begins`, () => executions().length >= number);
      const started = executions()[number - 1];
      if (!started) throw new Error(`there is no attempt ${number}`);
      return resultOf(
        await timeline.run(cloud.functions.finished(started.arn), patienceSeconds * 1000),
      );
    },
    results: (): Result[] =>
      executions()
        .filter(({ status }) => status === "SUCCEEDED")
        .map(resultOf),
  };
};
