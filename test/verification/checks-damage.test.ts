import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CheckResult } from "../../functions/verification/checks.ts";
import type { Copies, Given } from "./copies.ts";
import { cardKey, platformCopies, policy, red, transfers } from "./copies.ts";

let copies: Copies;
beforeAll(async () => {
  copies = await platformCopies();
});
afterAll(() => copies?.close());

const of = (results: readonly CheckResult[], name: string): CheckResult | undefined =>
  results.find((result) => result.name === name);

/** Damages a copy by statements of the administrator, and looks at it. */
const damaged = (...statements: string[]): Promise<CheckResult[]> => damagedFor({}, statements);

const damagedFor = async (
  given: Partial<Given>,
  statements: readonly string[],
): Promise<CheckResult[]> => {
  const name = await copies.copy();
  await copies.administrator(name, async (client) => {
    for (const statement of statements) await client.query(statement);
  });
  return copies.look(name, given);
};

/** For what one check tells, when it does not matter what the others say. */
const only = (...names: string[]) => ({ only: names });

describe("a sound copy", () => {
  it("passes every check, and tells how much was read and what would have been lost", async () => {
    const results = await copies.look(await copies.copy());
    expect(results.filter(({ is }) => is !== "passed")).toEqual([]);
    expect(results.length).toBe(15);
    expect(of(results, "heartbeat")?.measured).toEqual({ lossSeconds: 6 });
    const read = of(results, "readable-in-full");
    expect(read?.measured?.rows).toBeGreaterThan(3 * transfers);
    expect(read?.measured?.scannedBytes).toBeGreaterThan(1_000_000);
    expect(of(results, "foreign-keys")?.measured).toEqual({ foreignKeys: 3, rows: 4 * transfers });
    expect(of(results, "ciphertext-opens")?.actual).toMatch(/by key first, 0 by none/);
  });

  it("has the same checksum when it is read in many turns, each with a session of its own", async () => {
    const name = await copies.copy();
    const whole = await copies.look(name, only("readable-in-full"));
    const parts = await copies.look(name, { chunksPerTurn: 1 });
    const actual = of(whole, "readable-in-full")?.actual;
    expect(actual).toMatch(/checksum [0-9a-f]{16}$/);
    expect(of(parts, "readable-in-full")?.actual).toBe(actual);
    expect(red(parts)).toEqual([]);
  });

  it("has the same checksum in another order of its rows, and another one with one row changed", async () => {
    const read = only("readable-in-full");
    const sound = of(await copies.look(await copies.copy(), read), "readable-in-full")?.actual;
    const sorting = ["cluster transfers using transfers_pkey", "vacuum full entries"];
    const sorted = await damagedFor(read, sorting);
    const checksum = (actual = "") => actual.slice(-16);
    expect(checksum(of(sorted, "readable-in-full")?.actual)).toBe(checksum(sound));
    const changed = await damagedFor(read, [
      "update accounts set currency = 'USD' where id = 'account-1'",
    ]);
    expect(checksum(of(changed, "readable-in-full")?.actual)).not.toBe(checksum(sound));
  });
});

