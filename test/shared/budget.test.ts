import { describe, expect, it } from "vitest";
import { playbooks } from "../../functions/remediation/playbooks.ts";
import { type Limits, type Reservation, readReservations, reserve } from "../../shared/budget.ts";
import { coordination } from "../../shared/coordination.ts";
import { readFreezes, readStandby, whileFrozen } from "../../shared/freeze.ts";
import { claimLook, readLook } from "../../shared/incident.ts";
import { grantFirst } from "../../shared/lease.ts";
import { primary, standby, tables } from "../tables.ts";

const limits: Limits = { regionPerHour: 4, perHour: 3, cooldownSeconds: 600, fleet: null };

const wanted = (id: string, atMilliseconds: number, by = "a-playbook"): Reservation => ({
  id,
  by,
  resource: `resource of ${id}`,
  fleet: null,
  atMilliseconds,
});

describe("the budget of a region", () => {
  it("gives no more than there is to many who ask at the same instant from two regions", async () => {
    const { timeline, runtimeIn } = await tables();
    const [here, there] = [coordination(runtimeIn(primary)), coordination(runtimeIn(standby))];
    const now = timeline.now();
    const asked = ["a", "b", "c", "d", "e", "f"].map((id, index) =>
      reserve(index % 2 ? here : there, primary, wanted(id, now), limits),
    );
    const answers = await timeline.run(Promise.all(asked));
    expect(answers.filter((answer) => "reserved" in answer)).toHaveLength(3);
    expect(await timeline.run(readReservations(here, primary))).toHaveLength(3);
  });

  it("is asked twice under one name and gives once", async () => {
    const { timeline, runtimeIn } = await tables();
    const table = coordination(runtimeIn(primary));
    const once = () => reserve(table, primary, wanted("a", timeline.now()), limits);
    await timeline.run(once());
    await timeline.advance(1000);
    expect(await timeline.run(once())).toMatchObject({ reserved: { id: "a" } });
    expect(await timeline.run(readReservations(table, primary))).toHaveLength(1);
  });

  it("counts the hour back from the deed, so that no turn of the clock gives a second one", async () => {
    const { timeline, runtimeIn } = await tables();
    const table = coordination(runtimeIn(primary));
    const ask = (id: string) =>
      timeline.run(reserve(table, primary, wanted(id, timeline.now()), limits));
    for (const id of ["a", "b", "c"]) await ask(id);
    await timeline.advance(59 * 60_000);
    expect(await ask("d")).toMatchObject({ refused: { code: "budget" } });
    await timeline.advance(2 * 60_000);
    expect(await ask("d")).toMatchObject({ reserved: { id: "d" } });
  });
});

describe("a look at the alarms of a region", () => {
  it("is claimed by one of all who saw the last one", async () => {
    const { timeline, runtimeIn } = await tables();
    const table = coordination(runtimeIn(primary));
    const seen = await timeline.run(readLook(table, primary));
    const claims = await timeline.run(
      Promise.all([1, 2, 3, 4].map((offset) => claimLook(table, primary, seen, 1000 + offset))),
    );
    expect(claims.filter(({ isOurs }) => isOurs)).toHaveLength(1);
  });
});

describe("what holds repairs back", () => {
  it("is that users are in the other region: this one stands by, or is fenced", async () => {
    const { timeline, runtimeIn } = await tables();
    const table = coordination(runtimeIn(primary));
    await timeline.run(grantFirst(table, primary, timeline.now()));
    const held = (region: string) => timeline.run(readStandby(table, region));
    expect(await held(primary)).toEqual([]);
    expect(await held(standby)).toMatchObject([{ what: "standby" }]);
    expect(whileFrozen(await held(standby))).toMatchObject({ code: "frozen" });
    expect(whileFrozen(await held(standby), ["standby"])).toBeUndefined();
  });

  it("keeps all but what makes a region ready from being repaired where no users are", () => {
    const despite = playbooks.filter((playbook) => playbook.despite?.includes("standby"));
    expect(despite.map(({ name }) => name).sort()).toEqual([
      "bad-deploy",
      "certificate",
      "unhealthy-host",
    ]);
  });

  it("is a run towards a move that has begun, before the lease shows anything of it", async () => {
    const { timeline, runtimeIn } = await tables();
    const table = coordination(runtimeIn(primary));
    await timeline.run(grantFirst(table, primary, timeline.now()));
    const freezes = (isUnderWay: boolean) =>
      timeline.run(readFreezes(table, primary, timeline.now(), async () => isUnderWay));
    expect(await freezes(false)).toEqual([]);
    expect(await freezes(true)).toMatchObject([
      { what: "failover", reason: "failover-2-1 is under way" },
    ]);
  });
});
