import config from "../../nightshift.config.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { atFirstEvent, processRuntime } from "../../shared/runtime.ts";
import { detectionPorts } from "./aws.ts";
import { detect } from "./detection.ts";

export const assemble = (runtime: Runtime) => {
  const ports = detectionPorts(runtime);
  return (event: unknown) => detect(ports, event);
};

export const handler = atFirstEvent(() => assemble(processRuntime(process.env, config)));
