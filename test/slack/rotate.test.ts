import { beforeEach, describe, expect, it } from "vitest";
import { runsOf } from "../../functions/slack/aws.ts";
import type { Desk } from "../../functions/slack/orders.ts";
import { carryOutAnswered } from "../../functions/slack/rotate.ts";
import { rotationTold } from "../../functions/slack/rotate-told.ts";
import { rotateOf } from "../../functions/slack/rotate-words.ts";
import { commandBody, signed } from "../../local/slack/signed.ts";
import config from "../../nightshift.config.ts";
import { approvals } from "../../shared/approval.ts";
import { coordination } from "../../shared/coordination.ts";
import { grantFirst } from "../../shared/lease.ts";
import type { Refusal } from "../../shared/outcome.ts";
import type { RotationLook } from "../../shared/rotation-order.ts";
import { spoken, stage, startedAt } from "./stage.ts";

let door: Awaited<ReturnType<typeof stage>>;
let desk: Desk;
let asked: { region: string; question: Record<string, unknown> }[];
let seen: RotationLook;
const { primary } = config.regions;

/** The front door before a rotation function that finds what `seen` says. */
const deskWith = (neededApprovals: number): Desk => {
  const bounds = { attempts: 1, connectSeconds: 1, answerSeconds: 1 };
  return {
    clock: door.runtime.clock,
    config: { ...config, rotation: { approvals: neededApprovals } },
    table: coordination(door.runtime),
    runs: {
      ...runsOf(door.runtime, bounds),
      rotate: async (region, question) => {
        asked.push({ region, question });
        return question.do === "look" ? { did: "Looked.", seen } : { did: "It has begun." };
      },
    },
  };
};

beforeEach(async () => {
  door = await stage();
  asked = [];
  seen = { secret: "platform/database", version: "v-1", left: "none", forbidden: null };
  await grantFirst(coordination(door.runtime), primary, startedAt - 7_200_000);
  desk = deskWith(0);
});

const told = async (text: string, by = "U0ANA"): Promise<string> => {
  const words = rotateOf(text.split(" "));
  if (!words) return "not understood";
  const answer = await rotationTold(desk, words, by);
  return "refused" in answer ? `refused: ${answer.refused.code}` : answer.lines.join("\n");
};

const codeIn = (text: string): string => /confirm ([0-9a-f]{12})/.exec(text)?.[1] ?? "no code";
const begun = () => asked.flatMap(({ question }) => (question.do === "begin" ? [question] : []));

it.each([
  "",
  "nonsense",
  "database now",
  "database dry-run twice",
  "database confirm 12",
  "database compromise",
])("does not guess what 'rotate %s' means", async (text) => {
  expect(await told(text)).toBe("not understood");
  const { place, timeline } = door;
  const body = commandBody(place, { user: "U0ANA" }, `rotate ${text}`);
  const answer = await door.send(signed(place.signingSecret, timeline.now(), body));
  expect(spoken(answer)).toContain("rotate takes database, owner, cache");
  expect(door.lambda.invocations).toEqual([]);
});

describe("a dry run", () => {
  it("says in order what would be done, and changes nothing", async () => {
    const text = await told("database dry-run");
    expect(text).toMatch(/1\. The login that is idle[\s\S]*4\. When nobody has been on the old/);
    expect(text).toContain("Nothing forbids it now.");
    expect(begun()).toEqual([]);
    expect(await told("database confirm 0123456789ab")).toBe("refused: unknown-order");
  });

  it("says what forbids it, and what an earlier rotation has left", async () => {
    const forbidden: Refusal = { code: "frozen", reason: "deploy by Auto Scaling: under way." };
    seen = { ...seen, forbidden, left: "unfinished" };
    const text = await told("database dry-run");
    expect(text).toContain("Forbidden now: deploy by Auto Scaling");
    expect(text).toContain("it goes on, with its own value");
  });
});

describe("an order", () => {
  it("begins only with its confirmation, and confirmed twice it is one rotation", async () => {
    const text = await told("database");
    expect(begun()).toEqual([]);
    const code = codeIn(text);
    expect(await told(`database confirm ${code}`)).toContain("It has begun.");
    expect(await told(`database confirm ${code}`)).toContain("It has begun.");
    expect(new Set(begun().map(({ token }) => token)).size).toBe(1);
    expect(asked[0]?.region).toBe(primary);
  });

  it("is void when another version has become current since", async () => {
    const code = codeIn(await told("database"));
    seen = { ...seen, version: "v-2" };
    expect(await told(`database confirm ${code}`)).toBe("refused: void");
    seen = { ...seen, version: "v-1" };
    expect(await told(`database confirm ${code}`)).toBe("refused: void");
    expect(begun()).toEqual([]);
  });

  it("is refused by what has come up between question and confirmation", async () => {
    const code = codeIn(await told("database"));
    seen = { ...seen, forbidden: { code: "frozen", reason: "failover" } };
    expect(await told(`database confirm ${code}`)).toBe("refused: frozen");
    expect(begun()).toEqual([]);
  });

  it("is neither given nor confirmed by somebody who may only approve", async () => {
    expect(await told("database", "U0CHIARA")).toBe("refused: may-not-request");
    const code = codeIn(await told("database"));
    expect(await told(`database confirm ${code}`, "U0CHIARA")).toBe("refused: may-not-request");
    expect(begun()).toEqual([]);
  });

  it("expires after a quarter of an hour", async () => {
    const code = codeIn(await told("database"));
    await door.timeline.advance(900_000);
    expect(await told(`database confirm ${code}`)).toBe("refused: expired");
  });

  it("cannot be confirmed with the digits of an older one or of another secret", async () => {
    const first = codeIn(await told("database"));
    await door.timeline.advance(1000);
    await told("database");
    expect(await told(`database confirm ${first}`)).toBe("refused: unknown-order");
    expect(await told(`cache confirm ${first}`)).toBe("refused: unknown-order");
  });

  it("needs a reason for a compromise, and passes it on with the mode", async () => {
    const code = codeIn(await told("database compromise a laptop was stolen"));
    await told(`database confirm ${code}`);
    expect(begun()[0]).toMatchObject({ mode: "compromise", reason: "a laptop was stolen" });
  });
});

describe("where others have to approve", () => {
  beforeEach(() => {
    desk = deskWith(1);
  });

  it("does not take the word of whoever asked, and begins by another approver's", async () => {
    const code = codeIn(await told("database"));
    expect(await told(`database confirm ${code}`)).toBe("refused: own-request");
    expect(begun()).toEqual([]);
    expect(await told(`database confirm ${code}`, "U0CHIARA")).toContain("It has begun.");
    expect(begun()[0]?.by).toBe("U0ANA, U0CHIARA");
  });

  it("begins by the button in the channel as well", async () => {
    const words = rotateOf(["database"]);
    if (!words) throw new Error("not understood");
    const answer = await rotationTold(desk, words, "U0ANA");
    expect("message" in answer && JSON.stringify(answer.message)).toContain("nightshift-approve");
    const { planHash } = ("data" in answer ? answer.data : {}) as { planHash: string };
    const store = approvals(desk.table);
    const press = { user: "U0BEN", says: "approve" as const, atMilliseconds: startedAt + 1 };
    const decided = await store.answer(planHash, press, ["U0BEN"]);
    if (!("changed" in decided)) throw new Error("the press did not count");
    expect(await carryOutAnswered(desk, decided.changed)).toMatchObject({ begun: "It has begun." });
  });
});
