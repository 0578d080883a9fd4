import type { InvokeCommandOutput } from "@aws-sdk/client-lambda";
import { describe, expect, it } from "vitest";
import { type LocalLambda, lambda } from "../../local/aws/lambda.ts";
import type { DeadLetter, LambdaOptions } from "../../local/lambda/dispatch.ts";
import {
  type FunctionDefinition,
  type LambdaHandler,
  requestIdOfTrace,
  traceOf,
} from "../../local/lambda/host.ts";
import { inProcessHost } from "../../local/lambda/inprocess.ts";
import { memoryStore } from "../../local/lambda/store.ts";
import { network } from "../../local/network.ts";
import { virtualTimeline } from "../../local/time/virtual.ts";
import { seededRandom } from "../../shared/random.ts";
import { account, ask, origin, region, textOf } from "./fixtures/ask.ts";

const guard: FunctionDefinition = {
  name: "guard",
  region,
  entry: "test/local/fixtures/plain-handler.ts",
  environment: { STAGE: "test" },
  timeoutSeconds: 30,
};

const invoke = (local: LocalLambda, event: unknown, more: object = {}) =>
  ask<Promise<InvokeCommandOutput>>(local, "Invoke", {
    FunctionName: "guard",
    Payload: Buffer.from(JSON.stringify(event)),
    ...more,
  });

const answered = (answer: InvokeCommandOutput): unknown => JSON.parse(textOf(answer));

