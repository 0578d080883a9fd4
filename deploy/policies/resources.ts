import type { Violation } from "../policies.ts";
import type { Recording, Resource } from "../recording.ts";

/** All resources of some kinds, written as `rds/instance`. */
export const resourcesOf = ({ resources }: Recording, ...kinds: string[]): Resource[] =>
  resources.filter(({ type }) => kinds.includes(kindOf(type)));

/** `aws:rds/instance:Instance` to `rds/instance`. */
export const kindOf = (type: string): string => /^aws:([^:]+):/.exec(type)?.[1] ?? type;

/** Part of a resource's inputs, by path; undefined where there is none. */
export const inputOf = ({ inputs }: Pick<Resource, "inputs">, path: string): unknown =>
  path
    .split(".")
    .reduce<unknown>(
      (value, key) => (value as Record<string, unknown> | null | undefined)?.[key],
      inputs,
    );

export const listOf = (value: unknown): Record<string, unknown>[] =>
  Array.isArray(value) ? (value as Record<string, unknown>[]) : [];

/** One violation for each input that is not as it should be. A list means one of these. */
export const unlike = (resource: Resource, wanted: Record<string, unknown>): Violation[] =>
  Object.entries(wanted).flatMap(([path, value]) => {
    const found = inputOf(resource, path);
    const allowed = Array.isArray(value) ? value : [value];
    if (allowed.some((each) => each === found)) return [];
    const wish = allowed.map((each) => JSON.stringify(each)).join(" or ");
    const problem = `${path} is ${JSON.stringify(found) ?? "not given"}, not ${wish}`;
    return [{ resource: resource.name, problem }];
  });

/** What is asked for must be there: a policy over nothing would hold whatever is deployed. */
export const present = (recording: Recording, least: Record<string, number>): Violation[] =>
  Object.entries(least).flatMap(([kind, count]) => {
    const found = resourcesOf(recording, kind).length;
    const problem = `${recording.stage} has ${found} of them, and ${count} or more are designed`;
    return found >= count ? [] : [{ resource: kind, problem }];
  });

/** The statements of a policy document in an input. */
export const statementsOf = (resource: Resource, path = "policy"): Record<string, unknown>[] => {
  const text = inputOf(resource, path);
  if (typeof text !== "string") return [];
  return listOf((JSON.parse(text) as { Statement?: unknown }).Statement);
};
