import * as z from "zod/mini";
import { overrides } from "./decide.ts";

const trigger = z.strictObject({
  by: z.enum(["alarm", "operator"]),
  who: z.string().check(z.minLength(1), z.maxLength(200)),
  reason: z.string().check(z.maxLength(1000)),
  sinceMilliseconds: z.int(),
  overrides: z.array(z.enum(overrides)),
  /** What else may explain what the observers see. With one of them a human is always asked. */
  rivals: z.optional(z.array(z.string().check(z.maxLength(1000))).check(z.maxLength(10))),
});

/**
 * What starts a run. `run` is also the name of the durable execution, so that the same wish from an
 * alarm, from Slack and from the command line is one run. A rehearsal has a name of another kind: under
 * the name of a move it would be taken for it, and the move would not begin when it is needed.
 */
export const request = z
  .strictObject({
    /**
     * `emergency`: the old region is lost. `switchover`: it is well, and nothing may be lost.
     * `rehearsal`: everything up to the one-way door, and nothing is moved.
     */
    kind: z._default(z.enum(["emergency", "switchover", "rehearsal"]), "emergency"),
    run: z.string().check(z.regex(/^(failover|rehearsal)-\d+-\d+$/)),
    trigger,
  })
  .check(
    z.refine(({ kind, run }) => (kind === "rehearsal") === run.startsWith("rehearsal-"), {
      error: "a rehearsal is called rehearsal-…, and nothing else is",
    }),
  );

/**
 * What carries a run on that has ended with a human after its claim. The durable execution is called
 * `<run>-again-<again>`, so that the same number from two people is one execution.
 */
export const carryOnRequest = z.strictObject({
  kind: z.literal("carry-on"),
  run: z.string().check(z.regex(/^failover-\d+-\d+$/)),
  again: z.int().check(z.minimum(1), z.maximum(999)),
  /** What kind of move it is, as its journal began. */
  move: z.enum(["emergency", "switchover"]),
  trigger,
});

export type CarryOnRequest = z.infer<typeof carryOnRequest>;

export type Override = (typeof overrides)[number];

/** What starts a run, as it is sent. */
export type FailoverRequest = z.input<typeof request>;
/** What starts a run, as it was accepted. */
export type Wish = z.output<typeof request>;
export type Kind = Wish["kind"];

/** Who or what wants the failover, and what they have said yes to beforehand, one by one by name. */
export type Trigger = FailoverRequest["trigger"];
