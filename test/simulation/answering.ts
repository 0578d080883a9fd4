import type { Runtime } from "../../shared/runtime.ts";
import type { Plant } from "./world.ts";

/** A request of one of the SDK's clients, as far as a planted answer goes by it. */
export interface Sent {
  body?: unknown;
  headers: Record<string, string>;
  method?: string;
  path?: string;
}

interface Handler {
  handle(request: Sent, options: unknown): Promise<unknown>;
}

const bodyOf = ({ body }: Sent): string =>
  typeof body === "string" ? body : new TextDecoder().decode(body as Uint8Array | undefined);

/** What a call of a function is answered instead of what AWS says; null leaves it as it is. */
export const answering =
  (name: string, instead: (body: string, target: string, sent: Sent) => string | null): Plant =>
  (definition, runtime, assemble) => {
    if (definition.name !== name) return assemble(runtime);
    const aws: Runtime["aws"] = (bounds) => {
      const options = runtime.aws?.(bounds) ?? {};
      const real = options.requestHandler as Handler;
      const handle: Handler["handle"] = async (request, more) => {
        const target = request.headers["x-amz-target"] ?? "";
        const answer = instead(bodyOf(request), target, request);
        if (answer === null) return real.handle(request, more);
        const headers = { "content-type": request.headers["content-type"] ?? "" };
        return { response: { statusCode: 200, headers, body: new TextEncoder().encode(answer) } };
      };
      return { ...options, requestHandler: Object.assign(Object.create(real), { handle }) };
    };
    return assemble({ ...runtime, aws });
  };
