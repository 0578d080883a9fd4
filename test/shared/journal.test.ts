import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { describe, expect, it } from "vitest";
import { clientOptions } from "../../shared/clients.ts";
import type { Entry, JournalStore, Line } from "../../shared/journal.ts";
import { dynamodbJournal, journal, verify } from "../../shared/journal.ts";
import { here, stage, startedAt } from "../slack/stage.ts";

const run = "failover-2-1";

const line = (key: string, more: Partial<Line> = {}): Line => ({
  key,
  atMilliseconds: startedAt,
  kind: "decided",
  text: `about ${key}`,
  by: "failover",
  ...more,
});

/** A store in memory; `pageSize` and a hook make it misbehave. */
const memory = (before: (entry: Entry) => void = () => undefined): JournalStore => {
  const entries: Entry[] = [];
  return {
    put: async (entry) => {
      before(entry);
      if (
        entries.some(({ run: of, sequence }) => of === entry.run && sequence === entry.sequence)
      ) {
        return "taken";
      }
      entries.push(structuredClone(entry));
      return "written";
    },
    list: async (of, after, limit) =>
      structuredClone(
        entries.filter((entry) => entry.run === of && entry.sequence > after).slice(0, limit),
      ),
  };
};

const written = async (count: number): Promise<Entry[]> => {
  const book = journal(memory());
  for (let index = 1; index <= count; index += 1) await book.append(run, line(`entry ${index}`));
  return book.read(run);
};

describe("the journal", () => {
  it("chains its entries, and a run's own are all that count", async () => {
    const book = journal(memory());
    await book.append("failover-1-1", line("other"));
    await book.append(run, line("first", { data: { lagSeconds: 3, nothing: undefined } }));
    await book.append(run, line("second"));
    const entries = await book.read(run);
    expect(entries.map(({ sequence }) => sequence)).toEqual([1, 2]);
    expect(entries[1]?.previous).toBe(entries[0]?.hash);
    expect(verify(entries)).toEqual({ ok: true, head: entries[1]?.hash });
  });

  it("records a repeated step once, also from another process", async () => {
    const store = memory();
    const first = await journal(store).append(run, line("promoted"));
    const again = await journal(store).append(run, line("promoted", { atMilliseconds: 5 }));
    expect(again).toEqual(first);
    expect(await journal(store).read(run)).toHaveLength(1);
  });

  it("appends after another writer's entry when both wrote at once", async () => {
    let raced = false;
    const store: JournalStore = memory(() => {
      if (raced) return;
      raced = true;
      void journal(store).append(run, line("theirs"));
    });
    await journal(store).append(run, line("ours"));
    const entries = await journal(store).read(run);
    expect(entries.map(({ key }) => key).sort()).toEqual(["ours", "theirs"]);
    expect(verify(entries).ok).toBe(true);
  });

  it("keeps the order of appends that are not waited for", async () => {
    const book = journal(memory());
    await Promise.all(["a", "b", "c"].map((key) => book.append(run, line(key))));
    expect((await book.read(run)).map(({ key }) => key)).toEqual(["a", "b", "c"]);
  });

  it("never holds a secret", async () => {
    const book = journal(memory());
    await book.append(
      run,
      line("seen", { text: "postgres://a:secret1@h/d", data: { password: "p" } }),
    );
    expect(JSON.stringify(await book.read(run))).not.toMatch(/secret1|"p"/);
  });
});

describe("verify", () => {
  it("finds a changed entry", async () => {
    const entries = await written(5);
    const forged = entries.map((entry) =>
      entry.sequence === 3 ? { ...entry, text: "nothing was lost" } : entry,
    );
    expect(verify(forged)).toEqual({ ok: false, brokenAt: 3, why: "entry 3 was changed" });
  });

  it("finds an entry that was changed and sealed again", async () => {
    const entries = await written(5);
    const book = journal(memory());
    await book.append(run, line("entry 1", { text: "another beginning" }));
    const [other] = await book.read(run);
    const forged = [...(other ? [other] : []), ...entries.slice(1)];
    expect(verify(forged)).toMatchObject({ ok: false, brokenAt: 2 });
  });

  it("finds a missing entry at the beginning, in the middle and, knowing the head, at the end", async () => {
    const entries = await written(5);
    const head = entries.at(-1)?.hash;
    expect(verify(entries.slice(1))).toMatchObject({ ok: false, brokenAt: 1 });
    expect(verify(entries.filter(({ sequence }) => sequence !== 3))).toEqual({
      ok: false,
      brokenAt: 3,
      why: "entry 3 is missing",
    });
    expect(verify(entries.slice(0, 4), head)).toMatchObject({ ok: false, brokenAt: 5 });
    expect(verify(entries, head)).toEqual({ ok: true, head });
  });

  it("finds entries out of order, and those of another run", async () => {
    const [a, b, c] = await written(3);
    expect(verify([a, c, b] as Entry[])).toMatchObject({ ok: false, brokenAt: 2 });
    expect(verify([a, { ...b, run: "another" }] as Entry[])).toMatchObject({ ok: false });
  });
});

it("survives the way through DynamoDB, page by page", async () => {
  const { runtime } = await stage();
  const client = new DynamoDBClient(clientOptions(runtime, here));
  const store = dynamodbJournal(client, "journal");
  const data = { lease: { epoch: 2, region: here }, lags: [1, 2.5, null], empty: "", no: false };
  for (let index = 1; index <= 30; index += 1) {
    await journal(store).append(run, line(`entry ${index}`, { data }));
  }
  const entries = await journal(store).read(run);
  expect(entries).toHaveLength(30);
  expect(verify(entries).ok).toBe(true);
  expect(await store.put(entries[0] as Entry)).toBe("taken");
});
