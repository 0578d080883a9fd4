import { describe, expect, it } from "vitest";
import type { GuardFacts } from "../../functions/guard/decide.ts";
import { decide } from "../../functions/guard/decide.ts";
import type { Fact } from "../../shared/outcome.ts";

const now = Date.UTC(2026, 10, 22, 3, 0, 0);
const policy = { isolationSeconds: 120 };

const known = <T>(value: T): Fact<T> => ({
  known: true,
  value,
  source: "test",
  atMilliseconds: now,
});
const unknown = (why = "TimeoutError"): Fact<never> => ({
  known: false,
  why,
  source: "test",
  atMilliseconds: now,
});

const lease = (region: string, state: "held" | "moving" = "held", epoch = 1) =>
  known({ epoch, region, state, holder: "deploy", movedAtMilliseconds: 0, attempt: 1 });

const position = (how: { recovery?: boolean; contactSecondsAgo?: number }) =>
  known({
    recovery: how.recovery ?? false,
    lsn: "0/1",
    heartbeat: {
      region: "home",
      epoch: 1,
      writtenAtMilliseconds: now,
      contactAtMilliseconds: now - (how.contactSecondsAgo ?? 0) * 1000,
    },
  });

const facts = (change: Partial<GuardFacts>): GuardFacts => ({
  region: "home",
  lease: lease("home"),
  position: position({}),
  contact: { region: "home", contactAtMilliseconds: now, epoch: 1, heartbeatAtMilliseconds: now },
  rememberedContactMilliseconds: undefined,
  firstBeatMilliseconds: now,
  ...change,
});

const kind = (change: Partial<GuardFacts>) => decide(facts(change), policy, now).kind;

describe("what a guard does with the lease", () => {
  it("says active where the lease is held", () => {
    expect(decide(facts({}), policy, now)).toMatchObject({ kind: "serve", role: "active" });
  });

  it("does not say active while the lease is still moving here", () => {
    const moving = facts({ lease: lease("home", "moving", 2) });
    expect(decide(moving, policy, now)).toMatchObject({ kind: "serve", role: "renounced" });
  });

  it("fences a region whose database takes writes while the lease is elsewhere", () => {
    expect(decide(facts({ lease: lease("other", "moving", 2) }), policy, now)).toMatchObject({
      kind: "fence",
      role: "renounced",
      epoch: 2,
    });
  });

  it("leaves a standby region alone whose database is a replica", () => {
    expect(kind({ lease: lease("other"), position: position({ recovery: true }) })).toBe(
      "stand-by",
    );
  });

  it("fences a region that has held the lease even when its database does not answer", () => {
    expect(kind({ lease: lease("other", "held", 2), position: unknown() })).toBe("fence");
  });

  it("opens a region whose database is a replica again, once", () => {
    const layer = { layer: "capacity" as const, result: "fenced" as const, detail: "" };
    const contact = { region: "home", contactAtMilliseconds: now, epoch: 2, fence: [layer] };
    const replica = { lease: lease("other", "held", 2), position: position({ recovery: true }) };
    const reopen = (fence: (typeof layer)[]) =>
      decide(facts({ ...replica, contact: { ...contact, fence } }), policy, now);
    expect(reopen([layer])).toMatchObject({ kind: "stand-by", reopen: true });
    expect(reopen([])).toMatchObject({ kind: "stand-by", reopen: false });
  });

  it("remembers at which epoch its database was a replica when that does not answer", () => {
    const wrote = { region: "home", contactAtMilliseconds: now, heartbeatAtMilliseconds: now };
    const kindAt = (epoch: number, contact: { epoch: number; fence?: [] }) =>
      kind({
        lease: lease("other", "held", epoch),
        position: unknown(),
        contact: { ...wrote, ...contact },
      });
    expect(kindAt(2, { epoch: 2, fence: [] })).toBe("stand-by");
    expect(kindAt(2, { epoch: 2 })).toBe("fence");
    expect(kindAt(3, { epoch: 2, fence: [] })).toBe("fence");
  });

  it("does not empty a standby region whose replica does not answer", () => {
    const contact = { region: "home", contactAtMilliseconds: now, epoch: 1 };
    expect(kind({ lease: lease("other"), position: unknown(), contact })).toBe("stand-by");
  });
});

describe("what a guard does when it reaches no replica of the lease", () => {
  const silent = unknown("no replica answered");

  it("holds on through one failed read", () => {
    expect(kind({ lease: silent, position: position({ contactSecondsAgo: 10 }) })).toBe("hold");
  });

  it("holds on one second before the isolation time", () => {
    expect(kind({ lease: silent, position: position({ contactSecondsAgo: 119 }) })).toBe("hold");
  });

  it("fences its own region when the isolation time has passed", () => {
    const decision = decide(
      facts({ lease: silent, position: position({ contactSecondsAgo: 120 }) }),
      policy,
      now,
    );
    expect(decision).toMatchObject({ kind: "fence", epoch: null });
  });

  it("changes nothing in a region whose database is a replica", () => {
    const replica = position({ recovery: true, contactSecondsAgo: 9999 });
    expect(kind({ lease: silent, position: replica })).toBe("hold");
  });

  it("does not take a healthy region down because its database is away for a moment as well", () => {
    const rememberedContactMilliseconds = now - 30_000;
    expect(kind({ lease: silent, position: unknown(), rememberedContactMilliseconds })).toBe(
      "hold",
    );
  });

  it("fences by what it remembers itself when the database cannot tell the last contact", () => {
    const rememberedContactMilliseconds = now - 120_000;
    expect(kind({ lease: silent, position: unknown(), rememberedContactMilliseconds })).toBe(
      "fence",
    );
  });

  it("does not take the first beat of a new execution environment for a contact", () => {
    const isolated = { lease: silent, position: position({ contactSecondsAgo: 120 }) };
    expect(kind({ ...isolated, firstBeatMilliseconds: now - 1000 })).toBe("fence");
  });

  it("counts from its first beat when neither it nor the database knows of any contact", () => {
    const nothing = { lease: silent, position: unknown() };
    expect(kind({ ...nothing, firstBeatMilliseconds: now - 119_000 })).toBe("hold");
    expect(kind({ ...nothing, firstBeatMilliseconds: now - 120_000 })).toBe("fence");
  });
});
