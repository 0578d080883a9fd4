/**
 * What AWS asks for what the stacks make, on demand, in US dollars. Meant for comparing stages and for
 * no surprise on the first bill, not for accounting: discounts, taxes, free tiers and most traffic are
 * left out. List prices of us-east-1, which AWS publishes per service under aws.amazon.com/<service>/
 * pricing, times a factor for the region.
 */
export const pricesFrom = "2026-11, us-east-1";

/** AWS bills by the hour; a month has 730. */
export const hoursPerMonth = 730;

/**
 * How much dearer a region is than us-east-1, over the services used here. An approximation from
 * comparing list prices of EC2, RDS and NAT gateways; other regions count as the dearest of these.
 */
export const regionFactor: Record<string, number> = {
  "us-east-1": 1,
  "us-east-2": 1,
  "us-west-2": 1,
  "eu-west-1": 1.1,
  "eu-west-2": 1.16,
  "eu-west-3": 1.18,
  "eu-central-1": 1.18,
  "ap-northeast-1": 1.28,
  "ap-northeast-2": 1.25,
  "ap-northeast-3": 1.28,
};

export const dearest = Math.max(...Object.values(regionFactor));

/** Per hour. Families double with each size, so one size of each is enough. */
export const instancePerHour: Record<string, number> = {
  "m7g.large": 0.0816,
  "m8g.large": 0.0898,
  "c7g.large": 0.0725,
  "r7g.large": 0.1071,
  "m7i.large": 0.1008,
  "t4g.large": 0.0672,
  "t3.large": 0.0832,
  // RDS for PostgreSQL in one zone; a second zone costs the same again.
  "db.r7g.large": 0.239,
  "db.r8g.large": 0.239,
  "db.m7g.large": 0.168,
  "db.t4g.large": 0.129,
  "cache.r7g.large": 0.219,
  "cache.m7g.large": 0.158,
  "cache.t4g.medium": 0.065,
};

/** Each size in terms of `large`. */
const sizes: Record<string, number> = {
  nano: 1 / 16,
  micro: 1 / 8,
  small: 1 / 4,
  medium: 1 / 2,
  large: 1,
  xlarge: 2,
};

/** Per hour; undefined for a family that the table does not have. */
export const hourlyOf = (type: string): number | undefined => {
  const exact = instancePerHour[type];
  if (exact !== undefined) return exact;
  const [family, size] = split(type);
  const known = Object.keys(instancePerHour).find((each) => split(each)[0] === family);
  if (!known) return undefined;
  const [there, here] = [sizeOf(split(known)[1]), sizeOf(size)];
  const price = instancePerHour[known];
  return price === undefined || there === undefined || here === undefined
    ? undefined
    : (price / there) * here;
};

const split = (type: string): [family: string, size: string] => {
  const at = type.lastIndexOf(".");
  return [type.slice(0, at), type.slice(at + 1)];
};

const sizeOf = (size: string): number | undefined =>
  sizes[size] ?? (/^\d+xlarge$/.test(size) ? 2 * Number.parseInt(size, 10) : undefined);

export const perHour = {
  natGateway: 0.045,
  loadBalancer: 0.0225,
  /** One unit of capacity: 25 new connections a second or 1 GB an hour. */
  loadBalancerUnit: 0.008,
  interfaceEndpointPerZone: 0.01,
  publicAddress: 0.005,
  proxyVcpu: 0.015,
} as const;

export const perMonth = {
  databaseGigabyte: 0.115,
  backupGigabyte: 0.095,
  volumeGigabyte: 0.08,
  key: 1,
  secret: 0.4,
  zone: 0.5,
  /** Of an endpoint in AWS: 0.50, and 1.00 each for HTTPS, for string matching and for 10 seconds. */
  healthCheck: 0.5,
  healthCheckFeature: 1,
  alarm: 0.1,
  compositeAlarm: 0.5,
  dashboard: 3,
  customMetric: 0.3,
  logsGigabyte: 0.5,
} as const;

/** A million requests, and a gigabyte-second on arm64. */
export const lambda = { requestMillion: 0.2, gigabyteSecond: 0.0000133334 } as const;
