import { AwsError } from "../local/aws/service.ts";
import type { Script } from "../local/slack/operators.ts";
import { approvals } from "../shared/approval.ts";
import { seededRandom } from "../shared/random.ts";
import { openRequest } from "./evidence.ts";
import type { Stage } from "./scenario.ts";
import { coordinationFrom } from "./table.ts";

const lookSeconds = 2;

/**
 * People at the command line of the runbook, which needs neither Slack nor us-east-1: they see the
 * open request in the coordination table, think, and answer it through the standby region's
 * endpoint. Gives the way to send them home.
 */
export const breakGlass = ({ world, seen, seed }: Stage, people: readonly Script[]) => {
  const { timeline, platform, endpoints, config, cloud } = world;
  const { region } = platform.standby;
  const random = seededRandom(`break-glass ${seed}`);
  const requests = approvals(coordinationFrom(region, endpoints.get(region) ?? "", config));
  const mayApprove = config.slack.operators
    .filter(({ may }) => may.includes("approve"))
    .map(({ user }) => user);
  const taken = new Set<string>();

  const answer = async (planHash: string, { user, says }: Script) => {
    const atMilliseconds = Math.floor(timeline.now());
    const decided = await requests.answer(planHash, { user, says, atMilliseconds }, mayApprove);
    if ("refused" in decided) {
      return seen.see(`operator ${user}`, "refused", `Break-glass: ${decided.refused.reason}`);
    }
    seen.see(`operator ${user}`, "approval", `${user} says ${says} at the command line`);
    const approval = "changed" in decided ? decided.changed : decided.unchanged;
    const { callbackId: CallbackId, approvals: given, neededApprovals } = approval;
    if (CallbackId === undefined || given.length < neededApprovals) return;
    await cloud
      .ask("lambda", "SendDurableExecutionCallbackSuccess", region, { CallbackId })
      .catch((error: unknown) => {
        // Nobody waits on it any more: the run looks at the request itself once a minute.
        if (!(error instanceof AwsError)) throw error;
      });
  };

  const looking = timeline.every(lookSeconds * 1000, () => {
    const request = openRequest(world);
    for (const person of request ? people : []) {
      const planHash = request?.planHash ?? "";
      const once = `${person.user} ${planHash}`;
      if (taken.has(once)) continue;
      taken.add(once);
      const [least, most] = person.thinksSeconds;
      const seconds = least + random.fraction() * (most - least);
      timeline.after(seconds * 1000, () => answer(planHash, person));
    }
  });
  return { stop: () => looking.cancel() };
};
