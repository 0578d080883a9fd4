import { describe, expect, it } from "vitest";
import { names } from "../../drills/names.ts";
import type { Observer } from "../../local/aws/endpoint.ts";
import {
  acknowledgeEfficacy,
  countOutcome,
  promotionOf,
  readEfficacy,
} from "../../shared/efficacy.ts";
import { expectReplaced, expectUntouched, type Stage, stage } from "./stage.ts";

const playbook = "unhealthy-host";

const efficacy = (at: Stage) => at.timeline.run(readEfficacy(at.table, at.region, playbook));

const fail = async (at: Stage, run: string) =>
  at.timeline.run(
    countOutcome(at.table, at.region, playbook, {
      run,
      outcome: "ineffective",
      atMilliseconds: at.timeline.now(),
    }),
  );

describe("a playbook in shadow", () => {
  it("says what it would do, does nothing, and counts whether it was needed", async () => {
    const at = await stage({ rights: { [playbook]: "shadow" } });
    const before = await at.serving();
    const { ids } = await at.sicken();
    const result = await at.ended();
    expect(result).toMatchObject({ end: "shadow", acts: 0 });
    expect(result.notes[0]).toContain(`Would end ${ids[0]}`);
    expect(await efficacy(at)).toMatchObject({ shadowed: 1, needless: 0 });
    await expectUntouched(at, before);
  });

  it("learns that it would not have been needed when the instance heals by itself", async () => {
    const at = await stage({ rights: { [playbook]: "shadow" } });
    const { heal } = await at.sicken();
    await at.until("it has said so", async () =>
      (await at.journal()).some(({ key }) => key === "would"),
    );
    heal();
    await at.ended();
    expect(await efficacy(at)).toMatchObject({ shadowed: 1, needless: 1 });
    expect(promotionOf(await efficacy(at))).toBe("1 of 5 runs in shadow that it takes");
  });

  it("lets the incident go on while it waits, and does not repeat itself", async () => {
    const at = await stage({ rights: { [playbook]: "shadow" } });
    await at.sicken();
    await at.until("it has said so", async () =>
      (await at.journal()).some(({ key }) => key === "would"),
    );
    await at.timeline.advance(120_000);
    expect((await at.incident())?.attempt?.end).toBe("shadow");
    await at.timeline.advance(3_600_000);
    expect(at.executions()).toHaveLength(1);
  });

  it("is what every playbook is that the operator's file does not name", async () => {
    const at = await stage({ config: ({ remediation: _none, ...config }) => config });
    await at.sicken();
    expect(await at.ended()).toMatchObject({ end: "shadow", acts: 0 });
  });
});

describe("a playbook that did not help three times in a row", () => {
  it("loses its automatic right and asks, until a person gives it back", async () => {
    const at = await stage();
    for (const run of ["a", "b", "c"]) await fail(at, run);
    expect(await efficacy(at)).toMatchObject({ ineffectiveInARow: 3, demotedBy: "c" });
    await at.sicken();
    await at.until("people are asked", async () =>
      (await at.journal()).some(({ key }) => key === "asked"),
    );
    await at.timeline.run(acknowledgeEfficacy(at.table, at.region, playbook));
    expect(await efficacy(at)).toMatchObject({ ineffectiveInARow: 0, demotedBy: null });
  });

  it("is counted once however often its run says so, and a success begins anew", async () => {
    const at = await stage();
    for (const run of ["a", "a", "a", "b"]) await fail(at, run);
    expect(await efficacy(at)).toMatchObject({ ineffectiveInARow: 2, demotedBy: null });
    const before = await at.serving();
    const { ids } = await at.sicken();
    expect(await at.ended()).toMatchObject({ end: "done" });
    await expectReplaced(at, ids[0] ?? "", before);
    expect(await efficacy(at)).toMatchObject({ ineffectiveInARow: 0, healed: 1 });
  });
});

describe("a repair that does not help", () => {
  it("asks for a human when users get more errors than before", async () => {
    const built: { at?: Stage } = {};
    const at = await stage({
      writesPerSecond: 2,
      hooks: () => ({
        observe: afterTerminate(() => {
          // Whatever it was that the sick one did not do: now all others fail for users.
          built.at?.cloud.fleet.ail({ region: built.at.region }, { is: "errors" });
        }),
      }),
    });
    built.at = at;
    await at.sicken();
    const result = await at.ended();
    expect(result).toMatchObject({ end: "needs-human", code: "worse", acts: 1 });
    expect(result.notes).toContain("It cannot be taken back.");
    expect(await efficacy(at)).toMatchObject({ ineffective: 1 });
    expect(at.slack.messages().some(({ text }) => text.includes("needs a human"))).toBe(true);
  });

  it("asks for a human when something has changed that it does not change", async () => {
    const built: { at?: Stage } = {};
    const at = await stage({
      hooks: () => ({
        observe: afterTerminate(() =>
          built.at?.cloud.ask("auto-scaling", "UpdateAutoScalingGroup", built.at.region, {
            AutoScalingGroupName: names.group,
            MaxSize: 5,
          }),
        ),
      }),
    });
    built.at = at;
    await at.sicken();
    const result = await at.ended();
    expect(result).toMatchObject({ end: "needs-human", code: "undeclared-change", acts: 1 });
    expect(result.notes[0]).toContain("maximum: 8 → 5");
  });
});

/** Something that happens to the world right after the one change of a repair. */
const afterTerminate = (act: () => unknown): Observer => {
  let isDone = false;
  return {
    after: async ({ operation }) => {
      if (isDone || operation !== "TerminateInstanceInAutoScalingGroup") return undefined;
      isDone = true;
      await act();
      return undefined;
    },
  };
};

describe("a fleet", () => {
  it("loses nobody when most of it is sick", async () => {
    const at = await stage();
    const before = await at.serving();
    await at.sicken(3);
    const result = await at.ended();
    expect(result).toMatchObject({ end: "needs-human", code: "not-actionable", acts: 0 });
    expect(result.notes[0]).toContain("most-are-sick");
    await expectUntouched(at, before);
  });

  it("loses no more than a third of it in an hour, one after the other", async () => {
    const at = await stage();
    const before = await at.serving();
    const { ids } = await at.sicken();
    expect(await at.ended()).toMatchObject({ end: "done" });
    await expectReplaced(at, ids[0] ?? "", before);
    await at.sicken();
    expect(await at.ended(2)).toMatchObject({ end: "needs-human", code: "fleet-share", acts: 0 });
  });

  it("has its own way first where its group replaces what is sick", async () => {
    const at = await stage();
    await at.cloud.ask("auto-scaling", "UpdateAutoScalingGroup", at.region, {
      AutoScalingGroupName: names.group,
      HealthCheckType: "ELB",
    });
    await at.sicken();
    await at.timeline.advance(1_200_000);
    expect(at.results().every(({ acts }) => acts === 0)).toBe(true);
    expect(await at.serving()).toHaveLength(4);
  });
});

describe("the region's budget", () => {
  it("is spent by whoever was first, and holds the next one back", async () => {
    const at = await stage({
      instances: 6,
      config: (config) => ({
        ...config,
        remediation: { actionsPerHour: 1, playbooks: { [playbook]: "automatic" } },
      }),
    });
    await at.sicken();
    expect(await at.ended()).toMatchObject({ end: "done" });
    await at.sicken();
    expect(await at.ended(2)).toMatchObject({ end: "needs-human", code: "budget", acts: 0 });
  });
});
