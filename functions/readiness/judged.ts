import type { Fact } from "../../shared/outcome.ts";
import type { Check } from "../../shared/readiness.ts";

export interface Judged {
  verdict: Check["verdict"];
  detail: string;
  /** When somebody else saw it, if that is earlier. */
  seenAtMilliseconds?: number;
}

export const ready = (detail: string): Judged => ({ verdict: "ready", detail });
export const notReady = (detail: string): Judged => ({ verdict: "not-ready", detail });
export const unknown = (detail: string): Judged => ({ verdict: "unknown", detail });

/** A check is as old as the oldest thing it rests on, and unknown as soon as one of them is. */
export const check = <Values extends Record<string, unknown>>(
  name: string,
  facts: { [Key in keyof Values]: Fact<Values[Key]> },
  judged: (values: Values) => Judged,
): Check => {
  const all: Fact<unknown>[] = Object.values(facts);
  const source = [...new Set(all.map((fact) => fact.source))].join(", ");
  const seen = Math.min(...all.map(({ atMilliseconds }) => atMilliseconds));
  const missing = all.find((fact) => !fact.known);
  if (missing && !missing.known) {
    const detail = `${missing.source} could not be asked (${missing.why}).`;
    return { name, verdict: "unknown", detail, source, seenAtMilliseconds: seen };
  }
  const values = Object.fromEntries(
    Object.entries<Fact<unknown>>(facts).map(([key, fact]) => [key, fact.known && fact.value]),
  ) as Values;
  const { verdict, detail, seenAtMilliseconds = seen } = judged(values);
  return { name, verdict, detail, source, seenAtMilliseconds: Math.min(seen, seenAtMilliseconds) };
};

export const minutes = (milliseconds: number) => Math.round(milliseconds / 60_000);
