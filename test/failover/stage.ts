import { unmarshall } from "@aws-sdk/util-dynamodb";
import { afterEach, expect } from "vitest";
import { names } from "../../drills/names.ts";
import type { Result } from "../../functions/failover/failover.ts";
import type { FailoverRequest, Kind, Override } from "../../functions/failover/request.ts";
import type { State } from "../../functions/failover/states.ts";
import type { Observer } from "../../local/aws/endpoint.ts";
import type { Execution } from "../../local/lambda/store.ts";
import type { Script } from "../../local/slack/operators.ts";
import { leaveAbort } from "../../shared/abort.ts";
import { type Approval, approvals } from "../../shared/approval.ts";
import type { Config } from "../../shared/config.ts";
import { type Entry, verify } from "../../shared/journal.ts";
import { type Lease, nextRehearsal, nextRun, readLease } from "../../shared/lease.ts";
import { config, type Hooks, type HookTools, type World, world } from "../simulation/world.ts";

export interface StageOptions {
  seed?: number | string;
  people?: Script[];
  /** How many transfers the users try each modelled second, once they are started. */
  writesPerSecond?: number;
  /** What differs from the operator's own policy. */
  policy?: Partial<Config["failover"]>;
  hooks?(tools: HookTools): Hooks;
  /** Whether readiness is looked at on its schedule. */
  looks?: boolean;
}

export type Stage = Awaited<ReturnType<typeof stage>>;

/** Two people who answer quickly: what is not about waiting should not wait. */
export const quick: Script[] = [
  { user: "U0ANA", says: "approve", thinksSeconds: [2, 4] },
  { user: "U0BEN", says: "approve", thinksSeconds: [5, 8] },
];

/** Does something once, at the instant at which a run enters `state` by its journal. */
export const entering = (state: State, act: () => unknown): Observer => {
  let isDone = false;
  return {
    after: async ({ operation }, input, outcome) => {
      const isIt = JSON.stringify(input ?? {}).includes(`"to":{"S":"${state}"}`);
      if (isDone || operation !== "PutItem" || outcome.kind !== "answered" || !isIt) return;
      isDone = true;
      await act();
    },
  };
};

/** Isolation is over soon, so that a run that is not about it is short. */
export const brief: Partial<Config["failover"]> = {
  isolationSeconds: 60,
  isolationMarginSeconds: 10,
};

/** Two rounds of guards and canaries: heartbeats are known and alarms have seen all well. */
const settledSeconds = 125;
/** Longer than any run here takes, an approval that expires included. */
const patienceSeconds = 3 * 3600;

const open = new Set<World>();
afterEach(async () => {
  for (const one of open) await one.close();
  open.clear();
});

/** The whole platform in virtual time, two minutes old and well. */
export const stage = async (options: StageOptions = {}) => {
  const { policy } = options;
  const built = await world({
    seed: options.seed ?? "failover",
    scripts: options.people ?? quick,
    ...(options.writesPerSecond ? { writesPerSecond: options.writesPerSecond } : {}),
    ...(options.hooks ? { hooks: options.hooks } : {}),
    ...(options.looks ? { looks: true } : {}),
    ...(policy
      ? {
          plant: (_definition, { config, ...runtime }, assemble) =>
            assemble({ ...runtime, config: withPolicy(config, policy) }),
        }
      : {}),
  });
  open.add(built);
  await built.timeline.advance(settledSeconds * 1000);
  return {
    ...built,
    /** Ends the world before its test does. */
    leave: async () => {
      open.delete(built);
      await built.close();
    },
    loseHome: () => built.regions.set(built.platform.home.region, "dead"),
    ...(await runs(built)),
    ...records(built),
    ...waits(built),
    ...people(built),
  };
};

/** What people do to a run besides answering it. */
const people = ({ table, timeline }: World) => ({
  /** Leaves the word that stops `run`, past every front door: also when no door would let it through. */
  abort: (run: string) =>
    timeline.run(
      leaveAbort(table, run, {
        by: "U0ANA",
        reason: "we look first",
        atMilliseconds: Math.floor(timeline.now()),
      }),
    ),
});

