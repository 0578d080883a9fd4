import type { Refusal } from "../../shared/outcome.ts";
import type { Asking, Ending, Told, Work } from "./retirement.ts";

/** Where the value is not proven after so long, or sessions cannot be ended, nobody waits for it. */
const farSeconds = 600;

/** What retirement.ts does with a run. */
export interface Ways {
  asked(work: Work, asking: Asking): Promise<Told>;
  /** Has all instances replaced; gives why they were not. */
  propagated(work: Work, what: string): Promise<Ending | undefined>;
  isOver(refusal: Refusal): boolean;
}

/**
 * The end of an overlap that may not last, since somebody else may know the old value: it goes as soon as
 * the new one is proven where users are, and the instances follow. A region that does not answer is told
 * of, and held on for by nobody: its replica follows, and so do the passwords of its database.
 */
export const atOnce = async (work: Work, ways: Ways): Promise<Ending> => {
  const [here = "", ...others] = work.ports.regions;
  const notes: string[] = [];
  for (const region of others) {
    const asking = {
      region,
      question: "prove" as const,
      isOver: () => false,
      seconds: () => farSeconds,
    };
    const told = await ways.asked(work, asking);
    if ("refused" in told) notes.push(`Not proven in ${region}: ${told.refused.reason}`);
  }
  const { isOver } = ways;
  for (const question of ["promote", "retire"] as const) {
    const seconds = () => work.ports.policy.deadlineSeconds;
    const told = await ways.asked(work, { region: here, question, isOver, seconds });
    if ("refused" in told) return { end: "needs-human", notes: [...notes, told.refused.reason] };
    if (question === "retire") notes.push(told.did);
  }
  for (const region of work.ports.regions) {
    const seconds = () => farSeconds;
    const told = await ways.asked(work, { region, question: "expel", isOver, seconds });
    const text = "did" in told ? told.did : `Sessions may be left: ${told.refused.reason}`;
    notes.push(`In ${region}: ${text}`);
  }
  const late = await ways.propagated(work, "compromise");
  if (!late) return { end: "retired", notes };
  return { ...late, isOldVoid: true, notes: [...notes, ...late.notes] };
};
