import { beforeEach, describe, expect, it } from "vitest";
import { runsOf } from "../../functions/slack/aws.ts";
import { commanded } from "../../functions/slack/decide.ts";
import { wakeRun } from "../../functions/slack/orders.ts";
import { commandBody, signed } from "../../local/slack/signed.ts";
import config from "../../nightshift.config.ts";
import { readAbort } from "../../shared/abort.ts";
import { type Approval, approvals } from "../../shared/approval.ts";
import { type Contact, type FenceLayer, writeContact } from "../../shared/contact.ts";
import { coordination } from "../../shared/coordination.ts";
import { journal } from "../../shared/journal.ts";
import { claimLease, grantFirst, readLease, settleLease } from "../../shared/lease.ts";
import { readUpheavals } from "../../shared/upheaval.ts";
import { spoken, stage, startedAt } from "./stage.ts";

let door: Awaited<ReturnType<typeof stage>>;
const { primary, standby } = config.regions;
const table = () => coordination(door.runtime);

beforeEach(async () => {
  door = await stage();
  await grantFirst(table(), primary, startedAt - 7_200_000);
});

const say = async (user: string, text: string): Promise<string> => {
  await door.timeline.advance(1000);
  const body = commandBody(door.place, { user }, text);
  return spoken(await door.send(signed(door.place.signingSecret, door.timeline.now(), body)));
};

const moveTo = async (region: string, holder: string) => {
  const seen = await readLease(table());
  const claimed = await claimLease(table(), seen, { region, holder, nowMilliseconds: startedAt });
  if ("held" in claimed) await settleLease(table(), claimed.held.epoch, holder);
};

const layers = ["logins", "security-group", "capacity", "role-rule"] as const;
const closed: FenceLayer[] = layers.map((layer) => ({
  layer,
  result: "fenced",
  detail: "closed",
}));

/** The last word of the home region's guard. */
const heard = (contact: Partial<Contact> = {}) =>
  writeContact(table(), {
    region: primary,
    contactAtMilliseconds: door.timeline.now(),
    epoch: 2,
    fence: closed,
    ...contact,
  });

const wrote = async (run: string, data: Record<string, unknown>) => {
  const line = { key: `to ${data.to}`, data, atMilliseconds: startedAt, text: "any", by: "x" };
  await journal(door.journalIn(standby)).append(run, { ...line, kind: "did" });
};

describe("a rebuild asked for in Slack", () => {
  it("runs in the region that holds the lease, under the name of the epoch", async () => {
    await moveTo(standby, "failover-2-1");
    await heard();
    expect(await say("U0ANA", "rebuild home is back")).toContain(
      `rebuild-2-1 is started in ${standby}`,
    );
    expect(door.lambda.invocations).toMatchObject([
      {
        region: standby,
        execution: "rebuild-2-1",
        payload: { kind: "rebuild", run: "rebuild-2-1", trigger: { who: "U0ANA" } },
      },
    ]);
  });

  it.each<[string, Partial<Contact> | null, string]>([
    ["has never been heard of", null, "is not back"],
    ["obeys an older epoch", { epoch: 1 }, "obeys epoch 2 (1 s ago, at epoch 1)"],
    ["was last heard of long ago", { contactAtMilliseconds: startedAt - 600_000 }, "is not back"],
    [
      "has a layer of its fence open",
      { fence: [{ layer: "capacity", result: "unverified", detail: "2 instance(s) running" }] },
      "capacity unverified (2 instance(s) running)",
    ],
  ])("is refused while the old region %s", async (_what, contact, why) => {
    await moveTo(standby, "failover-2-1");
    if (contact) await heard(contact);
    expect(await say("U0ANA", "rebuild home is back")).toContain(why);
    expect(door.lambda.invocations).toEqual([]);
  });

  it("is refused while a run moves the lease, and to whoever may only approve", async () => {
    const seen = await readLease(table());
    await claimLease(table(), seen, {
      region: standby,
      holder: "failover-2-1",
      nowMilliseconds: startedAt,
    });
    await heard();
    expect(await say("U0ANA", "rebuild home is back")).toContain(
      "failover-2-1 is moving the lease",
    );
    expect(await say("U0CHIARA", "rebuild home is back")).toContain("may ask for rebuild");
    expect(await say("U0ANA", "rebuild")).toContain("Say why: /nightshift rebuild <reason>");
    expect(door.lambda.invocations).toEqual([]);
  });

  it("is joined while it is under way, and gets a new name after it has ended", async () => {
    await moveTo(standby, "failover-2-1");
    await heard();
    await say("U0ANA", "rebuild home is back");
    await wrote("rebuild-2-1", {});
    expect(await say("U0BEN", "rebuild again")).toContain("rebuild-2-1 is under way already");
    await wrote("rebuild-2-1", { to: "needs-human" });
    expect(await say("U0BEN", "rebuild again")).toContain("rebuild-2-2 is started");
    expect(await say("U0BEN", "rebuild again")).toContain("rebuild-2-2 is under way already");
  });

  it("gets a new name when its execution failed without an end in its journal", async () => {
    await moveTo(standby, "failover-2-1");
    await heard();
    await say("U0ANA", "rebuild home is back");
    await wrote("rebuild-2-1", {});
    door.lambda.fail("rebuild-2-1");
    expect(await say("U0BEN", "rebuild again")).toContain("rebuild-2-2 is started");
  });

  it("is what abort stops, when no move is under way", async () => {
    await moveTo(standby, "failover-2-1");
    await heard();
    expect(await say("U0BEN", "abort enough")).toContain("No run is under way");
    await say("U0ANA", "rebuild home is back");
    await wrote("rebuild-2-1", {});
    expect(await say("U0CHIARA", "abort enough")).toContain("rebuild-2-1 is told to stop");
    expect(await readAbort(table(), "rebuild-2-1")).toMatchObject({ by: "U0CHIARA" });
  });

  it("is woken in the region that holds the lease, where it waits", async () => {
    await moveTo(standby, "failover-2-1");
    const approval: Approval = {
      planHash: "a".repeat(64),
      run: "rebuild-2-1",
      requester: "U0ANA",
      neededApprovals: 1,
      expiresAtMilliseconds: startedAt + 1_800_000,
      approvals: [{ user: "U0BEN", atMilliseconds: startedAt }],
      callbackId: "callback",
    };
    await approvals(table()).open(approval);
    const bounds = { attempts: 1, connectSeconds: 1, answerSeconds: 1 };
    const { clock } = door.runtime;
    const desk = { clock, config, table: table(), runs: runsOf(door.runtime, bounds) };
    expect(await wakeRun(desk, approval)).toBe("woken");
    expect(door.lambda.wokenIn).toEqual([standby]);
  });

  it("is looked for in every version of the function, though it was started by an alias", async () => {
    const environment = {
      ...door.runtime.environment,
      SST_RESOURCE_FailoverFunction: '{"name":"failover:live"}',
    };
    const bounds = { attempts: 1, connectSeconds: 1, answerSeconds: 1 };
    const runs = runsOf({ ...door.runtime, environment }, bounds);
    await moveTo(standby, "failover-2-1");
    await heard();
    await say("U0ANA", "rebuild home is back");
    expect(await runs.status(standby, "rebuild-2-1")).toBe("alive");
    expect(await runs.status(standby, "rebuild-9-1")).toBe("none");
  });
});

