/**
 * `node deploy/permissions.ts`: writes docs/permissions.md, what every function may do, from what a
 * production deployment records. A test compares it with a fresh one.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Grant } from "./policies/grants.ts";
import { grantsOf } from "./policies/grants.ts";
import { forced, patterns, withoutResources } from "./policies/wildcards.ts";
import type { Recording } from "./recording.ts";
import { record } from "./recording.ts";

const root = join(import.meta.dirname, "..");
export const permissionsFile = join(root, "docs", "permissions.md");

/** `KeepTheRoleTrueToTheLease` to words. */
const wordsOf = (sid: string): string => sid.replaceAll(/(?<!^)([A-Z])/g, " $1").toLowerCase();

/** An ARN without what is the same in all of them, or differs from account to account. */
const shortOf = (resource: string): string =>
  resource
    .replace(/^arn:aws:/, "")
    .replaceAll("123456789012", "<account>")
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/, "<id>")
    .replaceAll(/\/0123456789abcdef/g, "/<id>");

interface Row {
  holder: string;
  region: string;
  sid: string;
  denied: boolean;
  actions: string[];
  resources: string[];
  conditions: string[];
}

const rowsOf = (grants: Grant[]): Row[] => {
  const rows = new Map<string, Row>();
  for (const { holder, region, sid, effect, action, resource, conditions } of grants) {
    const key = `${holder} ${region} ${sid}`;
    const row = rows.get(key) ?? {
      ...{ holder, region, sid, denied: effect === "Deny", actions: [], resources: [] },
      conditions: conditionsOf(conditions),
    };
    if (!row.actions.includes(action)) row.actions.push(action);
    const short = shortOf(resource);
    if (!row.resources.includes(short)) row.resources.push(short);
    rows.set(key, row);
  }
  return [...rows.values()];
};

const conditionsOf = (conditions: Grant["conditions"]): string[] =>
  Object.values(conditions).flatMap((keys) =>
    Object.entries(keys).map(([key, value]) => `${key}: ${[value].flat().map(shortOf).join(", ")}`),
  );

const cell = (lines: string[]): string =>
  lines.map((line) => `\`${line.replaceAll("|", "\\|")}\``).join("<br>");

const tableOf = (rows: Row[]): string[] => [
  "| region | why | action | resource |",
  "| --- | --- | --- | --- |",
  ...rows.map(({ region, sid, denied, actions, resources, conditions }) => {
    const why = `${wordsOf(sid)}${denied ? " (**denied**)" : ""}`;
    const where = [cell(resources), ...(conditions.length > 0 ? [`if ${cell(conditions)}`] : [])];
    return `| ${region} | ${why} | ${cell(actions)} | ${where.join("<br>")} |`;
  }),
];

const byPolicy = (one: Grant, other: Grant): number =>
  one.policy < other.policy ? -1 : Number(one.policy > other.policy);

/** The page, for the stage of a recording. */
export const permissionsPage = (recording: Recording): string => {
  // Pulumi declares what does not depend on each other in any order.
  const grants = grantsOf(recording).sort(byPolicy);
  const rows = rowsOf(grants);
  const holders = [...new Set(rows.map(({ holder }) => holder))].sort();
  return [
    "# Permissions",
    "",
    "What every role of a production stage may do. Written by `node deploy/permissions.ts` from what the",
    "stacks declare; a test fails when it is not up to date, when a function calls what it may not, and",
    "when it may do what it never calls (`test/stacks/permissions.test.ts`).",
    "",
    ...holders.flatMap((holder) => [
      `## ${holder}`,
      "",
      ...tableOf(rows.filter((row) => row.holder === holder)),
      "",
    ]),
    "## Where no name can be given",
    "",
    "IAM knows no resources for these actions, so `*` is all that can be said:",
    "",
    ...[...withoutResources].sort().map((action) => `- \`${action}\``),
    "",
    "And these know resources, and need more than a name all the same:",
    "",
    ...Object.entries(forced).map(([action, because]) => `- \`${action}\`: ${because}`),
    ...patterns.map(({ resource, because }) => `- \`${resource.source}\`: ${because}`),
    "",
  ].join("\n");
};

if (import.meta.main) {
  writeFileSync(permissionsFile, permissionsPage(await record({ root, stage: "production" })));
}
