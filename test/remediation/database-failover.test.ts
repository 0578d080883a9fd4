import { describe, expect, it } from "vitest";
import type { Deed, Hands, Standing } from "../../functions/remediation/actions.ts";
import { againOf, observeTarget } from "../../functions/remediation/actions.ts";
import type { FailoverStanding } from "../../functions/remediation/actions-database.ts";
import type { WritesSeen } from "../../functions/remediation/evidence-database.ts";
import { databaseFailover } from "../../functions/remediation/playbooks/database-failover/playbook.ts";
import { playbook } from "../../functions/remediation/playbooks.ts";
import { minute, now, outcomeOf, type Seen, verdictOf } from "./facts.ts";
import { type Stage, type StageOptions, stage } from "./stage.ts";
import { bothApprove, failoversOf, primaryDies } from "./story-database.ts";

const one = playbook(databaseFailover);
const none = { now: null, before: null };

const writes = (more: Partial<WritesSeen> = {}): Seen => ({
  writes: {
    reach: "no-answer",
    why: "timeout expired",
    isReplica: null,
    heartbeatSeconds: 240,
    guardSeconds: 8,
    fence: [],
    ...more,
  },
});

const database = (more: object = {}): Seen => ({
  database: {
    id: "platform",
    status: "available",
    isReplica: false,
    allocatedGigabytes: 100,
    maximumGigabytes: null,
    limitGigabytes: 500,
    instanceClass: "db.r7g.large",
    storageType: "gp3",
    multiAz: true,
    zone: "eu-central-1a",
    pending: [],
    ...more,
  },
});

const busy = (percent: number | null): Seen => ({
  databaseLoad: {
    minutes: 5,
    cpuPercent: { now: percent, before: 20 },
    freeMemoryBytes: none,
    swapBytes: none,
    connections: none,
    readsPerSecond: none,
    writesPerSecond: none,
    queueDepth: none,
    replicaLagSeconds: none,
  },
});

const users = (errors: number, requests = 240): Seen => ({
  service: { minutes: 4, requests, errors },
});
const lease = (region: string): Seen => ({
  lease: { isHere: region === "eu-central-1", region, state: "held", holder: "deploy" },
});
const event = (minutesAgo: number, text: string): Seen => ({
  databaseEvents: [{ atMilliseconds: now - minutesAgo * minute, text }],
});

const sick: Seen = {
  ...writes(),
  ...database(),
  ...busy(12),
  ...users(200),
  ...lease("eu-central-1"),
  databaseEvents: [],
  path: undefined,
};

const closed: Seen = {
  path: {
    hops: [
      {
        ...{ from: "the application", fromGroup: "sg-a", to: "the database", toGroup: "sg-d" },
        ...{ port: 5432, goesOut: "by-group", comesIn: "missing" },
      },
    ],
    fence: { region: "eu-central-1", isHere: true, state: "held", isClosed: false },
  },
};

const failedOver = "Multi-AZ instance failover completed";

describe("the playbook database-failover", () => {
  it.each<[what: string, different: Seen, is: string, then: string]>([
    ["it says nothing and users fail", {}, "primary-sick", "ask"],
    ["its host publishes nothing either", busy(null), "primary-sick", "ask"],
    [
      "it takes logins and no writes",
      writes({ reach: "answers", isReplica: false }),
      "primary-sick",
      "ask",
    ],
    [
      "it takes writes",
      writes({ reach: "answers", heartbeatSeconds: 9, isReplica: false }),
      "answers",
      "passed",
    ],
    ["it has no room", writes({ reach: "no-room" }), "no-room", "passed"],
    ["it refuses the login", writes({ reach: "login-refused" }), "login-refused", "passed"],
    ["it is a replica", database({ isReplica: true }), "not-active", "passed"],
    ["the lease is in the other region", lease("eu-west-1"), "not-active", "passed"],
    ["its region is fenced", writes({ fence: ["security-group"] }), "fenced", "waits"],
    ["its guard is silent as well", writes({ guardSeconds: 400 }), "unknown", "nothing"],
    ["its security group was closed by somebody", closed, "path-closed", "people"],
    ["RDS reboots it", database({ status: "rebooting" }), "rds-is-at-it", "waits"],
    ["RDS modifies it", database({ status: "modifying" }), "rds-is-at-it", "waits"],
    ["it was failed over 20 minutes ago", event(20, failedOver), "changed-lately", "people"],
    [
      "it was restarted 5 minutes ago",
      event(5, "DB instance restarted"),
      "changed-lately",
      "people",
    ],
    ["it was failed over two hours ago", event(120, failedOver), "primary-sick", "ask"],
    ["it was backed up just now", event(3, "Finished DB Instance backup"), "primary-sick", "ask"],
    [
      "another class is ordered",
      database({ pending: ["DBInstanceClass"] }),
      "modification-pending",
      "people",
    ],
    ["its processor is 97 % busy", busy(97), "busy", "people"],
    ["users are well", users(4), "users-are-well", "people"],
    ["nobody is there to suffer", users(3, 3), "users-are-well", "people"],
    ["it has no standby", database({ multiAz: false }), "single-zone", "people"],
    ["nobody knows who may write", { lease: undefined }, "unknown", "nothing"],
    ["its events cannot be seen", { databaseEvents: undefined }, "unknown", "nothing"],
    ["users cannot be seen", { service: undefined }, "unknown", "nothing"],
    ["the database function cannot be asked", { writes: undefined }, "unknown", "nothing"],
  ])("when %s", (_what, different, is, then) => {
    expect(outcomeOf(one, { ...sick, ...different })).toEqual([is, then]);
  });

  it("names the zone to leave, and refuses without one", () => {
    const { decision } = verdictOf(one, sick);
    expect(decision).toMatchObject({
      deed: { target: { database: "platform", zone: "eu-central-1a", plannedAtMilliseconds: now } },
    });
    expect(verdictOf(one, { ...sick, ...database({ zone: "" }) }).mode).toBe("nothing");
  });
});

