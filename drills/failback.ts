import { engineId } from "../local/aws/rds.ts";
import type { Execution } from "../local/lambda/store.ts";
import { verify } from "../shared/journal.ts";
import { rebuildRun } from "../shared/redundancy.ts";
import { check } from "./checks.ts";
import { runEnded, until, usersServed } from "./course.ts";
import {
  failoverRuns,
  journalOf,
  readinessOf,
  reportedFence,
  runsIn,
  transfersIn,
} from "./evidence.ts";
import { earlierMove, rebuildPhases } from "./failback-phases.ts";
import type { Findings } from "./findings.ts";
import { command } from "./people.ts";
import { publicNameChecks } from "./public-name.ts";
import { lose } from "./region-loss.ts";
import type { Check } from "./report.ts";
import type { Scenario, Stage } from "./scenario.ts";
import { handoverChecks, leaseMoved } from "./switchover.ts";
import type { DrillWorld } from "./world.ts";

const requester = "U0ANA";
/** A region whose guard still seems to beat is not left: two beats and a little have to be missed. */
const noticeSeconds = 40;
/** Its database recovers, its guard fences, its instances end. */
const returnSeconds = 900;
const rebuildSeconds = 4 * 3600;
/** Shown, not waited for: RDS renames in ten minutes and builds a replica in up to half an hour. */
const hurry = 20;
/** A planned move wants a green look at the region that it goes to; the next would come by itself. */
const ready = { withinSeconds: 300, everySeconds: 30 };

/**
 * The whole way: the home region is lost and left, comes back, becomes a standby region again, and gets
 * its users back. The incident is the handover home, since that is what this drill is about: everything
 * before it is another move's, and has a drill of its own.
 */
export const failback: Scenario = {
  name: "failback",
  about: "a lost region comes back, is rebuilt as a standby, and users go home: nothing is lost",
  people: [
    { user: "U0BEN", says: "approve", thinksSeconds: [10, 25] },
    { user: "U0CHIARA", says: "approve", thinksSeconds: [15, 35] },
  ],
  mayLose: "nothing",
  towards: "home",
  // The wait for isolation has drills of its own.
  policy: { isolationSeconds: 60, isolationMarginSeconds: 10 },
  strike: async (stage) => {
    const { world, seen } = stage;
    const { home, standby } = world.platform;
    const earlier = [await leave(stage)];
    const sinceMilliseconds = world.timeline.now();
    earlier.push(await comeBack(stage), ...(await rebuild(stage)));
    await readyFor(world, home.region);
    await say(stage, "ack");
    const answer = await say(stage, "failback all is well again");
    const atMilliseconds = await leaseMoved(world, home.region, answer);
    seen.see("world", "aws", `${standby.region} gives the platform back`);
    return {
      kind: "planned",
      atMilliseconds,
      sinceMilliseconds,
      earlier,
      caveat:
        `The rename of the old primary and the making of its replacement are shown ${hurry} times ` +
        "as fast as they are modelled: AWS takes half an hour, and hours for a large database.",
      text: `The lease moves home to ${home.region}: ${standby.region} may take no more writes`,
      checks: checksOf,
    };
  },
  openOld: async () => undefined,
};

const say = async ({ world, seen }: Stage, text: string): Promise<string> => {
  const answer = await command(world, requester, text);
  seen.see(`operator ${requester}`, "message", `/nightshift ${text}: ${answer}`);
  return answer;
};

const resultOf = (execution: Execution | undefined): { outcome?: string; notes?: string[] } =>
  JSON.parse(execution?.result ?? "{}") as { outcome?: string; notes?: string[] };

/** Throws when it did not: what comes next would show nothing. */
const mustBeDone = (execution: Execution | undefined, what: string): void => {
  const { outcome, notes = [] } = resultOf(execution);
  if (outcome !== "done") throw new Error(`${what} ended ${outcome}: ${notes.join(" ")}`);
};

/** The home region is lost, and the platform leaves it. */
const leave = async (stage: Stage) => {
  const { world, seen } = stage;
  const { home, standby } = world.platform;
  const { atMilliseconds, text } = lose(stage);
  seen.see("world", "fault", text, atMilliseconds);
  await world.timeline.sleep(noticeSeconds * 1000);
  await say(stage, `failover ${home.region} is dark`);
  await runEnded(world, standby.region);
  const [run] = failoverRuns(world, standby.region);
  mustBeDone(run, "the failover");
  await usersServed(world, standby.region, atMilliseconds);
  return earlierMove(standby.region, atMilliseconds, world.timeline.now());
};

