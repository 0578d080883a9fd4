import { describe, expect, it } from "vitest";
import { connectionErrorOf } from "../../functions/remediation/connection-errors.ts";
import type {
  FenceSeen,
  HopSeen,
  Opening,
  PathSeen,
} from "../../functions/remediation/evidence-path.ts";
import { closedWay, wayWords } from "../../functions/remediation/path.ts";
import { databaseConnections } from "../../functions/remediation/playbooks/database-connections/playbook.ts";
import { playbook } from "../../functions/remediation/playbooks.ts";
import { put, set } from "./alarm-story.ts";
import { factOf, outcomeOf } from "./facts.ts";
import { type Stage, stage } from "./stage.ts";

const hop = (
  from: string,
  to: string,
  comesIn: Opening,
  goesOut: Opening = "by-group",
): HopSeen => ({
  ...{ from, fromGroup: `sg-${from.at(-1)}1`, to, toGroup: `sg-${to.at(-1)}2` },
  ...{ port: to === "the cache" ? 6379 : 5432, comesIn, goesOut },
});
const open: FenceSeen = { region: "eu-central-1", isHere: true, state: "held", isClosed: false };
const fenced: FenceSeen = { ...open, isHere: false, region: "eu-west-1", isClosed: true };
const application = (comesIn: Opening, goesOut?: Opening) =>
  hop("the application", "the database", comesIn, goesOut);
const way = (hops: HopSeen[], fence: PathSeen["fence"] = open): PathSeen => ({ hops, fence });
const closedOf = (path: PathSeen | undefined, to = ["the database"]) =>
  closedWay(factOf("path", path), to, "eu-central-1");

describe("who has closed the way to the database", () => {
  it.each<[what: string, path: PathSeen | undefined, by: string | null]>([
    ["nothing is missing", way([application("by-group")]), null],
    ["it is open to addresses", way([application("by-address")]), null],
    ["nobody could look", undefined, null],
    ["the rule of the application is gone", way([application("missing")]), "somebody"],
    ["it is not let out", way([application("by-group", "missing")]), "somebody"],
    ["the guard has closed it", way([application("missing")], fenced), "fence"],
    [
      "the fence still stands and the lease is back",
      way([application("missing")], { ...fenced, isHere: true }),
      "fence",
    ],
    [
      "the lease is elsewhere, and no guard has closed it",
      way([application("missing")], { ...fenced, isClosed: false }),
      "somebody",
    ],
    [
      "neither lease nor guard can be asked",
      way([application("missing")], { why: "silence" }),
      "unknown",
    ],
    // A fence takes the application's way away and no other.
    [
      "Nightshift's own way is gone behind a fence",
      way([application("missing"), hop("functions", "the database", "missing")], fenced),
      "somebody",
    ],
    [
      "what is missing is not let out, behind a fence",
      way([application("by-group", "missing")], fenced),
      "somebody",
    ],
    [
      "only the way to the cache is gone",
      way([hop("the application", "the cache", "missing")]),
      null,
    ],
  ])("when %s", (_what, path, by) => {
    expect(closedOf(path)?.by ?? null).toBe(by);
  });

  it("names the group, the port and the source, and how to put the rule back", () => {
    const { says = "", advice = [] } = closedOf(way([application("missing")])) ?? {};
    expect(says).toBe(
      "sg-e2 of the database does not let sg-n1 of the application in on port 5432",
    );
    expect(advice.join("\n")).toContain("RevokeSecurityGroupIngress");
    expect(advice.at(-1)).toContain(
      "authorize-security-group-ingress --region eu-central-1 --group-id sg-e2 " +
        "--ip-permissions 'IpProtocol=tcp,FromPort=5432,ToPort=5432,UserIdGroupPairs=[{GroupId=sg-n1}]'",
    );
  });

  it("names behind a fence only what the fence has not closed", () => {
    const both = way([application("missing"), hop("functions", "the database", "missing")], fenced);
    expect(closedOf(both)?.advice.join("\n")).not.toContain("GroupId=sg-n1");
  });
});

describe("the way of a request, as people read it", () => {
  const words = (...hops: HopSeen[]) => wayWords(factOf("path", way(hops)), "eu-central-1");

  it("has nothing to be told while it is as it was deployed", () => {
    expect(words(application("by-group"))).toEqual([]);
    expect(wayWords(factOf<PathSeen>("path", undefined), "eu-central-1")).toEqual([]);
  });

  it("names what is missing anywhere on it, and what is open to addresses instead", () => {
    const said = words(
      hop("the load balancer", "the application", "missing"),
      application("by-address"),
      hop("the application", "the cache", "by-group", "missing"),
    );
    expect(said[0]).toContain(
      "sg-n2 of the application does not let sg-r1 of the load balancer in",
    );
    expect(said[0]).toContain("does not let it out to sg-e2 of the cache on port 6379");
    expect(said[1]).toContain("by address, not by group");
  });
});

describe("a rule that is missing on the way to the database", () => {
  const one = playbook(databaseConnections);
  const blind = { sessions: undefined, refusals: undefined, login: undefined, group: undefined };
  const seen = { ...blind, service: undefined, database: undefined };

  it("calls people at once, whatever else is seen, and nothing is done", () => {
    const path = way([application("missing")]);
    expect(outcomeOf(one, { ...seen, path })).toEqual(["path-closed", "people"]);
  });

  it("is waited for where the guard has closed it on purpose", () => {
    const path = way([application("missing")], fenced);
    expect(outcomeOf(one, { ...seen, path })).toEqual(["fenced", "waits"]);
  });

  it("is not judged while nobody knows whether it is a fence", () => {
    const path = way([application("missing")], { why: "silence" });
    expect(outcomeOf(one, { ...seen, path })).toEqual(["unknown", "nothing"]);
  });
});

