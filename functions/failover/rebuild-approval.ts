import { planHash, stateOf } from "../../shared/approval.ts";
import type { GuardReport } from "../guard/guard.ts";
import {
  type Asking,
  type PartEnding,
  permitted,
  type Rebuild,
  type RebuildPorts,
  type RebuildWork,
  record,
} from "./rebuild.ts";
import { stopped, stoppedBy } from "./rebuild-ending.ts";
import { quarantineName } from "./rebuild-parts.ts";

/**
 * One other operator: the old primary may be the only place of some writes, and it is renamed. Nothing
 * is lost by that, so it takes fewer people than a promotion.
 */
const neededApprovals = 1;

const lookSeconds = 60;

/**
 * Asked when the fence has proven closed and before anything is renamed or built, with what the old
 * primary alone may have in front of the people. Nobody is asked for what is harmless: when the
 * replica is in its place already.
 */
export const approve = async (work: RebuildWork): Promise<PartEnding> => {
  const { steps, clock, ports, run } = work;
  if (!run.builds) {
    return { is: "reached", text: "Nobody is asked: the replica is in its place already." };
  }
  run.plan = planOf(run, ports);
  const asking = await steps.step("ask", async (): Promise<Asking> => {
    const hash = planHash({ run: run.name }, await evidence(ports));
    const { expiresAtMilliseconds } = await ports.approvals.open({
      planHash: hash,
      run: run.name,
      requester: run.who,
      neededApprovals,
      expiresAtMilliseconds: Math.floor(clock.now()) + ports.approvalExpirySeconds * 1000,
    });
    return { planHash: hash, neededApprovals, expiresAtMilliseconds };
  });
  run.asking = asking;
  const text = `People are asked: ${neededApprovals} operator other than ${run.who} must approve.`;
  await record(work, "asked", {
    kind: "asked",
    text,
    data: { plan: run.plan, hash: asking.planHash },
  });
  const answer = await awaitAnswer(work, asking);
  run.asking = null;
  if (answer !== null) return answer;
  const refusal = await confirm(work, asking.planHash);
  if (refusal !== null) return refusal;
  const by = run.approvedBy.join(" and ");
  return { is: "reached", text: `Approved by ${by}.`, data: { approvedBy: run.approvedBy } };
};

const planOf = (run: Rebuild, { awayId, parameterGroup }: RebuildPorts): string[] => [
  run.inPlace
    ? `rename ${awayId} to ${quarantineName(awayId, run.epoch)}, keep it, and protect it from deletion`
    : `leave ${run.quarantine} as it is: it was put aside before`,
  `build ${awayId} anew as a replica of the database in ${run.from}; AWS copies all of it`,
  ...(parameterGroup ? [`give it the parameter group ${parameterGroup}, and restart it once`] : []),
  `replicate the secrets to ${run.to}, over what is there`,
  `let ${run.to} run the capacity of a standby region`,
  "put the public name's records back, when a run has changed them and the health check agrees",
  `copy the backups of the database in ${run.from} to ${run.to} from now on`,
];

/** What would change a careful person's mind. Positions move by themselves and are left out. */
const evidence = async (ports: RebuildPorts): Promise<Record<string, unknown>> => {
  const lease = await ports.readLease();
  const aside = quarantineName(ports.awayId, lease.epoch);
  const [primary, found, kept] = await Promise.all([
    ports.primary(),
    ports.awayInstance(ports.awayId),
    ports.awayInstance(aside),
  ]);
  return {
    lease: [lease.epoch, lease.region, lease.state],
    primary: [primary.arn, primary.sourceArn],
    found: found && [found.resourceId, found.sourceArn],
    kept: kept && [kept.resourceId, kept.sourceArn],
  };
};

/** Looks at the request itself after every wake-up and at least once a minute. Null when granted. */
const awaitAnswer = async (work: RebuildWork, asking: Asking): Promise<PartEnding | null> => {
  const { steps, clock, ports, run } = work;
  const { planHash: hash } = asking;
  const looks = Math.ceil(ports.approvalExpirySeconds / lookSeconds) + 50;
  for (let look = 1; look <= looks; look += 1) {
    const seen = await steps.step(`look at the approval #${look}`, async () => {
      const approval = await ports.approvals.read(hash);
      if (!approval) throw new Error("the request for approval has vanished");
      return {
        is: stateOf(approval, clock.now()),
        by: approval.approvals.map(({ user }) => user),
        rejectedBy: approval.rejectedBy ?? null,
        leftSeconds: Math.max(0, (approval.expiresAtMilliseconds - clock.now()) / 1000),
        refusal: (await permitted(work)) ?? null,
      };
    });
    run.approvedBy = seen.by;
    if (seen.refusal) return stoppedBy(seen.refusal);
    if (seen.is === "granted" || seen.is === "used") return null;
    if (seen.is === "rejected") return stopped(`Rejected by ${seen.rejectedBy}.`);
    if (seen.is === "expired") return stopped("Nobody approved in time.");
    const seconds = Math.min(lookSeconds, Math.ceil(seen.leftSeconds) + 1);
    await steps.awaken(`wait for the approval #${look}`, seconds, (id) =>
      ports.approvals.wakeBy(hash, id),
    );
  }
  return stopped(`${looks} looks without an answer.`);
};

/** Minutes have passed: the approval is for what was seen when it was asked for, and is spent once. */
const confirm = (work: RebuildWork, hash: string): Promise<PartEnding | null> => {
  const { steps, clock, ports, run } = work;
  return steps.step("confirm the approval", async () => {
    const refusal = await permitted(work);
    if (refusal) return stoppedBy(refusal);
    if (planHash({ run: run.name }, await evidence(ports)) !== hash) {
      return stopped("The facts have changed since the approval, which is void. Order it again.");
    }
    if (run.inPlace && !isFenced(await ports.obeyAway(run.epoch))) {
      return stopped(`The fence of ${run.to} is not closed any more.`);
    }
    const used = await ports.approvals.use(hash, run.name, Math.floor(clock.now()));
    return "refused" in used ? stopped(used.refused.reason) : null;
  });
};

/** Every layer: what is half closed is not closed. */
export const isFenced = ({ decision, fence }: Pick<GuardReport, "decision" | "fence">): boolean =>
  decision === "fence" && fence.length === 4 && fence.every(({ result }) => result === "fenced");
