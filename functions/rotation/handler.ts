import config from "../../nightshift.config.ts";
import { postgresConnect } from "../../shared/postgres.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { atFirstEvent, processRuntime } from "../../shared/runtime.ts";
import { rotationPorts } from "./aws.ts";
import { keepRequest, request } from "./decide.ts";
import { keep } from "./keeping.ts";
import { keepPorts } from "./keeping-aws.ts";
import { redisAuthenticate } from "./redis.ts";
import { answered } from "./refused-step.ts";
import { rotate } from "./rotation.ts";

export const assemble = (runtime: Runtime) => {
  const connect = runtime.connect ?? postgresConnect;
  const authenticate = runtime.authenticate ?? redisAuthenticate;
  const ports = rotationPorts(runtime, { connect, authenticate });
  return async (event: unknown) => {
    if (keepRequest.safeParse(event).success) return keep(keepPorts(runtime, ports));
    const asked = request.parse(event);
    return answered(asked, await rotate(ports, asked));
  };
};

export const handler = atFirstEvent(() => assemble(processRuntime(process.env, config)));
