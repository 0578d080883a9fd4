import { describe, expect, it } from "vitest";
import { declareFreeze } from "../../shared/freeze.ts";
import { readFlight, rotationRun } from "../../shared/rotation.ts";
import { declareUpheaval } from "../../shared/upheaval.ts";
import { primary, standby } from "../tables.ts";
import { modelled } from "./modelled.ts";
import { firstValues, names, passwords, token } from "./stage.ts";

const key = (letter: string) => Buffer.alloc(32, letter).toString("base64url");
const ring = {
  primary: "first",
  keys: { first: { secret: key("f"), state: "primary", madeAt: null } },
};

describe("a rotation of the application's login", () => {
  it("gives the idle login a password, and leaves the other one good until it is retired", async () => {
    const at = await modelled();
    await at.rotated(names.database, token(1));
    expect(at.failures).toEqual([]);
    expect(at.value(names.database).username).toBe("app_b");
    expect([at.opens(names.database), at.opens(names.database, "AWSPREVIOUS")]).toEqual([
      true,
      true,
    ]);
    const told = await at.handle({ do: "retire", secret: names.database, token: token(1) });
    expect(told).toHaveProperty("did");
    expect([at.opens(names.database), at.opens(names.database, "AWSPREVIOUS")]).toEqual([
      true,
      false,
    ]);
    expect((await readEnded(at)).phase).toBe("ended");
  });

  it("keeps what the secret says besides user and password", async () => {
    const at = await modelled();
    await at.rotated(names.database, token(1));
    expect(at.value(names.database)).toMatchObject({ host: "home", VersionId: token(1) });
  });

  it("does not begin while the overlap of the last one lasts, nor does the owner's", async () => {
    const at = await modelled();
    await at.rotated(names.database, token(1));
    await at.rotated(names.database, token(2));
    await at.rotated(names.owner, token(3));
    expect(new Set(at.failures.map((text) => text.split(": ")[1]))).toEqual(
      new Set(["in-overlap"]),
    );
    expect(at.opens(names.database)).toBe(true);
    expect(at.value(names.database).VersionId).toBe(token(1));
  });

  it("retires nothing while somebody is still on the old login", async () => {
    const at = await modelled();
    await at.rotated(names.database, token(1));
    at.server.held.set("app_a", 2);
    const retire = { do: "retire", secret: names.database, token: token(1) };
    expect(await at.handle(retire)).toMatchObject({ refused: { code: "still-in-use" } });
    expect(at.opens(names.database, "AWSPREVIOUS")).toBe(true);
    at.server.held.clear();
    expect(await at.handle(retire)).toHaveProperty("did");
    expect(await at.handle(retire)).toMatchObject({ did: "It was retired before." });
  });

  it("sends the database a verifier and never a password", async () => {
    const at = await modelled();
    await at.rotated(names.database, token(1));
    const { password = "" } = at.value(names.database);
    expect(password).toHaveLength(48);
    expect(at.server.sent.join()).toContain("SCRAM-SHA-256$4096:");
    expect(at.server.sent.join()).not.toContain(password);
  });

  it("changes nothing behind a fence, which is no wrong password", async () => {
    const at = await modelled();
    for (const name of ["app_a", "app_b"]) {
      const role = at.server.roles.get(name);
      if (role) role.canLogin = false;
    }
    await at.rotated(names.database, token(1));
    expect(at.failures[0]).toContain("current-closed");
    expect(at.server.roles.get("app_b")?.verifier).toBeNull();
  });

  it("tells a host that cannot be reached from a wrong password, and changes nothing", async () => {
    const at = await modelled();
    at.server.breakWith("ETIMEDOUT");
    await at.rotated(names.database, token(1));
    expect(at.failures[0]).toContain("new-unreachable");
    expect(at.failures[0]).not.toContain("refused:");
    at.server.breakWith(undefined);
    expect(at.opens(names.database)).toBe(true);
  });

  it("refuses a login that lacks a right of the one in use", async () => {
    const at = await modelled();
    at.server.roles.get("app_a")?.memberOf.push("reporting");
    await at.rotated(names.database, token(1));
    expect(at.failures[0]).toContain("rights-differ: app_b lacks what app_a has: reporting.");
    expect(at.value(names.database).VersionId).not.toBe(token(1));
    expect(at.opens(names.database)).toBe(true);
  });

  it.each([
    ["a deploy", "deploy", primary],
    ["a restore test", "verification", primary],
    ["a deploy of the other region", "deploy", standby],
    ["a restore test in the other region", "verification", standby],
  ] as const)("waits for %s", async (_what, kind, region) => {
    const at = await modelled();
    const untilMilliseconds = at.timeline.now() + 86_400_000;
    const about = { by: "release-7", reason: "instances are rolled", untilMilliseconds };
    const since = at.timeline.now();
    const declared =
      kind === "deploy"
        ? declareUpheaval(at.table, { ...about, region, kind, sinceMilliseconds: since })
        : declareFreeze(at.table, region, { ...about, what: "verification" }, since);
    await at.timeline.run(Promise.resolve(declared));
    await at.rotated(names.database, token(1));
    expect(at.failures[0]).toContain("frozen: ");
    expect(at.server.sent.join()).not.toContain("SCRAM");
    expect(at.stages(names.database)[token(1)]).toEqual(["AWSPENDING"]);
  });

  it.each([
    ["while a failover is under way", { region: primary, state: "moving" }],
    ["just after a failover", { region: primary, state: "held", settledAtMilliseconds: 1e15 }],
    ["in a region that stands by", { region: standby, state: "held" }],
  ])("does not begin %s", async (_what, lease) => {
    const at = await modelled();
    const set = { epoch: 2, holder: "failover-2", movedAtMilliseconds: 0, attempt: 0, ...lease };
    await at.timeline.run(at.table.write("lease", { set }));
    await at.rotated(names.database, token(1));
    expect(at.failures[0]).toContain("frozen: ");
    expect(at.server.sent.join()).not.toContain("SCRAM");
  });

  it.each([primary, standby])("waits for a repair in %s", async (region) => {
    const at = await modelled();
    const attempt = { run: `remediation-${region}-0123abcd-1`, end: null };
    const set = { version: 1, incident: { id: "i", closedAtMilliseconds: null, attempt } };
    await at.timeline.run(at.table.write(`incident#${region}`, { set }));
    await at.rotated(names.database, token(1));
    expect(at.failures[0]).toContain("one change at a time");
    expect(at.server.sent.join()).not.toContain("SCRAM");
  });

  it("mends an empty version that a failed rotation has left, and begins anew", async () => {
    const at = await modelled();
    const untilMilliseconds = at.timeline.now() + 7_200_000;
    const freeze = { what: "verification" as const, by: "v", reason: "r", untilMilliseconds };
    await at.timeline.run(declareFreeze(at.table, primary, freeze, at.timeline.now()));
    await at.rotated(names.database, token(1), 3 * 3600);
    expect(at.stages(names.database)[token(1)]).toEqual(["AWSPENDING"]);
    const begin = { do: "begin", by: "U0ANA", reason: "it is stuck" };
    const told = await at.handle({ ...begin, secret: names.database, token: token(2) });
    expect(told).toEqual({ did: "Mended an empty version, and began anew." });
    await at.timeline.advance(3_600_000);
    expect(at.value(names.database).VersionId).toBe(token(2));
    expect(at.opens(names.database)).toBe(true);
  });

  it("that is unfinished goes on with the value that it has, and makes no other", async () => {
    const at = await modelled();
    at.server.roles.get("app_a")?.memberOf.push("reporting");
    await at.rotated(names.database, token(1), 7200);
    const { password } = at.value(names.database, "AWSPENDING");
    at.server.roles.get("app_b")?.memberOf.push("reporting");
    const begin = { do: "begin", by: "U0ANA", reason: "rights are mended" };
    const told = await at.handle({ ...begin, secret: names.database, token: token(2) });
    expect(told).toHaveProperty("did", expect.stringContaining("was not complete: it goes on"));
    await at.timeline.advance(3_600_000);
    expect(at.value(names.database)).toMatchObject({ password, VersionId: token(1) });
  });

  it("is proven in the standby region by a login there, and only on the same version", async () => {
    const at = await modelled();
    await at.rotated(names.database, token(1));
    const prove = { do: "prove", secret: names.database, token: token(1) };
    expect(await at.inStandby(prove)).toMatchObject({ idle: "app_a" });
    expect(await at.inStandby({ ...prove, token: token(9) })).toMatchObject({
      refused: { code: "another-version" },
    });
  });
});

