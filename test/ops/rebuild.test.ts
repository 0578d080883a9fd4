import { describe, expect, it } from "vitest";
import type { Rebuilt } from "../../functions/failover/rebuild.ts";
import { columns } from "../../ops/text.ts";
import { expectRebuilt, stage } from "../failover/rebuild-stage.ts";
import { person } from "./stage.ts";

type Stage = Awaited<ReturnType<typeof stage>>;

const ended = async (at: Stage, run: string): Promise<Rebuilt> => {
  const runs = () => at.cloud.functions.executions(at.standby.region, "failover");
  const found = runs().find(({ name }) => name === run);
  if (!found) throw new Error(`${run} was not started`);
  const execution = await at.timeline.run(at.cloud.functions.finished(found.arn), 5 * 3_600_000);
  return JSON.parse(execution.result ?? "null") as Rebuilt;
};

describe("a rebuild from the command line", () => {
  it("goes through with Slack and us-east-1 silent, by two different people", async () => {
    const at = await stage();
    await at.lostAndBack();
    at.slack.silence(true);
    at.regions.silenceControlPlanes(true);
    const [ana, ben, chiara] = ["U0ANA", "U0BEN", "U0CHIARA"].map((user) => person(at, user));
    if (!ana || !ben || !chiara) throw new Error("three people are at work here");
    expect(await chiara("rebuild home is back")).toMatchObject({
      ok: false,
      data: { refused: { code: "may-not-request" } },
    });
    expect(await ana("rebuild home is back")).toMatchObject({
      ok: true,
      data: { run: "rebuild-2-1", region: at.standby.region },
    });
    await at.timeline.advance(60_000);
    const seen = await ben("status");
    const text = seen.lines.join("\n");
    expect(text).toContain("rebuild-2-1: People are asked");
    expect(text).toContain("- rename platform-eu-central-1 to platform-eu-central-1-quarantine-2");
    for (const line of seen.lines) expect(line.length).toBeLessThanOrEqual(columns);
    const hash = /approve ([0-9a-f]{12})/.exec(text)?.[1];
    expect(await ana(`approve ${hash}`)).toMatchObject({
      ok: false,
      data: { refused: { code: "own-request" } },
    });
    expect(await chiara(`approve ${hash}`)).toMatchObject({ ok: true, data: { wakeUp: "woken" } });
    await expectRebuilt(at, await ended(at, "rebuild-2-1"));
    expect((await ben("status")).lines.join("\n")).toMatch(/rebuild +none is under way/);
    expect(await ben("journal rebuild-2-1")).toMatchObject({ ok: true });
  });

  it("is refused while the old region is gone", async () => {
    const at = await stage();
    await at.lostAndBack();
    at.regions.set(at.home.region, "dead");
    await at.timeline.advance(240_000);
    const refused = await person(at, "U0ANA")("rebuild home is back");
    expect(refused).toMatchObject({ ok: false, data: { refused: { code: "old-region-silent" } } });
  });

  it("is stopped by an operator, and the next order goes on under another name", async () => {
    const at = await stage();
    await at.lostAndBack();
    await person(at, "U0CHIARA")("status");
    await person(at, "U0ANA")("rebuild home is back");
    await at.timeline.advance(300_000);
    expect(await person(at, "U0CHIARA")("abort we look first")).toMatchObject({
      ok: true,
      data: { run: "rebuild-2-1", inTime: "yes" },
    });
    expect(await ended(at, "rebuild-2-1")).toMatchObject({ outcome: "aborted" });
    expect(await person(at, "U0ANA")("rebuild now then")).toMatchObject({
      data: { run: "rebuild-2-2", joined: false },
    });
    await expectRebuilt(at, await ended(at, "rebuild-2-2"));
  });
});
