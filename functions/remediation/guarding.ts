import type { Refusal } from "../../shared/outcome.ts";
import { observed, withoutStop } from "../../shared/outcome.ts";
import { isIrreversible, isStillMeant, takesFromFleet } from "./actions.ts";
import { decide } from "./decide.ts";
import type { Look } from "./evidence.ts";
import { gather } from "./evidence.ts";
import type { GuardFacts } from "./guardrails.ts";
import { alarmObjections, brakes, objections } from "./guardrails.ts";
import type { Evidence } from "./playbooks.ts";
import type { Ending, Work } from "./remediation.ts";
import { deedOf, record, refusedFor } from "./remediation.ts";

/**
 * Every guardrail at once, on what is so now. The second time, after people may have taken half an hour,
 * the evidence is looked at anew as well: a plan that would not be made again is void.
 */
export const guarded = async (
  work: Work,
  when: "before the plan" | "before the deed",
): Promise<Ending | null> => {
  const { steps, run } = work;
  const deed = deedOf(run);
  const refusals = await steps.step(`guardrails ${when}`, async () => {
    const stopped = await stoppedBy(work);
    if (stopped) return [stopped];
    const facts = await gatherFacts(work);
    const { key } = run.wish;
    const despite = work.playbook.despite ?? [];
    const again = when === "before the deed" ? await changedPlan(work) : [];
    return [...objections(deed, facts, { key, despite }), ...again];
  });
  const [first] = refusals;
  if (!first) return null;
  const text = refusals.map(({ reason }) => reason).join(" ");
  await record(work, `guardrails ${when}`, { kind: "refused", text, data: { refusals, deed } });
  return refusedBy(refusals, first);
};

const refusedBy = (refusals: Refusal[], { code }: Refusal): Ending => {
  const notes = refusals.map(({ reason }) => reason);
  return refusedFor(code, notes);
};

/** Somebody's word that this run is to stop; undefined while there is none. Throws in doubt. */
export const aborted = async ({ ports, run }: Work): Promise<Refusal | undefined> => {
  const word = await ports.readAbort(run.name);
  if (!word) return undefined;
  return { code: "aborted", reason: `Stopped by ${word.by}: ${withoutStop(word.reason)}.` };
};

const gatherFacts = async ({ ports, run }: Work): Promise<GuardFacts> => {
  const { now } = ports.clock;
  const { subject } = run.wish;
  const [pause, freezes, alarm, fleet] = await Promise.all([
    ports.readPause(),
    observed("coordination table", now, ports.readFreezes),
    observed("CloudWatch", now, () => ports.alarm(subject.alarm)),
    takesFromFleet(deedOf(run))
      ? gather(ports.clock, ports.lookers, ["targets", "group", "deploy"], subject)
      : null,
  ]);
  return { pause, freezes, alarm, fleet };
};

/** The same deed has to come of fresh evidence: another target, or none, is another plan. */
const changedPlan = async ({ ports, run, playbook }: Work): Promise<Refusal[]> => {
  const { subject } = run.wish;
  // Without what was changed before: that says who is asked, and not what is done.
  const evidence = await gather(ports.clock, ports.lookers, playbook.evidence, subject);
  const { decision, finding } = decide(playbook, evidence as Evidence<Look>, subject, {
    given: "automatic",
    record: { known: false, why: "not asked", source: "", atMilliseconds: 0 },
    isIrreversible,
  });
  const deed = decision.kind === "refuse" ? null : decision.deed;
  if (deed && isStillMeant(deedOf(run), deed)) return [];
  const reason = `The plan is void: what is seen now is "${finding.is}". ${finding.says}`;
  return [{ code: "changed", reason }];
};

/** Whether somebody has stopped this run. What cannot be read counts as a word to stop for now. */
const stoppedBy = async (work: Work): Promise<Refusal | undefined> => {
  const word = await observed("coordination table", work.ports.clock.now, () => aborted(work));
  if (word.known) return word.value;
  const reason = `Whether somebody has stopped this run cannot be read (${word.why}).`;
  return { code: "abort-unknown", reason };
};

/**
 * Asked immediately before every single change: whatever else has begun, and the kill switch last of all,
 * so that nothing but the change itself comes between.
 */
export const permitted = async (work: Work): Promise<Refusal | undefined> => {
  const { ports, playbook, run } = work;
  const isDeed = run.phase !== "undoing";
  const { now } = ports.clock;
  const { alarm: name } = run.wish.subject;
  const [freezes, alarm] = await Promise.all([
    observed("coordination table", now, ports.readFreezes),
    isDeed ? observed("CloudWatch", now, () => ports.alarm(name)) : null,
  ]);
  // To take a deed back is what somebody wants who stops its run, or mutes its alarm.
  if (alarm) {
    const stopped = (await stoppedBy(work)) ?? alarmObjections(alarm, run.wish.key)[0];
    if (stopped) return stopped;
  }
  const pause = await ports.readPause();
  return brakes({ pause, freezes }, playbook.despite ?? [])[0];
};
