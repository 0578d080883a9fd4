import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Playbook } from "../../functions/remediation/playbooks.ts";
import { playbooks } from "../../functions/remediation/playbooks.ts";
import { type Recorded, recordedIn } from "../../replay/attempt.ts";
import { recordingIn } from "../../replay/recording.ts";
import { type Line, type Replayed, replay } from "../../replay/replay.ts";
import { linesOf } from "../../replay/text.ts";

/** Each was recorded by a real run on the local AWS, as `npm run ops -- journal` gives it. */
const recorded = (name: string): Recorded[] => {
  const text = readFileSync(new URL(`recorded/${name}.jsonl`, import.meta.url), "utf8");
  const recording = recordingIn(text);
  if (recording.is !== "journals") throw new Error(`${name} is no journal`);
  return recording.runs.map(({ run, entries }) => {
    const found = recordedIn(run, entries);
    if ("unusable" in found) throw new Error(found.unusable);
    return found;
  });
};

const sick = (): Recorded => {
  const [first] = recorded("sick-instance");
  if (!first) throw new Error("nothing is recorded");
  return first;
};

const named = (name: string): Playbook => {
  const found = playbooks.find((each) => each.name === name);
  if (!found) throw new Error(`there is no ${name}`);
  return found;
};

/** The playbooks of today, with this one otherwise. */
const changed = (name: string, change: Partial<Playbook>): Playbook[] =>
  playbooks.map((each) => (each.name === name ? { ...each, ...change } : each));

const lineOf = ({ lines }: Replayed, what: Line["what"]): Line | undefined =>
  lines.find((line) => line.what === what);

const differences = ({ lines }: Replayed) =>
  lines.filter(({ isSame }) => !isSame).map(({ what }) => what);

describe("a recorded incident, replayed", () => {
  it.each(["sick-instance", "filling-disk", "paused"])(
    "is decided today as it was recorded: %s",
    (name) => {
      for (const one of recorded(name)) {
        const again = replay(one, playbooks);
        expect(differences(again)).toEqual([]);
        expect(again.isSame).toBe(true);
      }
    },
  );

  it("was about something: each recording has a plan in it", () => {
    for (const name of ["sick-instance", "filling-disk", "paused"]) {
      const plans = recorded(name).filter(({ past }) => past.deed !== null);
      expect(plans.length, name).toBeGreaterThan(0);
    }
  });

  it("keeps what was so at that moment: who was paused then is paused in the replay", () => {
    const [one] = recorded("paused");
    const again = one && replay(one, playbooks);
    expect(again && lineOf(again, "guardrails")?.now).toBe("paused");
  });

  it("differs when a playbook's threshold was changed, and says by which words", () => {
    const { diagnose } = named("unhealthy-host");
    // As if one sick host in four were too many for it from now on.
    const stricter = changed("unhealthy-host", {
      diagnose: (evidence, subject) => {
        const found = diagnose(evidence, subject);
        return found.is === "one-sick-host" ? { ...found, is: "most-are-sick" } : found;
      },
    });
    const again = replay(sick(), stricter);
    expect(again.isSame).toBe(false);
    expect(differences(again)).toEqual(["finding", "plan", "how far"]);
    expect(lineOf(again, "finding")?.past).toContain("one-sick-host");
    expect(lineOf(again, "finding")?.now).toContain("most-are-sick");
    expect(lineOf(again, "plan")?.now).toBe("nothing (not-actionable)");
    const text = linesOf(again, "done, healed").join("\n");
    expect(text).toContain("then: end i-");
    expect(text).toContain("why: unhealthy-host finds");
    expect(text).toContain("Today it would decide otherwise.");
  });

  it("differs when the deed has another target, field by field", () => {
    const { decide } = named("unhealthy-host");
    const other = changed("unhealthy-host", {
      decide: {
        ...decide,
        "one-sick-host": () => ({
          kind: "proceed",
          deed: { do: "replace-instance", target: { group: "platform", instance: "i-0123456789" } },
          reasons: [],
        }),
      },
    });
    const again = replay(sick(), other);
    expect(lineOf(again, "plan")?.because.join()).toMatch(/instance: "i-.*" → "i-0123456789"/);
  });

  it("differs when a playbook may only ask by now", () => {
    const again = replay(sick(), changed("unhealthy-host", { right: "ask" }));
    expect(differences(again)).toEqual(["how far"]);
    expect(lineOf(again, "how far")).toMatchObject({ past: "by itself", now: "asks people" });
  });

  it("says which look is new and was not recorded", () => {
    const { evidence } = named("unhealthy-host");
    const curious = changed("unhealthy-host", {
      evidence: [...evidence, "storage"],
      diagnose: () => ({ is: "unknown", says: "The storage is not known.", advice: [] }),
    });
    expect(lineOf(replay(sick(), curious), "finding")?.because).toEqual([
      "storage is looked at today and was not recorded.",
    ]);
  });

  it("differs when the playbook has been taken away", () => {
    const others = playbooks.filter(({ name }) => name !== "unhealthy-host");
    const again = replay(sick(), others);
    expect(again.isSame).toBe(false);
    expect(lineOf(again, "playbook")?.now).toBe("none of this name");
  });

  it("differs when the guardrails would let it pass no more", () => {
    const one = sick();
    const { group } = one.evidence;
    if (!group.known) throw new Error("the recording has no group");
    const [first, ...rest] = group.value.instances;
    if (!first) throw new Error("the recording has no instances");
    // As if an exchange had been under way, and nobody had minded then.
    const instances = [{ ...first, lifecycle: "Pending" }, ...rest];
    const busy = { ...group, value: { ...group.value, instances } };
    const again = replay({ ...one, evidence: { ...one.evidence, group: busy } }, playbooks);
    expect(lineOf(again, "guardrails")?.now).toContain("exchange-under-way");
  });
});
