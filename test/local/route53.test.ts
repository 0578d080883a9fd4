import type { ResourceRecordSet } from "@aws-sdk/client-route-53";
import { describe, expect, it } from "vitest";
import { route53 } from "../../local/aws/route53.ts";
import { around, asking, failure } from "./asking.ts";

const alb = {
  home: "home-1.eu-west-1.elb.amazonaws.com",
  standby: "standby-1.eu-central-1.elb.amazonaws.com",
};
const addresses: Record<string, string[]> = {
  [alb.home]: ["127.0.1.10"],
  [alb.standby]: ["127.0.2.10"],
};
const rolePath = "/.well-known/nightshift/role";

const setUp = async () => {
  const { timeline, surroundings } = around();
  /** What each load balancer says at the role's path; a name without an entry is not there. */
  const says = new Map([
    [alb.home, "active"],
    [alb.standby, "renounced"],
  ]);
  const deaf = new Set<string>();
  const healthyTargets = new Set(Object.values(alb));
  const probes: string[] = [];
  const dns = route53(surroundings, {
    probe: async ({ host, path, checker }) => {
      probes.push(host);
      const body = says.get(host);
      if (body === undefined || deaf.has(checker)) throw new Error("connection timed out");
      return { status: path === rolePath ? 200 : 404, body };
    },
    addressesOf: (name) => addresses[name] ?? [],
    targetHealthy: (name) => healthyTargets.has(name),
  });
  const ask = asking(dns.service);
  const zone = ask("CreateHostedZone", { Name: "example.com", CallerReference: "zone" });
  const HostedZoneId = (zone.HostedZone as { Id: string }).Id;
  const change = (...Changes: { Action: string; ResourceRecordSet: ResourceRecordSet }[]) =>
    ask("ChangeResourceRecordSets", { HostedZoneId, ChangeBatch: { Changes } });
  const upsert = (ResourceRecordSet: ResourceRecordSet) =>
    change({ Action: "UPSERT", ResourceRecordSet });
  const check = (reference: string, HealthCheckConfig: object): string => {
    const input = { CallerReference: reference, HealthCheckConfig };
    return (ask("CreateHealthCheck", input).HealthCheck as { Id: string }).Id;
  };
  const where = () => dns.answer("app.example.com", "A").records.at(-1)?.value;
  return {
    timeline,
    says,
    deaf,
    healthyTargets,
    probes,
    dns,
    ask,
    HostedZoneId,
    change,
    upsert,
    check,
    where,
  };
};

const roleCheck = (host: string, word: string, settings: object = {}) => ({
  Type: "HTTP_STR_MATCH",
  FullyQualifiedDomainName: host,
  ResourcePath: rolePath,
  Port: 80,
  SearchString: word,
  RequestInterval: 10,
  FailureThreshold: 3,
  ...settings,
});

/** The pair that the platform lives on: DNS leaves home only on somebody's explicit word. */
const failoverPair = async () => {
  const made = await setUp();
  const children = [
    made.check("standby-active", roleCheck(alb.standby, "active")),
    made.check("home-renounced", roleCheck(alb.home, "renounced")),
  ];
  const moved = made.check("moved", {
    Type: "CALCULATED",
    Inverted: true,
    HealthThreshold: 1,
    ChildHealthChecks: children,
  });
  const cname = (target: string) => ({
    Name: "app.example.com",
    Type: "CNAME" as const,
    TTL: 30,
    ResourceRecords: [{ Value: target }],
  });
  const primary = { SetIdentifier: "home", Failover: "PRIMARY" as const, HealthCheckId: moved };
  made.upsert({ ...cname(alb.home), ...primary });
  made.upsert({ ...cname(alb.standby), SetIdentifier: "standby", Failover: "SECONDARY" });
  await made.timeline.advance(120_000);
  return { ...made, moved, children };
};

