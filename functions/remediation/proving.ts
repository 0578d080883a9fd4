import { observed, withoutStop } from "../../shared/outcome.ts";
import { undo } from "./carrying.ts";
import { count } from "./counting.ts";
import type { Look } from "./evidence.ts";
import { gather } from "./evidence.ts";
import { aborted } from "./guarding.ts";
import type { Evidence, Verdict } from "./playbooks.ts";
import type { Ending, Work } from "./remediation.ts";
import { deedOf, evidenceOf, human, record } from "./remediation.ts";

/** So often in a row it has to look worse: one look may fall upon a bad moment. */
const worseLimit = 2;

interface Seen extends Verdict {
  atMilliseconds: number;
  /** What was done can show by now in what users get. */
  shows: boolean;
  /** Somebody wants it stopped; `says` is their word. */
  isStopped?: boolean;
}

const judgedUnlessStopped = async (work: Work, since: number | null): Promise<Seen> => {
  const seen = await judged(work, since);
  // A word that cannot be read is read at the next look.
  const word = await observed("coordination table", work.clock.now, () => aborted(work));
  if (!word.known || !word.value) return seen;
  return { ...seen, says: withoutStop(word.value.reason), isStopped: true };
};

/**
 * Looks at what users get until it has held for long enough, is worse, or time is up. Each look is a
 * step of its own, so that a killed run goes on with what it has seen; between them nothing runs.
 */
export const prove = async (work: Work): Promise<Ending> => {
  const { run, playbook } = work;
  run.phase = "proving";
  const { seen, is } = await watch(work);
  const says = seen?.says ?? "nothing was seen";
  if (is === "healed") {
    // What came about by itself proves nothing about the playbook.
    if (run.acts > 0) await count(work, "healed");
    return { end: "done", code: "healed", notes: [`${playbook.proof.what}: ${says}.`] };
  }
  if (is === "stopped") {
    const taken = await undo(work);
    return human("aborted", [`${says}.`, taken]);
  }
  if (run.acts > 0) await count(work, "ineffective");
  if (is !== "worse") return human("ineffective", [`It has not helped: ${says}.`]);
  await record(work, "worse", { kind: "failed", text: `It is worse than before: ${says}.` });
  const taken = await undo(work);
  return human("worse", [`It is worse than before: ${says}.`, taken]);
};

const watch = async (
  work: Work,
): Promise<{ seen: Seen | null; is: "healed" | "worse" | "late" | "stopped" }> => {
  const { steps, playbook } = work;
  const { withinSeconds, holdSeconds, everySeconds } = playbook.proof;
  const looks = Math.ceil(withinSeconds / everySeconds) + 1;
  let healedSince: number | null = null;
  let worse = 0;
  let seen: Seen | null = null;
  let since = work.run.doneAtMilliseconds;
  let shows = playbook.proof.shows === undefined;
  for (let look = 1; look <= looks; look += 1) {
    seen = await steps.step(`proof #${look}`, () => judgedUnlessStopped(work, since));
    if (seen.isStopped) return { seen, is: "stopped" };
    // What was measured before it served says nothing of it.
    if (!shows && seen.shows) since = seen.atMilliseconds;
    shows ||= seen.shows;
    worse = seen.is === "worse" ? worse + 1 : 0;
    if (worse >= worseLimit) return { seen, is: "worse" };
    healedSince = seen.is === "healed" ? (healedSince ?? seen.atMilliseconds) : null;
    const heldSeconds = healedSince === null ? 0 : (seen.atMilliseconds - healedSince) / 1000;
    if (healedSince !== null && heldSeconds >= holdSeconds) return { seen, is: "healed" };
    await steps.rest(`between proofs #${look}`, everySeconds);
  }
  return { seen, is: "late" };
};

/** By what was measured after `since`; by the last minutes as they are when nothing was done. */
export const judged = async (work: Work, since: number | null = null): Promise<Seen> => {
  const { clock, ports, run, playbook } = work;
  const { evidence, proof } = playbook;
  const now = await gather(clock, ports.lookers, evidence, run.wish.subject, since);
  const deed = deedOf(run);
  const atMilliseconds = Math.floor(clock.now());
  const shows = since === null || (proof.shows?.(now as Evidence<Look>, deed) ?? true);
  if (!shows)
    return { is: "unknown", says: "what was added does not serve yet", shows, atMilliseconds };
  const verdict = proof.judge(evidenceOf(run), now as Evidence<Look>, deed);
  return { ...verdict, shows, atMilliseconds };
};
