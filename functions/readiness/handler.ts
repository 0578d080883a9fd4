import config from "../../nightshift.config.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { atFirstEvent, processRuntime } from "../../shared/runtime.ts";
import { readinessPorts } from "./aws.ts";
import { look } from "./readiness.ts";

export const assemble = (runtime: Runtime) => {
  const ports = readinessPorts(runtime);
  return () => look(ports);
};

export const handler = atFirstEvent(() => assemble(processRuntime(process.env, config)));
