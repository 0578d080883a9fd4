import { ensure } from "../../shared/ensure.ts";
import type { Deed, Order, Standing } from "./actions.ts";
import {
  againOf,
  observeTarget,
  orderOf,
  perform,
  resourceOf,
  saysOf,
  takesFromFleet,
  undeclared,
  undoOf,
  withinOf,
} from "./actions.ts";
import { count } from "./counting.ts";
import { permitted } from "./guarding.ts";
import type { Ending, Work } from "./remediation.ts";
import { deedOf, human, nothing, record, refusedFor } from "./remediation.ts";
import { Warrant } from "./warrant.ts";

/** Reserves the budget, then does the deed once and sees it through. Null when it is done. */
export const act = async (work: Work): Promise<Ending | null> => {
  const { steps, ports, run } = work;
  const deed = deedOf(run);
  run.phase = "acting";
  const order = warranted(work, deed);
  if ("code" in order) return human(order.code, [order.reason]);
  const before = await steps.step("the target before", () => observeTarget(ports.hands, deed));
  run.before = before;
  if (before.changed) return nothing("target-changed", [before.changed]);
  if (before.isDone || before.isUnderWay) {
    return nothing("already-done", ["Somebody else has done it, or is at it."]);
  }
  const reserved = await steps.step("reserve the budget", () => reserveFor(work, deed));
  if ("refused" in reserved) {
    const { code, reason } = reserved.refused;
    await record(work, "budget", { kind: "refused", text: reason, data: { deed, code } });
    // A cooldown is over in minutes. A budget that is spent is a night on which people have to look.
    return spentCodes.has(code) ? human(code, [reason]) : nothing(code, [reason]);
  }
  await record(work, "deed", {
    kind: "did",
    text: `Now: ${saysOf(deed)}.`,
    data: { deed, before, reservation: reserved.reserved },
  });
  return seenThrough(work, order, before);
};

const spentCodes = new Set(["budget", "fleet-share"]);

const warranted = ({ run }: Work, deed: Deed) => {
  if (!run.spent) return orderOf(deed, null);
  const warrant = Warrant.of(run.name, run.spent, run.saved);
  return "code" in warrant ? warrant : orderOf(deed, warrant);
};

const reserveFor = ({ ports, run, playbook }: Work, deed: Deed) => {
  const { regionPerHour, fleetShare } = ports.policy;
  const group = run.evidence?.group;
  const takes = takesFromFleet(deed);
  const known = group?.known ? group.value : null;
  return ports.reserve(
    {
      id: run.name,
      by: playbook.name,
      deed: deed.do,
      resource: resourceOf(deed),
      fleet: takes ? (known?.name ?? "the group") : null,
    },
    {
      regionPerHour,
      perHour: playbook.budget.perHour,
      cooldownSeconds: playbook.budget.cooldownSeconds,
      fleet: takes ? { size: known?.instances.length ?? 1, share: fleetShare } : null,
    },
    run.wish.subject,
  );
};

const seenThrough = async (work: Work, order: Order, before: Standing): Promise<Ending | null> => {
  const { steps, clock, ports, run } = work;
  const { deed } = order;
  let last = before;
  const done = await ensure(steps, clock, {
    name: "the deed",
    observe: async () => {
      last = await observeTarget(ports.hands, deed);
      return last;
    },
    satisfied: ({ isDone }) => isDone,
    due: ({ isUnderWay }) => !isUnderWay,
    act: () => perform(ports.hands, order),
    // The target was frozen when the plan was made: it is looked at in the same breath as the brakes.
    permitted: async () =>
      last.changed ? { code: "target-changed", reason: last.changed } : permitted(work),
    within: { seconds: withinOf(deed), everySeconds: 10, actAgainAfterSeconds: againOf(deed) },
  });
  run.acts = done.acts;
  run.hasActed = done.acts > 0;
  if (done.is === "refused") {
    const { code, reason } = done.refusal;
    if (done.acts === 0) return refusedFor(code, [reason]);
    return human(code, [`It may have been done once, and then: ${reason}`]);
  }
  if (done.is === "late") {
    if (done.acts > 0) await count(work, "ineffective");
    const seen = done.last.known ? JSON.stringify(done.last.value.fields) : done.last.why;
    return human("late", [`It does not show. Last seen: ${seen}. ${done.doubt ?? ""}`.trim()]);
  }
  const strange = undeclared(deed, before, done.seen);
  await record(work, "acted", {
    kind: "did",
    text: done.acts > 0 ? "Done; now it has to prove itself." : "It has come about by itself.",
    data: { after: done.seen, acts: done.acts, doubt: done.doubt ?? null, undeclared: strange },
  });
  run.doneAtMilliseconds = run.timeline.at(-1)?.atMilliseconds ?? null;
  if (strange.length === 0) return null;
  if (done.acts > 0) await count(work, "ineffective");
  const note = `More has changed than this deed changes: ${strange.join("; ")}.`;
  return human("undeclared-change", [note]);
};

/** Takes the deed back where that can be done. The sentence says whether it was. */
export const undo = async (work: Work): Promise<string> => {
  const { steps, clock, ports, run } = work;
  const deed = deedOf(run);
  const take = undoOf(deed);
  const { before } = run;
  if (!take || !before) return "It cannot be taken back.";
  run.phase = "undoing";
  const undone = await ensure(steps, clock, {
    name: "undo",
    observe: () => observeTarget(ports.hands, deed),
    satisfied: ({ fields }) => undeclaredIn(before, fields),
    act: () => take(ports.hands, before),
    permitted: () => permitted(work),
    within: { seconds: withinOf(deed), everySeconds: 10, actAgainAfterSeconds: 60 },
  });
  if (undone.is === "ensured") return "It was taken back.";
  if (undone.is === "refused") return `It was not taken back: ${undone.refusal.reason}`;
  return `It could not be taken back in time. ${undone.doubt ?? ""}`.trim();
};

const undeclaredIn = (before: Standing, fields: Standing["fields"]): boolean =>
  Object.keys(before.fields).every((name) => before.fields[name] === fields[name]);
