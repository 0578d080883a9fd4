import type { Config } from "../shared/config.ts";
import { configOf } from "../shared/stage.ts";

/** What a stage is. Nothing else in the stacks asks for its name. */
export interface Stage {
  name: string;
  /** Holds real data: what keeps data or keys can be neither deleted nor left to be deleted. */
  isProduction: boolean;
  /** Begins every name in AWS, so that stages can share an account. */
  prefix: string;
  config: Config;
  /** Where its metrics are: stages may share an account, and have the same regions. */
  metricNamespace: string;
  /** How long the functions' logs are kept. */
  logRetentionDays: number;
  /** How many requests the Slack door takes at once; null where a new account has few to share out. */
  doorConcurrency: number | null;
  /** How many events of alarms are looked into at once; null as above. */
  triageConcurrency: number | null;
  /**
   * How private subnets reach the internet. A gateway in each zone costs as much as a small instance
   * each; one instance for all is a zone that takes the others with it.
   */
  nat: "gateway-per-zone" | "one-instance";
  /** Services of AWS that are reached without the internet, for money: see `network.ts`. */
  endpoints: readonly string[];
  /** An account's registry has one list of what it replicates, so one stage keeps it for all. */
  replicatesImages: boolean;
  /** Evidence that nobody can delete would keep a personal stage from being removed. */
  evidenceLock: "COMPLIANCE" | "GOVERNANCE";
}

/**
 * The longest name in AWS is that of a bucket, which has 63 characters: with the longest name of a region
 * `nightshift-<stage>-evidence-ap-southeast-1-123456789012` leaves a stage just these. And a database's
 * name holds no two hyphens in a row, wherever the stage stands in it. Sources: "General purpose bucket
 * naming rules" of S3, CreateDBInstance in the API reference of RDS.
 */
const longestName = 15;

/** Everything that the name of a stage decides. Throws for a name that AWS would refuse later. */
export const stageOf = (name: string, config: Config): Stage => {
  if (name.length > longestName || !/^[a-z](-?[a-z0-9])*$/.test(name)) {
    throw new Error(
      `--stage ${name}: a stage is named by 1 to ${longestName} small letters and digits, a letter first, ` +
        'with single hyphens between them, as "production".',
    );
  }
  const isProduction = name === "production";
  return {
    name,
    isProduction,
    prefix: `nightshift-${name}`,
    metricNamespace: isProduction ? "Nightshift" : `Nightshift/${name}`,
    logRetentionDays: isProduction ? 90 : 7,
    doorConcurrency: isProduction ? 10 : null,
    triageConcurrency: isProduction ? 5 : null,
    config: configOf(name, config),
    nat: isProduction ? "gateway-per-zone" : "one-instance",
    endpoints: isProduction ? ["secretsmanager", "ecr.api", "ecr.dkr", "logs"] : [],
    replicatesImages: isProduction,
    evidenceLock: isProduction ? "COMPLIANCE" : "GOVERNANCE",
  };
};
