import { expect, it } from "vitest";
import type { Policy } from "../../deploy/policies.ts";
import type { Recording, Resource } from "../../deploy/recording.ts";
import { recorded, the } from "./recordings.ts";

/** What somebody does to a recording, and what a policy has to say about it. */
export interface Break {
  /** Ends the sentence "notices …". */
  what: string;
  policy: string;
  change(recording: Recording): void;
  says: RegExp;
  stage?: "production" | "personal";
}

/** Sets an input of one resource by its path; `undefined` takes it away. */
export const set =
  (name: string, path: string, value: unknown) =>
  (recording: Recording): void => {
    const keys = path.split(".");
    const last = keys.pop() ?? "";
    const parent = keys.reduce<Record<string, unknown>>(
      (at, key) => at[key] as Record<string, unknown>,
      the(recording, name).inputs,
    );
    if (value === undefined) delete parent[last];
    else parent[last] = value;
  };

export const without =
  (name: string) =>
  (recording: Recording): void => {
    const gone = the(recording, name);
    recording.resources = recording.resources.filter((resource) => resource !== gone);
  };

/** Changes the resource itself: its region, its protection. */
export const turn =
  (name: string, change: Partial<Resource>) =>
  (recording: Recording): void => {
    Object.assign(the(recording, name), change);
  };

/** One more resource, like another one. */
export const like =
  (name: string, inputs: Record<string, unknown>) =>
  (recording: Recording): void => {
    const model = the(recording, name);
    recording.resources.push({ ...model, name: `Another${model.name}`, inputs });
  };

const nameOf = (policies: readonly Policy[], name: string): Policy => {
  const found = policies.filter((policy) => policy.name.includes(name));
  const [only] = found;
  if (!only || found.length > 1) throw new Error(`${found.length} policies say "${name}"`);
  return only;
};

/** Every policy is kept by both stages, and every break is noticed by the policy that it breaks. */
export const itHolds = (policies: readonly Policy[], breaks: readonly Break[]): void => {
  for (const stage of ["production", "personal"] as const) {
    it.each(policies)(`in ${stage} $name`, async ({ check }) => {
      expect(check(await recorded(stage))).toEqual([]);
    });
  }
  it.each(breaks)("notices $what", async ({ policy, change, says, stage = "production" }) => {
    const recording = await recorded(stage);
    change(recording);
    const told = nameOf(policies, policy)
      .check(recording)
      .map(({ resource, problem }) => `${resource} ${problem}`);
    expect(told.join("\n")).toMatch(says);
  });
  it("has a break for every policy", () => {
    const unbroken = policies.filter(
      ({ name }) => !breaks.some(({ policy }) => name.includes(policy)),
    );
    expect(unbroken.map(({ name }) => name)).toEqual([]);
  });
};
