import type {
  CreateHealthCheckCommandInput,
  DeleteHealthCheckCommandInput,
  GetHealthCheckCommandInput,
  GetHealthCheckStatusCommandInput,
  HealthCheck,
  HealthCheckConfig,
  HealthCheckObservation,
  HealthCheckRegion,
  ListHealthChecksCommandInput,
  UpdateHealthCheckCommandInput,
} from "@aws-sdk/client-route-53";
import type { Timer } from "../time/timeline.ts";
import { pageOf } from "./paging.ts";
import type { Surroundings } from "./service.ts";
import { AwsError } from "./service.ts";

/** What a health checker asks of an endpoint. */
export interface ProbeTarget {
  /** An address, or a name to resolve. */
  host: string;
  port: number;
  path: string;
  hostHeader: string;
  /** Which checker asks, so that some can be cut off. */
  checker: string;
}

/** Rejects when no connection or no answer came in time: then the check has failed. */
export type Probe = (target: ProbeTarget) => Promise<{ status: number; body: string }>;

/** The real regions of the health checkers, in the API's spelling. */
export const checkerRegions: HealthCheckRegion[] = [
  "us-east-1",
  "us-west-1",
  "us-west-2",
  "eu-west-1",
  "ap-southeast-1",
  "ap-southeast-2",
  "ap-northeast-1",
  "sa-east-1",
];

/**
 * Healthy when more than this share of the checkers says so:
 * https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html
 */
const healthyShare = 0.18;
const searchLimitBytes = 5120;

interface Checker {
  region: HealthCheckRegion;
  healthy: boolean;
  /** Consecutive results that contradict `healthy`. */
  streak: number;
  said: string;
  checkedAt: number;
}

interface CheckState {
  id: string;
  reference: string;
  version: number;
  config: HealthCheckConfig;
  checkers: Checker[];
  timer: Timer | undefined;
}

export interface HealthChecks {
  operations: ReturnType<typeof operations>;
  exists(id: string): boolean;
  /** What DNS goes by, inversion included. An unknown check is unhealthy. */
  healthy(id: string): boolean;
}

interface Context {
  surroundings: Surroundings;
  probe: Probe;
  checkers: number;
  checks: Map<string, CheckState>;
}

export const healthChecks = (
  surroundings: Surroundings,
  probe: Probe,
  options: { checkers: number },
): HealthChecks => {
  const checks = new Map<string, CheckState>();
  return {
    operations: operations({ surroundings, probe, checkers: options.checkers, checks }),
    exists: (id) => checks.has(id),
    healthy: (id) => isHealthy(checks, checks.get(id)),
  };
};

const isEndpoint = ({ Type }: HealthCheckConfig) => Type !== "CALCULATED";

/** A disabled check is healthy whatever it would find, inverted or not. */
const isHealthy = (checks: Map<string, CheckState>, check: CheckState | undefined): boolean => {
  if (!check) return false;
  const { config } = check;
  if (config.Disabled) return true;
  const found = isEndpoint(config) ? byCheckers(check) : byChildren(checks, config);
  return config.Inverted ? !found : found;
};

const byCheckers = ({ checkers }: CheckState): boolean =>
  checkers.filter(({ healthy }) => healthy).length / checkers.length > healthyShare;

/** A threshold of 0 is always reached, one above the number of children never. */
const byChildren = (checks: Map<string, CheckState>, config: HealthCheckConfig): boolean => {
  const children = config.ChildHealthChecks ?? [];
  const healthy = children.filter((id) => isHealthy(checks, checks.get(id)));
  return healthy.length >= (config.HealthThreshold ?? children.length);
};

const operations = (context: Context) => ({
  ...changeOperations(context),
  ...readOperations(context),
});