const withPolicy = (config: Config, policy: Partial<Config["failover"]>): Config => ({
  ...config,
  failover: { ...config.failover, ...policy },
});

const runs = async ({ cloud, platform, table, timeline }: World) => {
  const { region } = platform.standby;
  const executions = (): Execution[] => cloud.functions.executions(region, "failover");
  return {
    executions,
    /** Asks for the failover as the front door does for an operator. */
    request: async (
      who = "U0CHIARA",
      kind: Kind = "emergency",
      overrides: Override[] = [],
    ): Promise<string> => {
      const lease = await timeline.run(readLease(table));
      const sinceMilliseconds = Math.floor(timeline.now());
      const run = kind === "rehearsal" ? nextRehearsal(lease, sinceMilliseconds) : nextRun(lease);
      const reason = "the region does not answer";
      const trigger = { by: "operator" as const, who, reason, sinceMilliseconds, overrides };
      const event: FailoverRequest = { kind, run, trigger };
      await cloud.ask("lambda", "Invoke", region, {
        FunctionName: "failover",
        InvocationType: "Event",
        DurableExecutionName: run,
        Payload: Buffer.from(JSON.stringify(event)),
      });
      return run;
    },
    /** Lets time pass until the newest run has ended. */
    ended: async (): Promise<Result> => {
      const last = executions().at(-1);
      if (!last) throw new Error("no run was ever started");
      const ended = await timeline.run(cloud.functions.finished(last.arn), patienceSeconds * 1000);
      if (ended.status !== "SUCCEEDED" || ended.result === undefined) {
        throw new Error(`${last.name} is ${ended.status}: ${ended.error?.ErrorMessage}`);
      }
      return JSON.parse(ended.result) as Result;
    },
  };
};

const records = ({ cloud, platform, table, timeline }: World) => {
  const { region, databaseId } = platform.standby;
  const items = async (TableName: string): Promise<Record<string, unknown>[]> => {
    const { Items = [] } = await cloud.ask<{ Items?: Record<string, never>[] }>(
      "dynamodb",
      "Scan",
      region,
      { TableName },
    );
    return Items.map((item) => unmarshall(item));
  };
  const group = async (at: string) => {
    const { AutoScalingGroups } = await cloud.ask<{
      AutoScalingGroups: { DesiredCapacity: number; MinSize: number }[];
    }>("auto-scaling", "DescribeAutoScalingGroups", at, { AutoScalingGroupNames: [names.group] });
    return AutoScalingGroups[0];
  };
  /** What a region's group is asked for. */
  const sizeOf = async (at: string): Promise<number> => (await group(at))?.DesiredCapacity ?? 0;
  const journal = async (): Promise<Entry[]> =>
    ((await items(names.journal)) as unknown as Entry[]).sort((a, b) => a.sequence - b.sequence);
  return {
    items,
    journal,
    /** The newest state that the run has entered, by its journal. */
    state: async (): Promise<State> =>
      ((await journal()).findLast(({ data }) => data?.to)?.data?.to ?? "proposed") as State,
    lease: (): Promise<Lease> => timeline.run(readLease(table)),
    promotions: () => cloud.databases.promotions(databaseId, region),
    sizeOf,
    /** How far scaling in may take a region's group. */
    minimumOf: async (at: string): Promise<number> => (await group(at))?.MinSize ?? 0,
    /** What the standby region's group is asked for. */
    desired: () => sizeOf(region),
    /** How many rules of the database's security group let the application in. */
    waysIn: (site: World["platform"]["home"]): number =>
      cloud.machines
        .ingressFrom(site.region, site.databaseSecurityGroup)
        .filter(({ sourceGroupIds }) => sourceGroupIds.includes(site.applicationSecurityGroup))
        .length,
    requests: async (): Promise<Approval[]> =>
      (await items(names.coordination)).filter(({ id }) =>
        String(id).startsWith("approval#"),
      ) as unknown as Approval[],
    /** An operator's answer by another door than Slack. */
    answer: (planHash: string, user: string, says: "approve" | "reject" = "approve") =>
      timeline.run(
        approvals(table).answer(
          planHash,
          { user, says, atMilliseconds: Math.floor(timeline.now()) },
          [user],
        ),
      ),
  };
};

