import type { DurableContext } from "@aws/durable-execution-sdk-js";
import middy from "@middy/core";
import { executionModeDurableContext } from "@middy/core/executionModeDurableContext";
import config from "../../nightshift.config.ts";
import { durableSteps } from "../../shared/durable.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { atFirstEvent, processRuntime } from "../../shared/runtime.ts";
import { failoverPorts } from "./aws.ts";
import { carryOn } from "./carry-on.ts";
import { failover } from "./failover.ts";
import { rebuild, rebuildRequest } from "./rebuild.ts";
import { rebuildPorts } from "./rebuild-aws.ts";
import { carryOnRequest, request } from "./request.ts";

export const assemble = (runtime: Runtime) => {
  const [moves, rebuilds] = [failoverPorts(runtime), rebuildPorts(runtime)];
  return middy<unknown, unknown, Error, DurableContext>({
    executionMode: executionModeDurableContext,
    // Its timer is on real time and outlives a suspended run; the service ends late invocations.
    timeoutEarlyInMillis: 0,
  }).handler((event: unknown, context: DurableContext) => {
    const steps = durableSteps(context);
    const { kind } = event as { kind?: string };
    if (kind === "rebuild") return rebuild(steps, rebuilds, rebuildRequest.parse(event));
    if (kind === "carry-on") return carryOn(steps, moves, carryOnRequest.parse(event));
    return failover(steps, moves, request.parse(event));
  });
};

export const handler = atFirstEvent(() => assemble(processRuntime(process.env, config)));
