import type { CallBounds } from "../../shared/clients.ts";
import { invocation, near } from "../../shared/clients.ts";

/**
 * A change is called once: the SDK would repeat it for half a minute without asking the kill switch. What
 * gave no answer is in doubt, and it is made again after another look at target, alarm and switch.
 */
export const change: CallBounds = { ...near, attempts: 1 };

/** The same of a change that the database function makes. */
export const changeByFunction: CallBounds = { ...invocation, attempts: 1 };
