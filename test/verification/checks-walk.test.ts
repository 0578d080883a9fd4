import { createCipheriv } from "node:crypto";
import { describe, expect, it } from "vitest";
import { opens } from "../../functions/verification/checks/decrypt.ts";
import type { Target } from "../../functions/verification/checks/walk.ts";
import { mostDamage, walk } from "../../functions/verification/checks/walk.ts";
import type { Json } from "../../functions/verification/checks.ts";

class PostgresError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

const tables: Target[] = [
  { id: 7, name: "public.accounts", blocks: 3 },
  { id: 9, name: "public.nothing", blocks: 0 },
  { id: 12, name: "public.entries", blocks: 1000 },
];

interface Server {
  damaged?: number[];
  /** A chunk of more blocks than this goes beyond the time of a statement. */
  mostBlocks?: number;
  of?: Target[];
}

/** Reads blocks as a server would, in turns of so many chunks, and tells which were read. */
const walked = async (
  { damaged = [], mostBlocks = Number.POSITIVE_INFINITY, of = tables }: Server,
  chunks = 1,
) => {
  const read: string[] = [];
  let cursor: Json = null;
  for (let turns = 1; turns < 20_000; turns += 1) {
    let left = chunks;
    const turn = { cursor, now: () => 0, isOver: () => --left <= 0 };
    const told = await walk<Target, { blocks: number; finished: string[] }>(turn, {
      first: { blocks: 0, finished: [] },
      next: async (after) => of.find(({ id }) => id > after),
      read: async ({ name }, from, to, state) => {
        if (to - from > mostBlocks) throw new PostgresError("57014", "canceling statement");
        if (damaged.some((block) => block >= from && block < to) && name === "public.entries") {
          throw new PostgresError("XX001", `invalid page in block ${from}`);
        }
        for (let block = from; block < to; block += 1) read.push(`${name} ${block}`);
        return { ...state, blocks: state.blocks + to - from };
      },
      finish: ({ name }, state) => ({ ...state, finished: [...state.finished, name] }),
    });
    if (!("more" in told)) return { ...told, read, turns };
    cursor = JSON.parse(JSON.stringify(told.more)) as Json;
  }
  throw new Error("it never ends");
};

describe("a walk through tables", () => {
  it.each([1, 3, 1000])(
    "reads each block once, and each table, in turns of %d chunks",
    async (chunks) => {
      const { read, state, damage } = await walked({}, chunks);
      expect(new Set(read).size).toBe(1003);
      expect(read.length).toBe(1003);
      expect(state).toEqual({ blocks: 1003, finished: tables.map(({ name }) => name) });
      expect(damage).toEqual([]);
    },
  );

  it("tells every damaged block by itself, and reads all others", async () => {
    const { read, damage } = await walked({ damaged: [5, 6, 700] });
    expect(damage.map((each) => each.split(":")[0])).toEqual([
      "public.entries block 5",
      "public.entries block 6",
      "public.entries block 700",
    ]);
    expect(read.length).toBe(1000);
  });

  it("stops when so much is damaged that more would tell nothing", async () => {
    const { damage } = await walked({ damaged: Array.from({ length: 900 }, (_, block) => block) });
    expect(damage).toHaveLength(mostDamage);
  });

  it("reads less at once where a chunk takes too long, and still all of it", async () => {
    const { read } = await walked({ mostBlocks: 3 });
    expect(new Set(read).size).toBe(1003);
  });

  it("fails, and does not leave out, a block that cannot be read in time", async () => {
    await expect(walked({ mostBlocks: 0 })).rejects.toThrow(/canceling statement/);
  });

  it("keeps a cursor that does not grow with the tables that were read", async () => {
    const of = Array.from({ length: 500 }, (_, index) => ({
      id: index + 1,
      name: `public.table_${index}`,
      blocks: 1,
    }));
    let left = 400;
    const turn = { cursor: null, now: () => 0, isOver: () => --left <= 0 };
    const told = await walk<Target, number>(turn, {
      first: 0,
      next: async (after) => of.find(({ id }) => id > after),
      read: async (_target, _from, _to, count) => count + 1,
      finish: (_target, count) => count,
    });
    expect(JSON.stringify(told).length).toBeLessThan(200);
  });
});

describe("a key", () => {
  const key = Buffer.alloc(32, 3);
  const sealed = () => {
    const nonce = Buffer.alloc(12, 1);
    const cipher = createCipheriv("aes-256-gcm", key, nonce);
    return Buffer.concat([nonce, cipher.update("4000 1234"), cipher.final(), cipher.getAuthTag()]);
  };

  it("opens what it has closed, from text and from bytes, and nothing that was changed", () => {
    const changed = sealed();
    changed[14] = (changed[14] ?? 0) ^ 1;
    expect(opens("aes-256-gcm", sealed(), key)).toBe(true);
    expect(opens("aes-256-gcm", sealed().toString("base64"), key)).toBe(true);
    expect(opens("aes-256-gcm", changed, key)).toBe(false);
    expect(opens("aes-256-gcm", sealed(), Buffer.alloc(32, 4))).toBe(false);
    expect(opens("aes-256-gcm", Buffer.alloc(5), key)).toBe(false);
  });

  // Source: the Fernet specification's own example, generate.json and verify.json.
  it("opens the example of the Fernet specification", () => {
    const example = Buffer.from("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=", "base64url");
    const token =
      "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";
    expect(opens("fernet", token, example)).toBe(true);
    expect(opens("fernet", Buffer.from(token), example)).toBe(true);
    expect(opens("fernet", token, key)).toBe(false);
    expect(opens("fernet", "gAAAAA", example)).toBe(false);
  });
});