describe("planted damage is caught", () => {
  it("a dropped table, by the row counts", async () => {
    const results = await damaged("drop table cards");
    expect(of(results, "row-counts")).toMatchObject({
      is: "failed",
      actual: "public.cards is not there",
    });
  });

  it("a truncated table, by the row counts, and by nothing that only reads", async () => {
    const results = await damaged("truncate entries");
    expect(red(results)).toEqual(["row-counts"]);
    expect(of(results, "row-counts")?.actual).toBe(`public.entries has 0 rows of ${2 * transfers}`);
  });

  it("a truncated table of which the manifest has but an estimate, since it was too large", async () => {
    const results = await damaged(
      `update nightshift.manifest set content = content || nightshift.counted(0, '[]')
         || jsonb_build_object('windows', content->'windows')`,
      "truncate entries",
    );
    expect(red(results)).toEqual(["row-counts"]);
  });

  it("a table that lost one row in three", async () => {
    const results = await damaged(
      "delete from entries using transfers t where t.id = transfer_id and t.amount % 3 = 0",
    );
    expect(red(results)).toEqual(["row-counts"]);
  });

  it("one lost row of a table that never loses any", async () => {
    const results = await damaged(
      "set session_replication_role = replica",
      "delete from transfers where id = 'transfer-7'",
    );
    expect(red(results)).toEqual(["row-counts", "checksums", "foreign-keys"]);
    expect(of(results, "foreign-keys")?.actual).toMatch(/entries_transfer_id_fkey: 2 rows/);
  });

  it("a flipped bit where pages have checksums, by the full read, with its place", async () => {
    const name = await copies.copy();
    await copies.flip(name, "transfers", 3 * 8192 + 8185);
    const results = await copies.look(name);
    expect(of(results, "readable-in-full")).toMatchObject({
      is: "failed",
      actual: expect.stringMatching(/^public\.transfers block 3: invalid page in block 3/),
    });
    expect(of(results, "row-counts")).toBeUndefined();
  });

  it("a flipped bit that the server does not notice, by the checksums", async () => {
    const name = await copies.copy();
    await copies.flip(name, "transfers", 3 * 8192 + 8185);
    await copies.administrator(name, (client) =>
      client.query(`alter database ${name} set ignore_checksum_failure = on`),
    );
    const results = await copies.look(name);
    expect(of(results, "readable-in-full")?.is).toBe("passed");
    expect(of(results, "checksums")?.actual).toMatch(/public.transfers: 4000 rows with sum/);
    expect(of(results, "checksums")?.is).toBe("failed");
  });

  it("an index that lacks rows, by amcheck", async () => {
    const results = await damaged(
      "update pg_index set indisready = false where indexrelid = 'entries_by_account'::regclass",
      "update entries set account_id = account_id where transfer_id < 'transfer-2'",
      "update pg_index set indisready = true where indexrelid = 'entries_by_account'::regclass",
    );
    expect(red(results)).toEqual(["indexes-sound"]);
    expect(of(results, "indexes-sound")?.actual).toMatch(
      /^public\.entries_by_account: heap tuple .* lacks matching index tuple/,
    );
  });

  it("a constraint that was never proven", async () => {
    const results = await damaged(
      "alter table transfers add constraint small check (amount < 10) not valid",
    );
    expect(red(results)).toEqual(["constraints-valid"]);
    expect(of(results, "constraints-valid")?.actual).toBe("constraint public.transfers.small");
  });

  it("a sequence that is behind its column, also by one", async () => {
    expect(red(await damaged("select setval('cards_id_seq', 5)"))).toEqual(["sequences"]);
    expect(red(await damaged("select setval('cards_id_seq', 40, false)"))).toEqual(["sequences"]);
  });

  it("an unbalanced ledger, by the operator's assertion", async () => {
    const results = await damaged(
      "set session_replication_role = replica",
      "update entries set amount = amount + 5 where transfer_id = 'transfer-9' and amount < 0",
    );
    expect(red(results)).toEqual(["assertion-ledger-sums-to-zero"]);
    expect(of(results, "assertion-ledger-sums-to-zero")).toMatchObject({
      expected: "0",
      actual: "5",
    });
  });

  it("a collation of another version", async () => {
    const results = await damaged(
      "update pg_database set datcollversion = '153.80' where datname = current_database()",
      "update pg_collation set collversion = '0' where collname = 'ucs_basic'",
    );
    expect(red(results)).toEqual(["extensions-and-collations"]);
  });

  it("an extension that was there on the primary", async () => {
    const results = await damaged("drop extension amcheck", "drop schema amcheck");
    expect(red(results)).toEqual(["extensions-and-collations", "indexes-sound"]);
  });

  it("large objects, which no check reads", async () => {
    const results = await damagedFor(only("large-objects"), [
      "select lo_from_bytea(0, 'what is in here?')",
    ]);
    expect(of(results, "large-objects")?.is).toBe("could-not-run");
  });
});

