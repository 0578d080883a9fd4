import type { Runtime } from "./runtime.ts";

/**
 * Where Nightshift keeps its metrics. Each stage of an account has a namespace of its own: its metrics
 * have the same names and dimensions, and a copy that is well must not speak for one that is lost.
 */
export const metricNamespace = ({ environment }: Pick<Runtime, "environment">): string =>
  environment.METRIC_NAMESPACE ?? "Nightshift";
