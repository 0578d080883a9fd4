import type { Coordination } from "./coordination.ts";
import type { Refusal } from "./outcome.ts";
import { sentence, withoutStop } from "./outcome.ts";

/**
 * The switch that stops all automation in every region. Read before each change to the world. What
 * cannot be read counts as thrown: an automation that has lost its brake must stand.
 */
export type Pause =
  | { is: "running" }
  | { is: "paused"; by: string; reason: string; atMilliseconds: number }
  | { is: "unknown"; why: string };

/** The one item of the switch in the coordination table. */
export const pauseId = "pause";

/** Strongly consistent, and never throws: see `unknown`. Without an item nobody has ever paused. */
export const readPause = async (table: Coordination): Promise<Pause> => {
  let item: Awaited<ReturnType<Coordination["read"]>>;
  try {
    item = await table.read(pauseId);
  } catch (error) {
    return { is: "unknown", why: sentence(error) };
  }
  if (!item || item.paused === false) return { is: "running" };
  if (item.paused !== true) return { is: "unknown", why: "the pause item is malformed" };
  return {
    is: "paused",
    by: String(item.by ?? "unknown"),
    reason: String(item.reason ?? "none given"),
    atMilliseconds: Number(item.atMilliseconds ?? 0),
  };
};

/** Who has thrown the switch last, or back; null when nobody ever has. Throws when it cannot be read. */
export const lastTurn = async (
  table: Coordination,
): Promise<(PauseChange & { isPaused: boolean }) | null> => {
  const item = await table.read(pauseId);
  if (!item) return null;
  return {
    isPaused: item.paused === true,
    by: String(item.by ?? "unknown"),
    reason: String(item.reason ?? "none given"),
    atMilliseconds: Number(item.atMilliseconds ?? 0),
  };
};

/** What to ask before each change: nothing when running, else why not. */
export const whilePaused = (pause: Pause): Refusal | undefined => {
  switch (pause.is) {
    case "running":
      return undefined;
    case "paused":
      return {
        code: "paused",
        reason: `Nightshift is paused by ${pause.by}: ${withoutStop(pause.reason)}. Resume it to go on.`,
      };
    case "unknown":
      return {
        code: "pause-unknown",
        reason: `The pause switch cannot be read, so it counts as on (${pause.why}).`,
      };
  }
};

export interface PauseChange {
  by: string;
  reason: string;
  atMilliseconds: number;
}

/** Throws the switch. The newest change wins; a delayed duplicate of an older one changes nothing. */
export const pause = (table: Coordination, change: PauseChange): Promise<Pause> =>
  turn(table, true, change);

/** Lets automation go on. */
export const resume = (table: Coordination, change: PauseChange): Promise<Pause> =>
  turn(table, false, change);

const turn = async (table: Coordination, paused: boolean, change: PauseChange): Promise<Pause> => {
  await table.write(pauseId, {
    set: { paused, ...change },
    onlyIf: "attribute_not_exists(#atMilliseconds) OR #atMilliseconds <= :at",
    values: { at: change.atMilliseconds },
  });
  return readPause(table);
};
