import config from "../../nightshift.config.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { atFirstEvent, processRuntime } from "../../shared/runtime.ts";
import { triagePorts } from "./aws.ts";
import { triage } from "./triage.ts";

export const assemble = (runtime: Runtime) => {
  const ports = triagePorts(runtime);
  return (event: unknown) => triage(ports, event);
};

export const handler = atFirstEvent(() => assemble(processRuntime(process.env, config)));
