import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { redisCache } from "../../local/ledger/cache.ts";
import { ledger } from "../../local/ledger/ledger.ts";
import { bundleLedger, launchLedger } from "../../local/ledger/process.ts";
import { servedCaches } from "../../local/redis/served.ts";

const [token, other] = ["token-of-the-ledger", "token-of-somebody-else"];
const closing: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** The ledger with a database that always answers, and a cache that may be lost. */
const stage = async () => {
  const caches = servedCaches({ now: Date.now, plain: true });
  closing.push(caches.close);
  const admission = { tokens: [token], withoutToken: false };
  const { host, port } = await caches.create({ id: "cache", region: "eu-west-1", admission });
  const cache = redisCache(`redis://:${token}@${host}:${port}/0`);
  closing.push(cache.close);
  const asked = { balance: 100, times: 0 };
  const answer = ledger(
    { region: "eu-west-1", instanceId: "i-1" },
    {
      book: async ({ amount }) => {
        asked.balance -= amount;
        return "booked";
      },
      transfer: async () => undefined,
      account: async (id) => {
        asked.times += 1;
        return { id, balance: String(asked.balance) };
      },
      ready: async () => true,
    },
    () => "1",
    cache,
  );
  const get = async (path: string) => {
    const { status, body } = await answer({ method: "GET", path });
    return { ...JSON.parse(body ?? "{}"), status };
  };
  const transfer = async (id: string) => {
    const body = JSON.stringify({ id, from: "account-1", to: "account-2", amount: 5 });
    return (await answer({ method: "POST", path: "/transfers", body })).status;
  };
  const reaches = (what: string) =>
    expect.poll(async () => (await get("/health/ready")).cache, { timeout: 8000 }).toBe(what);
  await reaches("reachable");
  return { caches, asked, get, transfer, reaches };
};

it("asks the database for a balance once, until the account's next transfer", async () => {
  const { asked, get, transfer } = await stage();
  const balance = async () => (await get("/accounts/account-1")).balance;
  expect(await balance()).toBe("100");
  await expect.poll(async () => [await balance(), asked.times]).toEqual(["100", asked.times]);
  const before = asked.times;
  expect([await balance(), await balance(), asked.times]).toEqual(["100", "100", before]);
  expect(await transfer("t-1")).toBe(201);
  expect([await balance(), asked.times]).toEqual(["95", before + 1]);
});

it("takes transfers and stays healthy without its cache, says so, and finds it again", async () => {
  const { caches, get, transfer, reaches } = await stage();
  await caches.kill("cache");
  const began = performance.now();
  expect(await transfer("t-1")).toBe(201);
  expect((await get("/accounts/account-1")).balance).toBe("95");
  expect(await get("/health/ready")).toMatchObject({ status: 200 });
  // Nobody waited for the cache longer than its tenth of a second.
  expect(performance.now() - began).toBeLessThan(1000);
  await caches.start("cache");
  await reaches("reachable");
});

it("says that its cache is away once its token is not taken any more, and serves on", async () => {
  const { caches, get, transfer, reaches } = await stage();
  await caches.admit("cache", { tokens: [other], withoutToken: false }, true);
  await reaches("away");
  expect(await transfer("t-1")).toBe(201);
  expect(await get("/health/ready")).toMatchObject({ status: 200, database: "reachable" });
});

it("is reached by a process over TLS that was only told of the authority and of REDIS_URL", async () => {
  const folder = await mkdtemp(join(tmpdir(), "nightshift-ledger-cache-"));
  closing.push(() => rm(folder, { recursive: true, force: true }));
  const caches = servedCaches({ now: Date.now });
  closing.push(caches.close);
  const admission = { tokens: [token], withoutToken: false };
  const { host, port } = await caches.create({ id: "cache", region: "eu-west-1", admission });
  const authorities = join(folder, "authorities.pem");
  await writeFile(authorities, caches.authority);
  const app = await launchLedger(
    {
      ...{ SECRET_KEY: "secret", ENCRYPTION_KEY: "key", CLOUD_PROVIDER: "aws" },
      ...{ REGION: "eu-west-1", INSTANCE_ID: "i-1", NODE_EXTRA_CA_CERTS: authorities },
      DATABASE_URL: "postgres://app:password@127.0.0.1:1/ledger",
      REDIS_URL: `rediss://:${token}@${host}:${port}/0`,
    },
    { entry: await bundleLedger(folder) },
  );
  closing.push(app.stop);
  const cache = async () =>
    JSON.parse((await app.send({ method: "GET", path: "/health" })).body).cache as string;
  await expect.poll(cache, { timeout: 5000 }).toBe("reachable");
  expect((await caches.vitals("cache")).connections).toBe(1);
});
