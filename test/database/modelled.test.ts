import { beforeEach, describe, expect, it } from "vitest";
import { runStatement } from "../../functions/database/database.ts";
import type { DatabaseAnswers, DatabaseRequest } from "../../functions/database/decide.ts";
import { freeze, looks, sessionPolicyOf } from "../../functions/database/decide.ts";
import { type ModelledEngine, modelledEngine } from "../../local/postgres/modelled.ts";
import { DatabaseError } from "../../local/postgres/session.ts";
import { virtualTimeline } from "../../local/time/virtual.ts";
import { seededRandom } from "../../shared/random.ts";
import { clockOn } from "../clock.ts";
import { modelledConnect } from "../simulation/database.ts";

const region = "eu-central-1";
const id = "home";
let engine: ModelledEngine;
let timeline: ReturnType<typeof virtualTimeline>;

const ask = async <Do extends DatabaseRequest["do"]>(
  request: Extract<DatabaseRequest, { do: Do }>,
): Promise<DatabaseAnswers[Do]> => {
  const connect = modelledConnect(engine, region, clockOn(timeline));
  const target = { host: `${id}.database.invalid`, port: 5432, database: "ledger" };
  const session = () =>
    connect({ ...target, user: "nightshift", password: "secret", tls: "off" as const });
  const sessionPolicy = sessionPolicyOf(undefined);
  const ports = { session, roles: ["app_a"], sessionPolicy, tell: () => undefined };
  return (await runStatement(ports, request)) as DatabaseAnswers[Do];
};

beforeEach(async () => {
  timeline = virtualTimeline(Date.UTC(2026, 10, 22, 3));
  engine = modelledEngine({
    timeline,
    random: seededRandom(1),
    reachable: () => true,
    connections: { most: 20, reserved: 3, mayUseReserve: (user) => user === "nightshift" },
  });
  await engine.create({
    id,
    region,
    masterUser: "platform_owner",
    masterPassword: "secret",
    database: "ledger",
  });
  const owner = engine.session(id, { user: "platform_owner", from: region });
  if (owner instanceof DatabaseError) throw owner;
  for (const name of ["app_a", "nightshift"])
    owner.alterRole({ name, canLogin: true, password: "secret" });
  owner.end();
});

describe("sessions of a modelled database", () => {
  it("leave no room when nobody goes on with them, but for whoever has a reserved place", async () => {
    expect(engine.forget(id, { user: "app_a", application: "ledger", sessions: 50 })).toBe(17);
    expect(engine.session(id, { user: "app_a", from: region })).toMatchObject({ code: "53300" });
    const { connections } = await ask({ do: "examine", looks: ["connections"] });
    expect(connections).toMatchObject({
      known: true,
      value: {
        most: 20,
        reserved: 3,
        used: 18,
        groups: { rows: [{ user: "app_a", state: "idle in transaction", sessions: 17 }, {}] },
      },
    });
  });

  it("are ended as on PostgreSQL: silent for long enough, not spared, at most so many", async () => {
    engine.forget(id, { user: "app_a", application: "ledger", sessions: 4 });
    engine.forget(id, { user: "app_a", application: "alembic", sessions: 1 });
    engine.forget(id, { user: "platform_owner", application: "ledger", sessions: 1 });
    const look = { do: "examine", looks: ["idleInTransaction"], idleSeconds: 300 } as const;
    const seen = async () => {
      const { idleInTransaction } = await ask({ ...look, looks: [...look.looks] });
      return idleInTransaction?.known ? idleInTransaction.value.rows : [];
    };
    expect(await seen()).toEqual([]);
    await timeline.advance(400_000);
    const rows = await seen();
    expect(rows.map(({ spared }) => spared)).toEqual([
      null,
      null,
      null,
      null,
      "named",
      "not-the-application",
    ]);
    const sessions = freeze(rows);
    const end = { do: "endSessions", sessions, idleSeconds: 300 } as const;
    const first = await ask({ ...end, sessions, atMost: 3 });
    expect([first.ended.length, first.lingering.length]).toEqual([3, 0]);
    expect(first.spared).toMatchObject([{ because: "over-the-limit" }]);
    const again = await ask({ ...end, sessions, atMost: 3 });
    expect(again.spared.map(({ because }) => because)).toEqual(["gone", "gone", "gone"]);
    expect(await seen()).toHaveLength(2);
  });

  it("can be looked at in every way without an answer of the wrong shape", async () => {
    const answer = await ask({ do: "examine", looks: [...looks] });
    const unknown = looks.filter((look) => answer[look]?.known !== true);
    expect(unknown).toEqual(["slowest"]);
  });
});
