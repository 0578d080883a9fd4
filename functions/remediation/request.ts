import * as z from "zod/mini";
import { attemptPattern } from "../../shared/incident.ts";

/** What starts an attempt. `run` is also the name of the durable execution: started twice it is one. */
export const request = z.strictObject({
  run: z.string().check(z.regex(attemptPattern)),
  playbook: z.string().check(z.regex(/^[a-z][a-z0-9-]{1,60}$/)),
  subject: z.strictObject({
    region: z.string(),
    alarm: z.string().check(z.minLength(1), z.maxLength(255)),
    kind: z.string(),
    resource: z.nullable(z.string()),
    sinceMilliseconds: z.int(),
    reason: z.string().check(z.maxLength(1000)),
  }),
  /** ARN and time of the very change of the alarm's state. */
  key: z.string(),
  /** How many other alarms rang at the same time. */
  others: z.int(),
  /** Where the incident's message is, when an earlier attempt has put one up: it is the same one. */
  message: z.nullable(z.strictObject({ channel: z.string(), ts: z.string() })),
});

export type RemediationRequest = z.infer<typeof request>;
