import { describe, expect, it } from "vitest";
import { logger, redact } from "../../shared/log.ts";

const sink = () => {
  const lines: string[] = [];
  const log = logger({
    clock: { now: () => Date.UTC(2026, 10, 22, 3, 14, 7) },
    write: (line) => void lines.push(line),
  });
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? "{}") as Record<string, unknown> };
};

describe("the log", () => {
  it("writes one line of JSON per decision, with the fields of its parents", () => {
    const { log, lines } = sink();
    log.with({ run: "failover-8-1" }).warn("lag is\nunknown", { lagSeconds: null });
    expect(lines).toEqual([
      '{"level":"warn","at":"2026-11-22T03:14:07Z","message":"lag is\\nunknown",' +
        '"run":"failover-8-1","lagSeconds":null}',
    ]);
  });

  it.each([
    "password",
    "masterUserPassword",
    "passwordId",
    "signingSecret",
    "botToken",
    "Authorization",
    "DATABASE_URL",
    "privateKey",
    "x-slack-signature",
  ])("hides the field %s, however deep", (name) => {
    const { log, lines } = sink();
    log.info("seen", { outer: [{ [name]: "hunter2hunter2" }] });
    expect(lines[0]).not.toContain("hunter2");
    expect(lines[0]).toContain("[hidden]");
  });

  it("shows what only points at a secret", () => {
    const { log, last } = sink();
    log.info("seen", { secretArn: "arn:aws:x", secretName: "slack", tokenCount: 3 });
    expect(last()).toMatchObject({ secretArn: "arn:aws:x", secretName: "slack", tokenCount: 3 });
  });

  it("shows facts about secrets, and still not what is secret in them", () => {
    const { log, last } = sink();
    log.info("seen", { secrets: [{ name: "ledger", replicated: true, botToken: "abc" }] });
    expect(last()).toMatchObject({
      secrets: [{ name: "ledger", replicated: true, botToken: "[hidden]" }],
    });
  });

  it("hides secrets by their shape in any text, and keeps what a reader needs", () => {
    expect(redact("connect postgres://ledger:p4ss@db.internal:5432/ledger failed")).toBe(
      "connect postgres://ledger:[hidden]@db.internal:5432/ledger failed",
    );
    const token = ["xoxb", "1234567890", "abcdef"].join("-");
    expect(redact(`token ${token} refused`)).toBe("token [hidden] refused");
    expect(redact(`v0=${"a1".repeat(32)}`)).toBe("[hidden]");
    expect(redact("SCRAM-SHA-256$4096:salt$stored:server")).toBe("[hidden]");
  });

  it("hides a value that it was told, also in its children and in errors", () => {
    const { log, lines } = sink();
    const child = log.with({ function: "slack" });
    log.hide("correct horse");
    child.error("it broke", { error: new Error("with correct horse in it") });
    expect(lines[0]).toContain('"error":{"name":"Error","message":"with [hidden] in it"}');
  });

  it("cuts what is long, deep or circular instead of failing", () => {
    const { log, lines } = sink();
    const circle: Record<string, unknown> = { text: "x".repeat(5000) };
    circle.self = circle;
    log.info("seen", { circle, many: Array.from({ length: 500 }, () => 1) });
    expect(lines[0]?.length).toBeLessThan(20_000);
    expect(lines[0]).toContain("[too deep]");
  });

  it("does not let a field pass for the message", () => {
    const { log, last } = sink();
    log.info("refused", { message: "accepted", level: "none" });
    expect(last()).toMatchObject({ level: "info", message: "refused" });
  });
});