describe("the failover pair", () => {
  it("answers home while nobody says otherwise, with the record's time to live", async () => {
    const { dns, moved } = await failoverPair();
    expect(dns.healthy(moved)).toBe(true);
    expect(dns.answer("APP.example.com.", "A")).toEqual({
      outcome: "records",
      ttlSeconds: 30,
      records: [
        { name: "app.example.com", type: "CNAME", ttlSeconds: 30, value: alb.home },
        { name: alb.home, type: "A", ttlSeconds: 60, value: "127.0.1.10" },
      ],
    });
  });

  it("moves within half a minute when the standby says active, though home is dead", async () => {
    const { timeline, says, where } = await failoverPair();
    says.delete(alb.home);
    await timeline.advance(600_000);
    expect(where()).toBe("127.0.1.10");
    says.set(alb.standby, "active");
    await timeline.advance(15_000);
    expect(where()).toBe("127.0.1.10");
    await timeline.advance(15_000);
    expect(where()).toBe("127.0.2.10");
  });

  it("does not move back when the standby falls silent and home says renounced", async () => {
    const { timeline, says, where } = await failoverPair();
    says.set(alb.standby, "active");
    says.set(alb.home, "renounced");
    await timeline.advance(60_000);
    says.delete(alb.standby);
    await timeline.advance(600_000);
    expect(where()).toBe("127.0.2.10");
  });

  it("moves nobody when the standby dies or home is merely sick", async () => {
    const { timeline, says, where } = await failoverPair();
    says.delete(alb.standby);
    await timeline.advance(600_000);
    expect(where()).toBe("127.0.1.10");
    says.delete(alb.home);
    await timeline.advance(600_000);
    expect(where()).toBe("127.0.1.10");
  });

  it("answers the primary when both are unhealthy, the standby when it has no check", async () => {
    const { timeline, upsert, check, dns, where } = await failoverPair();
    const never = { Type: "CALCULATED", HealthThreshold: 9, ChildHealthChecks: [] };
    const sick = check("sick", never);
    expect(dns.healthy(sick)).toBe(false);
    const record = (
      target: string,
      id: string,
      Failover: "PRIMARY" | "SECONDARY",
      HealthCheckId?: string,
    ) => ({
      Name: "app.example.com",
      Type: "CNAME" as const,
      TTL: 30,
      SetIdentifier: id,
      Failover,
      ...(HealthCheckId ? { HealthCheckId } : {}),
      ResourceRecords: [{ Value: target }],
    });
    upsert(record(alb.home, "home", "PRIMARY", sick));
    await timeline.advance(61_000);
    expect(where()).toBe("127.0.2.10");
    upsert(record(alb.standby, "standby", "SECONDARY", sick));
    await timeline.advance(61_000);
    expect(where()).toBe("127.0.1.10");
  });
});

describe("health checks", () => {
  it("start healthy, inverted ones unhealthy, and count their threshold both ways", async () => {
    const { timeline, says, dns, check } = await setUp();
    says.delete(alb.home);
    const plain = check("plain", roleCheck(alb.home, "active"));
    const inverted = check("inverted", roleCheck(alb.home, "active", { Inverted: true }));
    expect([dns.healthy(plain), dns.healthy(inverted)]).toEqual([true, false]);
    await timeline.advance(31_000);
    expect([dns.healthy(plain), dns.healthy(inverted)]).toEqual([false, true]);
    says.set(alb.home, "active");
    await timeline.advance(15_000);
    expect(dns.healthy(plain)).toBe(false);
    await timeline.advance(16_000);
    expect(dns.healthy(plain)).toBe(true);
  });

  it("stay healthy while more than 18 % of the checkers reach the endpoint", async () => {
    const { timeline, deaf, dns, check } = await setUp();
    const id = check("c", roleCheck(alb.home, "active"));
    deaf.add("us-east-1").add("us-west-1");
    await timeline.advance(60_000);
    expect(dns.healthy(id)).toBe(true);
    deaf.add("us-west-2");
    await timeline.advance(60_000);
    expect(dns.healthy(id)).toBe(false);
  });

  it("search the first 5,120 bytes only, and want a status of 2xx or 3xx", async () => {
    const { timeline, says, dns, check } = await setUp();
    const id = check("c", roleCheck(alb.home, "active"));
    const elsewhere = check("e", roleCheck(alb.home, "active", { ResourcePath: "/" }));
    says.set(alb.home, `${" ".repeat(5114)}active`);
    await timeline.advance(60_000);
    expect([dns.healthy(id), dns.healthy(elsewhere)]).toEqual([true, false]);
    says.set(alb.home, `${" ".repeat(5115)}active`);
    await timeline.advance(60_000);
    expect(dns.healthy(id)).toBe(false);
  });

  it("are healthy and ask nobody while disabled, inverted or not", async () => {
    const { timeline, says, dns, ask, check, probes } = await setUp();
    says.delete(alb.home);
    const HealthCheckId = check("c", roleCheck(alb.home, "active", { Inverted: true }));
    ask("UpdateHealthCheck", { HealthCheckId, Disabled: true });
    await timeline.advance(60_000);
    expect(dns.healthy(HealthCheckId)).toBe(true);
    expect(probes).toEqual([]);
  });

  it("say what each checker saw", async () => {
    const { timeline, says, ask, check } = await setUp();
    const HealthCheckId = check("c", roleCheck(alb.home, "active"));
    says.delete(alb.home);
    await timeline.advance(20_000);
    const { HealthCheckObservations } = ask("GetHealthCheckStatus", { HealthCheckId });
    expect(HealthCheckObservations).toHaveLength(3);
    expect(HealthCheckObservations).toMatchObject([
      { Region: "us-east-1", StatusReport: { Status: "Failure: connection timed out" } },
      {},
      {},
    ]);
  });

  it("are created once per caller reference, and refused with wrong values or versions", async () => {
    const { ask, check } = await setUp();
    const config = roleCheck(alb.home, "active");
    const id = check("c", config);
    expect(check("c", config)).toBe(id);
    const other = () => check("c", roleCheck(alb.home, "renounced"));
    expect(failure(other).name).toBe("HealthCheckAlreadyExists");
    const interval = () => check("i", roleCheck(alb.home, "x", { RequestInterval: 20 }));
    expect(failure(interval).name).toBe("InvalidInput");
    const update = { HealthCheckId: id, HealthCheckVersion: 7, Disabled: true };
    expect(failure(() => ask("UpdateHealthCheck", update)).name).toBe("HealthCheckVersionMismatch");
    ask("DeleteHealthCheck", { HealthCheckId: id });
    expect(failure(() => ask("GetHealthCheck", { HealthCheckId: id })).name).toBe(
      "NoSuchHealthCheck",
    );
    expect(ask("ListHealthChecks", {}).HealthChecks).toEqual([]);
  });
});

