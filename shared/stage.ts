import type { Config } from "./config.ts";

/** The variable that tells a function which stage it belongs to; there is none outside of AWS. */
export const stageVariable = "NIGHTSHIFT_STAGE";

/**
 * The operator's file for a stage. It is bundled into every function as it is, and a personal stage is
 * a small copy under a name of its own: the same parts and the same code, on the smallest machines that
 * run them. So the stacks and the functions have to make the same of it.
 */
export const configOf = (stage: string, config: Config): Config =>
  stage === "production" ? config : personal(stage, config);

const personal = (stage: string, config: Config): Config => {
  const { application, database } = config.sizes;
  const { name, zone, ttlSeconds } = config.domain;
  return {
    ...config,
    // Certificates that are given are for production's name.
    domain: { name: `${stage}.${name}`, zone, ttlSeconds },
    records: { logsToGlacierDays: 30, logsDays: 31, evidenceDays: 1 },
    sizes: {
      application: {
        ...application,
        instanceType: "t4g.small",
        minimum: 1,
        desired: 1,
        maximum: 2,
        standbyMinimum: 0,
        spot: undefined,
        quiet: undefined,
      },
      database: {
        ...database,
        instanceClass: "db.t4g.micro",
        storageGigabytes: 20,
        maximumStorageGigabytes: 30,
        multiAz: false,
        backupRetentionDays: 1,
        readers: 0,
        proxy: false,
      },
      cache: { nodeType: "cache.t4g.micro", nodes: 1 },
    },
  };
};
