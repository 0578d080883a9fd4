import { expect, it } from "vitest";
import { digestOf } from "../../functions/rotation/cache.ts";
import { ringOf } from "../../functions/rotation/kinds/ring.ts";
import { primary, standby } from "../tables.ts";
import { modelled } from "./modelled.ts";
import { firstRing, opened, seal } from "./sealing.ts";
import { firstValues, names, token } from "./stage.ts";

it("opens every row of before the first rotation of the key and of after each of five", async () => {
  const at = await modelled({ values: { ...firstValues(), [names.encryption]: firstRing() } });
  const now = () => ringOf(at.value(names.encryption));
  const rows = [seal(now(), "row 0")];
  for (let number = 1; number <= 5; number += 1) {
    const before = now().primary;
    const about = { secret: names.encryption, token: token(number) };
    await at.rotated(names.encryption, token(number));
    expect(now().primary).toBe(before);
    expect(await at.handle({ do: "promote", ...about })).toHaveProperty("did");
    expect(now().primary).not.toBe(before);
    // It ends well, and holds back neither a person nor the next rotation.
    const told = await at.handle({ do: "retire", ...about });
    expect(told).toHaveProperty("did", expect.stringContaining("kept until"));
    rows.push(seal(now(), `row ${number}`));
  }
  expect(Object.keys(now().keys)).toHaveLength(6);
  expect(rows.map((row) => opened(now(), row))).toEqual(rows.map((_row, at) => `row ${at}`));
  expect(new Set(rows.map(({ key }) => key)).size).toBe(6);
});

it("logs in at the cache of its own region for another one, which names the token by a digest", async () => {
  const shown: (string | null)[] = [];
  const values = { ...firstValues(), [names.cache]: { token: "token-that-is-planted" } };
  const at = await modelled({
    values,
    authenticate: async (_cache, given) => {
      shown.push(given);
      return given === null ? { is: "refused", why: "NOAUTH" } : { is: "in" };
    },
  });
  const ask = (digest: string | null) =>
    at.inStandby({ do: "login", secret: names.cache, token: token(1), digest });
  shown.length = 0;
  expect(await ask(digestOf(token(1), "token-that-is-planted"))).toHaveProperty("did");
  expect(await ask(null)).toMatchObject({ refused: { code: "refused" } });
  expect(await ask(digestOf(token(1), "another"))).toMatchObject({
    refused: { code: "unreachable" },
  });
  expect(shown).toEqual(["token-that-is-planted", null]);
});

it("gives the caches of both regions the new token, through the functions of both", async () => {
  const planted = "token-that-is-planted";
  const at = await modelled({ values: { [names.cache]: { token: planted } } });
  await at.rotated(names.cache, token(1));
  expect(at.failures).toEqual([]);
  const made = at.value(names.cache).token;
  expect(at.value(names.cache).VersionId).toBe(token(1));
  for (const region of [primary, standby]) expect(at.tokensIn(region)).toEqual([planted, made]);
  const told = await at.handle({ do: "retire", secret: names.cache, token: token(1) });
  expect(told).toHaveProperty("did");
  for (const region of [primary, standby]) expect(at.tokensIn(region)).toEqual([made]);
  const asked = at.written.filter((call) => call.startsWith("Invoke "));
  expect(asked.length).toBeGreaterThan(3);
  expect(asked.filter((call) => call.includes(planted) || call.includes(String(made)))).toEqual([]);
});
