import type { Scenario } from "./scenario.ts";
import type { Repairs } from "./simulate.ts";

/** The switch is thrown after the question and before the yes: earlier, nothing would be begun. */
export const pausedWhilePeopleThink: Partial<Scenario> = {
  rights: { "unhealthy-host": "ask" },
  people: [{ user: "U0ANA", says: "approve", thinksSeconds: [200, 300] }],
  meanwhile: [{ afterSeconds: 450, deed: { is: "pause", forSeconds: 600 } }],
};

/** The freeze of a move is over by the time in which the trouble rings. */
export const justMoved: Partial<Scenario> = {
  meanwhile: [{ afterSeconds: 0, deed: { is: "failover", forSeconds: 60 } }],
  troubles: [
    { afterSeconds: 600, trouble: { is: "sick-hosts", count: 1, healsAfterSeconds: null } },
  ],
};

/** Nights that chance alone would show too seldom, told on purpose. */
export const staged: readonly (Omit<Repairs, "seed"> & { what: string })[] = [
  {
    what: "killed right after an instance was ended",
    crashes: {
      most: 3,
      exactly: [{ at: "call", phase: "after", operation: "TerminateInstanceInAutoScalingGroup" }],
    },
  },
  {
    what: "healed by itself while people thought about it",
    scenario: {
      rights: { "unhealthy-host": "ask" },
      people: [{ user: "U0ANA", says: "approve", thinksSeconds: [800, 900] }],
      troubles: [
        { afterSeconds: 0, trouble: { is: "sick-hosts", count: 1, healsAfterSeconds: 500 } },
      ],
    },
  },
  { what: "paused while people thought about it", scenario: pausedWhilePeopleThink },
  { what: "sick right after a move of our own", scenario: justMoved },
  {
    what: "somebody has grown the group, and an instance is on its way",
    scenario: {
      meanwhile: [{ afterSeconds: 285, deed: { is: "by-hand", what: "grows-group" } }],
    },
  },
];
