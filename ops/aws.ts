import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { runsOf } from "../functions/slack/aws.ts";
import type { Desk } from "../functions/slack/orders.ts";
import { clientOptions } from "../shared/clients.ts";
import { coordination } from "../shared/coordination.ts";
import type { Fact } from "../shared/outcome.ts";
import { sentence } from "../shared/outcome.ts";
import type { Runtime } from "../shared/runtime.ts";
import type { Names } from "./arguments.ts";

/** Where somebody sits who works without Slack. */
export interface Station extends Desk {
  /** The region that answered first; the table is asked there before it is asked elsewhere. */
  through: string;
  /** The caller's ARN, by AWS. */
  caller: Fact<string>;
}

/** A region that is well answers at once; none is asked twice, since the others are asked as well. */
const first = { attempts: 1, connectSeconds: 2, answerSeconds: 5 };

/** Runs are looked for in both regions, one of which may be silent while somebody waits. */
const brief = { attempts: 2, connectSeconds: 2, answerSeconds: 3 };

export const station = async (runtime: Runtime, names: Names): Promise<Station> => {
  const { clock, config, environment } = runtime;
  const { primary, standby, witness } = config.regions;
  const answered = await firstIdentity(runtime, [standby, primary, witness]);
  const through = "region" in answered ? answered.region : standby;
  const atMilliseconds = clock.now();
  const here: Runtime = {
    ...runtime,
    environment: {
      ...environment,
      AWS_REGION: through,
      SST_RESOURCE_CoordinationTable: JSON.stringify({ name: names.table }),
      SST_RESOURCE_JournalTable: JSON.stringify({ name: names.journal }),
      SST_RESOURCE_FailoverFunction: JSON.stringify({ name: names.function }),
      SST_RESOURCE_VerificationFunction: JSON.stringify({ name: names.verification }),
      SST_RESOURCE_RotationFunction: JSON.stringify({ name: names.rotation }),
    },
  };
  return {
    clock,
    config,
    through,
    caller:
      "region" in answered
        ? { known: true, value: answered.arn, source: "STS", atMilliseconds }
        : { known: false, why: answered.why, source: "STS", atMilliseconds },
    table: coordination(here),
    runs: runsOf(here, brief),
  };
};

/**
 * Asks STS in all regions at once, at their own endpoints: the global one is in us-east-1. The first
 * answer also shows which region to work through, so that a dead one costs no time.
 */
const firstIdentity = async (
  runtime: Runtime,
  regions: string[],
): Promise<{ region: string; arn: string } | { why: string }> => {
  const others = new AbortController();
  const ask = async (region: string) => {
    const client = new STSClient(clientOptions(runtime, region, first));
    const command = new GetCallerIdentityCommand({});
    const { Arn } = await client.send(command, { abortSignal: others.signal });
    if (!Arn) throw new Error(`STS in ${region} named nobody`);
    return { region, arn: Arn };
  };
  try {
    return await Promise.any(regions.map(ask));
  } catch (error) {
    const failures = error instanceof AggregateError ? error.errors : [error];
    return { why: [...new Set(failures.map(sentence))].join("; ") };
  } finally {
    others.abort();
  }
};
