import type { DurableContext } from "@aws/durable-execution-sdk-js";
import middy from "@middy/core";
import { executionModeDurableContext } from "@middy/core/executionModeDurableContext";
import config from "../../nightshift.config.ts";
import { durableSteps } from "../../shared/durable.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { atFirstEvent, processRuntime } from "../../shared/runtime.ts";
import { retirementPorts } from "./aws.ts";
import { order } from "./decide.ts";
import { retireOld } from "./retirement.ts";

export const assemble = (runtime: Runtime) => {
  const ports = retirementPorts(runtime);
  return middy<unknown, unknown, Error, DurableContext>({
    executionMode: executionModeDurableContext,
    // Its timer is on real time and outlives a suspended run; the service ends late invocations.
    timeoutEarlyInMillis: 0,
  }).handler((event: unknown, context: DurableContext) =>
    retireOld(durableSteps(context), ports, order.parse(event)),
  );
};

export const handler = atFirstEvent(() => assemble(processRuntime(process.env, config)));
