import type { Script } from "../local/slack/operators.ts";
import { seededRandom } from "../shared/random.ts";
import { commandLine, type Said } from "./command-line.ts";
import { openRequest } from "./evidence.ts";
import type { Stage } from "./scenario.ts";

const lookSeconds = 2;

/**
 * People at the command line of the runbook, which needs neither Slack nor us-east-1. Somebody has
 * called them when there is something to decide; they think, read the status, and answer by the hash
 * that it shows. Gives the way to send them home.
 */
export const breakGlass = ({ world, seen, seed }: Stage, people: readonly Script[]) => {
  const { timeline } = world;
  const random = seededRandom(`break-glass ${seed}`);
  const taken = new Set<string>();
  let answers = 0;

  const answer = async ({ user, says }: Script) => {
    const ops = commandLine(world, seen, user);
    const hash = hashIn(await ops("status"));
    if (!hash) return;
    const said = await ops(says, hash.slice(0, 12));
    if (!said.ok) return;
    answers += 1;
    seen.see(`operator ${user}`, "approval", `${user} says ${says} at the command line`);
  };

  const looking = timeline.every(lookSeconds * 1000, () => {
    const request = openRequest(world);
    for (const person of request ? people : []) {
      const once = `${person.user} ${request?.planHash}`;
      if (taken.has(once)) continue;
      taken.add(once);
      const [least, most] = person.thinksSeconds;
      const seconds = least + random.fraction() * (most - least);
      timeline.after(seconds * 1000, () => answer(person));
    }
  });
  return {
    /** Answers that were recorded. */
    answers: () => answers,
    stop: () => looking.cancel(),
  };
};

/** The plan that waits, as the status shows it. */
const hashIn = ({ data }: Said): string | undefined => {
  const run = data.run as { value?: { planHash?: string | null } } | undefined;
  return run?.value?.planHash ?? undefined;
};
