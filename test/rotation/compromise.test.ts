import { describe, expect, it } from "vitest";
import { rotationRun } from "../../shared/rotation.ts";
import { modelled } from "./modelled.ts";
import { names, passwords, token } from "./stage.ts";

const begin = (secret: string, mode: string, number = 1) => ({
  ...{ do: "begin", secret, token: token(number), mode },
  ...{ by: "U0ANA", reason: "a laptop was stolen" },
});
const ask = (what: string, secret: string, number = 1) => ({
  ...{ do: what, secret, token: token(number) },
});

type At = Awaited<ReturnType<typeof modelled>>;

/** Ordered as compromised, and through the four steps. */
const compromised = async (at: At, secret: string) => {
  await at.handle(begin(secret, "compromise"));
  await at.timeline.advance(3_600_000);
  expect(at.failures).toEqual([]);
};

const key = (letter: string) => Buffer.alloc(32, letter).toString("base64url");
const ring = {
  primary: "first",
  keys: { first: { secret: key("f"), state: "primary", madeAt: null } },
};

describe("a login whose password somebody else may know", () => {
  it("loses it while sessions are still on it, and then the sessions", async () => {
    const at = await modelled();
    await compromised(at, names.database);
    at.server.held.set("app_a", 2);
    expect(await at.handle(ask("prove", names.database))).toMatchObject({ isCompromised: true });
    expect(await at.handle(ask("retire", names.database))).toHaveProperty("did");
    expect(at.server.opens("app_a", passwords.app)).toBe(false);
    expect(await at.handle(ask("expel", names.database))).toMatchObject({
      did: "2 sessions of app_a were ended.",
    });
    expect(at.server.held.size).toBe(0);
    expect(at.opens(names.database)).toBe(true);
  });

  it("has who said so and why in its journal", async () => {
    const at = await modelled();
    await compromised(at, names.database);
    const entries = await at.timeline.run(at.journal(rotationRun(names.database, token(1))));
    const asked = entries.find((entry) => JSON.stringify(entry).includes('"asked"'));
    expect(JSON.stringify(asked)).toMatch(/U0ANA.*end of the old one at once: a laptop was stolen/);
  });

  it("leaves the sessions of a rotation alone that nobody called compromised", async () => {
    const at = await modelled();
    await at.rotated(names.database, token(1));
    at.server.held.set("app_a", 2);
    expect(await at.handle(ask("prove", names.database))).not.toHaveProperty("isCompromised");
    expect(await at.handle(ask("expel", names.database))).toMatchObject({
      refused: { code: "not-compromised" },
    });
    expect(await at.handle(ask("retire", names.database))).toMatchObject({
      refused: { code: "still-in-use" },
    });
    expect(at.server.held.get("app_a")).toBe(2);
  });
});

it("drops the older keys of a compromised signing ring at once", async () => {
  const at = await modelled({ values: { [names.signing]: ring } });
  await compromised(at, names.signing);
  expect(await at.handle(ask("prove", names.signing))).toMatchObject({ isCompromised: true });
  await at.handle(ask("promote", names.signing));
  await at.handle(ask("retire", names.signing));
  expect(Object.keys(at.value(names.signing).keys ?? {})).not.toContain("first");
});

it("never cuts the time of an encryption ring short, whoever knows its keys", async () => {
  const at = await modelled({ values: { [names.encryption]: ring } });
  await compromised(at, names.encryption);
  expect(await at.handle(ask("prove", names.encryption))).not.toHaveProperty("isCompromised");
  await at.handle(ask("promote", names.encryption));
  await at.handle(ask("retire", names.encryption));
  expect(Object.keys(at.value(names.encryption).keys ?? {})).toContain("first");
});

it("writes no secret value down, whether it is compromised or given up", async () => {
  const at = await modelled();
  const values = [passwords.app, passwords.owner];
  const keep = () => values.push(String(at.value(names.database).password));
  await compromised(at, names.database);
  keep();
  const told = [
    await at.handle(ask("retire", names.database)),
    await at.handle(ask("expel", names.database)),
    await at.handle({ do: "keep" }),
  ];
  await at.rotated(names.database, token(2));
  keep();
  told.push(await at.handle(begin(names.database, "abandon", 3)));
  told.push(await at.handle({ do: "keep" }));
  const runs = [1, 2].map((number) => rotationRun(names.database, token(number)));
  const journal = await at.timeline.run(Promise.all(runs.map((run) => at.journal(run))));
  const calls = at.written.filter((call) => !/SecretValue/.test(call));
  const all = [told, journal, at.orders, at.failures, at.server.sent, calls];
  const written = JSON.stringify(all);
  expect(written).toContain("gave up the end of its overlap");
  expect(written).toContain("sessions of app_a were ended");
  expect(values.filter((value) => written.includes(value))).toEqual([]);
});

describe("a rotation that is given up", () => {
  it("leaves old and new valid when it was in its overlap, and lets the next one begin", async () => {
    const at = await modelled();
    await at.rotated(names.database, token(1));
    const told = await at.handle(begin(names.database, "abandon", 2));
    expect(told).toHaveProperty("did", expect.stringContaining("are both valid"));
    expect([at.opens(names.database), at.opens(names.database, "AWSPREVIOUS")]).toEqual([
      true,
      true,
    ]);
    for (const question of ["prove", "retire"]) {
      expect(await at.handle(ask(question, names.database))).toMatchObject({
        refused: { code: "abandoned" },
      });
    }
    await at.rotated(names.database, token(3));
    expect(at.value(names.database).VersionId).toBe(token(3));
  });

  it("is dropped when its value is not current yet, and the current one is good", async () => {
    const at = await modelled();
    at.server.breakWith("ETIMEDOUT");
    await at.rotated(names.owner, token(1));
    at.server.breakWith(undefined);
    expect(at.stages(names.owner)[token(1)]).toEqual(["AWSPENDING"]);
    const told = await at.handle(begin(names.owner, "abandon", 2));
    expect(told).toHaveProperty("did", expect.stringContaining("is current and good"));
    expect(at.opens(names.owner)).toBe(true);
    expect(at.stages(names.owner)[token(1)]).toBeUndefined();
    await at.rotated(names.owner, token(3));
    expect(at.value(names.owner).VersionId).toBe(token(3));
  });

  it("is refused when nothing is left of any, and while a new key only opens", async () => {
    const at = await modelled({ values: { [names.signing]: ring } });
    expect(await at.handle(begin(names.signing, "abandon", 2))).toMatchObject({
      refused: { code: "nothing-left" },
    });
    await at.rotated(names.signing, token(1));
    expect(await at.handle(begin(names.signing, "abandon", 2))).toMatchObject({
      refused: { code: "not-promoted" },
    });
  });
});
