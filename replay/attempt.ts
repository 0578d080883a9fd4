import * as z from "zod/mini";
import type { Deed } from "../functions/remediation/actions.ts";
import type { Look } from "../functions/remediation/evidence.ts";
import type { Evidence } from "../functions/remediation/playbooks.ts";
import { type RemediationRequest, request } from "../functions/remediation/request.ts";
import type { Entry } from "../shared/journal.ts";
import type { Refusal } from "../shared/outcome.ts";

/** What was decided, then or now, in one shape: how far it went and what held it back. */
export interface Decided {
  finding: { is: string; says: string };
  deed: Deed | null;
  /** Why nothing is planned; empty when something is. */
  refused: Refusal[];
  mode: "nothing" | "shadow" | "ask" | "act";
  /** What the guardrails had against the plan. */
  objections: Refusal[];
}

/** One attempt as its journal has it. */
export interface Recorded {
  run: string;
  wish: RemediationRequest;
  evidence: Evidence<Look>;
  past: Decided;
  /** How it ended; null when the journal breaks off before. */
  end: { end: string; code: string } | null;
}

const ended = z.object({ end: z.string(), code: z.string() });

/** Why a journal cannot be replayed, in words; for one that is no attempt at a repair as well. */
export type Unusable = { unusable: string };

/** What an attempt saw and decided, out of its journal. */
export const recordedIn = (run: string, entries: readonly Entry[]): Recorded | Unusable => {
  const data = (key: string) => entries.find((entry) => entry.key === key)?.data;
  const wish = request.safeParse(data("begin")?.wish);
  if (!wish.success) return { unusable: `${run} is no attempt at a repair.` };
  const evidence = data("evidence")?.evidence as Evidence<Look> | undefined;
  const diagnosis = data("diagnosis");
  if (!evidence || !diagnosis) {
    return {
      unusable: `${run} ended before it had looked and decided; there is nothing to compare.`,
    };
  }
  const end = ended.safeParse(data("end"));
  return {
    run,
    wish: wish.data,
    evidence,
    past: thenOf(diagnosis, entries),
    end: end.success ? { end: end.data.end, code: end.data.code } : null,
  };
};

const thenOf = (diagnosis: Record<string, unknown>, entries: readonly Entry[]): Decided => {
  const { finding, decision, mode } = diagnosis as {
    finding: Decided["finding"];
    decision: { deed?: Deed; refusals?: Refusal[] };
    mode: Decided["mode"];
  };
  const objections = entries.flatMap(({ key, data }) =>
    key.startsWith("guardrails ") ? ((data?.refusals ?? []) as Refusal[]) : [],
  );
  return {
    finding: { is: finding.is, says: finding.says },
    deed: decision.deed ?? null,
    refused: decision.refusals ?? [],
    mode,
    objections,
  };
};
