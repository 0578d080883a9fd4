import type { DurableContext } from "@aws/durable-execution-sdk-js";
import middy from "@middy/core";
import { executionModeDurableContext } from "@middy/core/executionModeDurableContext";
import config from "../../nightshift.config.ts";
import { durableSteps } from "../../shared/durable.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { atFirstEvent, processRuntime } from "../../shared/runtime.ts";
import { verificationPorts } from "./aws.ts";
import type { Checks } from "./checks.ts";
import { request } from "./request.ts";
import { verify } from "./verification.ts";

/** All checks, unless a test brings its own. */
export const assemble = (runtime: Runtime, checks?: Checks) => {
  const ports = verificationPorts(runtime, checks);
  return middy<unknown, unknown, Error, DurableContext>({
    executionMode: executionModeDurableContext,
    // Its timer is on real time and outlives a suspended run; the service ends late invocations.
    timeoutEarlyInMillis: 0,
  }).handler((event: unknown, context: DurableContext) =>
    verify(durableSteps(context), ports, request.parse(event)),
  );
};

export const handler = atFirstEvent(() => assemble(processRuntime(process.env, config)));