describe("an error of a connection", () => {
  it.each<[why: string, is: string | null]>([
    ['no pg_hba.conf entry for host "10.0.0.1", user "app", database "x", no encryption', "tls"],
    ["self-signed certificate in certificate chain", "tls"],
    ['password authentication failed for user "nightshift"', "login-refused"],
    ["remaining connection slots are reserved for roles with the SUPERUSER attribute", "no-room"],
    ["connect ECONNREFUSED 10.20.128.4:5432", "refused"],
    ["Connection terminated due to connection timeout", "coming-or-going"],
    ["timeout expired", "timeout"],
    ["getaddrinfo ENOTFOUND platform.abc.eu-central-1.rds.amazonaws.com", "name"],
    ["the database system is starting up", "coming-or-going"],
    ["TooManyRequestsException: Rate Exceeded", null],
  ])("%s", (why, is) => {
    expect(connectionErrorOf(why)).toBe(is);
  });
});

const tcp = { IpProtocol: "tcp", FromPort: 5432, ToPort: 5432 };

/** Takes the application's way into the database away, as a person at the console does. */
const revoke = (at: Stage): Promise<unknown> => {
  const { applicationSecurityGroup, databaseSecurityGroup } = at.platform.home;
  return at.cloud.ask("ec2", "RevokeSecurityGroupIngress", at.region, {
    GroupId: databaseSecurityGroup,
    IpPermissions: [
      {
        ...tcp,
        UserIdGroupPairs: [{ GroupId: applicationSecurityGroup }],
      },
    ],
  });
};

describe("a security group that somebody has closed", () => {
  it("is named to people at the first look, and nothing is done to the database", async () => {
    const at = await stage({
      ...{ instances: 2, writesPerSecond: 0.2 },
      rights: { "database-connections": "automatic", "database-failover": "ask" },
    });
    await revoke(at);
    await put(at, "nightshift-database-refusals-story");
    await set(at, "nightshift-database-refusals-story");
    const result = await at.ended();
    expect(result).toMatchObject({ playbook: "database-connections", end: "needs-human", acts: 0 });
    const { applicationSecurityGroup, databaseSecurityGroup } = at.platform.home;
    const told = result.notes.join(" ");
    expect(told).toContain(`${databaseSecurityGroup} of the database does not let`);
    expect(told).toContain(`${applicationSecurityGroup} of the application in on port 5432`);
    expect(at.bugs).toEqual([]);
  });
});

describe("a security group that the guard has closed", () => {
  it("is told apart from one that somebody has closed, and calls nobody for it", async () => {
    const at = await stage({
      ...{ instances: 2, writesPerSecond: 0.2 },
      rights: { "database-connections": "automatic" },
    });
    const { region } = at.platform.standby;
    const moved = { epoch: 2, region, state: "held", holder: "failover-2-1", lastMovedEpoch: 2 };
    await at.timeline.run(at.table.write("lease", { set: moved }));
    await at.timeline.advance(180_000);
    await put(at, "nightshift-database-refusals-story");
    await set(at, "nightshift-database-refusals-story");
    const result = await at.ended();
    expect(result).toMatchObject({ playbook: "database-connections", end: "waits", acts: 0 });
    expect(result.notes.join(" ")).toContain(
      `the guard has closed it on purpose, and the lease is in ${region} (held)`,
    );
  });
});

describe("the look at the security groups", () => {
  const sample = async (at: Stage) => {
    const entries = await at.journal();
    const { evidence } = (entries.find(({ key }) => key === "evidence")?.data ?? {}) as {
      evidence: { path: { known: true; value: PathSeen } };
    };
    return evidence.path.value;
  };

  it("tells a rule by group from one by address, and both halves of it", async () => {
    const at = await stage({ instances: 2, rights: { "database-connections": "shadow" } });
    const { applicationSecurityGroup, databaseSecurityGroup } = at.platform.home;
    const every = { IpProtocol: "-1", IpRanges: [{ CidrIp: "0.0.0.0/0" }] };
    await revoke(at);
    await at.cloud.ask("ec2", "AuthorizeSecurityGroupIngress", at.region, {
      GroupId: databaseSecurityGroup,
      IpPermissions: [{ ...tcp, IpRanges: [{ CidrIp: "10.20.0.0/16" }] }],
    });
    await at.cloud.ask("ec2", "RevokeSecurityGroupEgress", at.region, {
      GroupId: applicationSecurityGroup,
      IpPermissions: [every],
    });
    await at.cloud.ask("ec2", "AuthorizeSecurityGroupEgress", at.region, {
      GroupId: applicationSecurityGroup,
      IpPermissions: [{ ...tcp, UserIdGroupPairs: [{ GroupId: databaseSecurityGroup }] }],
    });
    await put(at, "nightshift-database-refusals-story");
    await set(at, "nightshift-database-refusals-story");
    await at.ended();
    expect(await sample(at)).toMatchObject({
      hops: [{ comesIn: "by-address", goesOut: "by-group", port: 5432 }],
      fence: { isHere: true, state: "held", isClosed: false },
    });
  });
});
