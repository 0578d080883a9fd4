import * as z from "zod/mini";
import type { Config } from "./config.ts";
import { type Bound, count, matching, type Problem, shown } from "./config-fields.ts";

const instanceType = matching(/^[a-z][a-z0-9-]*\.[a-z0-9-]+$/, "a type such as m7g.large");
const timeOfDay = matching(/^([01]\d|2[0-3]):[0-5]\d$/, "a time of day in UTC such as 22:00");

/** How many and how large. */
export const sizes = z.strictObject({
  application: z.strictObject({
    instanceType,
    minimum: count(1, 1000),
    desired: count(1, 1000),
    maximum: count(1, 1000),
    /** Instances that the standby region runs while nothing is wrong; 0 is a cold standby. */
    standbyMinimum: count(0, 1000),
    /** Above so many instances on demand the rest is Spot; only on demand when left out. */
    spot: z.optional(
      z.strictObject({
        onDemandBase: count(1, 1000),
        instanceTypes: z.array(instanceType).check(z.minLength(1), z.maxLength(20)),
      }),
    ),
    /** Hours of little traffic, each day in UTC: a smaller minimum while the home region serves. */
    quiet: z.optional(
      z.strictObject({ from: timeOfDay, until: timeOfDay, minimum: count(1, 1000) }),
    ),
  }),
  database: z.strictObject({
    instanceClass: matching(/^db\.[a-z0-9-]+\.[a-z0-9]+$/, "a class such as db.r7g.large"),
    /** RDS for PostgreSQL on gp3: 20 to 65,536 GiB. Source: "Amazon RDS DB instance storage". */
    storageGigabytes: count(20, 65_536),
    /** Storage autoscaling ends here; the same number switches it off. */
    maximumStorageGigabytes: count(20, 65_536),
    multiAz: z.boolean(),
    /** A cross-region replica needs automated backups on its source, so 0 is not offered. */
    backupRetentionDays: count(1, 35),
    /** More readers in the home region; none when left out. */
    readers: z.optional(count(0, 5)),
    /** RDS Proxy in front of the database. */
    proxy: z.optional(z.boolean()),
  }),
  cache: z.strictObject({
    nodeType: matching(/^cache\.[a-z0-9-]+\.[a-z0-9]+$/, "a type such as cache.m7g.large"),
    /** The primary and its replicas: one is no cache that survives a zone. */
    nodes: count(1, 6),
  }),
});

/** What one number says of another. */
export const sizeBounds = ({ sizes: { application, database }, records }: Config): Bound[] => [
  [
    "sizes.application.maximum",
    application.maximum,
    application.minimum,
    Infinity,
    "sizes.application.minimum",
  ],
  [
    "sizes.application.desired",
    application.desired,
    application.minimum,
    Math.max(application.minimum, application.maximum),
    "minimum to maximum",
  ],
  [
    "sizes.application.standbyMinimum",
    application.standbyMinimum,
    0,
    application.desired,
    "at most sizes.application.desired",
  ],
  [
    "sizes.database.maximumStorageGigabytes",
    database.maximumStorageGigabytes,
    database.storageGigabytes,
    Infinity,
    "sizes.database.storageGigabytes",
  ],
  [
    "sizes.application.spot.onDemandBase",
    application.spot?.onDemandBase ?? application.minimum,
    application.minimum,
    application.maximum,
    "sizes.application.minimum to maximum: what has to run is never Spot",
  ],
  [
    "sizes.application.quiet.minimum",
    application.quiet?.minimum ?? application.minimum,
    1,
    application.minimum,
    "at most sizes.application.minimum",
  ],
  [
    "records.logsDays",
    records.logsDays,
    records.logsToGlacierDays + 1,
    Infinity,
    "longer than records.logsToGlacierDays",
  ],
];

/** The same time twice could mean all day as well as never. */
export const quietContradictions = ({ application }: Config["sizes"]): Problem[] => {
  const { quiet } = application;
  if (!quiet || quiet.from !== quiet.until) return [];
  const path = "sizes.application.quiet.until";
  return [{ path, given: shown(quiet.until), allowed: "another time than quiet.from" }];
};