describe("the Lambda service in virtual time", () => {
  const world = (handler: LambdaHandler, options: LambdaOptions = {}, more = {}) => {
    const timeline = virtualTimeline(origin);
    const regions = network();
    const surroundings = { timeline, random: seededRandom(3), network: regions, account };
    const letters: DeadLetter[] = [];
    const host = inProcessHost(timeline, { handlers: async () => handler });
    const local = lambda(surroundings, host, memoryStore(), {
      deadLetter: (letter) => void letters.push(letter),
      ...options,
    });
    regions.onChange((place, state) => local.onRegionChange(place, state));
    local.define({ ...guard, ...more });
    const seconds = () => (timeline.now() - origin) / 1000;
    return { timeline, local, letters, regions, seconds };
  };

  it("answers a synchronous invocation with what the handler returned", async () => {
    const { local, timeline } = world(async (event) => ({ got: event }));
    const answer = await timeline.run(invoke(local, { a: 1 }));
    expect(answer).toMatchObject({ StatusCode: 200, ExecutedVersion: "$LATEST" });
    expect(answer.FunctionError).toBeUndefined();
    expect(answered(answer)).toEqual({ got: { a: 1 } });
  });

  it("finds a function by name, partial ARN and ARN with a qualifier, and no other", async () => {
    const { local, timeline } = world(async () => "here");
    const arn = `arn:aws:lambda:${region}:${account}:function:guard`;
    for (const FunctionName of ["guard", "guard:$LATEST", `${account}:function:guard`, arn]) {
      expect(answered(await timeline.run(invoke(local, {}, { FunctionName })))).toBe("here");
    }
    await expect(invoke(local, {}, { FunctionName: "gaurd" })).rejects.toMatchObject({
      name: "ResourceNotFoundException",
    });
  });

  it("reports a handler's error with its type and message", async () => {
    const { local, timeline } = world(async () => {
      throw new RangeError("too far");
    });
    const answer = await timeline.run(invoke(local, {}));
    expect([answer.StatusCode, answer.FunctionError]).toEqual([200, "Unhandled"]);
    expect(answered(answer)).toMatchObject({ errorType: "RangeError", errorMessage: "too far" });
  });

  it("ends a run at the function's timeout", async () => {
    const { local, timeline, seconds } = world(() => new Promise(() => undefined));
    const answer = await timeline.run(invoke(local, {}));
    expect(answered(answer)).toMatchObject({
      errorType: "Sandbox.Timedout",
      errorMessage: "Task timed out after 30.00 seconds",
    });
    expect(seconds()).toBe(30);
  });

  it("reports a killed run as an exit of the runtime, and runs the next one elsewhere", async () => {
    let hang = true;
    const { local, timeline } = world(() => (hang ? new Promise(() => undefined) : ok()));
    const ok = async () => "ok";
    const answer = invoke(local, {});
    await timeline.advance(1000);
    hang = false;
    local.kill(local.running()[0]?.requestId ?? "");
    expect(answered(await timeline.run(answer))).toMatchObject({ errorType: "Runtime.ExitError" });
    expect(answered(await timeline.run(invoke(local, {})))).toBe("ok");
    expect(local.running()).toEqual([]);
  });

  it("tries an event three times, after one minute and two more, then buries it", async () => {
    const at: number[] = [];
    const { local, timeline, letters, seconds } = world(async () => {
      at.push(seconds());
      throw new Error("no");
    });
    const answer = await invoke(local, { a: 1 }, { InvocationType: "Event" });
    expect(answer.StatusCode).toBe(202);
    await timeline.advance(3600_000);
    expect(at).toEqual([0, 60, 180]);
    expect(letters).toMatchObject([
      { payload: '{"a":1}', condition: "RetriesExhausted", attempts: 3 },
    ]);
  });

  it("delivers an event twice when it is told to", async () => {
    let runs = 0;
    const { local, timeline } = world(async () => void (runs += 1), { duplicate: () => true });
    local.invoke(region, "guard", { a: 1 });
    await timeline.advance(1000);
    expect(runs).toBe(2);
  });

  it("keeps reserved concurrency: 429 for a caller, a later delivery for an event", async () => {
    const ended: number[] = [];
    const { local, timeline, seconds } = world(
      async () => {
        await timeline.sleep(5000);
        ended.push(seconds());
      },
      {},
      { reservedConcurrency: 1 },
    );
    local.invoke(region, "guard", {});
    local.invoke(region, "guard", {});
    await timeline.advance(1);
    await expect(invoke(local, {})).rejects.toMatchObject({ name: "TooManyRequestsException" });
    await timeline.advance(60_000);
    // The second event was throttled at 0, 1 and 3 s, and found its place at 7 s.
    expect(ended).toEqual([5, 12]);
  });

  it("answers nothing from a dead region, and delivers its events when it is back", async () => {
    let runs = 0;
    const { local, timeline, regions } = world(async () => {
      runs += 1;
      if (runs === 1) await timeline.sleep(10_000);
    });
    let settled = false;
    local.invoke(region, "guard", {});
    await timeline.advance(1000);
    regions.set(region, "dead");
    invoke(local, {}).then(
      () => (settled = true),
      () => (settled = true),
    );
    local.invoke(region, "guard", {});
    await timeline.advance(3600_000);
    expect([runs, settled]).toEqual([1, false]);
    regions.set(region, "up");
    await timeline.advance(1000);
    expect([runs, settled]).toEqual([3, false]);
  });

  it("refuses what is no JSON, what is too large, and a durable name for a plain function", async () => {
    const { local } = world(async () => null);
    const refusal = (more: object) => expect(invoke(local, {}, more)).rejects;
    await refusal({ Payload: Buffer.from("{") }).toMatchObject({
      name: "InvalidRequestContentException",
    });
    const large = Buffer.from(JSON.stringify("x".repeat(1 << 20)));
    await refusal({ Payload: large, InvocationType: "Event" }).toMatchObject({
      name: "RequestTooLargeException",
    });
    await refusal({ DurableExecutionName: "x" }).toMatchObject({
      name: "InvalidParameterValueException",
    });
  });

  it("runs nothing for a dry run", async () => {
    let runs = 0;
    const { local, timeline } = world(async () => void (runs += 1));
    expect(await invoke(local, {}, { InvocationType: "DryRun" })).toEqual({ StatusCode: 204 });
    await timeline.advance(1000);
    expect(runs).toBe(0);
  });

  it("names the invocation in the tracing header", () => {
    const requestId = "01234567-89ab-cdef-0123-456789abcdef";
    expect(requestIdOfTrace(traceOf(requestId))).toBe(requestId);
    expect(requestIdOfTrace("Root=1-5759e988")).toBeUndefined();
  });

  it("gives a form through the function URL in base64, and JSON as text", async () => {
    const seen: unknown[] = [];
    const { local, timeline } = world(
      async (event) => {
        seen.push(event);
        return { statusCode: 201, headers: { "X-Answer": 1 }, cookies: ["a=b"], body: "made" };
      },
      {},
      { url: true },
    );
    const door = local.functionUrl(region, "guard");
    const send = (contentType: string, body: string) =>
      timeline.run(
        door.request({
          method: "POST",
          target: "/slack/events?x=1&x=2",
          headers: { "content-type": contentType, cookie: "c=1; d=2" },
          body: Buffer.from(body),
        }),
      );
    const answer = await send("application/x-www-form-urlencoded", "payload=%7B%7D");
    expect([answer.status, answer.headers["x-answer"], answer.cookies]).toEqual([
      201,
      "1",
      ["a=b"],
    ]);
    expect(Buffer.from(answer.body).toString()).toBe("made");
    await send("application/json", "{}");
    expect(seen).toMatchObject([
      {
        version: "2.0",
        rawPath: "/slack/events",
        rawQueryString: "x=1&x=2",
        queryStringParameters: { x: "1,2" },
        cookies: ["c=1", "d=2"],
        body: Buffer.from("payload=%7B%7D").toString("base64"),
        isBase64Encoded: true,
        requestContext: { http: { method: "POST", path: "/slack/events" } },
      },
      { body: "{}", isBase64Encoded: false },
    ]);
  });

  it("answers 502 at the function URL when the handler fails, and 413 to a large body", async () => {
    const { local, timeline } = world(() => Promise.reject(new Error("no")), {}, { url: true });
    const door = local.functionUrl(region, "guard");
    const send = (body: Uint8Array) =>
      timeline.run(door.request({ method: "POST", target: "/", headers: {}, body }));
    expect((await send(Buffer.from("x"))).status).toBe(502);
    expect((await send(Buffer.alloc(6 * (1 << 20) + 1))).status).toBe(413);
  });
});
