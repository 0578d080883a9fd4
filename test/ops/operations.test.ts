import { describe, expect, it } from "vitest";
import { names } from "../../drills/names.ts";
import { columns } from "../../ops/text.ts";
import { readAbort } from "../../shared/abort.ts";
import { readPause } from "../../shared/pause.ts";
import { isRefusedAnswer } from "../../shared/refused-answer.ts";
import { brief, stage } from "../failover/stage.ts";
import { person } from "./stage.ts";

type Stage = Awaited<ReturnType<typeof stage>>;

/** Slack and the control planes of us-east-1 are silent, which is when this way is needed. */
const night = async () => {
  const at = await stage({ people: [], policy: brief });
  at.slack.silence(true);
  at.regions.silenceControlPlanes(true);
  return at;
};

const refusedWith = (code: string) => ({ ok: false, data: { refused: { code } } });

const asking = async (at: Stage) => {
  await at.until("people are asked", async () => (await at.state()) === "asking");
  // Whoever reads a plan takes longer than the run to wait for them.
  await at.timeline.advance(5000);
  const { data } = await person(at, "U0CHIARA")("status");
  return String((data.run as { value: { planHash: string } }).value.planHash);
};

describe("a failover from the command line", () => {
  it("goes through with Slack and us-east-1 silent, by three different people", async () => {
    const at = await night();
    at.loseHome();
    const [ana, ben, chiara] = ["U0ANA", "U0BEN", "U0CHIARA"].map((user) => person(at, user));
    if (!ana || !ben || !chiara) throw new Error("three people are at work here");
    expect(await chiara("failover dark")).toMatchObject(refusedWith("may-not-request"));
    const started = await ana("failover accept:block-period the region is dark");
    expect(started).toMatchObject({
      ok: true,
      data: { run: "failover-2-1", region: at.platform.standby.region, kind: "emergency" },
    });
    const hash = await asking(at);
    const waiting = (await ben("status")).lines.join("\n");
    expect(waiting).toContain("Waiting for approval (asking)");
    expect(waiting).toContain("asked by U0ANA: the region is dark");
    expect(waiting).toContain(`npm run ops -- approve ${hash.slice(0, 12)}`);
    expect(await ana(`approve ${hash}`)).toMatchObject(refusedWith("own-request"));
    expect(await ben("approve 0123456789ab")).toMatchObject(refusedWith("unknown-plan"));
    expect((await ben(`approve ${hash.slice(0, 12)}`)).lines[0]).toContain("1 of 2 approvals");
    expect((await ben(`approve ${hash}`)).lines[0]).toContain("Recorded before: 1 of 2");
    expect(await chiara(`approve ${hash}`)).toMatchObject({ ok: true, data: { wakeUp: "woken" } });
    expect(await at.ended()).toMatchObject({ approvedBy: ["U0BEN", "U0CHIARA"], promoteCalls: 1 });
    expect(await at.lease()).toMatchObject({ epoch: 2, region: at.platform.standby.region });
    expect(await chiara(`approve ${hash}`)).toMatchObject(refusedWith("used"));
    const refused = (await at.journal()).filter(isRefusedAnswer);
    expect(refused.map(({ by, data }) => [by, data?.code])).toEqual([
      ["U0ANA", "own-request"],
      ["U0CHIARA", "used"],
    ]);
    const told = (await ben("journal failover-2-1")).lines.join("\n");
    expect(told).toContain("The approval of U0ANA does not count: You asked for this");
    // What somebody presses afterwards is not how the run has ended.
    expect((await ben("status")).lines.join("\n")).toContain("Done: users are served");
  });

  it("tells afterwards what happened, with the chain verified, in a hundred columns", async () => {
    const at = await night();
    at.loseHome();
    await person(at, "U0ANA")("failover dark");
    const hash = await asking(at);
    await person(at, "U0BEN")(`approve ${hash}`);
    await person(at, "U0CHIARA")(`approve ${hash}`);
    await at.ended();
    const journal = await person(at, "nobody")("journal failover-2-1");
    expect(journal).toMatchObject({ ok: true, data: { verdict: { ok: true } } });
    expect(journal.lines.join("\n")).toContain("Approved by U0BEN and U0CHIARA.");
    // The lost region has nothing to add to what the run's own region has said.
    expect(journal.lines.join(" ")).not.toContain("did not answer");
    const status = await person(at, "nobody")("status");
    for (const line of [...journal.lines, ...status.lines]) {
      expect(line.length, line).toBeLessThanOrEqual(columns);
    }
    expect(status.lines.join("\n")).toContain("the last was failover-2-1");
  });

  it("says of a broken chain that it is broken, and where", async () => {
    const at = await night();
    at.loseHome();
    await person(at, "U0ANA")("failover dark");
    await asking(at);
    await at.cloud.ask("dynamodb", "UpdateItem", at.platform.standby.region, {
      TableName: names.journal,
      Key: { run: { S: "failover-2-1" }, sequence: { N: "2" } },
      UpdateExpression: "SET #text = :text",
      ExpressionAttributeNames: { "#text": "text" },
      ExpressionAttributeValues: { ":text": { S: "Nothing happened." } },
    });
    const told = await person(at, "U0BEN")("journal failover-2-1");
    expect(told.ok).toBe(false);
    expect(told.lines.join(" ")).toContain("THE CHAIN IS BROKEN at entry 2: entry 2 was changed");
  });

  it("joins a run that is there already and says that nothing new was started", async () => {
    const at = await night();
    await person(at, "U0ANA")("switchover patch night");
    await at.until("people are asked", async () => (await at.state()) === "asking");
    const told = await person(at, "U0BEN")("failover dark");
    expect(told).toMatchObject({ ok: false, data: { joined: true } });
    expect(told.lines.join(" ")).toContain("was asked for before");
  });

  it("is rejected from the command line, and the run undoes what it did", async () => {
    const at = await night();
    await person(at, "U0ANA")("switchover patch night");
    const hash = await asking(at);
    expect((await person(at, "U0CHIARA")(`reject ${hash}`)).lines[0]).toContain("is rejected");
    expect((await at.ended()).outcome).toBe("aborted");
    expect((await person(at, "U0ANA")("status")).lines.join(" ")).toContain("Rejected by U0CHIARA");
  });

  it("finds an expired request expired", async () => {
    const at = await night();
    await person(at, "U0ANA")("switchover patch night");
    const hash = await asking(at);
    await at.timeline.advance(1_900_000);
    expect(await person(at, "U0BEN")(`approve ${hash}`)).toMatchObject(refusedWith("expired"));
  });
});

