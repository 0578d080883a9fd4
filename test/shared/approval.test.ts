import { beforeEach, describe, expect, it } from "vitest";
import type { Approval } from "../../shared/approval.ts";
import { answered, approvals, planHash, stateOf, used, withdrawn } from "../../shared/approval.ts";
import type { Coordination } from "../../shared/coordination.ts";
import { coordination } from "../../shared/coordination.ts";
import { stage, startedAt } from "../slack/stage.ts";

const may = ["U0ANA", "U0BEN", "U0CHIARA"];
const asked: Approval = {
  planHash: "ab".repeat(32),
  run: "failover-2-1",
  requester: "U0ANA",
  neededApprovals: 2,
  expiresAtMilliseconds: startedAt + 1000,
  approvals: [],
};
const yes = (user: string, atMilliseconds = startedAt) =>
  ({ user, says: "approve", atMilliseconds }) as const;
const no = (user: string) => ({ ...yes(user), says: "reject" }) as const;

const following = (approval: Approval, ...answers: Parameters<typeof answered>[1][]): Approval =>
  answers.reduce((now, answer) => {
    const decided = answered(now, answer, may);
    return "changed" in decided ? decided.changed : now;
  }, approval);

const granted = following(asked, yes("U0BEN"), yes("U0CHIARA"));

describe("an approval", () => {
  it("is granted by two different people who did not ask", () => {
    expect(stateOf(following(asked, yes("U0BEN")), startedAt)).toBe("waiting");
    expect(stateOf(granted, startedAt)).toBe("granted");
  });

  it.each([
    ["somebody who may not approve", asked, yes("U0EVE"), "not-an-approver"],
    ["the requester", asked, yes("U0ANA"), "own-request"],
    ["anybody when the time is over", asked, yes("U0BEN", startedAt + 1000), "expired"],
    ["anybody after a rejection", following(asked, no("U0CHIARA")), yes("U0BEN"), "rejected"],
  ])("refuses %s", (_who, approval, answer, code) => {
    expect(answered(approval, answer, may)).toMatchObject({ refused: { code } });
  });

  it("is void once it was withdrawn, whoever had approved, and says what to do", () => {
    const decided = withdrawn(granted, "the facts have changed");
    const gone = "changed" in decided ? decided.changed : granted;
    expect(stateOf(gone, startedAt)).toBe("void");
    expect(used(gone, "failover-2-1", startedAt)).toMatchObject({ refused: { code: "void" } });
    const reason = "This plan is void: the facts have changed. Answer the newer one.";
    expect(answered(gone, yes("U0DORA"), ["U0DORA"])).toEqual({
      refused: { code: "void", reason },
    });
    expect(withdrawn(gone, "again")).toEqual({ unchanged: gone });
  });

  it("counts the same person once", () => {
    const once = following(asked, yes("U0BEN"));
    expect(answered(once, yes("U0BEN"), may)).toEqual({ unchanged: once });
  });

  it("can be rejected by the requester, and after it was granted", () => {
    expect(stateOf(following(asked, no("U0ANA")), startedAt)).toBe("rejected");
    expect(stateOf(following(granted, no("U0BEN")), startedAt)).toBe("rejected");
  });

  it("is used once, and the same user of it may ask again", () => {
    const decided = used(granted, "failover-2-1", startedAt);
    const spent = "changed" in decided ? decided.changed : granted;
    expect(used(spent, "failover-2-1", startedAt)).toEqual({ unchanged: spent });
    expect(used(spent, "failover-3-1", startedAt)).toMatchObject({ refused: { code: "used" } });
    expect(answered(spent, no("U0BEN"), may)).toMatchObject({ refused: { code: "used" } });
  });

  it("cannot be used before it is granted, nor when it has expired", () => {
    expect(used(asked, "r", startedAt)).toMatchObject({ refused: { code: "waiting" } });
    expect(used(granted, "r", startedAt + 1000)).toMatchObject({ refused: { code: "expired" } });
  });
});

describe("the hash of a plan", () => {
  it("does not depend on the order of fields, and on everything else", () => {
    const hash = planHash({ to: "eu-west-1", epoch: 2 }, { lagSeconds: 3 });
    expect(planHash({ epoch: 2, to: "eu-west-1" }, { lagSeconds: 3 })).toBe(hash);
    expect(planHash({ epoch: 3, to: "eu-west-1" }, { lagSeconds: 3 })).not.toBe(hash);
    expect(planHash({ epoch: 2, to: "eu-west-1" }, { lagSeconds: null })).not.toBe(hash);
  });

  it("is refused for what JSON would silently change", () => {
    expect(() => planHash({}, { lagSeconds: Number.NaN })).toThrow(TypeError);
  });
});

describe("approvals in the coordination table", () => {
  let table: Coordination;
  beforeEach(async () => {
    table = coordination((await stage()).runtime);
  });

  it("lose neither of two answers that come at once", async () => {
    const store = approvals(table);
    await store.open(asked);
    await Promise.all([
      store.answer(asked.planHash, yes("U0BEN"), may),
      store.answer(asked.planHash, yes("U0CHIARA"), may),
      store.wakeBy(asked.planHash, "callback-7"),
    ]);
    const item = await store.read(asked.planHash);
    expect(item?.approvals.map(({ user }) => user).sort()).toEqual(["U0BEN", "U0CHIARA"]);
    expect(item?.callbackId).toBe("callback-7");
  });

  it("tell whoever comes to wait when nobody is left who could wake them", async () => {
    const store = approvals(table);
    await store.open(asked);
    await store.answer(asked.planHash, yes("U0BEN"), may);
    expect(await store.wakeBy(asked.planHash, "callback-1")).toBe(false);
    await store.answer(asked.planHash, yes("U0CHIARA"), may);
    expect(await store.wakeBy(asked.planHash, "callback-2")).toBe(true);
    expect(await store.wakeBy(asked.planHash, "callback-2")).toBe(true);
  });

  it("keep what was answered when the same plan is opened again", async () => {
    const store = approvals(table);
    await store.open(asked);
    await store.answer(asked.planHash, yes("U0BEN"), may);
    expect((await store.open(asked)).approvals).toHaveLength(1);
  });

  it("let only one of two runs use one of them", async () => {
    const store = approvals(table);
    await store.open(asked);
    for (const user of ["U0BEN", "U0CHIARA"]) await store.answer(asked.planHash, yes(user), may);
    const results = await Promise.all(
      ["run-a", "run-b"].map((by) => store.use(asked.planHash, by, startedAt)),
    );
    expect(results.filter((result) => "changed" in result)).toHaveLength(1);
    expect(results.filter((result) => "refused" in result)).toHaveLength(1);
  });

  it("refuse an answer to a plan that nobody asked about", async () => {
    const decided = await approvals(table).answer("cd".repeat(32), yes("U0BEN"), may);
    expect(decided).toMatchObject({ refused: { code: "unknown-plan" } });
  });
});
