import type { Random } from "../../shared/random.ts";
import type { Network, Place } from "../network.ts";
import type { Timeline } from "../time/timeline.ts";

/** One decoded request of an AWS API. */
export interface Call {
  /** Signing name: `rds`, `elasticloadbalancing`, `monitoring`, `events`, … */
  service: string;
  operation: string;
  /** The region whose endpoint was called (from the SigV4 scope). */
  region: Place;
  /** Where the caller stands: a region, or `internet`. */
  from: Place;
  account: string;
  /** Whose signature it is; absent when nobody signed. */
  accessKeyId?: string;
}

/**
 * One operation: input and output are the SDK's own shapes (`DescribeDBInstancesCommandInput`, …),
 * already decoded. A missing required answer field is a bug; a modelled error is an AwsError.
 */
export type Operation = (input: never, call: Call) => unknown;

/** One service as the endpoint sees it: only the operations in use, any other answers 501. */
export interface Service {
  /** Key into the catalogue of schemas: the name of the client package without `client-`. */
  name: string;
  operations: Record<string, Operation>;
}

/** What every state machine of `local/aws` is made with. */
export interface Surroundings {
  timeline: Timeline;
  random: Random;
  network: Network;
  account: string;
}

/** An error that the service's model knows, by its shape name, e.g. `DBInstanceNotFoundFault`. */
export class AwsError extends Error {
  readonly fields: Record<string, unknown>;
  readonly status: number | undefined;
  constructor(
    shape: string,
    message: string,
    options: { fields?: Record<string, unknown>; status?: number } = {},
  ) {
    super(message);
    this.name = shape;
    this.fields = options.fields ?? {};
    this.status = options.status;
  }
}
