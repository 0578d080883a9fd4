import config from "../../nightshift.config.ts";
import { postgresConnect } from "../../shared/postgres.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { atFirstEvent, processRuntime } from "../../shared/runtime.ts";
import { databasePorts } from "./aws.ts";
import { runStatement } from "./database.ts";
import { request } from "./decide.ts";

export const assemble = (runtime: Runtime) => {
  const ports = databasePorts(runtime, runtime.connect ?? postgresConnect);
  return (event: unknown) => runStatement(ports, request.parse(event));
};

export const handler = atFirstEvent(() => assemble(processRuntime(process.env, config)));