const changeOperations = (context: Context) => ({
  CreateHealthCheck: (input: CreateHealthCheckCommandInput) => {
    const { checks, surroundings } = context;
    const { CallerReference: reference = "", HealthCheckConfig: config } = input;
    if (!config) throw new AwsError("InvalidInput", "HealthCheckConfig is required");
    validate(checks, config);
    for (const check of checks.values()) {
      if (check.reference !== reference) continue;
      if (JSON.stringify(check.config) === JSON.stringify(withDefaults(config))) {
        return { HealthCheck: shown(check), Location: locationOf(check.id) };
      }
      const message = `A health check with the caller reference ${reference} and other values exists`;
      throw new AwsError("HealthCheckAlreadyExists", message);
    }
    const check: CheckState = {
      id: uuid(surroundings.random.bytes(16).toString("hex")),
      reference,
      version: 1,
      config: withDefaults(config),
      checkers: checkersOf(config, context.checkers),
      timer: undefined,
    };
    checks.set(check.id, check);
    startChecking(context, check);
    return { HealthCheck: shown(check), Location: locationOf(check.id) };
  },
  UpdateHealthCheck: (input: UpdateHealthCheckCommandInput) => {
    const check = existing(context, input.HealthCheckId);
    const {
      HealthCheckId: _id,
      HealthCheckVersion: version,
      ResetElements: _reset,
      ...rest
    } = input;
    if (version !== undefined && version !== check.version) {
      const message = `The version is ${check.version}, not ${version}`;
      throw new AwsError("HealthCheckVersionMismatch", message);
    }
    const given = Object.entries(rest).filter(([, value]) => value !== undefined);
    const config: HealthCheckConfig = { ...check.config, ...Object.fromEntries(given) };
    validate(context.checks, config);
    check.config = config;
    check.version += 1;
    return { HealthCheck: shown(check) };
  },
  DeleteHealthCheck: (input: DeleteHealthCheckCommandInput) => {
    const check = existing(context, input.HealthCheckId);
    check.timer?.cancel();
    context.checks.delete(check.id);
    return {};
  },
});

const readOperations = (context: Context) => ({
  GetHealthCheck: (input: GetHealthCheckCommandInput) => ({
    HealthCheck: shown(existing(context, input.HealthCheckId)),
  }),
  GetHealthCheckStatus: (input: GetHealthCheckStatusCommandInput) => {
    const check = existing(context, input.HealthCheckId);
    if (isEndpoint(check.config)) {
      return { HealthCheckObservations: check.checkers.map(observation) };
    }
    throw new AwsError("InvalidInput", "The status of a calculated health check is not available");
  },
  ListHealthChecks: (input: ListHealthChecksCommandInput) => {
    const size = Number(input.MaxItems ?? 100);
    const page = pageOf([...context.checks.values()], input.Marker, size);
    return {
      HealthChecks: page.items.map(shown),
      Marker: input.Marker ?? "",
      MaxItems: size,
      IsTruncated: page.next !== undefined,
      NextMarker: page.next,
    };
  },
});

const existing = ({ checks }: Context, id: string | undefined): CheckState => {
  const check = checks.get(id ?? "");
  if (check) return check;
  throw new AwsError("NoSuchHealthCheck", `No health check exists with the id ${id}`);
};

const modelledTypes = ["HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH", "CALCULATED"];

const validate = (checks: Map<string, CheckState>, config: HealthCheckConfig) => {
  const refuse = (message: string) => new AwsError("InvalidInput", message);
  const { Type = "", RequestInterval = 30, FailureThreshold = 3 } = config;
  if (!modelledTypes.includes(Type)) throw refuse(`The type ${Type} is not modelled`);
  if (Type === "CALCULATED") {
    if (config.HealthThreshold === undefined) throw refuse("HealthThreshold is required");
    const unknown = (config.ChildHealthChecks ?? []).find((id) => !checks.has(id));
    if (unknown !== undefined) throw refuse(`The child health check ${unknown} does not exist`);
    return;
  }
  if (RequestInterval !== 10 && RequestInterval !== 30) {
    throw refuse("RequestInterval must be 10 or 30");
  }
  if (FailureThreshold < 1 || FailureThreshold > 10) {
    throw refuse("FailureThreshold must be 1 to 10");
  }
  if (!config.IPAddress && !config.FullyQualifiedDomainName) {
    throw refuse("IPAddress or FullyQualifiedDomainName is required");
  }
  if (Type.endsWith("STR_MATCH") && !config.SearchString) throw refuse("SearchString is required");
};

