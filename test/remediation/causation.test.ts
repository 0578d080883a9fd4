import { describe, expect, it } from "vitest";
import type { Deed } from "../../functions/remediation/actions.ts";
import { causesOf, followsSeconds, withCauses } from "../../functions/remediation/causation.ts";
import type {
  ChangeKind,
  ChangeSeen,
  ChangesSeen,
} from "../../functions/remediation/evidence-past.ts";
import type { Decision } from "../../functions/remediation/playbooks.ts";
import { factOf, minute, now } from "./facts.ts";

const change = (what: ChangeKind, since: number, until: number | null): ChangeSeen => ({
  ...{ what, by: "it", text: "something" },
  sinceMilliseconds: now - since * minute,
  untilMilliseconds: until === null ? null : now - until * minute,
});
const seen = (changes: ChangeSeen[], unread: ChangesSeen["unread"] = []): ChangesSeen => ({
  ...{ minutes: 60, changes, unread },
});

const replace: Deed = { do: "replace-instance", target: { group: "app", instance: "i-0abc1234" } };
const rollback = { do: "rollback-refresh", target: {} } as unknown as Deed;
const end = { do: "end-sessions", target: {} } as unknown as Deed;
const record = { do: "restore-validation-record", target: {} } as unknown as Deed;
const proceed = (deed: Deed): Decision => ({ kind: "proceed", deed, reasons: ["because"] });
const rang = { sinceMilliseconds: now };

const kindOf = (deed: Deed, changes: ChangesSeen | undefined) =>
  withCauses(proceed(deed), factOf("changes", changes), rang, true).kind;

describe("an alarm that follows upon what we have changed ourselves", () => {
  it.each<[what: string, deed: Deed, changes: ChangeSeen[], then: Decision["kind"]]>([
    ["nothing was changed", replace, [], "proceed"],
    [
      "a deploy has just ended, and an instance would be ended",
      replace,
      [change("deploy", 30, 12)],
      "ask",
    ],
    [
      "a deploy is under way, and an instance would be ended",
      replace,
      [change("deploy", 5, null)],
      "ask",
    ],
    [
      "a deploy has just ended, and sessions would be ended",
      end,
      [change("deploy", 30, 12)],
      "proceed",
    ],
    ["a deploy is what would be taken back", rollback, [change("deploy", 5, null)], "proceed"],
    [
      "a key was exchanged, and a deploy would be taken back",
      rollback,
      [change("key-rotation", 9, 8)],
      "ask",
    ],
    ["the deploy ended too long ago", replace, [change("deploy", 60, 31)], "proceed"],
    ["the deploy began after the alarm", replace, [change("deploy", -3, null)], "proceed"],
    ["the clocks differ a little", replace, [change("deploy", -0.5, null)], "ask"],
    [
      "the login was rotated, and sessions would be ended",
      end,
      [change("database-rotation", 20, 18)],
      "ask",
    ],
    [
      "the login was rotated, and an instance would be ended",
      replace,
      [change("database-rotation", 20, 18)],
      "proceed",
    ],
    ["the cache's token was rotated", end, [change("cache-rotation", 20, 18)], "proceed"],
    ["the database was failed over", end, [change("database-failover", 9, 9)], "ask"],
    ["users were moved here", replace, [change("failover", 20, 15)], "ask"],
    ["users were moved here, and a record is missing", record, [change("failover", 20, 15)], "ask"],
    ["RDS has patched it: told and no more", end, [change("database-event", 9, 9)], "proceed"],
    [
      "another repair was made: that is the budget's matter",
      end,
      [change("repair", 9, 9)],
      "proceed",
    ],
    ["somebody has resumed Nightshift", end, [change("order", 9, 9)], "proceed"],
    [
      "the second of two is the cause",
      replace,
      [change("order", 1, 1), change("deploy", 9, 8)],
      "ask",
    ],
  ])("when %s", (_what, deed, changes, then) => {
    expect(kindOf(deed, seen(changes))).toBe(then);
  });

  it("is said with what it followed upon, also where the deed is another thing's", () => {
    const { reasons } = withCauses(
      proceed(end),
      factOf("changes", seen([change("deploy", 30, 12)])),
      rang,
      true,
    ) as { reasons: string[] };
    expect(reasons).toEqual([
      "because",
      "The alarm came 12 minutes after deploy it (something), which was before it.",
    ]);
  });

  it("is put down to it for half an hour to the second, and no longer", () => {
    const at = (seconds: number) => {
      const until = now - seconds * 1000;
      const ended = { ...change("deploy", 90, 0), untilMilliseconds: until };
      return causesOf(seen([ended]), rang, replace).length;
    };
    expect([at(followsSeconds), at(followsSeconds + 1)]).toEqual([1, 0]);
  });

  it("leaves a question a question, with the reason", () => {
    const asked: Decision = { kind: "ask", deed: replace, reasons: [] };
    const fact = factOf("changes", seen([change("deploy", 30, 12)]));
    expect(withCauses(asked, fact, rang, true)).toMatchObject({
      kind: "ask",
      reasons: [expect.stringContaining("12 minutes after deploy")],
    });
  });
});

describe("what was changed and cannot be seen", () => {
  const unread = (kinds: ChangeKind[]) => seen([], [{ kinds, why: "silence" }]);

  it.each<[what: string, deed: Deed, changes: ChangesSeen | undefined, then: Decision["kind"]]>([
    ["nothing of it can be seen", replace, undefined, "refuse"],
    [
      "deploys cannot be seen, and an instance would be ended",
      replace,
      unread(["deploy"]),
      "refuse",
    ],
    ["deploys cannot be seen, and sessions would be ended", end, unread(["deploy"]), "proceed"],
    [
      "deploys cannot be seen, and one would be taken back",
      rollback,
      unread(["deploy"]),
      "proceed",
    ],
    ["repairs and orders cannot be seen", replace, unread(["repair", "order"]), "proceed"],
  ])("holds back for now what it may have caused, when %s", (_what, deed, changes, then) => {
    expect(kindOf(deed, changes)).toBe(then);
  });

  it("stops nobody who is asked anyway, or only says what would be done", () => {
    const unseen = factOf<ChangesSeen>("changes", undefined);
    expect(withCauses(proceed(replace), unseen, rang, false)).toMatchObject({
      kind: "proceed",
      reasons: ["because", expect.stringContaining("cannot be seen (silence)")],
    });
    const asked: Decision = { kind: "ask", deed: replace, reasons: [] };
    expect(withCauses(asked, unseen, rang, true).kind).toBe("ask");
  });

  it("changes nothing in evidence from before it was looked at", () => {
    expect(withCauses(proceed(replace), undefined, rang, true)).toEqual(proceed(replace));
  });
});
