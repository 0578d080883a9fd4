import type { Check, Checks } from "../checks.ts";
import { assertionCheck } from "./assertions.ts";
import { canary } from "./canary.ts";
import { checksums } from "./checksums.ts";
import { ciphertext } from "./ciphertext.ts";
import { constraints } from "./constraints.ts";
import { extensionsAndCollations } from "./extensions.ts";
import { foreignKeys } from "./foreign-keys.ts";
import { heartbeat } from "./heartbeat.ts";
import { indexes } from "./indexes.ts";
import { largeObjects } from "./large-objects.ts";
import { pageChecksums } from "./page-checksums.ts";
import type { CheckHooks, CheckPolicy } from "./policy.ts";
import { readableInFull } from "./readable-in-full.ts";
import { rowCounts } from "./row-counts.ts";
import { schemaRevision } from "./schema-revision.ts";
import { sequences } from "./sequences.ts";

/**
 * All checks of a restored copy, cheap ones first: a backup of the wrong database is known within a
 * second. What the operator leaves out is not in the list, and named in the evidence instead.
 */
export const checksOf = (policy: CheckPolicy, hooks: CheckHooks = {}): Checks => {
  const { appendOnly = [], ciphertext: columns = [], assertions = [], leftOut = [] } = policy;
  const all: Check[] = [
    canary(policy.identity),
    heartbeat,
    schemaRevision(policy.revisionTable),
    constraints,
    extensionsAndCollations(policy),
    largeObjects,
    readableInFull,
    pageChecksums,
    indexes,
    rowCounts(policy),
    ...(appendOnly.length > 0 ? [checksums(policy, appendOnly)] : []),
    sequences,
    foreignKeys,
    ...(columns.length > 0 ? [ciphertext(columns, hooks)] : []),
    ...assertions.map(assertionCheck),
  ];
  const unknown = leftOut.filter((name) => !all.some((check) => check.name === name));
  if (unknown.length > 0) {
    throw new Error(`there is no check called ${unknown.join(", ")} that could be left out`);
  }
  return all.filter(({ name }) => !leftOut.includes(name));
};
