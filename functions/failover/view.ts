import type { RunView } from "../../shared/message.ts";
import type { Run } from "./failover.ts";
import type { State } from "./states.ts";

/** What a run does while it is in a state. */
export const sentences: Record<State, string> = {
  proposed: "Looking at both regions",
  assessed: "The move is possible",
  warming: "Warming the standby region",
  asking: "Waiting for approval",
  approved: "Approved; looking once more before anything is moved",
  claimed: "The lease is moved; fencing the old region",
  isolating: "Waiting until the old region must have fenced itself",
  draining: "Waiting until the replica has everything",
  returning: "Giving the lease back to the old region",
  fenced: "Promoting the replica",
  promoted: "Opening the new primary",
  writable: "Re-pointing the secrets",
  repointed: "Making the new region active",
  serving: "Checking what users get",
  hardening: "Users are served; giving the new primary its backups and protection",
  done: "Done: users are served by the new region",
  aborted: "Ended without a move",
  "needs-human": "Stopped: this needs a human",
};

/** The run as people see it in Slack. Pure. */
export const viewOf = (run: Run, objectiveSeconds: number, expiresAt: number | null): RunView => {
  const { plan, policy, state, trigger, hash } = run;
  const ended = state === "done" || state === "aborted" || state === "needs-human";
  return {
    run: run.name,
    from: policy.home,
    to: policy.here,
    requester: trigger.who,
    reason: trigger.reason,
    state: [sentences[state], ...(ended ? run.notes : [])].join(". "),
    ...(ended ? { outcome: state } : {}),
    plan: plan ? planLines(run) : [],
    lastSafeAbort: "the promotion of the replica",
    ...(plan ? { loss: lossOf(run, objectiveSeconds) } : {}),
    ...(state === "asking" && plan && hash && expiresAt !== null
      ? {
          approval: {
            planHash: hash,
            neededApprovals: plan.approvals,
            approvedBy: run.approvedBy,
            expiresAtMilliseconds: expiresAt,
          },
        }
      : {}),
    timeline: run.timeline,
  };
};

const planLines = ({ plan, policy }: Run): string[] =>
  plan
    ? [
        `bring ${plan.to} to ${plan.capacity} instances`,
        `move the lease to epoch ${plan.epoch} in ${plan.to}`,
        `fence ${plan.from}, or wait until it has fenced itself (${policy.isolationSeconds} s of silence)`,
        `promote ${plan.replica}, once`,
        "open it for the application, re-point the secrets",
        `send users to ${plan.to} and prove it with a write`,
        ...plan.warnings.map((warning) => `mind: ${warning}`),
      ]
    : [];

const lossOf = ({ plan }: Run, objectiveSeconds: number): NonNullable<RunView["loss"]> => {
  const loss = plan?.loss;
  return {
    verdict: loss?.verdict ?? "unknown",
    objectiveSeconds,
    ...(loss?.boundSeconds == null ? {} : { lossSeconds: Math.ceil(loss.boundSeconds) }),
    ...(loss?.replayedUntilMilliseconds == null
      ? {}
      : { heartbeatAtMilliseconds: loss.replayedUntilMilliseconds }),
    ...(loss?.lsn == null ? {} : { lsn: loss.lsn }),
    why: loss?.text ?? "No plan has been made.",
  };
};
