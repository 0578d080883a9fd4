import type { RunView } from "../../shared/message.ts";
import { inSentences } from "../../shared/outcome.ts";
import type { Plan, Policy } from "./decide.ts";
import type { Run } from "./failover.ts";
import type { Kind } from "./request.ts";
import type { State } from "./states.ts";

/** What a run does while it is in a state. */
export const sentences: Record<State, string> = {
  proposed: "Looking at both regions",
  assessed: "The move is possible",
  warming: "Warming the standby region",
  asking: "Waiting for approval",
  approved: "Approved; looking once more before anything is moved",
  rehearsing: "Rehearsing: looking at each later step, and moving nothing",
  "carried-on": "Carried on: looking at what was done before it stopped",
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

const titles: Record<Kind, string> = {
  emergency: "Failover",
  switchover: "Switchover",
  rehearsal: "Rehearsal of a failover",
};

/** The run as people see it in Slack. Pure. */
export const viewOf = (run: Run, objectiveSeconds: number): RunView => {
  const { plan, policy, state, trigger, hash, expiresAtMilliseconds: expiresAt } = run;
  const ended = state === "done" || state === "aborted" || state === "needs-human";
  // Why a lease goes back is worth more to those who watch than that it does, and so is why nobody is asked.
  const isTold = ended || state === "returning" || (run.again > 0 && state === "fenced");
  const told = isTold ? [...run.notes, ...waysOn(run)] : [];
  const isRehearsal = run.kind === "rehearsal";
  return {
    run: run.name,
    what: titles[run.kind],
    from: policy.home,
    to: policy.here,
    requester: trigger.who,
    reason: trigger.reason,
    state: told.length > 0 ? inSentences([sentenceOf(run), ...told]) : sentenceOf(run),
    ...(ended ? { outcome: state } : {}),
    plan: plan ? planLines(run) : [],
    lastSafeAbort: isRehearsal ? "its end: nothing is moved" : "the promotion of the replica",
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

/** What to press when a run has stopped after its claim; before it, the move is asked for again. */
export const waysOn = ({ name, kind, state, epoch, again, pastReturn }: Run): string[] => {
  const isLeft = state === "needs-human" && (epoch !== null || again > 0);
  if (!isLeft || kind === "rehearsal") return [];
  const on = `To go on: \`/nightshift carry-on ${name}\` or \`npm run ops -- carry-on ${name}\``;
  if (pastReturn) return [on];
  return [`${on}. To give the lease back instead: \`/nightshift abort ${name} <reason>\``];
};

const sentenceOf = ({ kind, state }: Run): string =>
  kind === "rehearsal" && state === "done"
    ? "Rehearsed: a move would have worked as far as can be seen without one, and nothing was moved"
    : sentences[state];

const planLines = (run: Run): string[] => {
  const { plan, kind } = run;
  if (!plan) return [];
  const warnings = plan.warnings.map((warning) => `mind: ${warning}`);
  const warming = `bring ${plan.to} to ${plan.capacity} instances (${plan.capacityWhy})`;
  return [warming, ...(kind === "rehearsal" ? looks(plan) : moves(plan, run.policy)), ...warnings];
};

const looks = ({ from, to, replica, capacity }: Plan): string[] => [
  `look at lease, switches, both guards, ${replica}, secrets, settings, resolvers and health checks`,
  `see ${capacity} instances in service in ${to}, and take the warming back`,
  `move nothing: ${from} stays the active region`,
];

const moves = (plan: Plan, policy: Policy): string[] => [
  `move the lease to epoch ${plan.epoch} in ${plan.to}`,
  `fence ${plan.from}, or wait until it has fenced itself (${policy.isolationSeconds} s of silence)`,
  `promote ${plan.replica}, once`,
  "open it for the application, re-point the secrets",
  `send users to ${plan.to} and prove it with a write`,
];

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
