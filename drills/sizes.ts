import type { Config } from "../shared/config.ts";

/**
 * The operator's own file, on one machine: instances are processes here, so there are few of them, and
 * resolvers forget sooner. What it is to recover from, and how, stays the operator's.
 */
export const smaller = (config: Config): Config => ({
  ...config,
  domain: { ...config.domain, ttlSeconds: 30 },
  sizes: {
    ...config.sizes,
    application: {
      ...config.sizes.application,
      minimum: 2,
      desired: 3,
      maximum: 8,
      standbyMinimum: 1,
    },
    database: { ...config.sizes.database, backupRetentionDays: 14 },
  },
});
