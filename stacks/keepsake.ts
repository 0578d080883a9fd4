import type { Stage } from "./stage.ts";

/**
 * Options of whatever holds data or keys. SST's own `removal: "retain"` knows 16 kinds of resources:
 * keys, secrets, zones and log groups are not among them, and `protect` on the app guards only against
 * `sst remove`. So each keepsake says it for itself.
 */
export const keepsake = ({ isProduction }: Stage) => ({
  protect: isProduction,
  retainOnDelete: isProduction,
});
