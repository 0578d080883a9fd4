import { check } from "./checks.ts";
import { queryDatabase } from "./evidence.ts";
import { names } from "./names.ts";
import type { Site } from "./platform.ts";
import type { Check } from "./report.ts";
import type { DrillWorld } from "./world.ts";

type Layer = { layer: string; closed: boolean; is: string };

/**
 * Looks at all layers of a region's fence past every guard and proxy: what a guard says of its own
 * fence is what is judged here.
 */
export const fenceCheck = async (world: DrillWorld, site: Site): Promise<Check> => {
  const layers = [
    await logins(world, site),
    ingress(world, site),
    await capacity(world, site),
    await role(world, site),
  ];
  const open = layers.filter(({ closed }) => !closed);
  const told = layers.map(({ layer, is }) => `${layer}: ${is}`).join(", ");
  return check(`${site.region} is fenced in all layers`, open.length === 0, "all closed", told);
};

const logins = async (world: DrillWorld, { engineId }: Site): Promise<Layer> => {
  const rows = await queryDatabase<{ rolname: string }>(
    world,
    engineId,
    "select rolname from pg_roles where rolcanlogin and rolname = any($1) order by rolname",
    [[...names.roles]],
  );
  const open = rows.map(({ rolname }) => rolname);
  return { layer: "logins", closed: open.length === 0, is: open.join(" and ") || "closed" };
};

const ingress = ({ cloud }: DrillWorld, site: Site): Layer => {
  const open = cloud.machines
    .ingressFrom(site.region, site.databaseSecurityGroup)
    .some(({ sourceGroupIds }) => sourceGroupIds.includes(site.applicationSecurityGroup));
  return { layer: "security group", closed: !open, is: open ? "open" : "closed" };
};

const capacity = async ({ cloud }: DrillWorld, { region }: Site): Promise<Layer> => {
  type Groups = { AutoScalingGroups: { DesiredCapacity: number; Instances?: unknown[] }[] };
  const input = { AutoScalingGroupNames: [names.group] };
  const answer = await cloud.ask<Groups>(
    "auto-scaling",
    "DescribeAutoScalingGroups",
    region,
    input,
  );
  const [group] = answer.AutoScalingGroups;
  const running = group?.Instances?.length ?? 0;
  const closed = group?.DesiredCapacity === 0 && running === 0;
  return { layer: "instances", closed, is: closed ? "none" : `${running} running` };
};

const role = async ({ cloud }: DrillWorld, { region, roleRule }: Site): Promise<Layer> => {
  type Rules = { Rules: { Actions: { FixedResponseConfig?: { MessageBody?: string } }[] }[] };
  const input = { RuleArns: [roleRule] };
  const answer = await cloud.ask<Rules>(
    "elastic-load-balancing-v2",
    "DescribeRules",
    region,
    input,
  );
  const says = answer.Rules[0]?.Actions[0]?.FixedResponseConfig?.MessageBody ?? "nothing";
  return { layer: "role", closed: says === "renounced", is: says };
};
