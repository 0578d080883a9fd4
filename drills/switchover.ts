import { check } from "./checks.ts";
import { failoverRuns, leaseOf } from "./evidence.ts";
import { fenceCheck } from "./fence.ts";
import type { Findings } from "./findings.ts";
import { command } from "./people.ts";
import type { Check } from "./report.ts";
import type { Scenario } from "./scenario.ts";
import type { DrillWorld } from "./world.ts";

const requester = "U0ANA";
const wish = "switchover planned maintenance";
/** A command that was taken has a run soon: Lambda starts it by itself. */
const startsWithinSeconds = 120;
/** Longer than people have for their approval. */
const movesWithinSeconds = 3600;

/**
 * Everything is well and an operator wants the platform in the other region. The incident is the
 * moment the lease moves and not the command: until then users notice nothing, so recovery time is
 * the outage that they feel.
 */
export const switchover: Scenario = {
  name: "switchover",
  about: "a planned move under load, asked for in Slack: no acknowledged write is lost",
  people: [
    { user: "U0BEN", says: "approve", thinksSeconds: [15, 40] },
    { user: "U0CHIARA", says: "approve", thinksSeconds: [20, 60] },
  ],
  mayLose: "nothing",
  strike: async ({ world, seen }) => {
    const { home, standby } = world.platform;
    const answer = await command(world, requester, wish);
    seen.see(`operator ${requester}`, "message", `/nightshift ${wish}: ${answer}`);
    return {
      kind: "planned",
      atMilliseconds: await leaseMoved(world, standby.region, answer),
      text: `The lease moves to ${standby.region}: ${home.region} may take no more writes`,
      checks: handoverChecks,
    };
  },
  openOld: async () => undefined,
};

/**
 * When the run towards `region` took the lease; the present when it ended without it. Throws when there
 * is no run.
 */
export const leaseMoved = async (
  world: DrillWorld,
  region: string,
  answer: string,
): Promise<number> => {
  const { timeline } = world;
  const begun = timeline.now();
  for (;;) {
    const lease = leaseOf(world);
    if (lease?.region === region) return lease.movedAtMilliseconds;
    const waitedSeconds = (timeline.now() - begun) / 1000;
    const runs = failoverRuns(world, region);
    if (runs.length === 0 && waitedSeconds > startsWithinSeconds) {
      throw new Error(`the command has started no run; it was answered with: ${answer}`);
    }
    const isOver = runs.length > 0 && runs.every(({ status }) => status !== "RUNNING");
    if (isOver || waitedSeconds > movesWithinSeconds) return timeline.now();
    await timeline.sleep(250);
  }
};

/** What every planned move has to show. */
export const handoverChecks = async (findings: Findings): Promise<Check[]> => {
  const { world, journal, held, sums, from } = findings;
  const drained = journal.find(({ data }) => data?.from === "draining" && data.on === "drained");
  const promoted = journal.find(({ data }) => data?.to === "promoted");
  const missing = [...held.old].filter((id) => !held.surviving.has(id)).length;
  return [
    check(
      "the replica had everything before it was promoted",
      drained !== undefined && promoted !== undefined && drained.sequence < promoted.sequence,
      "drained before promoted",
      drained ? `entry ${drained.sequence} before ${promoted?.sequence}` : "not drained",
    ),
    check(
      "every transfer of the old database is in the new one",
      missing === 0 && held.old.size > 0,
      "0 missing",
      `${missing} missing of ${held.old.size}`,
    ),
    check("the old ledger balances as well", sums.old === 0, "0", sums.old),
    await fenceCheck(world, from),
  ];
};
