import { names } from "../../../drills/names.ts";
import type { Observer, Outcome } from "../../../local/aws/endpoint.ts";
import type { Call } from "../../../local/aws/service.ts";
import type { Stage } from "../../remediation/platform.ts";

/** A call of a repair that changes the platform, with how things stood right before it. */
export interface Change {
  atMilliseconds: number;
  operation: string;
  input: string;
  /** Nobody knows until its answer; then whether it had an effect. */
  hadEffect: boolean;
  /** Those that served, whoever they are, and the group's minimum. */
  serving: number;
  members: number;
  /** Those that do not serve and are older than what their group gives them. */
  sick: number;
  minimum: number;
  /** Whether the instance that it takes served. */
  takesOneThatServes: boolean;
}

const reads = /^(?:Describe|Get|List|Query|Scan|BatchGet)/;

const isChange = (call: Call, input: unknown, caller: string | undefined): boolean => {
  if (!caller?.includes("/remediation/") || reads.test(call.operation)) return false;
  if (call.service !== "lambda") return call.service !== "dynamodb";
  const { Payload } = input as { Payload?: Uint8Array };
  return Buffer.from(Payload ?? [])
    .toString()
    .includes('"do":"endSessions"');
};

/** Writes the trace, and what can only be seen while it happens. */
export const watch = (now: () => number) => {
  const trace: string[] = [];
  const changes: Change[] = [];
  const startedAt = now();
  let stage: Stage | undefined;
  const pending: Change[] = [];
  const write = (text: string) => void trace.push(`${Math.round(now() - startedAt)} ${text}`);
  const observe: Required<Observer> = {
    before: async (call, input, caller) => {
      if (!stage || !isChange(call, input, caller)) return;
      const change = { ...(await standing(stage, call, input, now())), atMilliseconds: now() };
      changes.push(change);
      pending.push(change);
    },
    after: async (call, input, outcome, caller) => {
      write(`${(caller ?? "").split("/")[1]} ${call.service}.${call.operation} ${shown(outcome)}`);
      if (!stage || !isChange(call, input, caller)) return;
      const given = JSON.stringify(input);
      const index = pending.findIndex(({ operation, input: asked }) =>
        operation === call.operation ? asked === given : false,
      );
      const [change] = index < 0 ? [] : pending.splice(index, 1);
      if (change) change.hadEffect = outcome.kind !== "refused" && hadEffect(outcome);
    },
  };
  return {
    trace,
    changes,
    write,
    observe,
    attach: (built: Stage) => {
      stage = built;
      built.slack.onMessage(({ ts, updates, text, onlyFor, threadTs }) => {
        const kind = onlyFor ?? (threadTs ? "thread" : "message");
        write(`slack ${kind} ${ts} v${updates}: ${text.slice(0, 160).replaceAll("\n", " / ")}`);
      });
    },
  };
};

const hadEffect = (outcome: Outcome): boolean =>
  outcome.kind === "answered" || (outcome.kind === "silent" && outcome.effect);

const shown = (outcome: Outcome): string => {
  if (outcome.kind === "answered") return "answered";
  if (outcome.kind === "refused") return `refused ${outcome.error.name}`;
  return outcome.effect ? "silent after its effect" : "silent";
};

/** From the launch until the group takes it into service, which its grace period counts from. */
const startMilliseconds = 60_000;

/** Past endpoint and faults, as it is. */
const standing = async (
  { cloud, region }: Stage,
  call: Call,
  input: unknown,
  now: number,
): Promise<Omit<Change, "atMilliseconds">> => {
  const { AutoScalingGroups } = await cloud.ask<{
    AutoScalingGroups: {
      MinSize: number;
      HealthCheckGracePeriod?: number;
      Instances: { InstanceId: string; LifecycleState: string }[];
    }[];
  }>("auto-scaling", "DescribeAutoScalingGroups", region, { AutoScalingGroupNames: [names.group] });
  const { TargetGroups } = await cloud.ask<{ TargetGroups: { TargetGroupArn: string }[] }>(
    "elastic-load-balancing-v2",
    "DescribeTargetGroups",
    region,
    { Names: [names.group] },
  );
  const { TargetHealthDescriptions } = await cloud.ask<{
    TargetHealthDescriptions: { Target: { Id: string }; TargetHealth: { State: string } }[];
  }>("elastic-load-balancing-v2", "DescribeTargetHealth", region, {
    TargetGroupArn: TargetGroups[0]?.TargetGroupArn,
  });
  const group = AutoScalingGroups[0];
  const members = group?.Instances.filter((each) => each.LifecycleState === "InService") ?? [];
  const healthy = TargetHealthDescriptions.filter(
    ({ TargetHealth }) => TargetHealth.State === "healthy",
  ).map(({ Target }) => Target.Id);
  const { InstanceId } = input as { InstanceId?: string };
  const { Reservations } = await cloud.ask<{
    Reservations: { Instances: { InstanceId: string; LaunchTime: Date }[] }[];
  }>("ec2", "DescribeInstances", region, {});
  const youngMilliseconds = (group?.HealthCheckGracePeriod ?? 0) * 1000 + startMilliseconds;
  const young = Reservations.flatMap(({ Instances }) => Instances)
    .filter(({ LaunchTime }) => now - LaunchTime.getTime() <= youngMilliseconds)
    .map(({ InstanceId: id }) => id);
  const sick = members.filter(
    ({ InstanceId: id }) => !healthy.includes(id) && !young.includes(id),
  ).length;
  return {
    sick,
    operation: call.operation,
    input: JSON.stringify(input),
    hadEffect: false,
    serving: members.filter(({ InstanceId: id }) => healthy.includes(id)).length,
    members: members.length,
    minimum: group?.MinSize ?? 0,
    takesOneThatServes: InstanceId !== undefined && healthy.includes(InstanceId),
  };
};