const simple = (
  Name: string,
  Value: string,
  Type: "A" | "TXT" | "CNAME" = "A",
): ResourceRecordSet => ({
  Name,
  Type,
  TTL: 60,
  ResourceRecords: [{ Value }],
});

describe("records", () => {
  it("reach the name servers later than the API, in the order of the changes", async () => {
    const { timeline, upsert, dns, ask, HostedZoneId } = await setUp();
    const ids = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(
      (value) => (upsert(simple("www.example.com", value)).ChangeInfo as { Id: string }).Id,
    );
    expect(dns.answer("www.example.com", "A").outcome).toBe("no-name");
    const { ResourceRecordSets } = ask("ListResourceRecordSets", {
      HostedZoneId,
      StartRecordName: "www.example.com",
    });
    expect(ResourceRecordSets).toMatchObject([{ ResourceRecords: [{ Value: "192.0.2.3" }] }]);
    const status = () =>
      (ask("GetChange", { Id: ids.at(-1) }).ChangeInfo as { Status: string }).Status;
    expect(status()).toBe("PENDING");
    await timeline.advance(60_000);
    expect(status()).toBe("INSYNC");
    expect(dns.answer("www.example.com", "A").records[0]?.value).toBe("192.0.2.3");
    expect(dns.answer("www.example.com", "TXT").outcome).toBe("no-data");
    expect(dns.answer("www.example.org", "A").outcome).toBe("not-ours");
  });

  it("are changed all together or not at all", async () => {
    const { change, HostedZoneId, ask } = await setUp();
    const twoChanges = () =>
      change(
        { Action: "CREATE", ResourceRecordSet: simple("a.example.com", "192.0.2.1") },
        { Action: "DELETE", ResourceRecordSet: simple("b.example.com", "192.0.2.1") },
      );
    expect(failure(twoChanges)).toMatchObject({
      name: "InvalidChangeBatch",
      fields: { messages: [expect.stringContaining("it was not found")] },
    });
    const { ResourceRecordSets } = ask("ListResourceRecordSets", { HostedZoneId });
    expect(ResourceRecordSets).toHaveLength(2);
  });

  it("are refused when they contradict each other", async () => {
    const { upsert, change } = await setUp();
    upsert(simple("a.example.com", "192.0.2.1"));
    const refusals: [ResourceRecordSet, string][] = [
      [simple("a.example.com", "b.example.com", "CNAME"), "conflicts with"],
      [simple("example.com", "b.example.com", "CNAME"), "at apex"],
      [simple("a.example.org", "192.0.2.1"), "not permitted in zone"],
      [
        { ...simple("a.example.com", "192.0.2.1"), SetIdentifier: "x", Failover: "PRIMARY" },
        "policy",
      ],
      [{ ...simple("c.example.com", "192.0.2.1"), HealthCheckId: "none" }, "does not exist"],
    ];
    for (const [record, why] of refusals) {
      expect(failure(() => upsert(record)).message).toContain(why);
    }
    const again = { Action: "CREATE", ResourceRecordSet: simple("a.example.com", "192.0.2.1") };
    expect(failure(() => change(again)).message).toContain("already exists");
  });

  it("of an alias show the load balancer's addresses, and its health where that is asked for", async () => {
    const { timeline, upsert, dns, healthyTargets } = await setUp();
    const alias = (target: string, id: string, Failover: "PRIMARY" | "SECONDARY") =>
      upsert({
        Name: "example.com",
        Type: "A",
        SetIdentifier: id,
        Failover,
        AliasTarget: { DNSName: target, HostedZoneId: "Z1", EvaluateTargetHealth: true },
      });
    alias(alb.home, "home", "PRIMARY");
    alias(alb.standby, "standby", "SECONDARY");
    await timeline.advance(61_000);
    expect(dns.answer("example.com", "A").records).toEqual([
      { name: "example.com", type: "A", ttlSeconds: 60, value: "127.0.1.10" },
    ]);
    healthyTargets.delete(alb.home);
    expect(dns.answer("example.com", "A").records[0]?.value).toBe("127.0.2.10");
    healthyTargets.delete(alb.standby);
    expect(dns.answer("example.com", "A").records[0]?.value).toBe("127.0.1.10");
  });

  it("with weights are drawn by them, and only among the healthy", async () => {
    const { timeline, upsert, check, dns } = await setUp();
    const sick = check("sick", { Type: "CALCULATED", HealthThreshold: 1, ChildHealthChecks: [] });
    const weighted = (value: string, Weight: number, HealthCheckId?: string) =>
      upsert({
        ...simple("w.example.com", value),
        SetIdentifier: value,
        Weight,
        ...(HealthCheckId ? { HealthCheckId } : {}),
      });
    weighted("192.0.2.1", 3);
    weighted("192.0.2.2", 1);
    weighted("192.0.2.3", 90, sick);
    weighted("192.0.2.4", 0);
    await timeline.advance(61_000);
    const drawn = new Map<string, number>();
    for (let count = 0; count < 400; count += 1) {
      const value = dns.answer("w.example.com", "A").records[0]?.value ?? "";
      drawn.set(value, (drawn.get(value) ?? 0) + 1);
    }
    expect([...drawn.keys()].sort()).toEqual(["192.0.2.1", "192.0.2.2"]);
    expect(drawn.get("192.0.2.1")).toBeGreaterThan(250);
  });

  it("that point in a circle end without an answer", async () => {
    const { timeline, upsert, dns } = await setUp();
    upsert(simple("a.example.com", "b.example.com", "CNAME"));
    upsert(simple("b.example.com", "a.example.com", "CNAME"));
    await timeline.advance(61_000);
    expect(dns.answer("a.example.com", "A").records.every(({ type }) => type === "CNAME")).toBe(
      true,
    );
  });
});

describe("changes that reach the name servers at the same instant", () => {
  it("are published in their order, even when their timers fire in the other", () => {
    const { surroundings } = around();
    const due: (() => void | Promise<void>)[] = [];
    const timeline = {
      ...surroundings.timeline,
      after: (_milliseconds: number, act: () => void | Promise<void>) => {
        due.push(act);
        return { cancel: () => undefined };
      },
    };
    const dns = route53(
      { ...surroundings, timeline },
      { probe: () => Promise.reject(new Error("unused")), addressesOf: () => [] },
    );
    const ask = asking(dns.service);
    const zone = ask("CreateHostedZone", { Name: "example.com", CallerReference: "zone" });
    ask("ChangeResourceRecordSets", {
      HostedZoneId: (zone.HostedZone as { Id: string }).Id,
      ChangeBatch: {
        Changes: [
          {
            Action: "UPSERT",
            ResourceRecordSet: {
              Name: "app.example.com",
              Type: "A",
              TTL: 30,
              ResourceRecords: [{ Value: "127.0.1.10" }],
            },
          },
        ],
      },
    });
    for (const act of due.reverse()) act();
    expect(dns.answer("app.example.com", "A").records[0]?.value).toBe("127.0.1.10");
  });
});