const withDefaults = (config: HealthCheckConfig): HealthCheckConfig =>
  isEndpoint(config)
    ? {
        Port: config.Type?.startsWith("HTTPS") ? 443 : 80,
        RequestInterval: 30,
        FailureThreshold: 3,
        Inverted: false,
        Disabled: false,
        EnableSNI: config.Type?.startsWith("HTTPS") ?? false,
        ...config,
      }
    : { Inverted: false, Disabled: false, ...config };

/** A new check is healthy until there is enough data; a new inverted one therefore unhealthy. */
const checkersOf = (config: HealthCheckConfig, count: number): Checker[] => {
  if (!isEndpoint(config)) return [];
  const regions = config.Regions?.length ? config.Regions : checkerRegions;
  return regions.slice(0, Math.max(1, count)).map((region) => ({
    region,
    healthy: true,
    streak: 0,
    said: "Success: no check has ended yet",
    checkedAt: 0,
  }));
};

/** The first round falls anywhere in the interval: checkers keep to no grid. */
const startChecking = (context: Context, check: CheckState) => {
  if (!isEndpoint(check.config)) return;
  const { timeline, random } = context.surroundings;
  const interval = (check.config.RequestInterval ?? 30) * 1000;
  let busy = false;
  const round = async () => {
    // A round that is still waiting for answers is not joined by the next one.
    if (busy || check.config.Disabled) return;
    busy = true;
    try {
      await Promise.all(check.checkers.map((checker) => checkOnce(context, check, checker)));
    } finally {
      busy = false;
    }
  };
  check.timer = timeline.after(Math.round(random.fraction() * interval), () => {
    check.timer = timeline.every(interval, round);
    return round();
  });
};

const checkOnce = async (context: Context, check: CheckState, checker: Checker): Promise<void> => {
  const { config } = check;
  const name = config.FullyQualifiedDomainName;
  const host = config.IPAddress ?? name ?? "";
  const target = {
    host,
    port: config.Port ?? 80,
    path: config.ResourcePath ?? "/",
    hostHeader: name ?? host,
    checker: checker.region,
  };
  const said = await context.probe(target).then(
    (answer) => judge(config, answer),
    (error: Error) => `Failure: ${error.message}`,
  );
  checker.said = said;
  checker.checkedAt = context.surroundings.timeline.now();
  const passed = said.startsWith("Success");
  checker.streak = passed === checker.healthy ? 0 : checker.streak + 1;
  // The threshold counts both ways: for an endpoint that fails and for one that recovers.
  if (checker.streak < (config.FailureThreshold ?? 3)) return;
  checker.healthy = passed;
  checker.streak = 0;
};

const judge = (
  { SearchString }: HealthCheckConfig,
  { status, body }: { status: number; body: string },
): string => {
  if (status < 200 || status >= 400) return `Failure: HTTP Status Code ${status}`;
  if (!SearchString) return `Success: HTTP Status Code ${status}`;
  const searched = Buffer.from(body).subarray(0, searchLimitBytes).toString("utf8");
  return searched.includes(SearchString)
    ? `Success: HTTP Status Code ${status}. Search string found`
    : "Failure: search string not found in the response body";
};

const observation = (checker: Checker): HealthCheckObservation => ({
  Region: checker.region,
  IPAddress: "15.177.0.1",
  StatusReport: { Status: checker.said, CheckedTime: new Date(checker.checkedAt) },
});

const shown = (check: CheckState): HealthCheck => ({
  Id: check.id,
  CallerReference: check.reference,
  HealthCheckVersion: check.version,
  HealthCheckConfig: check.config,
});

const locationOf = (id: string) => `https://route53.amazonaws.com/2013-04-01/healthcheck/${id}`;

const uuid = (hex: string) => hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
