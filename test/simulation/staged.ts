import { planned, type Scenario } from "./scenario.ts";

/** A story that chance tells too seldom, told on purpose: only its times are drawn by the seed. */
export interface Staged {
  what: string;
  scenario: Partial<Scenario>;
}

/** An operator leaves a region that is well; people answer as quickly as in a planned move. */
const alive: Partial<Scenario> = { ...planned, move: "failover" };

export const staged: readonly Staged[] = [
  {
    what: "neither health checks nor us-east-1 send users to the region that has been promoted",
    scenario: {
      ...planned,
      checksStuck: true,
      controlPlanesSilent: true,
      healedAfterSeconds: 1500,
    },
  },
  {
    what: "the health check never turns in a planned move, and the records are changed",
    scenario: { ...planned, checksStuck: true },
  },
  {
    what: "the replica shows writes two minutes late, which no planned move waits for",
    // Long enough before it that the replica holds a heartbeat at all.
    scenario: { ...planned, baselineSeconds: 320, replayDelaySeconds: 125 },
  },
  {
    what: "home is cut off from the replica right after the fence of a planned move",
    scenario: {
      ...planned,
      incident: "cut-served",
      incidentAt: { after: "claim", seconds: 0.3 },
      returnsAfterSeconds: 400,
    },
  },
  {
    what: "home dies in the middle of a planned move, and its alarms ask for a failover",
    scenario: { ...planned, incident: "dead", incidentAt: { after: "claim", seconds: 0 } },
  },
  {
    what: "a planned move is aborted while it waits for the replica's backup to end",
    scenario: {
      ...planned,
      backupAfterSeconds: 20,
      abortsAt: { after: "claim", seconds: 30 },
    },
  },
  {
    what: "a failover is aborted while it waits for a cut region to fence itself",
    scenario: {
      ...alive,
      incident: "cut-served",
      abortsAt: { after: "claim", seconds: 30 },
      returnsAfterSeconds: 900,
    },
  },
  {
    what: "a region that lives is left, and its last writes do not come over in time",
    scenario: { ...alive, replayDelaySeconds: 60 },
  },
  {
    what: "the replica is so late that it holds no heartbeat, so nobody knows what may be lost",
    scenario: { incident: "dead", replayDelaySeconds: 900 },
  },
  {
    what: "a cut region fences itself, nobody moves anything, and it comes back",
    scenario: { incident: "cut-served", people: [], returnsAfterSeconds: 700 },
  },
];