const readEnded = async (at: Awaited<ReturnType<typeof modelled>>) => {
  const flight = await at.timeline.run(readFlight(at.table, "database"));
  if (!flight) throw new Error("there is no flight");
  return flight;
};

describe("a rotation of the owner", () => {
  it("changes the one password, and the old one is over", async () => {
    const at = await modelled();
    await at.rotated(names.owner, token(1));
    expect(at.failures).toEqual([]);
    expect([at.opens(names.owner), at.opens(names.owner, "AWSPREVIOUS")]).toEqual([true, false]);
    const told = await at.handle({ do: "retire", secret: names.owner, token: token(1) });
    expect(told).toHaveProperty("did");
    await at.rotated(names.database, token(2));
    expect(at.value(names.database).VersionId).toBe(token(2));
  });
});

describe("a rotation of a key ring", () => {
  const values = { ...firstValues(), [names.signing]: ring, [names.encryption]: ring };

  it("adds a key that only opens, makes it the primary later, and drops the older one at last", async () => {
    const at = await modelled({ values });
    await at.rotated(names.signing, token(1));
    const keysOf = () =>
      Object.entries(at.value(names.signing).keys ?? {}).map(([id, value]) => {
        const { state } = value as unknown as { state: string };
        return id === "first" ? `first ${state}` : `new ${state}`;
      });
    expect(at.failures).toEqual([]);
    expect(keysOf()).toEqual(["first primary", "new decrypt-only"]);
    const about = { secret: names.signing, token: token(1) };
    for (const again of [1, 2]) {
      expect(await at.handle({ do: "promote", ...about }), `${again}`).toHaveProperty("did");
      expect(keysOf()).toEqual(["first decrypt-only", "new primary"]);
    }
    expect(await at.handle({ do: "retire", ...about })).toHaveProperty("did");
    expect(keysOf()).toEqual(["new primary"]);
    await at.rotated(names.signing, token(2));
    expect(at.value(names.signing).VersionId).toBe(token(2));
  });
});

