import { whilePaused } from "../../../../shared/pause.ts";
import type { LostRegionSeen } from "../../evidence-database.ts";
import type { Evidence, Finding, Playbook, Subject } from "../../playbooks.ts";

type Need = "lostRegion";

type Code =
  | "standby-lost"
  | "moving"
  | "proposed"
  | "held-back"
  | "just-rung"
  | "proposal-ended"
  | "not-proposed";

/** Detection looks at the alarm's event and each minute; three of its rounds. */
const roundsSeconds = 180;
/** Detection leaves a lease alone that has just come to rest: what its move fenced can still be seen. */
const quietSeconds = 300;

const finding = (is: Code | "unknown", says: string, advice: string[] = []): Finding<Code> => ({
  is,
  says,
  advice,
});

const runbook = "docs/runbook/failover.md says what to look at, and how to ask for a failover.";

const diagnose = (
  { lostRegion }: Evidence<Need>,
  { alarm, resource, sinceMilliseconds }: Subject,
): Finding<Code> => {
  const region = resource ?? "a region";
  if (!lostRegion.known) {
    return finding("unknown", `What is done about ${region} cannot be seen (${lostRegion.why}).`, [
      runbook,
    ]);
  }
  const seen = lostRegion.value;
  const { lease, proposal, run } = seen;
  if (lease.region !== resource && lease.state === "held") {
    return finding(
      "standby-lost",
      `Observers say that ${region} is lost; users are in ${lease.region}.`,
      [`Nobody has to be moved. Until ${region} is back there is nowhere to move to.`],
    );
  }
  if (lease.state === "moving") {
    return finding("moving", `${lease.holder} is moving the lease to ${lease.region}.`, [
      `Follow it: npm run ops -- journal ${lease.holder}.`,
    ]);
  }
  const ago = Math.round((lostRegion.atMilliseconds - sinceMilliseconds) / 1000);
  const says = `Observers have said for ${ago} s that ${region} is lost, and it holds the lease`;
  if (proposal?.key === `${alarm}@${sinceMilliseconds}`) {
    return run?.ended
      ? finding("proposal-ended", `${says}; ${proposal.run} has ended: ${run.text}`, [runbook])
      : finding("proposed", `${says}; ${proposal.run} is proposed${run ? `: ${run.text}` : "."}`, [
          `People are asked in its own message: npm run ops -- journal ${proposal.run}.`,
        ]);
  }
  const why = heldBack(seen);
  if (why) return finding("held-back", `${says}. ${why}`, [runbook]);
  if (ago < roundsSeconds) return finding("just-rung", `${says}. Detection looks each minute.`);
  return finding("not-proposed", `${says}; detection has proposed nothing.`, [
    "Nothing is moved by a repair: ask for a failover if it is lost.",
    "Look at the alarms and the log of detection: it proposes, and nobody else does.",
    runbook,
  ]);
};

/** Why detection proposes nothing, as far as that is by order; it tells people so itself. */
const heldBack = ({ pause, lease }: LostRegionSeen): string | null => {
  const paused = whilePaused(pause);
  if (paused) return paused.reason;
  const { settledSeconds: settled } = lease;
  if (settled === null || settled >= quietSeconds) return null;
  return `The lease came to rest ${Math.round(settled)} s ago, and is left alone for a while.`;
};

/** A region that its observers say is lost. What is to be repaired in it waits for whoever moves away. */
export const regionImpaired: Playbook<Need, Code> = {
  name: "region-impaired",
  rank: 1,
  alarms: ["region-lost"],
  evidence: ["lostRegion"],
  diagnose,
  // A failover is proposed by detection alone, under one name: a second door would be a second run.
  decide: {},
  next: {
    "standby-lost": "passes",
    moving: "again",
    proposed: "again",
    "held-back": "again",
    "just-rung": "again",
    "proposal-ended": "people",
    "not-proposed": "people",
    unknown: "again",
  },
  proof: {
    what: "the region is served again, there or in the other one",
    judge: () => ({ is: "unknown", says: "Nothing is ever done here" }),
    withinSeconds: 900,
    holdSeconds: 120,
    everySeconds: 60,
  },
  budget: { perHour: 1, cooldownSeconds: 3600 },
  right: "shadow",
  approvals: 2,
};
