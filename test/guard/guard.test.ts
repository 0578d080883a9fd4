import { describe, expect, it } from "vitest";
import { names } from "../../drills/names.ts";
import type { GuardReport } from "../../functions/guard/guard.ts";
import { DatabaseError } from "../../local/postgres/session.ts";
import type { Contact } from "../../shared/contact.ts";
import { claimLease, readLease, settleLease } from "../../shared/lease.ts";
import { type Stage, type StageOptions, stage } from "../failover/stage.ts";
import { config } from "../simulation/world.ts";

type Site = Stage["platform"]["home"];

/** A load balancer's nodes take up a changed rule within that. */
const spreadSeconds = 20;
const rolePath = "/.well-known/nightshift/role";

/** The guard of one region, and what it leaves behind in the world. */
const guarded = (at: Stage, { region, loadBalancerName, engineId }: Site) => {
  const { cloud, timeline } = at;
  return {
    /** One beat now, through the handler, as a run asks for it. */
    obey: async (): Promise<GuardReport> => {
      const asked = cloud.ask<{ Payload: Uint8Array; FunctionError?: string }>(
        "lambda",
        "Invoke",
        region,
        { FunctionName: "guard", Payload: Buffer.from('{"do":"obey","epoch":1}') },
      );
      const { Payload, FunctionError } = await timeline.run(asked, 120_000);
      const text = Buffer.from(Payload).toString();
      if (FunctionError) throw new Error(text);
      return JSON.parse(text) as GuardReport;
    },
    /** What users' health checks read once a change of the rule has spread. */
    role: async (): Promise<string> => {
      await timeline.advance(spreadSeconds * 1000);
      const request = { method: "GET" as const, path: rolePath };
      return String((await cloud.balancers.serve(loadBalancerName, request, region)).body);
    },
    contact: async (): Promise<Contact | undefined> =>
      (await at.items(names.coordination)).find(({ id }) => id === `contact#${region}`) as never,
    /** Whether the application could open a session of each of its roles. */
    logins: (): boolean[] =>
      names.roles.map((user) => {
        const session = at.engine.session(engineId, { user, from: region });
        if (session instanceof DatabaseError) return false;
        session.end();
        return true;
      }),
  };
};

const moveLease = async (at: Stage, region: string): Promise<void> => {
  const { table, timeline } = at;
  const seen = await timeline.run(readLease(table));
  const nowMilliseconds = timeline.now();
  await timeline.run(claimLease(table, seen, { region, holder: "a-run", nowMilliseconds }));
};

const resultOf = ({ fence }: GuardReport) =>
  Object.fromEntries(fence.map(({ layer, result }) => [layer, result]));

/** Every call by which a guard changes its region. */
const changing = (operation: string, input: unknown): boolean => {
  const { FunctionName, Payload } = input as { FunctionName?: string; Payload?: Uint8Array };
  if (operation === "Invoke") {
    return FunctionName === "database" && /fence/i.test(Buffer.from(Payload ?? []).toString());
  }
  return /^(Revoke|UpdateAutoScaling|ModifyRule)/.test(operation);
};

const noting = () => {
  const changes: string[] = [];
  const decisions: { region: string; decision: string; epoch: unknown; at: number }[] = [];
  const hooks: NonNullable<StageOptions["hooks"]> = ({ now }) => ({
    observe: {
      before: ({ operation, from }, input) => {
        if (changing(operation, input)) changes.push(`${operation} from ${from}`);
      },
    },
    lambda: {
      observe: ({ phase, definition: { name, region }, outcome }) => {
        if (phase !== "ended" || name !== "guard" || outcome?.kind !== "returned") return;
        const { decision, epoch } = outcome.payload as GuardReport;
        decisions.push({ region, decision, epoch, at: now() });
      },
    },
  });
  return { changes, decisions, hooks };
};