const deed: Deed = {
  do: "reboot-with-failover",
  target: { database: "platform", zone: "a", plannedAtMilliseconds: now },
};

const standing = (more: Partial<FailoverStanding>): Promise<Standing> => {
  const well: FailoverStanding = {
    status: "available",
    multiAz: true,
    isReplica: false,
    instanceClass: "db.r7g.large",
    zone: "a",
    startedAtMilliseconds: null,
    completedAtMilliseconds: null,
    abandonedAtMilliseconds: null,
  };
  return observeTarget({ failover: async () => ({ ...well, ...more }) } as unknown as Hands, deed);
};

describe("a reboot with failover", () => {
  const [before, after] = [now - minute, now + minute];
  it.each<[what: string, seen: Partial<FailoverStanding>, is: string]>([
    ["nothing has begun", {}, "due"],
    ["an earlier one has ended", { completedAtMilliseconds: before }, "due"],
    ["it reboots", { status: "rebooting" }, "under way"],
    ["RDS tells that it has begun", { startedAtMilliseconds: after }, "under way"],
    ["RDS tells that it has ended", { completedAtMilliseconds: after }, "done"],
    ["the event is late and the zone is another", { zone: "b" }, "done"],
    [
      "it has ended and the instance is not back",
      { completedAtMilliseconds: after, status: "rebooting" },
      "under way",
    ],
    ["it has no standby any more", { multiAz: false }, "no standby in another zone"],
    ["it is a replica by now", { isReplica: true }, "a replica by now"],
    ["RDS backs it up", { status: "backing-up" }, "backing-up by now"],
    ["RDS has turned it down", { abandonedAtMilliseconds: after }, "turned the failover"],
  ])("when %s", async (_what, seen, is) => {
    const { isDone, isUnderWay, changed } = await standing(seen);
    const word = isDone ? "done" : isUnderWay ? "under way" : (changed ?? "due");
    expect(word).toContain(is);
  });

  it("is not asked for again before its events must have come: a second one is a second outage", () => {
    expect(againOf(deed)).toBeGreaterThanOrEqual(300);
  });
});

/** Of ours, the one that was not sent away again because it was something else. */
const resultOf = (at: Stage) =>
  at.results().find(({ playbook: name, end }) => name === "database-failover" && end !== "passed");

const ofOurs = (at: Stage) => at.until("the playbook has ended", () => resultOf(at) !== undefined);

const staged = (options: StageOptions = {}): Promise<Stage> =>
  stage({ people: bothApprove, rights: { "database-failover": "ask" }, ...options });

describe("a Multi-AZ primary that serves nobody while RDS finds it available", () => {
  it("is failed over once two people have said yes, and users are served again", async () => {
    const at = await staged();
    await primaryDies(at);
    await ofOurs(at);
    expect(resultOf(at)).toMatchObject({ end: "done", code: "healed", acts: 1 });
    expect(resultOf(at)?.approvedBy.toSorted()).toEqual(["U0ANA", "U0BEN"]);
    expect(await failoversOf(at)).toBe(1);
    const kinds = (await at.journal(resultOf(at)?.run)).map(({ key }) => key);
    expect(kinds.indexOf("evidence")).toBeLessThan(kinds.indexOf("deed"));
    expect(at.bugs).toEqual([]);
  });

  it("is left alone when one of two says no", async () => {
    const at = await staged({
      people: [
        { user: "U0ANA", says: "approve", thinksSeconds: [20, 40] },
        { user: "U0BEN", says: "reject", thinksSeconds: [60, 80] },
      ],
    });
    await primaryDies(at);
    await ofOurs(at);
    expect(resultOf(at)).toMatchObject({ end: "needs-human", code: "rejected", acts: 0 });
    expect(await failoversOf(at)).toBe(0);
  });

  it("is not failed over twice when the call gave no answer", async () => {
    const at = await staged();
    let asked = 0;
    at.faults.add({
      match: { service: "rds", operation: "RebootDBInstance", asks: () => (asked += 1) > 0 },
      kind: "timeout-after",
      times: 3,
    });
    await primaryDies(at);
    await ofOurs(at);
    expect(resultOf(at)).toMatchObject({ end: "done", code: "healed" });
    expect(asked).toBeGreaterThan(0);
    expect(await failoversOf(at)).toBe(1);
  });

  it("is a matter for people at once when there is nothing to fail over to", async () => {
    const at = await staged();
    await at.cloud.ask("rds", "ModifyDBInstance", at.region, {
      DBInstanceIdentifier: at.platform.home.databaseId,
      MultiAZ: false,
      ApplyImmediately: true,
    });
    await at.timeline.advance(5400 * 1000);
    await primaryDies(at);
    await ofOurs(at);
    expect(resultOf(at)).toMatchObject({ end: "needs-human", acts: 0 });
    expect(resultOf(at)?.notes[0]).toContain("single-zone");
    expect(at.slack.messages().some(({ text }) => text.includes("single-zone"))).toBe(true);
    expect(await failoversOf(at)).toBe(0);
  });

  it("is not what one sick instance of the application looks like", async () => {
    const at = await staged();
    await at.sicken(1);
    await at.until("somebody has looked", () => at.results().length > 0);
    await at.timeline.advance(1800 * 1000);
    expect(resultOf(at)).toBeUndefined();
    expect(await failoversOf(at)).toBe(0);
  });
});
