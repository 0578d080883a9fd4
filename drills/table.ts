import { systemClock } from "../shared/clock.ts";
import type { Config } from "../shared/config.ts";
import { type Coordination, coordination } from "../shared/coordination.ts";
import { seededRandom } from "../shared/random.ts";
import { systemWeb } from "../shared/web.ts";
import { names } from "./names.ts";

/** The coordination table for somebody in `region` who is no function: a deployment, an operator. */
export const coordinationFrom = (
  region: string,
  endpoint: string,
  config: Config,
  /** How calls travel when not by a socket, which a busy machine may be too slow for. */
  requestHandler?: object,
): Coordination =>
  coordination({
    ...(requestHandler ? { aws: () => ({ requestHandler }) } : {}),
    environment: {
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: "AKIDLOCAL",
      AWS_SECRET_ACCESS_KEY: "local",
      AWS_ENDPOINT_URL: endpoint,
      SST_RESOURCE_CoordinationTable: JSON.stringify({ name: names.coordination }),
    },
    clock: systemClock,
    random: seededRandom("outside of all functions"),
    web: systemWeb,
    config,
    write: () => undefined,
  });
