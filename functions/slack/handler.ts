import type { LambdaFunctionURLEvent } from "aws-lambda";
import config from "../../nightshift.config.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { atFirstEvent, processRuntime } from "../../shared/runtime.ts";
import { frontDoor } from "./aws.ts";
import { receive } from "./slack.ts";

/** Takes function URL events (payload 2.0), whose header names are in lower case. */
export const assemble = (runtime: Runtime) => {
  const door = frontDoor(runtime);
  return (event: LambdaFunctionURLEvent) =>
    receive(door, {
      rawBody: Buffer.from(event.body ?? "", event.isBase64Encoded ? "base64" : "utf8"),
      headers: event.headers,
    });
};

export const handler = atFirstEvent(() => assemble(processRuntime(process.env, config)));