describe("a rotation of Slack's signing secret", () => {
  it("waits for the person who carries it over, and goes on with what is put in", async () => {
    const slack = { signingSecret: "a".repeat(32), botToken: "xoxb-planted" };
    const at = await modelled({ values: { ...firstValues(), [names.slack]: slack } });
    at.ask(names.slack, token(1));
    await at.timeline.advance(1000);
    expect(at.failures[0]).toContain("person-needed");
    at.secrets("PutSecretValue", {
      SecretId: names.slack,
      ClientRequestToken: token(1),
      VersionStages: ["AWSPENDING"],
      SecretString: JSON.stringify({ ...slack, signingSecret: "b".repeat(32) }),
    });
    await at.timeline.advance(3_600_000);
    expect(at.value(names.slack).signingSecret).toBe("b".repeat(32));
  });
});

describe("what a rotation writes", () => {
  it("has no secret value in it: journal, tables, orders, errors, log and statements", async () => {
    const at = await modelled();
    const values = [passwords.app, passwords.owner];
    for (const [number, secret] of [names.database, names.owner].entries()) {
      await at.rotated(secret, token(number));
      values.push(String(at.value(secret).password));
      await at.handle({ do: "retire", secret, token: token(number) });
    }
    at.server.breakWith("28P01");
    await at.rotated(names.database, token(7));
    const runs = [0, 1, 7].map((number) =>
      rotationRun(number === 1 ? names.owner : names.database, token(number)),
    );
    const journal = await at.timeline.run(Promise.all(runs.map((run) => at.journal(run))));
    const written = {
      journal: JSON.stringify(journal),
      orders: JSON.stringify(at.orders),
      failures: at.failures.join(),
      statements: at.server.sent.join(),
      calls: at.written.filter((call) => !/SecretValue/.test(call)).join(),
    };
    expect(written.journal).toContain("AWSCURRENT is on the new version");
    expect(written.failures).toContain("does not take its password");
    expect(written.calls.length).toBeGreaterThan(1000);
    for (const [place, text] of Object.entries(written)) {
      for (const value of values) expect(text.includes(value), place).toBe(false);
    }
    expect(at.written.some((call) => call.includes(passwords.app))).toBe(true);
  });
});
