import config from "../../nightshift.config.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { atFirstEvent, processRuntime } from "../../shared/runtime.ts";
import { sweepPorts } from "./aws.ts";
import { sweep } from "./sweep.ts";

/** The schedule's event says nothing that the sweep would need. */
export const assemble = (runtime: Runtime) => {
  const ports = sweepPorts(runtime);
  return () => sweep(ports);
};

export const handler = atFirstEvent(() => assemble(processRuntime(process.env, config)));
