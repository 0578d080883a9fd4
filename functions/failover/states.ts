/**
 * The failover as one table. Being in a state means doing its activity; how that ends picks the row.
 * `because` is the log line, the Slack line and the audit record, so it is written for a person.
 * The diagram in docs/ARCHITECTURE.md is made from these rows and a test keeps the two equal.
 */
export const states = [
  "proposed",
  "assessed",
  "warming",
  "asking",
  "approved",
  "rehearsing",
  "carried-on",
  "claimed",
  "isolating",
  "draining",
  "returning",
  "fenced",
  "promoted",
  "writable",
  "repointed",
  "serving",
  "hardening",
  "done",
  "aborted",
  "needs-human",
] as const;

export type State = (typeof states)[number];

export interface Transition {
  from: State;
  /** How the activity of `from` ended. */
  on: string;
  to: State;
  because: string;
  /** Whether everything done so far can still be undone. False from the promotion on. */
  reversible: boolean;
}

const row = (from: State, on: string, to: State, because: string, reversible = true) =>
  ({ from, on, to, because, reversible }) as const;

export const transitions = [
  row("proposed", "ready", "assessed", "The facts are gathered and nothing forbids the move."),
  row("proposed", "refused", "aborted", "The move is refused; nothing was changed."),
  row(
    "assessed",
    "warm",
    "warming",
    "The standby region is told to bring up the capacity it will need.",
  ),
  row("assessed", "paused", "aborted", "Nightshift is paused; nothing was changed."),
  row(
    "warming",
    "ask",
    "asking",
    "People are asked, with the plan and the possible loss in front of them.",
  ),
  row(
    "warming",
    "automatic",
    "approved",
    "The operator's policy lets this move go on without asking.",
  ),
  row("asking", "approved", "approved", "Enough different operators have approved this very plan."),
  row("asking", "rejected", "aborted", "An operator has rejected the plan; the warming is undone."),
  row(
    "asking",
    "expired",
    "aborted",
    "Not enough operators approved in time; the warming is undone.",
  ),
  row(
    "approved",
    "claimed",
    "claimed",
    "The lease is moved: from here on the old region may not write.",
  ),
  row(
    "approved",
    "changed",
    "proposed",
    "The facts have changed since the approval, which is void; the plan is made anew.",
  ),
  row(
    "approved",
    "refused",
    "aborted",
    "The move became forbidden before the lease was moved; the warming is undone.",
  ),
  row("approved", "lost", "aborted", "Another run has moved the lease; this one stands back."),
  row(
    "approved",
    "rehearse",
    "rehearsing",
    "This is a rehearsal: nothing is moved, and each later step is looked at instead.",
  ),
  row(
    "rehearsing",
    "rehearsed",
    "done",
    "Every later step would have been permitted and possible; nothing was moved.",
  ),
  row(
    "rehearsing",
    "found",
    "needs-human",
    "The rehearsal has found what a move would fail at; nothing was moved.",
  ),
  row("rehearsing", "stopped", "aborted", "The rehearsal was stopped; nothing was moved."),
  row(
    "assessed",
    "give-back",
    "returning",
    "The run that was carried on is stopped before it asks; what it has claimed goes back.",
  ),
  row(
    "asking",
    "give-back",
    "returning",
    "The run that was carried on gets no approval; what it has claimed goes back.",
  ),
  row(
    "approved",
    "give-back",
    "returning",
    "What was approved for the run that was carried on became forbidden; its claim goes back.",
  ),
  row(
    "approved",
    "anew",
    "carried-on",
    "The facts have changed since the approval, which is void; what was left is looked at again.",
  ),
  row(
    "carried-on",
    "ready",
    "assessed",
    "Nothing is promoted yet: the plan is made anew, and people are asked again.",
  ),
  row(
    "carried-on",
    "forward",
    "fenced",
    "The replica is a primary already, so there is no choice left: nobody is asked, and it goes forward.",
    false,
  ),
  row(
    "carried-on",
    "give-back",
    "returning",
    "The lease is to go back, or is back already: the old region is opened again.",
  ),
  row(
    "carried-on",
    "refused",
    "needs-human",
    "The run cannot be carried on as things are; nothing was changed.",
  ),
  row(
    "carried-on",
    "late",
    "needs-human",
    "What became of the replica is not to be seen, so the run is not carried on.",
    false,
  ),
  row(
    "carried-on",
    "overtaken",
    "aborted",
    "Somebody else has the lease by now; this execution stands back.",
  ),
  row(
    "claimed",
    "fenced",
    "draining",
    "The old region has reported that its database takes no writes of the application any more.",
  ),
  row(
    "claimed",
    "unverified",
    "isolating",
    "The old region cannot be seen to be fenced; it must have fenced itself before anything is promoted.",
  ),
  row(
    "claimed",
    "give-back",
    "returning",
    "A planned move does not go on without a fence, and no move goes on when it is stopped.",
  ),
  row(
    "isolating",
    "waited",
    "fenced",
    "The old region has been silent for longer than it may write without the lease.",
  ),
  row(
    "isolating",
    "fenced",
    "draining",
    "The old region has come back and reported that its fence holds.",
  ),
  row(
    "isolating",
    "give-back",
    "returning",
    "The run was stopped while it waited for the old region.",
  ),
  row("draining", "drained", "fenced", "The replica has everything that was ever acknowledged."),
  row("draining", "behind", "fenced", "The replica could not get the last of the log in time."),
  row(
    "draining",
    "give-back",
    "returning",
    "The replica did not get everything in time, and a planned move loses nothing.",
  ),
  row("fenced", "give-back", "returning", "The promotion was stopped before it was begun."),
  row("returning", "returned", "aborted", "The old region has the lease again and takes writes."),
  row(
    "returning",
    "late",
    "needs-human",
    "The old region does not take writes again, and nothing was promoted.",
  ),
  row("fenced", "promoted", "promoted", "The replica has been promoted and takes writes.", false),
  row(
    "fenced",
    "late",
    "needs-human",
    "The replica was not promoted in time; it may still be under way.",
    false,
  ),
  row(
    "promoted",
    "open",
    "writable",
    "The application may log in to the new primary, and a test write was committed.",
    false,
  ),
  row(
    "promoted",
    "late",
    "needs-human",
    "The new primary does not take the application's logins.",
    false,
  ),
  row(
    "writable",
    "repointed",
    "repointed",
    "The secrets of this region stand on their own and name the new primary.",
    false,
  ),
  row("writable", "late", "needs-human", "The secrets could not be re-pointed in time.", false),
  row(
    "repointed",
    "active",
    "serving",
    "The region says that it is active, and Route 53 may send users here.",
    false,
  ),
  row(
    "repointed",
    "late",
    "needs-human",
    "The region could not be made to say that it is active.",
    false,
  ),
  row(
    "serving",
    "verified",
    "hardening",
    "Resolvers answer with the new region and a write through the public name succeeded.",
    false,
  ),
  row(
    "hardening",
    "hardened",
    "done",
    "The new primary has the settings that the old one had.",
    false,
  ),
  row(
    "hardening",
    "late",
    "needs-human",
    "Users are served, but the new primary lacks settings of the old one.",
    false,
  ),
  row(
    "serving",
    "late",
    "needs-human",
    "Users were not seen to be served by the new region in time.",
    false,
  ),
  ...states
    .filter((state) => !["done", "aborted", "needs-human"].includes(state))
    .map((from) =>
      row(from, "failed", "needs-human", "A step failed for longer than its retries.", false),
    ),
] as const satisfies readonly Transition[];

/** States in which a run ends. */
export const isFinal = (state: State): boolean =>
  state === "done" || state === "aborted" || state === "needs-human";

/** Throws for an ending that the table does not know: the table is the only way to move. */
export const transition = (from: State, on: string): Transition => {
  const found = transitions.find((each) => each.from === from && each.on === on);
  if (!found) throw new Error(`the table of states has no row for "${on}" in state "${from}"`);
  return found;
};

/** The table as a Mermaid diagram. */
export const diagram = (): string =>
  [
    "stateDiagram-v2",
    "  [*] --> proposed",
    ...transitions.map(({ from, on, to }) => `  ${id(from)} --> ${id(to)}: ${on}`),
    // By an operator, and only after the claim: the end of one execution and the begin of another.
    "  needs_human --> carried_on: carry-on",
    ...states.filter(isFinal).map((state) => `  ${id(state)} --> [*]`),
  ].join("\n");

const id = (state: State) => state.replace("-", "_");
