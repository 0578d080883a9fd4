/**
 * `npm run deploy:check [-- --stage NAME]`: what a deployment would make, without an account. Types of
 * the stacks, the resources of each stage recorded from the real sst.config.ts, the policies they must
 * keep, and what a month costs. Ends with 1 when anything of that is wrong.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { Estimate } from "./estimate.ts";
import { estimate } from "./estimate.ts";
import { makePlatform } from "./platform.ts";
import { policies } from "./policies.ts";
import { pricesFrom } from "./prices.ts";
import type { Recording } from "./recording.ts";
import { record } from "./recording.ts";

const root = join(import.meta.dirname, "..");
const usual = ["production", "personal"];

const stagesOf = (args: string[]): string[] => {
  const at = args.indexOf("--stage");
  if (args.length === 0) return usual;
  const stage = args[at + 1];
  if (at !== 0 || stage === undefined || args.length !== 2) {
    throw new Error("usage: npm run deploy:check [-- --stage NAME]");
  }
  return [stage];
};

const say = (line: string) => process.stdout.write(`${line}\n`);

/** Whether the types are right. */
const typesHold = (): boolean => {
  const tsc = join(root, "node_modules", ".bin", "tsc");
  const { status, stdout } = spawnSync(tsc, ["--noEmit", "-p", join(root, "stacks")], {
    encoding: "utf8",
  });
  say(status === 0 ? "types of the stacks: right" : stdout);
  return status === 0;
};

/** Whether a stage keeps every policy and everything in it has a price. */
const holds = (recording: Recording): boolean => {
  const { stage, resources } = recording;
  say(`\nstage ${stage}: ${resources.length} resources`);
  for (const [region, count] of countsOf(recording)) say(`  ${region.padEnd(14)} ${count}`);
  let broken = 0;
  for (const { name, check } of policies) {
    const violations = check(recording);
    broken += violations.length;
    for (const { resource, problem } of violations)
      say(`  BROKEN ${name}: ${resource}: ${problem}`);
  }
  say(`  ${policies.length} policies: ${broken === 0 ? "all kept" : `${broken} violations`}`);
  const costs = estimate(recording);
  show(costs);
  return broken === 0 && costs.unpriced.length === 0;
};

const countsOf = ({ resources }: Recording): [string, number][] => {
  const counts = new Map<string, number>();
  for (const { type, region } of resources) {
    if (type.startsWith("aws:"))
      counts.set(region ?? "none", (counts.get(region ?? "none") ?? 0) + 1);
  }
  return [...counts];
};

const show = ({ costs, dollarsPerMonth, byUse, unpriced }: Estimate): void => {
  say(
    `  a month costs about $${Math.round(dollarsPerMonth)} (on demand, prices of ${pricesFrom}):`,
  );
  for (const { region, what, dollarsPerMonth: dollars } of costs) {
    say(`    ${region.padEnd(14)} ${what.padEnd(38)} ${dollars.toFixed(2).padStart(9)}`);
  }
  say("  and by use:");
  for (const line of byUse) say(`    ${line}`);
  for (const type of unpriced)
    say(`  NO PRICE: ${type} (add it to deploy/prices.ts or estimate.ts)`);
};

const main = async (): Promise<number> => {
  const stages = stagesOf(process.argv.slice(2));
  makePlatform(root);
  const results = [typesHold()];
  for (const stage of stages) results.push(holds(await record({ root, stage })));
  return results.every(Boolean) ? 0 : 1;
};

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
