import { beforeEach, describe, expect, it } from "vitest";
import { claimNonce } from "../../functions/slack/nonces.ts";
import type { Coordination } from "../../shared/coordination.ts";
import { coordination } from "../../shared/coordination.ts";
import { stage, startedAt } from "./stage.ts";

let table: Coordination;
beforeEach(async () => {
  table = coordination((await stage()).runtime);
});

const seconds = startedAt / 1000;

describe("a signature", () => {
  it("belongs to the invocation that claimed it first, also when that one asks again", async () => {
    expect(await claimNonce(table, "v0=a", seconds, "first")).toBe("fresh");
    expect(await claimNonce(table, "v0=a", seconds, "first")).toBe("fresh");
    expect(await claimNonce(table, "v0=a", seconds, "second")).toBe("replayed");
    expect(await claimNonce(table, "v0=b", seconds, "second")).toBe("fresh");
  });

  it("is no longer taken once its item serves a later time", async () => {
    expect(await claimNonce(table, "v0=new", seconds + 1200, "first")).toBe("fresh");
    expect(await claimNonce(table, "v0=old", seconds, "second")).toBe("replayed");
  });

  it("is claimed by one of many that come at once, and no other is lost", async () => {
    const claims = await Promise.all(
      ["a", "b", "c", "a"].map((name, index) =>
        claimNonce(table, `v0=${name}`, seconds, `invocation ${index}`),
      ),
    );
    expect(claims.filter((claim) => claim === "fresh")).toHaveLength(3);
    expect(claims.filter((claim) => claim === "replayed")).toHaveLength(1);
  });

  it("is refused in a flood, so that the item cannot grow without end", async () => {
    const bucket = Math.floor(seconds / 300);
    const seen = Object.fromEntries(
      Array.from({ length: 400 }, (_, index) => [`v0=${index}`, "x"]),
    );
    await table.write(`nonces#${bucket % 4}`, { set: { bucket, seen, version: 1 } });
    expect(await claimNonce(table, "v0=one-more", seconds, "me")).toBe("flooded");
  });
});
