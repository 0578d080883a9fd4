import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { opsArguments } from "../../ops/arguments.ts";
import type { Entry } from "../../shared/journal.ts";
import metric from "../events/alarm-metric.json" with { type: "json" };

const program = fileURLToPath(new URL("../../replay/main.ts", import.meta.url));
const recording = new URL("recorded/sick-instance.jsonl", import.meta.url);

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "replay-test-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

const replayed = (...args: string[]) => {
  const ended = spawnSync(process.execPath, [program, ...args], { encoding: "utf8" });
  return { code: ended.status, out: ended.stdout, error: ended.stderr };
};

const entries = (): Entry[] =>
  readFileSync(recording, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Entry);

describe("npm run replay", () => {
  it("says that today decides the same, and ends with 0", () => {
    const { code, out } = replayed(fileURLToPath(recording));
    expect(out).toContain("Today it would decide the same.");
    expect(out).toContain("The hash chain of each is whole.");
    expect(code).toBe(0);
  });

  it("takes what ops prints with --json, and answers in JSON", () => {
    const whole = { ok: true, verb: "journal", run: "any", entries: entries() };
    const { code, out } = replayed(file("ops.json", JSON.stringify(whole)), "--json");
    expect(JSON.parse(out)).toMatchObject({ same: true });
    expect(code).toBe(0);
  });

  it("gets its file from the command line of operators, which takes the name of an attempt", () => {
    const run = "remediation-eu-central-1-975e8c3c-1";
    const taken = opsArguments(["journal", run, "--json"], {});
    expect(taken).toMatchObject({ command: { verb: "journal", run }, json: true });
    expect(() => opsArguments(["journal", `${run} x`], {})).toThrow("a run such as");
  });

  it("does not believe a journal in which a word was changed", () => {
    const rows = entries().map((entry) =>
      entry.key === "diagnosis" ? { ...entry, text: `${entry.text} ` } : entry,
    );
    const { code, error } = replayed(file("changed.json", JSON.stringify(rows)));
    expect(error).toMatch(/tampered with or is not whole: entry \d was changed/);
    expect(code).toBe(2);
  });

  it("does not believe a journal in which an entry is missing", () => {
    const rows = entries().filter(({ sequence }) => sequence !== 2);
    const { code, error } = replayed(file("missing.json", JSON.stringify(rows)));
    expect(error).toContain("entry 2 is missing");
    expect(code).toBe(2);
  });

  it.each<[string, string, string]>([
    ["is empty", "", "It is empty."],
    ["is no JSON", "hello", "Line 1 is not JSON"],
    ["has no entries", "[]", "There is no journal entry in it"],
    ["is something else", '{"name":"nightshift"}', "Entry 1 is no journal entry: run"],
    ["is an event of another service", '{"detail-type":"EC2 State Change"}', "no alarm event"],
  ])("refuses a file that %s, with 2 and the reason", (_what, text, reason) => {
    const { code, error } = replayed(file("bad.json", text));
    expect(error).toContain(reason);
    expect(error).not.toContain("    at ");
    expect(code).toBe(2);
  });

  it("refuses a file that is not there, and two of them", () => {
    expect(replayed(join(folder, "nowhere"))).toMatchObject({ code: 2 });
    expect(replayed("a", "b")).toMatchObject({ code: 2 });
  });

  it("tells of an alarm's event which playbooks would look at it, the root-most first", () => {
    const detail = { ...metric.detail, alarmName: "nightshift-database-connections" };
    const { code, out } = replayed(file("event.json", JSON.stringify({ ...metric, detail })));
    expect(out).toContain("1. database-connections");
    expect(out).toContain("would look at sessions");
    expect(code).toBe(0);
  });

  it("says of an event of somebody else's alarm that it is none of ours", () => {
    const { code, out } = replayed(file("other.json", JSON.stringify(metric)));
    expect(out).toContain("none of our alarms");
    expect(code).toBe(0);
  });
});