const waits = (built: World) => {
  const { timeline } = built;
  const until = async (what: string, holds: () => boolean | Promise<boolean>): Promise<void> => {
    const end = timeline.now() + patienceSeconds * 1000;
    while (!(await holds())) {
      if (timeline.now() > end) throw new Error(`it never came to be: ${what}`);
      await timeline.advance(1000);
    }
  };
  const { journal } = records(built);
  return {
    until,
    /** Until the run has been in `state`. */
    reaches: (state: State) =>
      until(`the run is ${state}`, async () =>
        (await journal()).some(({ data }) => data?.to === state),
      ),
  };
};

/** All that has to hold after a run that ended well, however it was disturbed. */
export const expectMoved = async (at: Stage, result: Result): Promise<void> => {
  const { standby } = at.platform;
  expect(result).toMatchObject({ outcome: "done", epoch: 2 });
  expect(at.promotions()).toBe(1);
  expect(await at.lease()).toMatchObject({
    epoch: 2,
    region: standby.region,
    state: "held",
    holder: result.run,
  });
  const entries = await at.journal();
  expect(verify(entries)).toMatchObject({ ok: true });
  // A step that ran again has recorded itself once.
  expect(new Set(entries.map(({ key }) => key)).size).toBe(entries.length);
  expect(at.bugs).toEqual([]);
};

/** Nothing that cannot be taken back was done, and what could be was taken back. */
export const expectUntouched = async (at: Stage): Promise<void> => {
  const { home } = at.platform;
  expect(at.promotions()).toBe(0);
  expect(await at.lease()).toMatchObject({ epoch: 1, region: home.region, state: "held" });
  expect(await at.desired()).toBe(1);
  expect(verify(await at.journal())).toMatchObject({ ok: true });
  expect(at.bugs).toEqual([]);
};

/** Everything that a journal line says besides its text, as one string. */
export const told = (data: Entry["data"]): string => JSON.stringify(data ?? {});

/** The lease went to the standby region and came back, and nothing of that can be seen any more. */
export const expectLeaseAtHome = async (at: Stage): Promise<void> => {
  const { home } = at.platform;
  expect(at.promotions()).toBe(0);
  expect(await at.lease()).toMatchObject({ epoch: 3, region: home.region, state: "held" });
  expect((await at.lease()).planned).toBeUndefined();
  expect(verify(await at.journal())).toMatchObject({ ok: true });
  expect(at.bugs).toEqual([]);
};

/** A guard's minute, instances that start, health checks and what users' machines remember. */
const servedWithinSeconds = 600;

/** Users are told of new writes by this region, and the region is as it was when it was deployed. */
export const expectServedBy = async (at: Stage, site: Stage["platform"]["home"]): Promise<void> => {
  const since = at.timeline.now();
  const served = () => {
    const last = at.users.acknowledged.at(-1);
    return last !== undefined && last.acknowledgedAt > since && last.region === site.region;
  };
  const end = since + servedWithinSeconds * 1000;
  while (!served() && at.timeline.now() < end) await at.timeline.advance(1000);
  expect(at.users.acknowledged.at(-1)).toMatchObject({ region: site.region });
  expect(served(), "users are served").toBe(true);
  expect(await at.sizeOf(site.region)).toBe(config.sizes.application.desired);
  expect(at.waysIn(site)).toBe(1);
};

/** Every write that a user was told of is in the database that serves them now. */
export const lostWrites = (at: Stage, site: Stage["platform"]["home"]): string[] => {
  const kept = new Set(at.engine.history(site.engineId).map(({ key }) => key));
  return at.users.acknowledged.flatMap(({ id }) => (kept.has(id) ? [] : [id]));
};