describe("the other verbs", () => {
  it("abort the run that is under way, and none that has not begun", async () => {
    const at = await night();
    const ana = person(at, "U0ANA");
    expect(await ana("abort just in case")).toMatchObject(refusedWith("nothing-under-way"));
    await ana("switchover patch night");
    await asking(at);
    expect((await person(at, "U0CHIARA")("abort not tonight")).ok).toBe(true);
    const ended = await at.ended();
    expect(ended.outcome).toBe("aborted");
    expect(ended.notes.join(" ")).toContain("Aborted by U0CHIARA: not tonight");
    expect(await ana("abort again")).toMatchObject(refusedWith("nothing-under-way"));
  });

  it("pause and resume all automation", async () => {
    const at = await night();
    const ana = person(at, "U0ANA");
    expect((await ana("pause schema change")).lines).toEqual([
      "Nightshift is paused by U0ANA: schema change. Resume it to go on.",
    ]);
    expect(await at.timeline.run(readPause(at.table))).toMatchObject({ is: "paused", by: "U0ANA" });
    expect((await ana("status")).lines.join("\n")).toContain("paused by U0ANA: schema change");
    expect((await ana("resume it is over")).ok).toBe(true);
    expect(await at.timeline.run(readPause(at.table))).toEqual({ is: "running" });
  });

  it("refuse a failback from home and an acknowledgement of nothing", async () => {
    const at = await night();
    expect(await person(at, "U0ANA")("failback home")).toMatchObject(refusedWith("at-home"));
    expect(await person(at, "U0ANA")("ack")).toMatchObject(refusedWith("never-moved"));
    expect(await person(at, "U0ANA")("journal failover-9-9")).toMatchObject(
      refusedWith("no-journal"),
    );
  });

  it("reach the table through whatever region answers", async () => {
    const at = await night();
    at.loseHome();
    at.regions.set(at.platform.standby.region, "cut");
    const told = await person(at, "U0ANA")("status");
    // One replica of three is no majority, and this says so instead of guessing.
    expect(told.lines.join("\n")).toContain("asked through eu-west-2");
    at.regions.set(at.platform.standby.region, "up");
    expect((await person(at, "U0ANA")("status")).ok).toBe(true);
  });
});

describe("somebody whom AWS knows and the operator's file does not", () => {
  it("may look and changes nothing", async () => {
    const at = await night();
    const eve = person(at, "nobody");
    const status = await eve("status");
    expect(status).toMatchObject({ ok: true, data: { operator: null } });
    expect(status.lines.join("\n")).toContain("you may look only");
    const hash = "ab".repeat(32);
    const changes = ["failover dark", "switchover now", "failback now", "ack", "abort it all"];
    for (const line of [
      ...changes,
      `approve ${hash}`,
      `reject ${hash}`,
      "pause all",
      "resume all",
    ]) {
      expect(await eve(line), line).toMatchObject(refusedWith("unknown-identity"));
    }
    expect(at.executions()).toEqual([]);
    expect(await at.timeline.run(readPause(at.table))).toEqual({ is: "running" });
    expect(await at.timeline.run(readAbort(at.table, "failover-2-1"))).toBeUndefined();
  });

  it("is told so when there are no credentials at all", async () => {
    const at = await night();
    const nobody = person(at, "U0ANA", false);
    expect(await nobody("pause all")).toMatchObject(refusedWith("identity-unknown"));
    const status = await nobody("status");
    expect(status.ok).toBe(false);
    const words = status.lines.join(" ").replace(/\s+/g, " ");
    expect(words).toContain("may look only (Error: AWS_ACCESS_KEY_ID");
    expect(words).toContain("no replica of nightshift-coordination answered");
  });
});
