import { observed } from "../../shared/outcome.ts";
import { saysOf } from "./actions.ts";
import { count } from "./counting.ts";
import { judged } from "./proving.ts";
import type { Ending, Work } from "./remediation.ts";
import { deedOf, record } from "./remediation.ts";

/**
 * Says what it would have done, lets the incident go on at once, and looks again when the deed would have
 * had to show: what has healed by then did not need it. That is what a promotion is judged by.
 */
export const shadow = async (work: Work): Promise<Ending> => {
  const { steps, clock, ports, run, playbook } = work;
  const would = `Would ${saysOf(deedOf(run))}.`;
  // The incident's message is somebody else's from then on, so it has to show the end by now.
  run.phase = "ended";
  run.end = "shadow";
  run.notes = [would];
  await record(work, "would", { kind: "decided", text: would, data: { deed: run.deed } });
  const ended = await steps.step("let the incident go on", () =>
    observed("coordination table", clock.now, () =>
      ports.endAttempt(run.name, "shadow", run.message, 0),
    ),
  );
  if (!ended.known) run.unrecorded += 1;
  run.hasLetGo = true;
  await steps.rest("until it would have shown", playbook.proof.withinSeconds);
  const seen = await steps.step("would it have been needed", () => judged(work));
  const isNeedless = seen.is === "healed";
  await count(work, isNeedless ? "needless" : "shadowed");
  const after = isNeedless
    ? `It would not have been needed: ${seen.says}.`
    : `It was still needed ${Math.round(playbook.proof.withinSeconds / 60)} minutes later: ${seen.says}.`;
  return { end: "shadow", code: "shadow", notes: [would, after] };
};
