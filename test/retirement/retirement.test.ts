import { describe, expect, it } from "vitest";
import { quietSince } from "../../functions/retirement/decide.ts";
import type { Asked, Fleet, Ports, Told } from "../../functions/retirement/retirement.ts";
import { nothingToPromote, retireOld } from "../../functions/retirement/retirement.ts";
import { virtualTimeline } from "../../local/time/virtual.ts";
import { directSteps } from "../../shared/steps.ts";
import { clockOn } from "../clock.ts";

const regions = ["eu-central-1", "eu-west-1"] as const;
const [home, away] = regions;
const order = {
  run: "rotation-platform-database-1f0c9a2b",
  secret: "platform/database",
  token: "t",
};

/** Regions, fleets and databases of an overlap, which a test changes as time passes. */
const overlap = (change: { told?(region: string, asked: Asked): Told | undefined } = {}) => {
  const timeline = virtualTimeline(Date.UTC(2026, 10, 22, 3));
  const clock = clockOn(timeline);
  const happened: string[] = [];
  const pages: string[] = [];
  const sessions = new Map<string, number | Error>(regions.map((region) => [region, 0]));
  const replaced = new Map<string, number>();
  const fleetOf = (region: string, since: number): Fleet => {
    const at = replaced.get(region);
    if (at === undefined || at < since) return { status: null };
    return { status: timeline.now() - at >= 300_000 ? "done" : "under-way" };
  };
  const ports: Ports = {
    clock,
    regions,
    policy: { holdSeconds: 600, deadlineSeconds: 86_400 },
    ask: async (region, asked) => {
      const told = change.told?.(region, asked);
      if (told) return told;
      happened.push(`${asked} in ${region}`);
      if (asked === "promote") return { did: nothingToPromote };
      return { did: "done", idle: "app_a" };
    },
    sessions: async (region) => {
      const count = sessions.get(region) ?? 0;
      if (count instanceof Error) throw count;
      return count;
    },
    fleet: async (region, since) => fleetOf(region, since),
    replaceFleet: async (region) => {
      happened.push(`replace ${region}`);
      replaced.set(region, timeline.now());
    },
    hold: async () => undefined,
    letGo: async () => void happened.push("let go"),
    record: async () => undefined,
    page: async (_run, text) => void pages.push(text),
  };
  const run = (days = 3) =>
    timeline.run(retireOld(directSteps(clock), ports, order), days * 86_400_000);
  return { timeline, happened, pages, sessions, run };
};

describe("the end of an overlap", () => {
  it("comes when both regions have proven the value, both fleets are new and nobody is left", async () => {
    const at = overlap();
    const begun = at.timeline.now();
    expect(await at.run()).toMatchObject({ end: "retired" });
    expect(at.happened).toEqual([
      `prove in ${home}`,
      `prove in ${away}`,
      `replace ${home}`,
      `replace ${away}`,
      `promote in ${home}`,
      `retire in ${home}`,
      "let go",
    ]);
    // Two fleets of five minutes, and ten minutes of nobody.
    expect(at.timeline.now() - begun).toBeGreaterThanOrEqual(1_200_000);
    expect(at.pages).toEqual([]);
  });

  it.each([
    ["somebody stays on the old login of the standby region", 1],
    ["a database cannot be asked", new Error("nothing answers")],
  ])("never comes while %s, and people are told at the deadline", async (_what, left) => {
    const at = overlap();
    at.sessions.set(away, left);
    expect(await at.run()).toMatchObject({ end: "needs-human" });
    expect(at.happened).not.toContain(`retire in ${home}`);
    expect(at.pages).toEqual([expect.stringContaining(`in ${away}`.slice(3))]);
  });

  it("waits for a replica that is not in sync, and restarts nobody before", async () => {
    let looks = 0;
    const behind = { refused: { code: "another-version", reason: "AWSCURRENT is older here." } };
    const at = overlap({
      told: (region, asked) => {
        if (region !== away || asked !== "prove" || looks >= 5) return undefined;
        looks += 1;
        return behind;
      },
    });
    expect(await at.run()).toMatchObject({ end: "retired" });
    expect(looks).toBe(5);
    expect(at.happened.indexOf(`prove in ${away}`)).toBeLessThan(
      at.happened.indexOf(`replace ${home}`),
    );
  });

  it("does nothing for a rotation whose label never moved", async () => {
    const refused = { code: "another-version", reason: "AWSCURRENT is on another version." };
    const at = overlap({ told: () => ({ refused }) });
    expect(await at.run()).toMatchObject({ end: "not-finished" });
    expect(at.happened).toEqual(["let go"]);
  });

  it("replaces the fleets once more for a ring, whose new key is the primary only then", async () => {
    const at = overlap({
      told: (_region, asked) => (asked === "promote" ? { did: "It is the primary." } : undefined),
    });
    await at.run();
    expect(at.happened.filter((what) => what === `replace ${home}`)).toHaveLength(2);
  });
});

