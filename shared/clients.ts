import type { Runtime } from "./runtime.ts";

/** Bounds of one AWS call. The SDK's defaults wait for minutes, which a failover does not have. */
export interface CallBounds {
  /** Tries in all, the first included. */
  attempts: number;
  /** Until the connection stands. */
  connectSeconds: number;
  /** Until the whole answer is there, each try. */
  answerSeconds: number;
}

/** Reads and writes in a region that should be well: about 10 s at the worst. */
export const near: CallBounds = { attempts: 3, connectSeconds: 2, answerSeconds: 5 };

/** Synchronous invocation of a function that does work of its own before it answers. */
export const invocation: CallBounds = { attempts: 2, connectSeconds: 2, answerSeconds: 30 };

/**
 * One question to a function in a region that may be lost. Its answer would end a wait early, so it
 * is not worth waiting long for.
 */
export const farInvocation: CallBounds = { attempts: 1, connectSeconds: 2, answerSeconds: 20 };

/**
 * The options every AWS client is made with. Credentials come from the environment, as Lambda sets
 * them; region and endpoint are explicit, since a failover speaks to three regions.
 */
export const clientOptions = (runtime: Runtime, region: string, bounds: CallBounds = near) => ({
  region,
  maxAttempts: bounds.attempts,
  retryMode: "standard" as const,
  credentials: () => Promise.resolve(credentials(runtime)),
  ...(runtime.environment.AWS_ENDPOINT_URL
    ? { endpoint: runtime.environment.AWS_ENDPOINT_URL }
    : {}),
  requestHandler: {
    connectionTimeout: bounds.connectSeconds * 1000,
    requestTimeout: bounds.answerSeconds * 1000,
    throwOnRequestTimeout: true,
  },
  ...runtime.aws?.(bounds),
});

const credentials = (runtime: Runtime) => {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = runtime.environment;
  if (!AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) {
    throw new Error("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set in the environment");
  }
  return {
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    ...(AWS_SESSION_TOKEN ? { sessionToken: AWS_SESSION_TOKEN } : {}),
  };
};

/** Makes one client per region, once: a Lambda function keeps it, with its connections, between events. */
export const perRegion = <Client>(
  make: (region: string) => Client,
): ((region: string) => Client) => {
  const made = new Map<string, Client>();
  return (region) => {
    const known = made.get(region);
    if (known) return known;
    const client = make(region);
    made.set(region, client);
    return client;
  };
};
