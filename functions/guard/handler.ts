import config from "../../nightshift.config.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { atFirstEvent, processRuntime } from "../../shared/runtime.ts";
import { guardPorts } from "./aws.ts";
import { request } from "./decide.ts";
import { watch } from "./guard.ts";

export const assemble = (runtime: Runtime) => {
  const ports = guardPorts(runtime);
  return (event: unknown) => watch(ports, request.parse(event));
};

export const handler = atFirstEvent(() => assemble(processRuntime(process.env, config)));
