import type { Repairs } from "./simulate.ts";

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
  {
    what: "somebody has grown the group, and an instance is on its way",
    scenario: {
      meanwhile: [{ afterSeconds: 285, deed: { is: "by-hand", what: "grows-group" } }],
    },
  },
];