it("rests for as long as a session may live before a signing key goes", async () => {
  const restSeconds = 1_209_600;
  const at = overlap({
    told: (_region, asked) =>
      asked === "prove" ? { did: "It is there.", restSeconds } : undefined,
  });
  const begun = at.timeline.now();
  expect(await at.run(30)).toMatchObject({ end: "retired" });
  expect(at.happened.at(-2)).toBe(`retire in ${home}`);
  expect(at.timeline.now() - begun).toBeGreaterThan(restSeconds * 1000);
});

describe("an overlap whose old value somebody else may know", () => {
  const compromised = { did: "It is there.", isCompromised: true };

  it("ends at once, and the instances follow", async () => {
    const at = overlap({ told: (_r, asked) => (asked === "prove" ? compromised : undefined) });
    at.sessions.set(home, 9);
    expect(await at.run()).toMatchObject({ end: "retired" });
    expect(at.happened).toEqual([
      `promote in ${home}`,
      `retire in ${home}`,
      `expel in ${home}`,
      `expel in ${away}`,
      `replace ${home}`,
      `replace ${away}`,
      "let go",
    ]);
    expect(at.pages).toEqual([]);
  });

  it("does not wait for a region that says nothing for longer than ten minutes", async () => {
    const silent = { refused: { code: "unknown", reason: "It could not be asked." } };
    const at = overlap({
      told: (region, asked) => {
        if (asked !== "prove") return undefined;
        return region === away ? silent : compromised;
      },
    });
    const begun = at.timeline.now();
    const { notes } = await at.run();
    expect(notes.join(" ")).toContain(`Not proven in ${away}: It could not be asked.`);
    expect(at.happened).toContain(`retire in ${home}`);
    expect(at.timeline.now() - begun).toBeLessThan(1_800_000);
  });
});

describe("an overlap that people have given up", () => {
  const refused = { code: "abandoned", reason: "It was given up." };

  it.each(["prove", "retire"])("ends at its next question, %s, and calls nobody", async (last) => {
    let isGivenUp = last === "prove";
    const at = overlap({
      told: (_region, asked) => {
        if (asked === last) isGivenUp = true;
        return isGivenUp ? { refused } : undefined;
      },
    });
    expect(await at.run()).toMatchObject({ end: "abandoned" });
    expect(at.pages).toEqual([]);
  });
});

describe("nobody is on the old login", () => {
  it.each([
    ["since the first look that saw nobody", 5, [0, 0], 5],
    ["from now on, when somebody was there before", null, [0, 0], 9],
    ["not while one region has somebody", 5, [0, 1], null],
    ["not while one region cannot be asked", 5, [0, null], null],
  ] as const)("%s", (_what, before, counts, since) => {
    const looked = counts.map((sessions, index) => ({ region: `${index}`, sessions }));
    expect(quietSince(before, looked, 9)).toBe(since);
  });
});
