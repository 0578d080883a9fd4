import { isIrreversible } from "../../functions/remediation/actions.ts";
import { decide } from "../../functions/remediation/decide.ts";
import type { Look, Looks } from "../../functions/remediation/evidence.ts";
import type { Evidence, Playbook, Subject } from "../../functions/remediation/playbooks.ts";
import type { Fact } from "../../shared/outcome.ts";

export const now = Date.UTC(2026, 10, 22, 3, 0, 0);
export const minute = 60_000;

export type Seen = { [Name in Look]?: Looks[Name] | undefined };

export const factOf = <T>(name: string, value: T | undefined): Fact<T> =>
  value === undefined
    ? { known: false, why: "silence", source: name, atMilliseconds: now }
    : { known: true, value, source: name, atMilliseconds: now };

/** What is seen; `undefined` for what cannot be seen. */
export const evidenceOf = (seen: Seen): Evidence<Look> =>
  Object.fromEntries(
    Object.entries(seen).map(([name, value]) => [name, factOf<unknown>(name, value)]),
  ) as unknown as Evidence<Look>;

const subject: Subject = {
  region: "eu-central-1",
  alarm: "nightshift-story",
  kind: "story",
  resource: null,
  sinceMilliseconds: now - minute,
  reason: "story",
};

/** What a playbook that may do everything makes of what is seen. */
export const verdictOf = (one: Playbook, seen: Seen, about: Partial<Subject> = {}) =>
  decide(
    one,
    evidenceOf(seen),
    { ...subject, ...about },
    { given: "automatic", record: factOf("record", { demotedBy: null }), isIrreversible },
  );

/** What is seen and what comes of it: `[finding, mode]`, whether people are called, or the next one looks. */
export const outcomeOf = (...given: Parameters<typeof verdictOf>) => {
  const [{ next }] = given;
  const { finding, mode } = verdictOf(...given);
  const after = next[finding.is] ?? "unknown to the playbook";
  if (mode !== "nothing" || after === "deed" || after === "again") return [finding.is, mode];
  return [finding.is, after === "passes" ? "passed" : after];
};
