import { describe, expect, it } from "vitest";
import { names } from "../../drills/names.ts";
import { engineId } from "../../local/aws/rds.ts";
import { DatabaseError } from "../../local/postgres/session.ts";
import { pause } from "../../shared/pause.ts";
import { approvesQuickly, type Stage, type StageOptions, stage } from "./stage.ts";

const most = 100;
const [application = ""] = names.roles;

const staged = async (options: StageOptions = {}): Promise<Stage> => {
  const at = await stage({
    rights: { "database-connections": "automatic" },
    config: (config) => ({ ...config, sessions: { forgottenSeconds: 60 } }),
    connections: { most, reserved: 6, mayUseReserve: (user) => user === names.nightshiftLogin },
    ...options,
  });
  // What a filter on the database's log would have counted.
  await at.cloud.ask("cloudwatch", "PutMetricData", at.region, {
    Namespace: "Nightshift/Database",
    MetricData: [{ MetricName: "ConnectionsRefused", Value: 0 }],
  });
  return at;
};

const databaseOf = ({ region, platform }: Stage) => engineId(region, platform.home.databaseId);

/** Sessions as the database has them, by application name. */
const there = (at: Stage): Record<string, number> => {
  const session = at.engine.session(databaseOf(at), {
    user: names.nightshiftLogin,
    from: at.region,
  });
  if (session instanceof DatabaseError) throw session;
  const counts: Record<string, number> = {};
  for (const { application: name, state } of session.activity()) {
    if (state !== "idle") counts[name] = (counts[name] ?? 0) + 1;
  }
  session.end();
  return counts;
};

const forget = (at: Stage, sessions: number, application_ = "ledger", user = application) =>
  at.engine.forget(databaseOf(at), { user, application: application_, sessions });

describe("a database whose connections are eaten by forgotten transactions", () => {
  it("has room again by its alarm alone, and migrations and the owner are spared", async () => {
    const at = await staged();
    forget(at, 3, "alembic");
    forget(at, 2, "ledger", names.master);
    forget(at, 100);
    const result = await at.ended();
    expect(result).toMatchObject({
      playbook: "database-connections",
      end: "done",
      code: "healed",
      acts: 1,
    });
    const left = there(at);
    expect(left.alembic).toBe(3);
    const kept = at.lines.filter((line) => line.includes('"message":"ended"'));
    expect(kept.join(" ")).toContain(`${application} as \\"ledger\\"`);
    // Down to three fifths of what the application has, and no further.
    expect(left.ledger).toBeGreaterThan(40);
    expect(left.ledger).toBeLessThan(60);
    expect(at.bugs).toEqual([]);
  });

  it("is left alone until they are forgotten for sure, and looked at again", async () => {
    const at = await staged({ config: (config) => config });
    forget(at, 100);
    expect(await at.ended(1)).toMatchObject({ end: "nothing", code: "not-actionable", acts: 0 });
    expect(await at.ended(2)).toMatchObject({ end: "done", code: "healed", acts: 1 });
  });

  it("is left to people while the playbook is in shadow", async () => {
    const at = await staged({ rights: { "database-connections": "shadow" } });
    forget(at, 100);
    const before = there(at);
    expect(await at.ended()).toMatchObject({ end: "shadow", acts: 0 });
    expect(there(at)).toEqual(before);
  });

  it("is repaired after a yes where people are asked", async () => {
    const at = await staged({
      rights: { "database-connections": "ask" },
      people: [approvesQuickly],
    });
    forget(at, 100);
    expect(await at.ended()).toMatchObject({ end: "done", approvedBy: ["U0ANA"], acts: 1 });
  });

  it("is not touched when somebody has paused Nightshift", async () => {
    const at = await staged();
    await at.timeline.run(
      pause(at.table, { by: "U0ANA", reason: "looking", atMilliseconds: at.timeline.now() }),
    );
    forget(at, 100);
    const before = there(at);
    await at.timeline.advance(900_000);
    expect((await at.incident())?.alarmCount).toBeGreaterThan(0);
    expect(at.executions()).toEqual([]);
    expect(there(at)).toEqual(before);
  });

  it("is not touched when all that is forgotten is spared", async () => {
    const at = await staged();
    forget(at, 100, "alembic");
    const before = there(at);
    const result = await at.ended();
    expect(result).toMatchObject({ end: "needs-human", code: "not-actionable", acts: 0 });
    expect(result.notes[0]).toContain("spared-sessions");
    expect(there(at)).toEqual(before);
  });

  it("is not looked into, nor touched, when Nightshift has no place reserved either", async () => {
    const at = await staged({ connections: { most, reserved: 0, mayUseReserve: () => false } });
    forget(at, 1000);
    const result = await at.ended();
    expect(result).toMatchObject({ end: "nothing", code: "unknown", acts: 0 });
    expect(result.notes.join(" ")).toContain("reserved_connections");
  });
});

type Phase = "before" | "after";

/** One flood, seen through to the end of its attempt, however it is disturbed. */
const repaired = async (what: string, options: StageOptions): Promise<void> => {
  const at = await staged({ writesPerSecond: 0.1, instances: 2, ...options });
  try {
    forget(at, 2, "alembic");
    forget(at, 100);
    const before = there(at).ledger ?? 0;
    const result = await at.ended();
    expect(result).toMatchObject({ end: "done", code: "healed" });
    const left = there(at);
    expect(left.alembic).toBe(2);
    // The same list a second time ends nobody else.
    const { deed } = result;
    if (deed?.do !== "end-sessions") throw new Error("nothing was ended");
    expect(before - (left.ledger ?? 0)).toBe(deed.target.sessions.length);
    expect(at.bugs).toEqual([]);
  } catch (cause) {
    throw new Error(`${what}: ${String(cause)}`, { cause });
  } finally {
    await at.leave();
  }
};

const killedAt = (phase: Phase, number: number) => {
  let killed = false;
  const hooks: NonNullable<StageOptions["hooks"]> = () => ({
    lambda: {
      onCheckpoint: (moment) => {
        if (killed || moment.phase !== phase || moment.number !== number) return undefined;
        killed = true;
        return "kill";
      },
    },
  });
  return { hooks, wasKilled: () => killed };
};

describe("a repair of the connections that is disturbed", () => {
  it.each<Phase>(["before", "after"])(
    "ends no more sessions than were planned, wherever it is killed %s a checkpoint",
    async (phase) => {
      let number = 1;
      for (let isThere = true; isThere; number += 1) {
        const { hooks, wasKilled } = killedAt(phase, number);
        await repaired(`killed ${phase} checkpoint ${number}`, { hooks });
        isThere = wasKilled();
      }
      expect(number).toBeGreaterThan(20);
    },
    300_000,
  );

  it("finds them ended when the call that ended them gave no answer", async () => {
    const at = await staged({ instances: 2 });
    forget(at, 100);
    let asked = 0;
    at.faults.add({
      match: {
        service: "lambda",
        operation: "Invoke",
        asks: (_call, input) => {
          const { Payload } = input as { Payload?: Uint8Array };
          const isIt = Buffer.from(Payload ?? []).includes("endSessions");
          if (isIt) asked += 1;
          return isIt;
        },
      },
      kind: "timeout-after",
      times: 2,
    });
    const before = there(at).ledger ?? 0;
    const { end, deed } = await at.ended();
    if (deed?.do !== "end-sessions") throw new Error("nothing was ended");
    expect([end, asked > 0]).toEqual(["done", true]);
    expect(before - (there(at).ledger ?? 0)).toBe(deed.target.sessions.length);
  });
});
