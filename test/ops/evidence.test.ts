import { execFileSync, spawnSync } from "node:child_process";
import { generateKeyPairSync, sign as signBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { canonical } from "../../shared/canonical.ts";
import type { EvidenceRecord } from "../../shared/evidence.ts";
import { fileNameOf, seal } from "../../shared/evidence.ts";

const folder = mkdtempSync(join(tmpdir(), "nightshift-evidence-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const key = join(folder, "key.der");
writeFileSync(key, publicKey.export({ type: "spki", format: "der" }));

const written = async (count: number): Promise<EvidenceRecord[]> => {
  const records: EvidenceRecord[] = [];
  for (let day = 1; day <= count; day += 1) {
    const draft = {
      kind: "verification" as const,
      run: `verification-${day}`,
      recordedAt: `2026-11-0${day}T03:00:00Z`,
      body: { verdict: "correct" },
    };
    const signed = await seal(draft, records.at(-1), async (text) => ({
      key: "arn",
      value: signBytes("sha256", Buffer.from(text), privateKey).toString("base64"),
    }));
    records.push(signed);
    writeFileSync(join(folder, fileNameOf(signed)), canonical(signed));
  }
  return records;
};

const run = (...words: string[]) => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", "ops/evidence.ts", ...words],
    { encoding: "utf8" },
  );
  return { status, said: stdout + stderr };
};

describe("npm run evidence", () => {
  it("says that all is well, then what is missing and what was changed, with files and a key", async () => {
    const records = await written(4);
    expect(run(folder, "--key", key)).toEqual({
      status: 0,
      said: expect.stringMatching(/4 records, 1 to 4.*[\s\S]*All are there.*without --head/),
    });
    const newest = `4:${records[3]?.hash.slice(0, 16)}`;
    expect(run(folder, "--key", key, "--head", newest)).toMatchObject({ status: 0 });
    const [, second, third, last] = records.map((record) => join(folder, fileNameOf(record)));
    execFileSync("sed", ["-i", "s/correct/failed/", second ?? ""]);
    for (const file of [third, last]) rmSync(file ?? "");
    const told = run(folder, "--key", key, "--head", newest);
    expect(told.status).toBe(1);
    expect(told.said).toMatch(/NOT WELL {2}record 2: Its content does not have the hash/);
    expect(told.said).toMatch(/NOT WELL {2}records 3 to 4: They are not there/);
  });

  it("does not take an empty folder for a good one", () => {
    const empty = mkdtempSync(join(folder, "empty-"));
    expect(run(empty, "--key", key)).toEqual({
      status: 1,
      said: expect.stringMatching(/no record of evidence here/),
    });
  });

  it.each([
    [["nowhere", "--key", key], /There is no folder nowhere/],
    [[folder], /Without --key nobody can tell who signed/],
    [[folder, "--key", "package.json"], /is no public key/],
    [[folder, "--key", key, "--head", "last"], /--head takes the number of a record/],
    [[folder, "--key", key, "--what"], /Unknown option '--what'/],
  ])("refuses %j and says what to do", (words, why) => {
    expect(run(...words)).toEqual({ status: 2, said: expect.stringMatching(why) });
  });
});
