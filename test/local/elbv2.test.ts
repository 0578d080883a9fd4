import type {
  Listener,
  LoadBalancer,
  Rule,
  TargetGroup,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { describe, expect, it } from "vitest";
import { elbv2 } from "../../local/aws/elbv2.ts";
import { publicListeners } from "../../local/aws/elbv2-listener.ts";
import type { HttpRequest, HttpResponse } from "../../local/http.ts";
import { exchange, refused, timedOut } from "../../local/http.ts";
import { around, asking, failure, home } from "./asking.ts";

const rolePath = "/.well-known/nightshift/role";
const get = (path: string): HttpRequest => ({ method: "GET", path });
const fixed = (MessageBody: string) => [
  {
    Type: "fixed-response",
    FixedResponseConfig: { StatusCode: "200", ContentType: "text/plain", MessageBody },
  },
];

type Behaviour = (request: HttpRequest) => Promise<HttpResponse>;
const well: Behaviour = () => Promise.resolve({ status: 200, headers: {}, body: "well" });

const setUp = async (settings: object = {}) => {
  const { timeline, faults, surroundings } = around();
  const instances = new Map<string, Behaviour>();
  const balancing = elbv2(surroundings, {
    send: (_region, { id }, request) => instances.get(id)?.(request) ?? Promise.reject(refused(id)),
  });
  const ask = asking(balancing.service);
  const first = <Item>(operation: string, input: object, list: string): Item =>
    (ask(operation, input)[list] as [Item])[0];
  const alb = first<LoadBalancer>("CreateLoadBalancer", { Name: "home" }, "LoadBalancers");
  const group = first<TargetGroup>(
    "CreateTargetGroup",
    { Name: "app", Port: 8080, HealthCheckPath: "/health", HealthyThresholdCount: 2, ...settings },
    "TargetGroups",
  );
  const listener = first<Listener>(
    "CreateListener",
    {
      LoadBalancerArn: alb.LoadBalancerArn,
      Port: 80,
      Protocol: "HTTP",
      DefaultActions: [{ Type: "forward", TargetGroupArn: group.TargetGroupArn }],
    },
    "Listeners",
  );
  const condition = { Field: "path-pattern", Values: ["/.well-known/nightshift/*"] };
  const roleRule = {
    ListenerArn: listener.ListenerArn,
    Priority: 1,
    Conditions: [condition],
    Actions: fixed("active"),
  };
  const rule = first<Rule>("CreateRule", roleRule, "Rules");
  await timeline.advance(10_000);
  const TargetGroupArn = group.TargetGroupArn ?? "";
  const name = alb.DNSName ?? "";
  const register = (...ids: string[]) =>
    ask("RegisterTargets", { TargetGroupArn, Targets: ids.map((Id) => ({ Id })) });
  const states = () => {
    const { TargetHealthDescriptions } = ask("DescribeTargetHealth", { TargetGroupArn });
    const list = TargetHealthDescriptions as { TargetHealth: { State: string; Reason?: string } }[];
    return list.map(({ TargetHealth }) => TargetHealth);
  };
  const serve = (path: string, from?: string) => balancing.serve(name, get(path), from);
  return {
    timeline,
    faults,
    balancing,
    instances,
    ask,
    first,
    alb,
    rule,
    roleRule,
    register,
    states,
    serve,
    TargetGroupArn,
  };
};

describe("rules", () => {
  it("answers the role by a fixed response, with no target at all", async () => {
    const { serve } = await setUp();
    expect(await serve(rolePath)).toMatchObject({ status: 200, body: "active" });
    expect((await serve("/transfers")).status).toBe(503);
  });

  it("shows a changed rule at once and follows it some seconds later", async () => {
    const { timeline, ask, first, rule, serve } = await setUp();
    ask("ModifyRule", { RuleArn: rule.RuleArn, Actions: fixed("renounced") });
    const shown = first<Rule>("DescribeRules", { RuleArns: [rule.RuleArn] }, "Rules");
    expect(shown.Actions?.[0]?.FixedResponseConfig?.MessageBody).toBe("renounced");
    expect((await serve(rolePath)).body).toBe("active");
    await timeline.advance(5000);
    expect((await serve(rolePath)).body).toBe("renounced");
  });

  it("ends with the last of two changes, whichever reaches the nodes first", async () => {
    const { timeline, ask, rule, serve } = await setUp();
    for (const word of ["renounced", "active", "renounced", "active"]) {
      ask("ModifyRule", { RuleArn: rule.RuleArn, Actions: fixed(word) });
    }
    await timeline.advance(10_000);
    expect((await serve(rolePath)).body).toBe("active");
  });

  it("refuses a priority that is taken, the default rule, and what does not exist", async () => {
    const { ask, alb, first, roleRule } = await setUp();
    expect(failure(() => ask("CreateRule", roleRule)).name).toBe("PriorityInUseException");
    const { ListenerArn } = roleRule;
    const rules = ask("DescribeRules", { ListenerArn }).Rules as { RuleArn: string }[];
    const last = { RuleArn: rules.at(-1)?.RuleArn, Actions: fixed("x") };
    expect(failure(() => ask("ModifyRule", last)).name).toBe("OperationNotPermittedException");
    const none = { RuleArns: ["arn:none"] };
    expect(failure(() => ask("DescribeRules", none)).name).toBe("RuleNotFoundException");
    const again = () => first("CreateLoadBalancer", { Name: "home" }, "LoadBalancers");
    expect(failure(again).name).toBe("DuplicateLoadBalancerNameException");
    const other = { LoadBalancerArn: alb.LoadBalancerArn };
    expect(ask("DescribeListeners", other).Listeners).toHaveLength(1);
  });
});

describe("targets", () => {
  it("are healthy after their first passed check and unhealthy after two failed ones", async () => {
    const { timeline, instances, register, states } = await setUp();
    instances.set("i-1", well);
    register("i-1");
    expect(states()).toMatchObject([{ State: "initial", Reason: "Elb.RegistrationInProgress" }]);
    await timeline.advance(5000);
    expect(states()).toMatchObject([{ State: "healthy" }]);
    instances.set("i-1", () => Promise.resolve({ status: 503, headers: {}, body: "" }));
    await timeline.advance(35_000);
    expect(states()).toMatchObject([{ State: "healthy" }]);
    await timeline.advance(30_000);
    expect(states()).toMatchObject([{ State: "unhealthy", Reason: "Target.ResponseCodeMismatch" }]);
    instances.set("i-1", well);
    await timeline.advance(65_000);
    expect(states()).toMatchObject([{ State: "healthy" }]);
  });

  it("share the requests in turn, and a sick one gets none", async () => {
    const { timeline, instances, register, serve } = await setUp();
    for (const id of ["i-1", "i-2", "i-3"]) {
      instances.set(id, () => Promise.resolve({ status: 200, headers: {}, body: id }));
    }
    register("i-1", "i-2", "i-3");
    await timeline.advance(5000);
    const bodies = async () => {
      const found = [];
      for (let count = 0; count < 6; count += 1) found.push((await serve("/x")).body);
      return found.sort();
    };
    expect(await bodies()).toEqual(["i-1", "i-1", "i-2", "i-2", "i-3", "i-3"]);
    instances.delete("i-2");
    await timeline.advance(65_000);
    expect(new Set(await bodies())).toEqual(new Set(["i-1", "i-3"]));
  });

  it("all get requests when none is healthy: a load balancer fails open", async () => {
    const { timeline, balancing, alb, instances, register, states, serve } = await setUp();
    instances.set("i-1", ({ path }) =>
      Promise.resolve({ status: path === "/health" ? 503 : 201, headers: {}, body: "" }),
    );
    register("i-1");
    await timeline.advance(90_000);
    expect(states()).toMatchObject([{ State: "unhealthy" }]);
    expect(balancing.healthy(alb.DNSName ?? "")).toBe(false);
    expect((await serve("/transfers")).status).toBe(201);
  });

  it("that refuse give 502, that stay silent give 504", async () => {
    const { timeline, instances, register, serve } = await setUp();
    register("i-1");
    await timeline.advance(5000);
    expect((await serve("/x")).status).toBe(502);
    instances.set("i-1", () => Promise.reject(timedOut("i-1")));
    expect((await serve("/x")).status).toBe(504);
  });

  it("leave at once without requests in flight, else drain first", async () => {
    const { timeline, ask, instances, register, states, serve, TargetGroupArn } = await setUp();
    instances.set("i-1", well);
    register("i-1", "i-2");
    await timeline.advance(5000);
    const slow = Promise.withResolvers<HttpResponse>();
    instances.set("i-1", () => slow.promise);
    const pending = serve("/slow");
    ask("DeregisterTargets", { TargetGroupArn, Targets: [{ Id: "i-1" }, { Id: "i-2" }] });
    expect(states()).toMatchObject([{ State: "draining" }]);
    slow.resolve({ status: 200, headers: {}, body: "" });
    expect((await pending).status).toBe(200);
    await timeline.advance(5000);
    expect(states()).toEqual([]);
    const asked = ask("DescribeTargetHealth", { TargetGroupArn, Targets: [{ Id: "i-1" }] });
    expect(asked.TargetHealthDescriptions).toMatchObject([
      { TargetHealth: { State: "unused", Reason: "Target.NotRegistered" } },
    ]);
  });

  it("of a dead region are not checked, and nobody gets an answer from there", async () => {
    const { timeline, faults, instances, register, states, serve } = await setUp();
    instances.set("i-1", well);
    register("i-1");
    await timeline.advance(5000);
    faults.set(home, "dead");
    instances.clear();
    await timeline.advance(300_000);
    expect(states()).toMatchObject([{ State: "healthy" }]);
    await expect(serve("/x")).rejects.toMatchObject({ code: "ETIMEDOUT" });
    faults.set(home, "cut");
    await expect(serve(rolePath)).rejects.toMatchObject({ code: "ETIMEDOUT" });
    expect((await serve(rolePath, home)).status).toBe(200);
  });
});

describe("the public listeners", () => {
  it("answer on one port at every address, and are silent where a region cannot be reached", async () => {
    const { timeline, faults, balancing, ask, instances, register } = await setUp();
    instances.set("i-1", (request) =>
      Promise.resolve({
        status: 201,
        headers: { "x-served-by": "a/i-1" },
        body: request.body ?? "",
      }),
    );
    register("i-1");
    ask("CreateLoadBalancer", { Name: "other" });
    await timeline.advance(5000);
    const errors: unknown[] = [];
    const addresses = balancing.loadBalancers().flatMap((one) => one.addresses);
    expect(addresses).toEqual(["127.0.1.10", "127.0.2.10"]);
    const listeners = await publicListeners(
      { serve: balancing.serve, onError: (error) => errors.push(error) },
      addresses,
      { silenceMilliseconds: 300 },
    );
    try {
      const to = { host: "127.0.1.10", port: listeners.port, timeoutMilliseconds: 1000 };
      const post = { method: "POST", path: "/transfers", body: "{}" } as const;
      const answer = await exchange(to, post);
      expect(answer).toMatchObject({
        status: 201,
        headers: { "x-served-by": "a/i-1" },
        body: "{}",
      });
      const role = await exchange(to, get(rolePath));
      expect(role.body).toBe("active");
      // A load balancer without a listener refuses.
      await expect(exchange({ ...to, host: "127.0.2.10" }, get("/"))).rejects.toThrow();
      faults.set(home, "dead");
      await expect(exchange({ ...to, timeoutMilliseconds: 100 }, get("/"))).rejects.toMatchObject({
        code: "ETIMEDOUT",
      });
      const before = performance.now();
      await expect(exchange({ ...to, timeoutMilliseconds: 5000 }, get("/"))).rejects.toThrow();
      expect(performance.now() - before).toBeLessThan(3000);
    } finally {
      await listeners.close();
    }
    expect(errors).toEqual([]);
  });
});