describe("a guard where the lease is held", () => {
  it("says active, and tells the table of the heartbeat it has written", async () => {
    const at = await stage();
    const home = guarded(at, at.platform.home);
    const before = at.timeline.now();
    expect(await home.obey()).toMatchObject({ decision: "serve", role: "active", epoch: 1 });
    expect(await home.role()).toBe("active");
    const contact = await home.contact();
    expect(contact?.contactAtMilliseconds).toBeGreaterThanOrEqual(before);
    expect(contact?.heartbeatAtMilliseconds).toBeGreaterThanOrEqual(before);
    expect(contact?.lsn).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/);
  });

  it("turns a role rule back that somebody has changed", async () => {
    const at = await stage();
    const { roleRule, region } = at.platform.home;
    const FixedResponseConfig = { StatusCode: "200", MessageBody: "renounced" };
    await at.cloud.ask("elastic-load-balancing-v2", "ModifyRule", region, {
      RuleArn: roleRule,
      Actions: [{ Type: "fixed-response", FixedResponseConfig }],
    });
    const home = guarded(at, at.platform.home);
    expect(await home.role()).toBe("renounced");
    await home.obey();
    expect(await home.role()).toBe("active");
  });

  it("goes on serving, and keeps its older heartbeat, while its database is away", async () => {
    const at = await stage();
    const home = guarded(at, at.platform.home);
    await home.obey();
    const { heartbeatAtMilliseconds } = (await home.contact()) ?? {};
    await at.engine.kill(at.platform.home.engineId);
    await at.timeline.advance(1000);
    expect(await home.obey()).toMatchObject({ decision: "serve", role: "active", fence: [] });
    const contact = await home.contact();
    expect(contact?.heartbeatAtMilliseconds).toBe(heartbeatAtMilliseconds);
    expect(contact?.contactAtMilliseconds).toBeGreaterThan(heartbeatAtMilliseconds ?? Infinity);
  });
});

describe("a guard where the lease is not", () => {
  it("leaves a replica alone and says renounced", async () => {
    const { changes, hooks } = noting();
    const at = await stage({ hooks });
    const standby = guarded(at, at.platform.standby);
    expect(await standby.obey()).toMatchObject({ decision: "stand-by", role: "renounced" });
    expect(await standby.role()).toBe("renounced");
    expect(changes).toEqual([]);
  });

  it("asks for no heartbeat and says renounced while the lease is moving to its replica", async () => {
    const asked: string[] = [];
    const at = await stage({
      hooks: () => ({
        observe: {
          before: ({ operation, from }, input) => {
            const { Payload } = input as { Payload?: Uint8Array };
            if (operation !== "Invoke" || from !== config.regions.standby) return;
            asked.push(JSON.parse(Buffer.from(Payload ?? []).toString()).do);
          },
        },
      }),
    });
    await moveLease(at, at.platform.standby.region);
    const standby = guarded(at, at.platform.standby);
    asked.length = 0;
    expect(await standby.obey()).toMatchObject({ decision: "serve", role: "renounced", epoch: 2 });
    expect(asked).toEqual(["position"]);
    const contact = await standby.contact();
    expect(contact).toMatchObject({ epoch: 2 });
    expect(contact?.heartbeatAtMilliseconds).toBeUndefined();
  });

  it("says active in the new region only when the lease has settled there", async () => {
    const at = await stage();
    await moveLease(at, at.platform.standby.region);
    const standby = guarded(at, at.platform.standby);
    await standby.obey();
    expect(await standby.role()).toBe("renounced");
    await at.timeline.run(settleLease(at.table, 2, "a-run"));
    await standby.obey();
    expect(await standby.role()).toBe("active");
  });

  it("fences every layer of a region that has lost the lease", async () => {
    const at = await stage();
    const home = guarded(at, at.platform.home);
    expect(home.logins()).toEqual([true, true]);
    await moveLease(at, at.platform.standby.region);
    const first = await home.obey();
    expect(first).toMatchObject({ decision: "fence", role: "renounced", epoch: 2 });
    // Instances take their time to end, and until they have, that layer does not count.
    expect(resultOf(first)).toEqual({
      logins: "fenced",
      "security-group": "fenced",
      capacity: "unverified",
      "role-rule": "fenced",
    });
    expect(home.logins()).toEqual([false, false]);
    expect(await home.role()).toBe("renounced");
    await at.timeline.advance(600_000);
    expect(resultOf(await home.obey())).toEqual({
      logins: "fenced",
      "security-group": "fenced",
      capacity: "fenced",
      "role-rule": "fenced",
    });
    expect((await home.contact())?.fence).toHaveLength(4);
  });

  it.each([
    ["security-group", { service: "ec2" }],
    ["capacity", { service: "autoscaling" }],
  ])("fences the other layers when %s cannot be reached, and says so", async (layer, match) => {
    const at = await stage();
    const home = guarded(at, at.platform.home);
    at.faults.add({ match: { ...match, region: at.platform.home.region }, kind: "error" });
    await moveLease(at, at.platform.standby.region);
    const report = await home.obey();
    expect(resultOf(report)).toMatchObject({
      logins: "fenced",
      "role-rule": "fenced",
      [layer]: "unreachable",
    });
    expect(report.fence.find((each) => each.layer === layer)?.detail).toContain("InternalFailure");
    expect(home.logins()).toEqual([false, false]);
    expect((await home.contact())?.fence).toEqual(report.fence);
  });

  it("fences what it can when its database does not answer", async () => {
    const at = await stage();
    const home = guarded(at, at.platform.home);
    await at.engine.kill(at.platform.home.engineId);
    await moveLease(at, at.platform.standby.region);
    expect(resultOf(await home.obey())).toMatchObject({
      logins: "unreachable",
      "security-group": "fenced",
      "role-rule": "fenced",
    });
  });

  it("stays fenced at the next beat without changing anything again", async () => {
    const { changes, hooks } = noting();
    const at = await stage({ hooks });
    const home = guarded(at, at.platform.home);
    await moveLease(at, at.platform.standby.region);
    await home.obey();
    expect(new Set(changes)).toEqual(
      new Set(
        ["Invoke", "RevokeSecurityGroupIngress", "UpdateAutoScalingGroup", "ModifyRule"].map(
          (operation) => `${operation} from ${at.platform.home.region}`,
        ),
      ),
    );
    await at.timeline.advance(600_000);
    changes.length = 0;
    expect(await home.obey()).toMatchObject({ decision: "fence", role: "renounced" });
    expect(changes).toEqual([]);
  });
});

