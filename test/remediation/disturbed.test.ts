import { beforeAll, describe, expect, it } from "vitest";
import { menu } from "../../functions/remediation/actions.ts";
import { playbooks } from "../../functions/remediation/playbooks.ts";
import { everyBlow, shareOf } from "./blows.ts";
import { type Blow, callsOf, lived } from "./disturbed.ts";
import { type Story, stories } from "./stories.ts";

/** `EVERY_BLOW=1` disturbs every story by all there is, which takes minutes; else each has a share. */
const isWhole = process.env.EVERY_BLOW === "1";
const manyRuns = 900_000;

/** Of so many calls before the deed one is tried in a story; the next story tries the one after it. */
const pauseStride = 24;

/** Why what was held up for ten minutes is not made up for. */
const later = ["cooldown", "budget", "not-actionable"];

const labels: string[][] = [];
beforeAll(async () => {
  for (const story of stories) labels.push(await callsOf(story));
}, manyRuns);

/** One blow after the other, until a run has no checkpoint of that number. */
const disturb = async (story: Story, blows: readonly Blow[]) => {
  const seen = { found: [] as string[], struck: 0, asExpected: 0, checkpoints: 0 };
  let isPast = false;
  for (const blow of blows) {
    if (isPast && blow.is === "killed-at-checkpoint") continue;
    const { results, hits, wrongs } = await lived(story, blow);
    const last = results.at(-1);
    seen.found.push(...wrongs.map((wrong) => `${JSON.stringify(blow)}: ${wrong}`));
    if (blow.is === "killed-at-checkpoint") {
      isPast = hits === 0;
      seen.checkpoints += hits;
    }
    if (hits === 0) continue;
    seen.struck += 1;
    if (last?.end === story.ends.end && last.code === story.ends.code) seen.asExpected += 1;
  }
  return seen;
};

describe.each(stories.map((story, index) => ({ ...story, index })))(
  "$playbook, by $deed",
  (story) => {
    it("ends as it should when nothing disturbs it", async () => {
      const { wrongs, results } = await lived(story, { is: "nothing" });
      expect(wrongs).toEqual([]);
      expect(results.at(-1)).toMatchObject(story.ends);
    });

    it(
      "ends, harms nothing, and is closed or handed on, whichever call fails and wherever it is killed",
      async () => {
        const own = labels[story.index] ?? [];
        const blows = isWhole ? everyBlow(own) : shareOf(labels, story.index, story.isLong);
        const { found, struck, asExpected, checkpoints } = await disturb(story, blows);
        expect(found).toEqual([]);
        // Fewer would mean that the run has not been walked through.
        expect(checkpoints).toBeGreaterThan(isWhole ? 40 : story.isLong ? 0 : 1);
        expect(struck).toBeGreaterThan(6);
        // A minute without one call, or a death, is no reason to leave the repair to people.
        expect(asExpected / struck).toBeGreaterThan(0.9);
      },
      manyRuns,
    );

    it(
      "changes nothing from the moment the switch is thrown, whenever that is between plan and deed",
      async () => {
        const stride = isWhole ? 1 : pauseStride;
        let calls = 0;
        for (let number = 1 + (isWhole ? 0 : story.index % stride); ; number += stride) {
          const { results, hits, wrongs } = await lived(story, { is: "paused", number });
          if (hits === 0) break;
          calls = number;
          expect([`call ${number}`, ...wrongs]).toEqual([`call ${number}`]);
          expect(
            results.map(({ code }) => code),
            `before call ${number}`,
          ).toContain("paused");
          // Off again ten minutes later, it is repaired; or it is for people by then: what was reserved
          // is never given back, and a load that has grown an hour ago is the load of every day.
          const last = results.at(-1);
          if (last?.end !== "done") expect(later).toContain(last?.code);
          else expect(last, `before call ${number}`).toMatchObject(story.ends);
        }
        expect(calls).toBeGreaterThan(isWhole ? 15 : 8);
      },
      manyRuns,
    );
  },
);

describe("the stories that are disturbed", () => {
  it("are of every deed of the menu and of every playbook that has one", () => {
    const told = new Set(stories.map(({ deed }) => deed));
    expect(Object.keys(menu).filter((deed) => !told.has(deed as keyof typeof menu))).toEqual([]);
    const acting = playbooks.filter(({ decide }) => Object.keys(decide).length > 0);
    const names = new Set(stories.map(({ playbook }) => playbook));
    expect(acting.map(({ name }) => name).filter((name) => !names.has(name))).toEqual([]);
  });
});
