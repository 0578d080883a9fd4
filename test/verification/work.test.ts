import { describe, expect, it } from "vitest";
import { names } from "../../drills/names.ts";
import { isIdle } from "./looks.ts";
import { heartbeat, inTurns, onlyRecord, quarantine, stage } from "./stage.ts";

/** What a copy was at any moment of its life. */
const livesOf = async (at: Awaited<ReturnType<typeof stage>>) => {
  const seen = new Set<string>();
  while (!isIdle(at)) {
    for (const copy of await at.copies()) {
      const tags = copy.TagList.map(({ Key }) => Key).sort();
      const groups = copy.VpcSecurityGroups.map((each) => each.VpcSecurityGroupId);
      const { DBInstanceClass: size, BackupRetentionPeriod: days } = copy;
      seen.add(JSON.stringify({ status: copy.DBInstanceStatus, tags, groups, size, days }));
    }
    await at.timeline.advance(5000);
  }
  return [...seen].map((text) => JSON.parse(text) as Record<string, unknown>);
};

describe("a restore test", () => {
  it("restores the replicated backup in the standby region, looks into it, and takes it away", async () => {
    const at = await stage();
    await at.start();
    const result = await at.ended();
    expect(result).toMatchObject({ end: "verified", leftovers: [], notes: [], unrecorded: 0 });
    expect(await at.copies()).toEqual([]);
    const record = await onlyRecord(at);
    expect(record.outcome).toMatchObject({ verified: true });
    expect(record.backup?.arn).toContain(`:${at.standby.region}:`);
    expect(record.measured.availableSeconds).toBeGreaterThan(300);
    expect(record.measured.warmSeconds).toBeGreaterThan(record.measured.availableSeconds ?? 0);
    expect((await at.journal()).map(({ key }) => key)).toEqual([
      ...["begin", "landed", "copy", "restored", "checked", "end"],
    ]);
    expect(at.slack.messages().at(-1)?.text).toContain("Backups verified");
    expect(at.bugs).toEqual([]);
  });

  it("keeps the copy apart, small, without backups, and strips it of production's tags", async () => {
    const taken: string[] = [];
    const before = async (_call: unknown, input: object) =>
      void taken.push(...((input as { TagKeys?: string[] }).TagKeys ?? []));
    const at = await stage({ hooks: () => ({ observe: { before } }) });
    await at.cloud.ask("rds", "AddTagsToResource", at.home.region, {
      ResourceName: `arn:aws:rds:${at.home.region}:${names.account}:db:${at.home.databaseId}`,
      Tags: [{ Key: "environment", Value: "production" }],
    });
    await at.start();
    const lives = await livesOf(at);
    expect(lives.length).toBeGreaterThan(1);
    for (const each of lives) {
      const apart = { groups: [quarantine.securityGroup], size: "db.t4g.medium", days: 0 };
      expect(each).toMatchObject(apart);
    }
    // RDS gives a copy its source's tags; nobody looks into it before they are off.
    expect(taken).toEqual(["environment"]);
    const ready = lives.filter(({ status }) => status === "available");
    for (const { tags } of ready) {
      expect(tags).toEqual(["nightshift:delete-after", "nightshift:verification"]);
    }
  });

  it("goes back to a moment in the past, drawn once, when an older age is asked for", async () => {
    const at = await stage();
    await at.timeline.advance(5 * 3_600_000);
    await at.start({ age: { is: "random" } });
    expect(await at.ended()).toMatchObject({ end: "verified" });
    const { restore, backup } = await onlyRecord(at);
    expect(restore?.aim).toBe("older");
    const [from, to, moment] = [backup?.restorableFrom, backup?.restorableTo, restore?.to];
    expect([from, moment, to].toSorted()).toEqual([from, moment, to]);
    expect(new Set([from, moment, to]).size).toBe(3);
  });

  it("sets a password that is in no checkpoint, journal, message, log or record", async () => {
    const passwords: string[] = [];
    const at = await stage({
      hooks: () => ({
        observe: {
          before: async (_call, input) => {
            const { MasterUserPassword: set } = input as { MasterUserPassword?: string };
            if (set) passwords.push(set);
          },
        },
      }),
    });
    await at.start();
    await at.ended();
    expect(passwords).toHaveLength(1);
    const told = JSON.stringify([
      ...[at.executions(), await at.journal(), at.slack.messages(), at.lines, await at.records()],
      await at.items(names.coordination),
    ]);
    for (const password of passwords) expect(told).not.toContain(password);
    expect(told).toContain("platform-verify-");
  });

  it("calls a copy wrong whose check fails, and one unknown whose check breaks", async () => {
    const wrong = { ...inTurns, run: async () => Promise.reject(new Error("relation is gone")) };
    const at = await stage({ checks: [heartbeat, wrong] });
    await at.start();
    expect(await at.ended()).toMatchObject({ end: "red", code: "unknown-correct", leftovers: [] });
    const { outcome, checks } = await onlyRecord(at);
    expect(outcome).toMatchObject({ restorable: { is: "yes" }, correct: { is: "unknown" } });
    expect(checks[1]).toMatchObject({ is: "could-not-run" });
    expect(checks[1]?.says).toContain("relation is gone");
    expect(at.slack.messages().some(({ text }) => text.includes("needs a human"))).toBe(true);
  });

  it("says of a check that needs a failed one that it could not run", async () => {
    const stale = { ...heartbeat };
    stale.run = async () => ({
      ...{ name: "heartbeat", is: "failed", expected: "new", actual: "old", says: "It is old." },
    });
    const at = await stage({ checks: [stale, inTurns] });
    await at.start();
    expect(await at.ended()).toMatchObject({ end: "red", code: "not-correct" });
    const { checks } = await onlyRecord(at);
    expect(checks.map(({ is }) => is)).toEqual(["failed", "could-not-run"]);
  });

  it("is red when it has no checks at all, since nobody has looked", async () => {
    const at = await stage({ checks: [] });
    await at.start();
    expect(await at.ended()).toMatchObject({ end: "red", code: "unknown-correct" });
  });
});
