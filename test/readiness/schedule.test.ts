import { describe, expect, it } from "vitest";
import { names } from "../../drills/names.ts";
import { keepProof } from "../../shared/proof.ts";
import { isFailing, readReadiness, verdictOf } from "../../shared/readiness.ts";
import { stage as rebuilding } from "../failover/rebuild-stage.ts";
import { expectMoved, type Stage } from "../failover/stage.ts";
import { person } from "../ops/stage.ts";
import { look, looked, metric } from "./stage.ts";

const lookMilliseconds = 300_000;

const alarm = async (at: Stage, name = "nightshift-not-ready"): Promise<string | undefined> => {
  const { MetricAlarms } = await at.cloud.ask<{ MetricAlarms: { StateValue: string }[] }>(
    "cloudwatch",
    "DescribeAlarms",
    at.platform.standby.region,
    { AlarmNames: [name] },
  );
  return MetricAlarms[0]?.StateValue;
};

const removeContainer = ({ cloud, platform: { standby } }: Stage) =>
  cloud.images.remove(standby.region, names.image.repository, names.image.digest);

describe("the look every five minutes", () => {
  it("is there soon after the first heartbeats, and leaves the alarm alone", async () => {
    const at = await looked({ looks: true, people: [] });
    const status = async () => (await person(at, "U0ANA")("status")).lines.join("\n");
    expect(await status()).toMatch(/readiness +eu-west-1: ready, all 15 checks/);
    await at.timeline.advance(5 * lookMilliseconds);
    expect(await alarm(at)).toBe("OK");
    expect(await status()).toMatch(/readiness +eu-west-1: ready, all 15 checks/);
  });

  it("finds a broken standby within one look, says so, and alarms after three", async () => {
    const at = await looked({ looks: true, people: [] });
    removeContainer(at);
    await at.timeline.advance(lookMilliseconds + 30_000);
    const { lines } = await person(at, "U0ANA")("status");
    const text = lines.join("\n");
    expect(text).toMatch(/readiness +eu-west-1: NOT READY, 1 of 15 checks fail/);
    expect(text).toContain("image (not-ready):");
    await at.timeline.advance(4 * lookMilliseconds);
    expect(await alarm(at)).toBe("ALARM");
  });

  it("alarms on backups that come no more only when they are too old", async () => {
    const at = await looked({ looks: true, people: [] });
    const { home, standby } = at.platform;
    const backups = () => alarm(at, "nightshift-backup-replication");
    await at.timeline.advance(5 * lookMilliseconds);
    expect(await backups()).toBe("OK");
    const SourceDBInstanceArn = `arn:aws:rds:${home.region}:${names.account}:db:${home.databaseId}`;
    const stop = "StopDBInstanceAutomatedBackupsReplication";
    await at.cloud.ask("rds", stop, standby.region, { SourceDBInstanceArn });
    await at.timeline.advance(6 * lookMilliseconds);
    // Readiness has told by then, and the age is not the trouble yet.
    expect([await alarm(at), await backups()]).toEqual(["ALARM", "OK"]);
    await at.timeline.advance(12 * lookMilliseconds);
    expect(await backups()).toBe("ALARM");
  });

  it("alarms and is stale when nobody looks any more", async () => {
    const at = await looked({ looks: true, people: [] });
    const { standby } = at.platform;
    await at.cloud.ask("scheduler", "DeleteSchedule", standby.region, { Name: "readiness" });
    // CloudWatch makes up for missing values by older ones for two periods more.
    await at.timeline.advance(6 * lookMilliseconds);
    expect(await alarm(at)).toBe("ALARM");
    const kept = await at.timeline.run(readReadiness(at.table, standby.region));
    const { verdict, score, checks } = verdictOf(kept, at.timeline.now());
    expect({ verdict, score, stale: checks.filter(isFailing).length }).toEqual({
      verdict: "not-ready",
      score: 0,
      stale: 15,
    });
  });
});

describe("after a move", () => {
  it("the new active region tells that nobody could take over from it", async () => {
    const at = await looked({ looks: true });
    const { home, standby } = at.platform;
    at.loseHome();
    await at.until("a run has begun", () => at.executions().length > 0);
    await expectMoved(at, await at.ended());
    const report = await look(at, standby.region);
    expect(report).toMatchObject({ does: "keeps", verdict: "not-ready", score: 0 });
    const judged = { Name: "Region", Value: home.region };
    expect(await metric(at, "Readiness", standby.region, judged)).toBe(0);
    const status = (await person(at, "U0ANA")("status")).lines.join("\n");
    expect(status).toContain(`${home.region}: never looked at, so it counts as NOT READY`);
  });
});

describe("the way home", () => {
  it("finds the rebuilt home region ready, by what the new active one has kept", async () => {
    const at = await rebuilding();
    await at.lostAndBack();
    await at.rebuild();
    const { home, standby, timeline, table } = at;
    const proof = { region: home.region, run: "rehearsal-1", kind: "rehearsal" as const };
    await timeline.run(keepProof(table, { ...proof, atMilliseconds: timeline.now() }));
    await timeline.advance(120_000);
    expect(await look(at, standby.region)).toMatchObject({ does: "keeps" });
    // The first snapshot of the new primary is still on its way home.
    expect(await look(at, home.region)).toMatchObject({ does: "scores", failing: ["backups"] });
    await timeline.advance(1_800_000);
    await look(at, standby.region);
    expect(await look(at, home.region)).toMatchObject({ does: "scores", failing: [], score: 1 });
    expect(await look(at, standby.region)).toMatchObject({ verdict: "ready", score: 1 });
  });
});
