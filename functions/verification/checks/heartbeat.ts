import { isoSeconds } from "../../../shared/clock.ts";
import type { Check, CopyFacts } from "../checks.ts";
import type { Found } from "./look.ts";
import { quickCheck } from "./look.ts";

/** Clocks of two machines, and the moment between reading one and writing with it. */
const skewSeconds = 5;

/** A snapshot has the time at which it was asked for, and is of a moment while it was taken. */
const takingSeconds = 1800;

/** What would have been lost, by the newest row that the primary's guard wrote with its own clock. */
export const heartbeat: Check = quickCheck(
  { name: "heartbeat", title: "The newest data is as new as it has to be" },
  async (session, facts) => {
    const { rows } = await session.query(
      `select to_regclass('nightshift.heartbeat')::text as place`,
    );
    const expected = expectation(facts);
    if (rows[0]?.place === null) {
      const says = "No guard has ever written here: how old this is, nobody knows.";
      return { is: "failed", expected, actual: "no heartbeat", says };
    }
    const beats = await session.query(
      "select region, written_at_ms::float8 as at from nightshift.heartbeat limit 1",
    );
    const [beat] = beats.rows;
    if (!beat) {
      const says = "There is no heartbeat in it: how old this is, nobody knows.";
      return { is: "failed", expected, actual: "no heartbeat", says };
    }
    return judged(facts, String(beat.region), Number(beat.at));
  },
);

const expectation = ({ maximumLossSeconds, restoredToMilliseconds, ...facts }: CopyFacts) =>
  facts.aim === "latest"
    ? `a heartbeat within ${maximumLossSeconds} s before ${isoSeconds(facts.orderedAtMilliseconds)}`
    : `a heartbeat within ${maximumLossSeconds} s before ${isoSeconds(restoredToMilliseconds)}`;

const judged = (facts: CopyFacts, region: string, at: number): Found => {
  const { restoredToMilliseconds: restoredTo, orderedAtMilliseconds: orderedAt } = facts;
  const end = facts.aim === "latest" ? orderedAt : restoredTo;
  const lossSeconds = Math.max(0, (end - at) / 1000);
  const found = {
    expected: expectation(facts),
    actual: `heartbeat of ${region} at ${isoSeconds(at)}, ${lossSeconds.toFixed(1)} s before`,
    measured: { lossSeconds },
  };
  const aheadSeconds = (at - restoredTo) / 1000;
  if (aheadSeconds > (facts.aim === "snapshot" ? takingSeconds : skewSeconds)) {
    const says = `It is ${aheadSeconds.toFixed(0)} s newer than what was asked for: another backup.`;
    return { ...found, is: "failed", says };
  }
  if (lossSeconds > facts.maximumLossSeconds) {
    const may = `${facts.maximumLossSeconds} s may be`;
    const says = `${lossSeconds.toFixed(0)} s of writing would be lost, and ${may}.`;
    return { ...found, is: "failed", says };
  }
  return { ...found, is: "passed", says: `${lossSeconds.toFixed(0)} s of writing would be lost.` };
};
