import * as z from "zod/mini";

/**
 * What starts a run. `run` is also the name of the durable execution, so that the same wish from an
 * alarm, from Slack and from the command line is one run.
 */
export const request = z.strictObject({
  /** `emergency`: the old region is lost. `switchover`: it is well, and nothing may be lost. */
  kind: z._default(z.enum(["emergency", "switchover"]), "emergency"),
  run: z.string().check(z.regex(/^failover-\d+-\d+$/)),
  trigger: z.strictObject({
    by: z.enum(["alarm", "operator"]),
    who: z.string().check(z.minLength(1), z.maxLength(200)),
    reason: z.string().check(z.maxLength(1000)),
    sinceMilliseconds: z.int(),
    overrides: z.array(z.enum(["unknown-loss", "block-period"])),
  }),
});

/** What starts a run, as it is sent. */
export type FailoverRequest = z.input<typeof request>;
/** What starts a run, as it was accepted. */
export type Wish = z.output<typeof request>;
export type Kind = Wish["kind"];

/** Who or what wants the failover, and what they have said yes to beforehand, one by one by name. */
export type Trigger = FailoverRequest["trigger"];
