import { beforeEach, describe, expect, it } from "vitest";
import type { Coordination } from "../../shared/coordination.ts";
import { coordination } from "../../shared/coordination.ts";
import { pause, pauseId, readPause, resume, whilePaused } from "../../shared/pause.ts";
import { stage, startedAt } from "../slack/stage.ts";

let table: Coordination;
beforeEach(async () => {
  table = coordination((await stage()).runtime);
});

const by = (who: string, atMilliseconds: number) => ({
  by: who,
  reason: "schema change",
  atMilliseconds,
});

describe("the pause switch", () => {
  it("is off until somebody throws it, and off again when it is released", async () => {
    expect(whilePaused(await readPause(table))).toBeUndefined();
    await pause(table, by("U0ANA", startedAt));
    expect(whilePaused(await readPause(table))).toEqual({
      code: "paused",
      reason: "Nightshift is paused by U0ANA: schema change. Resume it to go on.",
    });
    expect(await resume(table, by("U0BEN", startedAt + 1))).toEqual({ is: "running" });
  });

  it("is not released by a delayed duplicate of an older change", async () => {
    await pause(table, by("U0ANA", startedAt));
    expect((await resume(table, by("U0BEN", startedAt - 1))).is).toBe("paused");
  });

  it("counts as thrown when it cannot be read", async () => {
    const silent: Coordination = { ...table, read: () => Promise.reject(new Error("no replica")) };
    expect(whilePaused(await readPause(silent))?.code).toBe("pause-unknown");
  });

  it("counts as thrown when its item makes no sense", async () => {
    await table.write(pauseId, { set: { paused: "maybe" } });
    expect(whilePaused(await readPause(table))?.code).toBe("pause-unknown");
  });
});
