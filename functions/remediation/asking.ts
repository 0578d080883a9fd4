import { planHash, stateOf } from "../../shared/approval.ts";
import { whilePaused } from "../../shared/pause.ts";
import { saysOf } from "./actions.ts";
import { aborted } from "./guarding.ts";
import type { Ending, Work } from "./remediation.ts";
import { deedOf, human, nothing, record } from "./remediation.ts";

const lookSeconds = 60;

/**
 * Asks operators for this very deed, bound to the evidence it rests on. The request is opened before its
 * buttons are shown, so that the first press finds it. Null when it was granted and spent.
 */
export const ask = async (work: Work): Promise<Ending | null> => {
  const { steps, clock, ports, run, playbook } = work;
  run.phase = "asking";
  const deed = deedOf(run);
  const evidence = run.saved?.hash ?? "not recorded";
  const hash = planHash({ run: run.name, deed }, { finding: run.verdict?.finding.is, evidence });
  const neededApprovals = playbook.approvals;
  const opened = await steps.step("open the request", () =>
    ports.approvals.open({
      planHash: hash,
      run: run.name,
      requester: ports.name,
      neededApprovals,
      expiresAtMilliseconds: Math.floor(clock.now()) + ports.policy.approvalExpirySeconds * 1000,
    }),
  );
  const { expiresAtMilliseconds } = opened;
  run.asking = { planHash: hash, neededApprovals, expiresAtMilliseconds };
  await record(work, "asked", {
    kind: "asked",
    text: `People are asked: ${saysOf(deed)}.`,
    data: { deed, hash, neededApprovals, reasons: run.verdict?.reasons },
  });
  const answer = await awaitAnswer(work, hash);
  run.asking = null;
  if (answer) return answer;
  const spent = await steps.step("use the approval", () =>
    ports.approvals.use(hash, run.name, Math.floor(clock.now())),
  );
  if ("refused" in spent) return human(spent.refused.code, [spent.refused.reason]);
  run.spent = { planHash: hash, approvedBy: run.approvedBy, usedBy: run.name };
  await record(work, "approved", {
    kind: "saw",
    text: `Approved by ${run.approvedBy.join(" and ")}.`,
    data: { by: run.approvedBy, hash },
  });
  return null;
};

/** Looks at the request itself after every wake-up and at least once a minute. */
const awaitAnswer = async (work: Work, hash: string): Promise<Ending | null> => {
  const { steps, clock, ports, run } = work;
  const looks = Math.ceil(ports.policy.approvalExpirySeconds / lookSeconds) + 50;
  for (let look = 1; look <= looks; look += 1) {
    const seen = await steps.step(`look at the approval #${look}`, async () => {
      const approval = await ports.approvals.read(hash);
      if (!approval) throw new Error("the request for approval has vanished");
      return {
        is: stateOf(approval, clock.now()),
        by: approval.approvals.map(({ user }) => user),
        rejectedBy: approval.rejectedBy ?? null,
        leftSeconds: Math.max(0, (approval.expiresAtMilliseconds - clock.now()) / 1000),
        paused: whilePaused(await ports.readPause()) ?? null,
        stopped: (await aborted(work)) ?? null,
      };
    });
    run.approvedBy = seen.by;
    if (seen.stopped) return human(seen.stopped.code, [seen.stopped.reason]);
    if (seen.paused) return nothing(seen.paused.code, [seen.paused.reason]);
    if (seen.is === "granted" || seen.is === "used") return null;
    if (seen.is === "rejected") return human("rejected", [`Rejected by ${seen.rejectedBy}.`]);
    if (seen.is === "expired") return human("expired", ["Nobody has approved it in time."]);
    const seconds = Math.min(lookSeconds, Math.ceil(seen.leftSeconds) + 1);
    await steps.awaken(`wait for the approval #${look}`, seconds, (id) =>
      ports.approvals.wakeBy(hash, id),
    );
  }
  return human("expired", [`${looks} looks without an answer.`]);
};
