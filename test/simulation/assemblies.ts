import { assemble as canary } from "../../functions/canary/handler.ts";
import { assemble as database } from "../../functions/database/handler.ts";
import { assemble as detection } from "../../functions/detection/handler.ts";
import { assemble as failover } from "../../functions/failover/handler.ts";
import { assemble as guard } from "../../functions/guard/handler.ts";
import { assemble as readiness } from "../../functions/readiness/handler.ts";
import { assemble as remediation } from "../../functions/remediation/handler.ts";
import { assemble as retirement } from "../../functions/retirement/handler.ts";
import { assemble as rotation } from "../../functions/rotation/handler.ts";
import { assemble as slack } from "../../functions/slack/handler.ts";
import { assemble as sweep } from "../../functions/sweep/handler.ts";
import { assemble as triage } from "../../functions/triage/handler.ts";
import { assemble as verification } from "../../functions/verification/handler.ts";
import type { Runtime } from "../../shared/runtime.ts";

/** How a handler is put together from the process that it runs in. */
export type Assemble = (runtime: Runtime) => unknown;

/** Of every function that a world may hold, by its entry. */
export const assemblies: Record<string, Assemble> = {
  "functions/canary/handler.ts": canary,
  "functions/database/handler.ts": database,
  "functions/detection/handler.ts": detection,
  "functions/failover/handler.ts": failover,
  "functions/guard/handler.ts": guard,
  "functions/readiness/handler.ts": readiness,
  "functions/remediation/handler.ts": remediation,
  "functions/retirement/handler.ts": retirement,
  "functions/rotation/handler.ts": rotation,
  "functions/slack/handler.ts": slack,
  "functions/sweep/handler.ts": sweep,
  "functions/triage/handler.ts": triage,
  "functions/verification/handler.ts": (runtime) => verification(runtime),
};
