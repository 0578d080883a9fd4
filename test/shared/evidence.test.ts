import { createHash, generateKeyPairSync, sign as signBytes } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { canonical } from "../../shared/canonical.ts";
import type { Coordination, Item } from "../../shared/coordination.ts";
import type { Draft, EvidenceFile, EvidenceRecord, Sign } from "../../shared/evidence.ts";
import { fileNameOf, seal, verifyChain } from "../../shared/evidence.ts";
import type { EvidenceBucket } from "../../shared/evidence-store.ts";
import { evidenceStore } from "../../shared/evidence-store.ts";

const pair = () => {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const sign: Sign = async (text) => ({
    key: "arn:aws:kms:eu-west-1:123456789012:key/mrk-1",
    value: signBytes("sha256", Buffer.from(text), privateKey).toString("base64"),
  });
  return { pem: publicKey.export({ type: "spki", format: "pem" }).toString(), sign };
};

const ours = pair();

const draft = (run: string, at: string, body: Record<string, unknown> = {}): Draft => ({
  kind: "verification",
  run,
  recordedAt: at,
  body: { verdict: "correct", rpoSeconds: 12, ...body },
});

const sealed = (one: Draft, last?: EvidenceRecord): Promise<EvidenceRecord> =>
  seal(one, last, ours.sign);

const file = (record: EvidenceRecord): EvidenceFile => ({
  name: `records/${fileNameOf(record)}`,
  text: canonical(record),
});

const records: EvidenceRecord[] = [];

beforeAll(async () => {
  for (let day = 1; day <= 6; day += 1) {
    const at = `2026-11-0${day}T03:00:00.000Z`;
    records.push(await sealed(draft(`verification-${day}`, at), records.at(-1)));
  }
});

const verdictOf = (files: EvidenceFile[], more = {}) =>
  verifyChain(files, { keys: [ours.pem], ...more });

const problemsOf = (files: EvidenceFile[], more = {}) =>
  verdictOf(files, more).problems.map(({ of, is }) => `${of}: ${is}`);

const changed = (index: number, change: (record: EvidenceRecord) => EvidenceRecord) =>
  records.map((record, at) => file(at === index ? change(structuredClone(record)) : record));

/** Whoever changes a record can give it a fitting hash as well, but no signature. */
const rehashed = (record: EvidenceRecord): EvidenceRecord => {
  const { hash: _hash, signature, ...body } = record;
  return { ...body, hash: createHash("sha256").update(canonical(body)).digest("hex"), signature };
};