describe("a copy of something else is caught", () => {
  it("of another platform, by its canary", async () => {
    const other = { ...policy, identity: "app.example.org" };
    const results = await copies.look(await copies.copy(), { policy: other });
    expect(red(results)).toEqual(["canary"]);
  });

  it("of a canary of which one byte has changed", async () => {
    const results = await damaged(
      "update nightshift.canary set bytes = set_byte(bytes, 40000, 1 + get_byte(bytes, 40000) % 7)",
    );
    expect(red(results)).toEqual(["canary"]);
  });

  it("of a database that Nightshift has never seen", async () => {
    const name = await copies.copy();
    await copies.administrator(name, (client) => client.query("drop schema nightshift cascade"));
    const results = await copies.look(name);
    expect(red(results)).toEqual([
      "canary",
      "heartbeat",
      "extensions-and-collations",
      "row-counts",
      "checksums",
    ]);
    expect(of(results, "row-counts")?.is).toBe("could-not-run");
  });

  it("of an empty database, which restores well", async () => {
    const dropping = ["drop schema public, nightshift cascade", "create schema public"];
    const results = await damagedFor(only("readable-in-full"), dropping);
    expect(of(results, "readable-in-full")).toMatchObject({ is: "failed", actual: "no table" });
  });

  it("of an older moment, by the heartbeat", async () => {
    const orderedAtMilliseconds = Date.now() + 7_200_000;
    const results = await copies.look(await copies.copy(), { facts: { orderedAtMilliseconds } });
    expect(red(results)).toEqual(["heartbeat"]);
    expect(of(results, "heartbeat")?.says).toMatch(/^72\d\d s of writing would be lost/);
  });

  it("of a moment after the one that was asked for", async () => {
    const restoredToMilliseconds = Date.now() - 3_000_000;
    const facts = { restoredToMilliseconds, aim: "older" } as const;
    const results = await copies.look(await copies.copy(), { facts });
    expect(red(results)).toEqual(["heartbeat"]);
  });

  it("of a manifest that is days old, which proves nothing", async () => {
    const restoredToMilliseconds = Date.now() + 3 * 86_400_000;
    const facts = { restoredToMilliseconds, orderedAtMilliseconds: restoredToMilliseconds };
    const results = await copies.look(await copies.copy(), { facts, ...only("row-counts") });
    expect(of(results, "row-counts")?.is).toBe("could-not-run");
    expect(of(results, "row-counts")?.says).toMatch(/73 hours older/);
  });

  it("of a schema that the deployed image does not run on, or of which nobody knows", async () => {
    const name = await copies.copy();
    const is = async (schemaRevision: string | null) =>
      (await copies.look(name, { facts: { schemaRevision }, ...only("schema-revision") }))[0]?.is;
    expect(await is("0f0f0f0f0f0f")).toBe("failed");
    expect(await is(null)).toBe("could-not-run");
  });
});

describe("a key ring", () => {
  it("that opens nothing any more is caught", async () => {
    const wrong = { keyRing: async () => ({ keys: { second: Buffer.alloc(32, 7) } }) };
    const results = await copies.look(await copies.copy(), { hooks: wrong });
    expect(red(results)).toEqual(["ciphertext-opens"]);
    expect(JSON.stringify(results)).not.toContain(cardKey.toString("hex"));
  });

  it("that cannot be read is no key ring that opens everything", async () => {
    const without = { hooks: {}, ...only("ciphertext-opens") };
    const results = await copies.look(await copies.copy(), without);
    expect(of(results, "ciphertext-opens")?.is).toBe("could-not-run");
  });

  it("opens what it has made with any of its keys", async () => {
    const both = async () => ({ keys: { second: Buffer.alloc(32, 7), first: cardKey } });
    const given = { hooks: { keyRing: both }, ...only("ciphertext-opens") };
    const results = await copies.look(await copies.copy(), given);
    expect(of(results, "ciphertext-opens")?.is).toBe("passed");
  });
});

describe("what nobody may look at is not green", () => {
  it("a table that this login may not read", async () => {
    const results = await damagedFor(only("readable-in-full"), [
      "create table hidden (id int)",
      "revoke all on hidden from platform_owner",
    ]);
    expect(of(results, "readable-in-full")).toMatchObject({
      is: "could-not-run",
      actual: expect.stringMatching(/not permitted: public\.hidden$/),
    });
  });

  it("indexes where amcheck may not be called, unless the operator does without", async () => {
    const name = await copies.copy();
    await copies.administrator(name, (client) =>
      client.query("revoke execute on all functions in schema amcheck from platform_owner"),
    );
    const results = await copies.look(name, only("indexes-sound"));
    expect(of(results, "indexes-sound")?.is).toBe("could-not-run");
    const without = { ...policy, leftOut: ["indexes-sound"] };
    expect(red(await copies.look(name, { policy: without }))).toEqual([]);
  });

  it("an assertion that gives no row", async () => {
    const assertions = [{ name: "odd", sql: "select 1 where false;", expect: "1" }];
    const given = { policy: { ...policy, assertions }, ...only("assertion-odd") };
    const results = await copies.look(await copies.copy(), given);
    expect(of(results, "assertion-odd")?.is).toBe("could-not-run");
  });

  it("a check under a name that there is not cannot be left out", async () => {
    const mistyped = { ...policy, leftOut: ["index-sound"] };
    await expect(copies.look("platform", { policy: mistyped })).rejects.toThrow(/index-sound/);
  });

  it("an assertion cannot write", async () => {
    const sql = "with gone as (delete from accounts returning 1) select count(*) from gone";
    const assertions = [{ name: "sly", sql, expect: "0" }];
    const name = await copies.copy();
    const given = { policy: { ...policy, assertions }, ...only("assertion-sly") };
    await expect(copies.look(name, given)).rejects.toThrow();
  });
});
