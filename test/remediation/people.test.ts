import { describe, expect, it } from "vitest";
import { names } from "../../drills/names.ts";
import { countOutcome, readEfficacy } from "../../shared/efficacy.ts";
import { person } from "../ops/stage.ts";
import { expectUntouched, type Stage, stage } from "./stage.ts";
import { latencyStory } from "./story-platform.ts";

const command = async (at: Stage, user: string, text: string): Promise<string> => {
  // The same words in the same second would be a replay.
  await at.timeline.advance(1000);
  const { body } = await at.timeline.run(at.people.command(user, text));
  return (JSON.parse(body) as { text: string }).text;
};

const untilLine = (at: Stage, key: string) =>
  at.until(`the line ${key}`, async () => (await at.journal()).some((line) => line.key === key));

const runOf = async (at: Stage): Promise<string> => (await at.incident())?.attempt?.run ?? "none";

const lose = async (at: Stage, playbook: string): Promise<void> => {
  const { timeline, table, region } = at;
  for (const run of ["a", "b", "c"]) {
    const failed = { run, outcome: "ineffective", atMilliseconds: timeline.now() } as const;
    await timeline.run(countOutcome(table, region, playbook, failed));
  }
};

const desired = async (at: Stage): Promise<number> => {
  const { AutoScalingGroups } = await at.cloud.ask<{
    AutoScalingGroups: { DesiredCapacity: number }[];
  }>("auto-scaling", "DescribeAutoScalingGroups", at.region, {
    AutoScalingGroupNames: [names.group],
  });
  return AutoScalingGroups[0]?.DesiredCapacity ?? 0;
};

describe("a repair that somebody stops by its name", () => {
  it("does nothing when it waits for people, and is not tried again in this incident", async () => {
    const at = await stage({ rights: { "unhealthy-host": "ask" } });
    const before = await at.serving();
    await at.sicken();
    await untilLine(at, "asked");
    const said = await command(at, "U0BEN", `abort ${await runOf(at)} we do it by hand`);
    expect(said).toContain("is told to stop");
    const result = await at.ended();
    expect(result).toMatchObject({ end: "needs-human", code: "aborted", acts: 0 });
    expect(result.notes[0]).toBe("Stopped by U0BEN: we do it by hand.");
    await at.timeline.advance(1_800_000);
    expect(at.executions()).toHaveLength(1);
    await expectUntouched(at, before);
  });

  it("takes back what it has done when that is still proving itself", async () => {
    const at = await stage(latencyStory.options);
    await latencyStory.arrange(at);
    await untilLine(at, "acted");
    expect(await desired(at)).toBe(4);
    expect(await person(at, "U0ANA")(`abort ${await runOf(at)} wrong night`)).toMatchObject({
      ok: true,
    });
    const result = await at.ended();
    expect(result).toMatchObject({ end: "needs-human", code: "aborted", acts: 1 });
    expect(result.notes).toContain("It was taken back.");
    expect(await desired(at)).toBe(3);
  });

  it("is refused when that run is not under way", async () => {
    const at = await stage();
    const said = await command(at, "U0ANA", `abort remediation-${at.region}-01234567-1 stop it`);
    expect(said).toContain("is not under way");
  });
});

describe("a playbook that has lost its automatic right", () => {
  it("is shown to people, who give it back in Slack", async () => {
    const at = await stage();
    await lose(at, "unhealthy-host");
    expect(await command(at, "U0ANA", "repairs")).toContain(
      "unhealthy-host: automatic; 0 helped, 3 did not; asks until somebody gives its right back",
    );
    const said = await command(at, "U0BEN", "repairs ack unhealthy-host");
    expect(said).toContain(`may do again what the operator's file gives it, in ${at.region}`);
    const now = await at.timeline.run(readEfficacy(at.table, at.region, "unhealthy-host"));
    expect(now).toMatchObject({ demotedBy: null, ineffectiveInARow: 0 });
    expect(await command(at, "U0BEN", "repairs ack unhealthy-host")).toContain("lost nothing");
    expect(await command(at, "U0BEN", "repairs ack cure-all")).toContain("no playbook cure-all");
  });

  it("gets it back from the command line, where Slack is silent", async () => {
    const at = await stage();
    at.slack.silence(true);
    await lose(at, "unhealthy-host");
    const ben = person(at, "U0BEN");
    expect((await ben("repairs")).lines.join("\n")).toContain("lost its automatic right by c");
    expect(await ben("repairs ack unhealthy-host")).toMatchObject({
      ok: true,
      data: { regions: [at.region], givenBackBy: "U0BEN" },
    });
    expect(await ben("repairs ack unhealthy-host")).toMatchObject({ ok: false });
  });
});

describe("people who look", () => {
  it("see what is open and why it is parked, and the journal of a repair by its name", async () => {
    const at = await stage({ rights: { "unhealthy-host": "ask" } });
    await at.sicken();
    await untilLine(at, "asked");
    const run = await runOf(at);
    expect(await command(at, "U0CHIARA", "repairs")).toContain(
      `${run} (unhealthy-host) is at work`,
    );
    const told = await person(at, "U0CHIARA")(`journal ${run}`);
    expect(told).toMatchObject({ ok: true, data: { verdict: { ok: true } } });
    expect(told.lines.join("\n")).toContain("one-sick-host");
  });

  it("hold repairs back by a window that they declare in a word", async () => {
    const at = await stage();
    const before = await at.serving();
    const said = await command(at, "U0ANA", "freeze 2h we change the network");
    expect(said).toContain("repairs wait until then");
    await at.sicken();
    expect(await at.ended()).toMatchObject({ end: "held", code: "frozen", acts: 0 });
    await expectUntouched(at, before);
  });
});