describe("a rehearsal", () => {
  it("is started where a move would end, under a name that no move has", async () => {
    expect(await say("U0ANA", "rehearse the yearly test")).toMatch(
      new RegExp(`rehearsal-2-\\d+ is started in ${standby}`),
    );
    expect(door.lambda.invocations).toMatchObject([
      { region: standby, payload: { kind: "rehearsal" } },
    ]);
    expect(await say("U0ANA", "failover dark")).toContain("failover-2-1 is started");
  });

  it("is stopped by its name", async () => {
    await say("U0ANA", "rehearse the yearly test");
    const run = String(door.lambda.invocations[0]?.execution);
    await wrote(run, {});
    expect(await say("U0BEN", `abort ${run} enough`)).toContain(`${run} is told to stop`);
    expect(await readAbort(table(), run)).toMatchObject({ reason: "enough" });
  });
});

describe("a maintenance window", () => {
  const open = () => readUpheavals(table(), primary, door.timeline.now());

  it("is kept for the active region until its end, and can be ended before", async () => {
    expect(await say("U0ANA", "maintenance 30 kernel updates")).toContain(`${primary} until`);
    expect(await open()).toMatchObject([{ kind: "maintenance", reason: "kernel updates" }]);
    expect(await say("U0BEN", "maintenance end")).toContain("is over");
    expect(await open()).toEqual([]);
    expect(await say("U0BEN", "maintenance end")).toContain("No maintenance window");
  });

  it("ends by itself", async () => {
    await say("U0ANA", "maintenance 1 a short one");
    await door.timeline.advance(61_000);
    expect(await open()).toEqual([]);
  });

  it("wants a time and a reason, from somebody who may ask", async () => {
    expect(await say("U0ANA", "maintenance 30")).toContain("Say why");
    expect(await say("U0CHIARA", "maintenance 30 mine")).toContain("may ask for maintenance");
    for (const text of [
      "maintenance",
      "maintenance soon",
      "maintenance 0 x",
      "maintenance 9999 x",
    ]) {
      expect(commanded(text)).toEqual({ wants: "help" });
    }
  });
});

describe("an override", () => {
  it("is one of the list that the run knows, and anything else is a word of the reason", () => {
    const text = "switchover accept:readiness accept:everything we know";
    expect(commanded(text)).toEqual({
      wants: "switchover",
      reason: "accept:everything we know",
      overrides: ["readiness"],
    });
  });
});