/** It has its power again, and its guard closes it before anybody else does anything. */
const comeBack = async ({ world, seen }: Stage) => {
  const { home } = world.platform;
  const fromMilliseconds = world.timeline.now();
  world.network.set(home.region, "up");
  seen.see("world", "aws", `${home.region} has its power back`);
  await until(world, returnSeconds, () => {
    const fence = reportedFence(world, home.region) ?? [];
    return fence.length === 4 && fence.every(({ result }) => result === "fenced");
  });
  seen.see(`guard in ${home.region}`, "did", `${home.region} is back, and fenced in all layers`);
  const toMilliseconds = world.timeline.now();
  const name = "home is back, fences itself";
  return { name, on: "safety" as const, fromMilliseconds, toMilliseconds };
};

/** Operators order the rebuild; one of them approves it. */
const rebuild = async (stage: Stage) => {
  const { world } = stage;
  const { standby } = world.platform;
  world.hurryDatabases(hurry);
  await say(stage, "rebuild home is back and fenced");
  const runs = () => runsIn(world, standby.region, "rebuild-");
  await until(world, rebuildSeconds, () => {
    const [run] = runs();
    return run !== undefined && run.status !== "RUNNING";
  });
  world.hurryDatabases(1);
  mustBeDone(runs()[0], "the rebuild");
  return rebuildPhases(journalOf(world, rebuildRun(2, 1)));
};

/** Operators have the region look at itself until it finds itself ready. Throws when it does not. */
const readyFor = async (world: DrillWorld, region: string): Promise<void> => {
  const { timeline, cloud } = world;
  const deadline = timeline.now() + ready.withinSeconds * 1000;
  for (;;) {
    const input = { FunctionName: "readiness", Payload: Buffer.from("{}") };
    await cloud.ask("lambda", "Invoke", region, input);
    const { verdict, text } = readinessOf(world, region);
    if (verdict === "ready") return;
    if (timeline.now() > deadline) throw new Error(text);
    await timeline.sleep(ready.everySeconds * 1000);
  }
};

const checksOf = async (findings: Findings): Promise<Check[]> => {
  const { world, lease } = findings;
  const { home, standby } = world.platform;
  const rebuilt = journalOf(world, rebuildRun(2, 1));
  const first = journalOf(world, "failover-2-1");
  const chains = [first, rebuilt].map((entries) => verify(entries).ok && entries.length > 0);
  const [run] = runsIn(world, standby.region, "rebuild-");
  return [
    ...(await handoverChecks(findings)),
    check(
      "the lease is home, two moves later",
      lease?.epoch === 3 && lease.region === home.region,
      `${home.region}, epoch 3`,
      `${lease?.region}, epoch ${lease?.epoch}`,
    ),
    check(
      "the rebuild ended done, approved by another operator",
      resultOf(run).outcome === "done" && approvedByAnother(rebuilt),
      "done, approved",
      resultOf(run).outcome,
    ),
    check(
      "the journals of the first move and of the rebuild are whole",
      chains.every((whole) => whole),
      "2 whole",
      `${chains.filter((whole) => whole).length} whole`,
    ),
    ...(await quarantineChecks(findings)),
    ...(await publicNameChecks(world, home)),
  ];
};

const approvedByAnother = (entries: ReturnType<typeof journalOf>): boolean => {
  const given = entries.find(({ key }) => key === "approved")?.data?.approvedBy;
  return Array.isArray(given) && given.length > 0 && !given.includes(requester);
};

/** The primary of the first night is kept, closed to everybody, with all that it alone may have. */
const quarantineChecks = async ({ world, incident }: Findings): Promise<Check[]> => {
  const { home } = world.platform;
  const id = `${home.databaseId}-quarantine-2`;
  type Described = { DBInstances: { DBInstanceStatus: string; DeletionProtection: boolean }[] };
  const { DBInstances } = await world.cloud.ask<Described>(
    "rds",
    "DescribeDBInstances",
    home.region,
    { DBInstanceIdentifier: id },
  );
  const [kept] = DBInstances;
  const held = await transfersIn(world, engineId(home.region, id));
  const now = await transfersIn(world, home.engineId);
  const since = incident.sinceMilliseconds ?? 0;
  const earlier = world.users.acknowledged.filter(({ acknowledgedAt }) => acknowledgedAt < since);
  const lost = earlier.filter(({ id: write }) => !now.has(write));
  const gone = lost.filter(({ id: write }) => !held.has(write));
  return [
    check(
      "the old primary is kept in quarantine, protected from deletion",
      kept?.DBInstanceStatus === "available" && kept.DeletionProtection,
      "available, protected",
      kept ? `${kept.DBInstanceStatus}, ${kept.DeletionProtection ? "" : "not "}protected` : "gone",
    ),
    check(
      "what the first night lost is in quarantine, for people to bring back",
      held.size > 0 && gone.length === 0,
      "all of it",
      `${lost.length - gone.length} of ${lost.length} found`,
    ),
  ];
};