describe("a chain of evidence", () => {
  it("is well when all is there, whatever order the files are listed in", () => {
    const verdict = verdictOf(records.map(file).toReversed());
    expect(verdict.problems).toEqual([]);
    expect(verdict.head).toEqual({ sequence: 6, hash: records[5]?.hash });
  });

  it("is not well without our key", () => {
    const { problems } = verifyChain(records.map(file), { keys: [pair().pem] });
    expect(new Set(problems.map(({ is }) => is))).toEqual(new Set(["not-signed"]));
    expect(problems).toHaveLength(6);
  });

  it("tells a record whose verdict was changed", () => {
    const files = changed(2, (record) => ({ ...record, body: { verdict: "failed" } }));
    expect(problemsOf(files)).toEqual(["record 3: changed"]);
  });

  it("tells one that was changed together with its hash, and that the next does not follow", () => {
    const files = changed(2, (record) => rehashed({ ...record, body: { verdict: "failed" } }));
    expect(problemsOf(files)).toEqual(["record 3: not-signed", "record 4: out-of-order"]);
  });

  it("tells two that have changed their places", () => {
    const [second, third] = [records[1], records[2]];
    if (!second || !third) throw new Error("six records are made above");
    const files = records.map((record, at) => {
      if (at === 1) return file(rehashed({ ...third, sequence: 2, previous: second.previous }));
      if (at === 2) return file(rehashed({ ...second, sequence: 3, previous: third.previous }));
      return file(record);
    });
    expect(problemsOf(files)).toEqual(
      expect.arrayContaining(["record 2: not-signed", "record 3: not-signed"]),
    );
    expect(problemsOf(files)).toContain("record 3: out-of-order");
  });

  it("tells files that were given each other's names", () => {
    const files = records.map(file);
    const [first, second] = files;
    if (!first || !second) throw new Error("six files are made above");
    [first.name, second.name] = [second.name, first.name];
    expect(problemsOf(files).map((line) => line.split(": ")[1])).toEqual(["misnamed", "misnamed"]);
  });

  it("tells which are missing in the middle", () => {
    const files = records.map(file).filter((_each, at) => at !== 2 && at !== 3);
    expect(problemsOf(files)).toEqual(["records 3 to 4: missing"]);
  });

  it("tells that the first are missing, unless their years are over", () => {
    const files = records.map(file).slice(2);
    expect(problemsOf(files)).toEqual(["records 1 to 2: missing"]);
    expect(problemsOf(files, { from: 3 })).toEqual([]);
  });

  it("tells that the last are missing only when it knows of them", () => {
    const files = records.map(file).slice(0, 4);
    expect(problemsOf(files)).toEqual([]);
    expect(problemsOf(files, { head: { sequence: 6 } })).toEqual(["records 5 to 6: missing"]);
  });

  it("tells that the newest is another one than was told then", async () => {
    const other = await sealed(
      draft("verification-6", "2026-11-06T03:00:00.000Z", { rpoSeconds: 1 }),
      records[4],
    );
    const files = [...records.slice(0, 5), other].map(file);
    expect(problemsOf(files)).toEqual([]);
    const head = { sequence: 6, hash: records[5]?.hash.slice(0, 16) ?? "" };
    expect(problemsOf(files, { head })).toEqual(["record 6: changed"]);
  });

  it("tells two records of the same number, and a file that is none", async () => {
    const other = await sealed(draft("verification-x", "2026-11-06T04:00:00.000Z"), records[4]);
    const files = [...records, other].map(file);
    files.push({ name: "records/000000009-note.json", text: '{"hello": 1}' });
    expect(problemsOf(files)).toEqual([
      expect.stringMatching(/verification-x.json: twice/),
      expect.stringMatching(/note.json: not-a-record/),
    ]);
  });

  it("never holds a secret, not even by mistake", async () => {
    const record = await sealed(
      draft("rotation-1", "2026-11-07T03:00:00.000Z", { password: "correct horse" }),
    );
    expect(JSON.stringify(record)).not.toContain("correct horse");
  });
});

/** The table and the bucket, with a word before each call that changes them. */
const stores = (before: (call: string) => void = () => undefined) => {
  let item: Item | undefined;
  const objects = new Map<string, string>();
  const table: Coordination = {
    read: async () => structuredClone(item),
    write: async (id, { set, values }) => {
      before("write");
      const isFree = item === undefined || item.sequence === values?.last;
      if (!isFree) return { written: false, item };
      item = { id, ...structuredClone(set) };
      before("answer");
      return { written: true, item };
    },
  };
  const bucket: EvidenceBucket = {
    put: async (name, text) => {
      before("put");
      if (!objects.has(name)) objects.set(name, text);
    },
    get: async (name) => objects.get(name) ?? "",
  };
  const files = () => [...objects].map(([name, text]) => ({ name, text }));
  return { store: evidenceStore(table, bucket, ours.sign), files };
};

const wellFormed = (files: EvidenceFile[]) => verdictOf(files).problems;

const at = "2026-11-22T03:00:00.000Z";

describe("keeping evidence", () => {
  it("chains the runs of both regions, each once", async () => {
    const { store, files } = stores();
    await Promise.all(["a", "b", "c"].map((run) => store.keep(draft(run, at))));
    expect((await store.keep(draft("a", at))).run).toBe("a");
    expect(files()).toHaveLength(3);
    expect(wellFormed(files())).toEqual([]);
    expect((await store.head())?.sequence).toBe(3);
  });

  it.each(["write", "answer", "put"])(
    "leaves no gap and nothing twice when it dies at its %s, and another run is next",
    async (moment) => {
      let deaths = 0;
      const { store, files } = stores((call) => {
        if (call !== moment || deaths > 0) return;
        deaths += 1;
        throw new Error("killed");
      });
      await expect(store.keep(draft("first", at))).rejects.toThrow("killed");
      await store.keep(draft("second", at));
      await store.keep(draft("first", at));
      await store.keep(draft("third", at));
      expect(deaths).toBe(1);
      expect(wellFormed(files())).toEqual([]);
      const runs = files().map(({ text }) => JSON.parse(text).run);
      expect(runs.toSorted()).toEqual(["first", "second", "third"]);
    },
  );

  it("refuses a record that the table cannot hold", async () => {
    const { store } = stores();
    const large = draft("large", at, { rows: Array(50_000).fill("a row") });
    await expect(store.keep(large)).rejects.toThrow(/over 300000 bytes/);
  });
});
