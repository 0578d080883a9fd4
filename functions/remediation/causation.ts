import type { Fact } from "../../shared/outcome.ts";
import type { Deed, DeedName } from "./actions.ts";
import type { ChangeKind, ChangeSeen, ChangesSeen } from "./evidence-past.ts";
import type { Decision, Subject } from "./playbooks.ts";

/** What a change or a deed takes hold of. */
type Touched = "instances" | "database" | "cache" | "names";

/**
 * An alarm that begins so long after a change of our own is put down to it. As long as a deploy is named
 * as the reason of errors, and longer than a freeze lasts, which forbids more.
 */
export const followsSeconds = 1800;

/** Two clocks: an alarm's time is CloudWatch's, that of a change may be ours. */
const skewSeconds = 60;

/**
 * What each change takes hold of, where it is ours and may be the cause of an alarm. A repair has budget
 * and cooldown of its own, and orders and RDS's maintenance are told of only.
 */
const touches: Record<ChangeKind, readonly Touched[]> = {
  deploy: ["instances"],
  "database-rotation": ["database"],
  "cache-rotation": ["cache"],
  // Keys are read by the application alone, and a wrong one is healed by no new instance.
  "key-rotation": ["instances"],
  failover: ["instances", "database", "cache", "names"],
  "database-failover": ["database"],
  "database-event": [],
  repair: [],
  order: [],
};

const takesHoldOf: Record<DeedName, Touched> = {
  "replace-instance": "instances",
  "restart-container": "instances",
  "grow-group": "instances",
  "rollback-refresh": "instances",
  "grow-storage": "database",
  "end-sessions": "database",
  "reboot-with-failover": "database",
  "restore-validation-record": "names",
};

/** What takes the very change back is not held by it. */
const cures: Partial<Record<DeedName, ChangeKind>> = { "rollback-refresh": "deploy" };

export interface Cause {
  /** In a sentence, for whoever decides. */
  says: string;
  /** It may have done what the deed is about to mend: people are asked. */
  asks: boolean;
}

const isFollowedBy = (
  { sinceMilliseconds: since, untilMilliseconds: until }: ChangeSeen,
  { sinceMilliseconds: rang }: Pick<Subject, "sinceMilliseconds">,
): boolean => {
  if (rang < since - skewSeconds * 1000) return false;
  return until === null || rang <= until + followsSeconds * 1000;
};

/** The changes of our own that the alarm has followed upon, with what that means for a deed. Newest first. */
export const causesOf = (
  changes: ChangesSeen,
  subject: Pick<Subject, "sinceMilliseconds">,
  deed: Deed,
): Cause[] =>
  changes.changes
    .filter((change) => touches[change.what].length > 0 && isFollowedBy(change, subject))
    .map((change) => {
      const minutes = Math.max(
        0,
        Math.round((subject.sinceMilliseconds - beginOf(change)) / 60_000),
      );
      const is = change.untilMilliseconds === null ? "is under way" : "was before it";
      const which = `${change.what} ${change.by} (${change.text}), which ${is}`;
      const says = `The alarm came ${minutes} minutes after ${which}.`;
      return { says, asks: isHeldBy(change, deed) };
    });

const beginOf = ({ sinceMilliseconds, untilMilliseconds }: ChangeSeen): number =>
  untilMilliseconds ?? sinceMilliseconds;

const isHeldBy = ({ what }: ChangeSeen, deed: Deed): boolean =>
  touches[what].includes(takesHoldOf[deed.do]) && cures[deed.do] !== what;

/** Where nobody could look for a change that would have held the deed. */
const unseenFor = ({ unread }: ChangesSeen, deed: Deed): string[] =>
  unread
    .filter(({ kinds }) => kinds.some((what) => isHeldBy(asOf(what), deed)))
    .map(({ why }) => why);

const asOf = (what: ChangeKind): ChangeSeen => ({
  ...{ what, by: "", text: "" },
  ...{ sinceMilliseconds: 0, untilMilliseconds: null },
});

/**
 * A decision in the light of what was changed just before: what would be done to the very thing that we have
 * changed is asked for instead, and what cannot be known is not acted upon by itself: the next look may
 * know it. `undefined` is evidence from before this was looked at, and changes nothing.
 */
export const withCauses = (
  decision: Decision,
  changes: Fact<ChangesSeen> | undefined,
  subject: Pick<Subject, "sinceMilliseconds">,
  isAutomatic: boolean,
): Decision => {
  if (decision.kind === "refuse" || !changes) return decision;
  const { deed } = decision;
  const unseen = changes.known ? unseenFor(changes.value, deed) : [changes.why];
  const blind = `Whether a change of our own has caused it cannot be seen (${unseen.join("; ")}).`;
  if (unseen.length > 0 && decision.kind === "proceed" && isAutomatic) {
    return { kind: "refuse", refusals: [{ code: "changes-unknown", reason: blind }], advice: [] };
  }
  const causes = changes.known ? causesOf(changes.value, subject, deed) : [];
  const reasons = [
    ...decision.reasons,
    ...causes.map(({ says }) => says),
    ...(unseen.length > 0 ? [blind] : []),
  ];
  if (decision.kind === "ask" || !causes.some(({ asks }) => asks)) return { ...decision, reasons };
  const asked = "It may be the cause, so nothing is done to the same thing without a yes.";
  return { ...decision, kind: "ask", reasons: [...reasons, asked] };
};
