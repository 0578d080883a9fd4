import { describe, expect, it } from "vitest";
import { network } from "../../local/network.ts";
import { modelledEngine } from "../../local/postgres/modelled.ts";
import type { DatabaseError, ModelledSession } from "../../local/postgres/session.ts";
import { virtualTimeline } from "../../local/time/virtual.ts";
import { seededRandom } from "../../shared/random.ts";

const [home, standby] = ["eu-west-1", "eu-central-1"];

/** A primary at home with an application role, and a replica that is 100 ms behind it. */
const databases = async () => {
  const timeline = virtualTimeline(0);
  const net = network();
  const engine = modelledEngine({
    timeline,
    random: seededRandom(1),
    reachable: net.reachable,
    lagMilliseconds: { from: 100, to: 100 },
  });
  const owner = { masterUser: "master", masterPassword: "secret", database: "ledger" };
  const primary = await engine.create({ id: "main", region: home, ...owner });
  const replica = await engine.replicate("main", { id: "copy", region: standby });
  const attempt = (id: string, user: string, from?: string) =>
    engine.session(id, { user, from: from ?? (id === "main" ? home : standby) });
  const session = (id: string, user = "master", from?: string): ModelledSession => {
    const opened = attempt(id, user, from);
    if (!("write" in opened)) throw opened;
    return opened;
  };
  session("main").alterRole({ name: "app", canLogin: true });
  await timeline.advance(1000);
  const setRegion = (region: string, state: "up" | "dead" | "cut") => {
    net.set(region, state);
    engine.reconsider();
  };
  return { timeline, engine, primary, replica, attempt, session, setRegion };
};

const codeOf = (act: () => unknown): string | undefined => {
  try {
    act();
    return undefined;
  } catch (error) {
    return (error as DatabaseError).code;
  }
};

describe("the modelled database", () => {
  it("shows a commit on the replica after the lag, and not before", async () => {
    const { session, timeline } = await databases();
    const [writer, reader] = [session("main", "app"), session("copy", "app")];
    const position = writer.write("k", "v");
    await timeline.advance(99);
    expect(reader.read("k")).toBeUndefined();
    await timeline.advance(1);
    expect(reader.read("k")).toBe("v");
    expect(reader.lsn()).toBe(position);
    expect(reader.lastReplayAt()).toBe(timeline.now());
    expect([writer.recovery(), reader.recovery()]).toEqual([false, true]);
    expect(codeOf(() => reader.write("k", "w"))).toBe("25006");
  });

  it("loses what was acknowledged within the lag before the region died, and nothing else", async () => {
    const { session, timeline, engine, setRegion, attempt } = await databases();
    const writer = session("main", "app");
    writer.write("old", "1");
    await timeline.advance(60);
    writer.write("new", "2");
    await timeline.advance(50);
    setRegion(home, "dead");
    await engine.kill("main");
    await timeline.advance(60_000);
    expect(codeOf(() => writer.write("late", "3"))).toBe("ETIMEDOUT");
    expect(attempt("main", "app")).toMatchObject({ code: "ETIMEDOUT" });
    await engine.promote("copy");
    const promoted = session("copy", "app");
    expect([promoted.read("old"), promoted.read("new")]).toEqual(["1", undefined]);
    promoted.write("after", "4");
    setRegion(home, "up");
    await engine.start("main");
    const keys = (id: string) => engine.history(id).flatMap(({ key }) => key ?? []);
    expect([keys("main"), keys("copy")]).toEqual([
      ["old", "new"],
      ["old", "after"],
    ]);
    expect(codeOf(() => writer.read("old"))).toBe("57P01");
  });

  it("catches up on what was written while its source's region was cut off", async () => {
    const { session, timeline, setRegion, attempt } = await databases();
    const [writer, reader] = [session("main"), session("copy")];
    setRegion(home, "cut");
    writer.write("k", "v");
    await timeline.advance(3_600_000);
    expect(reader.read("k")).toBeUndefined();
    expect(attempt("main", "app", standby)).toMatchObject({ code: "ETIMEDOUT" });
    setRegion(home, "up");
    await timeline.advance(99);
    expect(reader.read("k")).toBeUndefined();
    await timeline.advance(1);
    expect(reader.read("k")).toBe("v");
  });

  it("replicates a fence in SQL together with the data", async () => {
    const { session, timeline, engine, attempt } = await databases();
    const [master, app, other] = [session("main"), session("main", "app"), session("main", "app")];
    master.alterRole({ name: "app", canLogin: false, readOnlyByDefault: true });
    expect([master.sessions("app"), master.terminateSessions("app")]).toEqual([2, 2]);
    expect([codeOf(() => app.write("k", "v")), codeOf(() => other.read("k"))]).toEqual([
      "57P01",
      "57P01",
    ]);
    await timeline.advance(100);
    expect(attempt("copy", "app")).toMatchObject({ code: "28000" });
    await engine.promote("copy");
    session("copy").alterRole({ name: "app", canLogin: true, readOnlyByDefault: false });
    session("copy", "app").write("k", "v");
    expect(attempt("main", "app")).toMatchObject({ code: "28000" });
  });

  it("replays on promotion what it had received, however far its replay was held back", async () => {
    const { session, timeline, engine } = await databases();
    engine.delayReplay("copy", 60_000);
    session("main").write("k", "v");
    await timeline.advance(1000);
    const reader = session("copy");
    expect(reader.read("k")).toBeUndefined();
    expect(reader.positions().received > reader.positions().replayed).toBe(true);
    await engine.promote("copy");
    expect(reader.read("k")).toBe("v");
  });

  it("keeps its endpoint over restart and promotion, and ends the sessions of a restart", async () => {
    const { session, engine, replica } = await databases();
    const before = session("copy");
    await engine.promote("copy");
    await engine.restart("copy");
    expect(codeOf(() => before.read("k"))).toBe("57P01");
    expect(engine.at(replica)).toBe("copy");
    expect(engine.at({ ...replica, port: 1 })).toBeUndefined();
  });

  it("has the address of its id, which the next instance of that id takes over", async () => {
    const { session, engine, primary, replica, timeline } = await databases();
    const before = session("main");
    session("main").write("k", "first");
    const moved = await engine.rename("main", "quarantined");
    expect(codeOf(() => before.read("k"))).toBe("ETIMEDOUT");
    expect([engine.at(primary), engine.at(moved)]).toEqual([undefined, "quarantined"]);
    await timeline.advance(1000);
    session("quarantined", "master", home).write("k", "second");
    await timeline.advance(1000);
    expect(session("copy").read("k")).toBe("second");
    await engine.promote("copy");
    expect(await engine.replicate("copy", { id: "main", region: home })).toEqual(primary);
    expect(codeOf(() => before.read("k"))).toBe("57P01");
    session("copy").write("k", "third");
    await timeline.advance(1000);
    expect(session("main").read("k")).toBe("third");
    expect(session("quarantined", "master", home).read("k")).toBe("second");
    expect(engine.at(replica)).toBe("copy");
    await expect(engine.rename("quarantined", "main")).rejects.toThrow(/already/);
  });

  it("checks a password that is given", async () => {
    const { engine } = await databases();
    const request = { user: "master", from: home };
    const wrong = engine.session("main", { ...request, password: "wrong" });
    expect(wrong).toMatchObject({ code: "28P01" });
    expect(engine.session("main", { user: "stranger", from: home })).toMatchObject({
      code: "28P01",
    });
    await engine.setMasterPassword("main", "next");
    expect(engine.session("main", { ...request, password: "next" })).toHaveProperty("write");
  });
});