describe("a guard whose region is cut off", () => {
  it("fences itself when the isolation time has passed, and not before", async () => {
    const { decisions, hooks } = noting();
    const at = await stage({ hooks });
    const { platform, regions, timeline } = at;
    const home = guarded(at, platform.home);
    const { isolationSeconds, heartbeatSeconds } = platform.config.failover;
    const contact = (await home.contact())?.contactAtMilliseconds ?? Number.NaN;
    regions.set(platform.home.region, "cut");
    decisions.length = 0;
    await timeline.advance((isolationSeconds + 3 * heartbeatSeconds) * 1000);
    const there = decisions.filter(({ region }) => region === platform.home.region);
    const fences = there.filter(({ decision }) => decision === "fence");
    const holds = there.filter(({ decision }) => decision === "hold");
    expect(there).toHaveLength(fences.length + holds.length);
    expect(holds.length).toBeGreaterThanOrEqual(2);
    const firstAt = fences[0]?.at ?? Number.NaN;
    expect(fences[0]).toMatchObject({ epoch: null });
    expect((firstAt - contact) / 1000).toBeGreaterThanOrEqual(isolationSeconds);
    // The promise that a failover relies on before it promotes.
    const { isolationMarginSeconds } = platform.config.failover;
    expect((firstAt - contact) / 1000).toBeLessThan(
      isolationSeconds + heartbeatSeconds + isolationMarginSeconds,
    );
    expect(home.logins()).toEqual([false, false]);
    expect(await home.role()).toBe("renounced");
    expect((await home.contact())?.contactAtMilliseconds).toBe(contact);
  });

  it("does not fence itself when only its own replica of the table is silent", async () => {
    const { decisions, hooks } = noting();
    const at = await stage({ hooks });
    const { region } = at.platform.home;
    at.faults.add({ match: { service: "dynamodb", region }, kind: "error" });
    decisions.length = 0;
    await at.timeline.advance(600_000);
    const there = decisions.filter((one) => one.region === region);
    expect(new Set(there.map(({ decision }) => decision))).toEqual(new Set(["serve"]));
    expect(there.length).toBeGreaterThan(8);
  });

  it("serves again without a fence when it was cut off for less than the isolation time", async () => {
    const { decisions, changes, hooks } = noting();
    const at = await stage({ hooks });
    const { region } = at.platform.home;
    at.regions.set(region, "cut");
    await at.timeline.advance(110_000);
    at.regions.set(region, "up");
    decisions.length = 0;
    await at.timeline.advance(130_000);
    const there = decisions.filter((one) => one.region === region);
    expect(there.at(-1)).toMatchObject({ decision: "serve", epoch: 1 });
    expect(changes).toEqual([]);
    expect(await guarded(at, at.platform.home).role()).toBe("active");
  });
});
