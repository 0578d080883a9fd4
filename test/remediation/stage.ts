import { afterEach, expect } from "vitest";
import { verify } from "../../shared/journal.ts";
import { raised, type Stage, type StageOptions } from "./platform.ts";

export {
  approvesQuickly,
  rejectsQuickly,
  type Stage,
  type StageOptions,
} from "./platform.ts";

const open = new Set<Stage>();
afterEach(async () => {
  for (const one of open) await one.close();
  open.clear();
});

/** A platform with repairs that is taken down at the end of the test. */
export const stage = async (options: StageOptions = {}): Promise<Stage> => {
  const built = await raised(options);
  open.add(built);
  const leave = async () => {
    open.delete(built);
    await built.close();
  };
  return { ...built, leave };
};

/** Exactly the sick one was ended, another serves in its place, and all of it can be read afterwards. */
export const expectReplaced = async (at: Stage, sick: string, before: string[]): Promise<void> => {
  const now = await at.serving();
  expect(now).not.toContain(sick);
  expect(now).toHaveLength(before.length);
  expect(now.filter((id) => before.includes(id))).toHaveLength(before.length - 1);
  const entries = await at.journal();
  for (const run of new Set(entries.map((entry) => entry.run))) {
    const own = entries.filter((entry) => entry.run === run);
    expect(verify(own)).toMatchObject({ ok: true });
    // A step that ran again has recorded itself once.
    expect(new Set(own.map(({ key }) => key)).size).toBe(own.length);
  }
  expect(at.bugs).toEqual([]);
};

/** Nothing of the group was touched. */
export const expectUntouched = async (at: Stage, before: string[]): Promise<void> => {
  expect(await at.serving()).toEqual(before);
  expect(at.bugs).toEqual([]);
};
