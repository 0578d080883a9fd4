import { describe } from "vitest";
import { moved, movePolicies } from "../../deploy/policies/moves.ts";
import type { Break } from "./breaks.ts";
import { itHolds, like, set, without } from "./breaks.ts";
import { the } from "./recordings.ts";

const name = (pattern: RegExp): string =>
  ({
    "^PostgresInStandby$": "PostgresInStandby",
    "^PostgresInPrimary$": "PostgresInPrimary",
    "^DatabaseBackupsInStandby$": "DatabaseBackupsInStandby",
    "^ApplicationIn": "ApplicationInStandby",
    "^DatabaseGroupIn": "DatabaseGroupInPrimary",
    "^RoleRuleIn": "RoleRuleInPrimary",
    "^PublicNameIn(Primary|Standby)$": "PublicNameInStandby",
    Secret$: "DatabaseSecret",
    SecretValue$: "DatabaseSecretValue",
    SecretRotation$: "DatabaseSecretRotation",
    "^CacheIn": "CacheInPrimary",
    "^FirstLease$": "FirstLease",
  })[pattern.source] ?? pattern.source;

const breaks: Break[] = [
  ...moved.flatMap(({ name: pattern, fields }) =>
    fields.map(
      (field): Break => ({
        what: `that a deployment would put ${field} of ${name(pattern)} back`,
        policy: "neither undoes nor destroys",
        change: (recording) => {
          const resource = the(recording, name(pattern));
          resource.ignoreChanges = resource.ignoreChanges.filter((each) => each !== field);
        },
        says: new RegExp(`${name(pattern)} ${field} would be put back`),
      }),
    ),
  ),
  {
    what: "that the lease's item is made by nobody",
    policy: "neither undoes nor destroys",
    change: without("FirstLease"),
    says: /FirstLease\$\/ is not there/,
  },
  {
    what: "a rule that would open the database to the application again",
    policy: "way into the database",
    change: like("ApplicationToCacheInInPrimary", {
      securityGroupId: "DatabaseGroupInPrimary-id",
      referencedSecurityGroupId: "ApplicationGroupInPrimary-id",
    }),
    says: /AnotherApplicationToCacheInInPrimary a refreshed deployment would open it/,
  },
  {
    what: "a night's minimum that is set by the clock",
    policy: "sized by the clock",
    change: (recording) => {
      like("ScaleOutInPrimary", { minSize: 3, recurrence: "0 5 * * *" })(recording);
      const action = the(recording, "AnotherScaleOutInPrimary");
      Object.assign(action, { type: "aws:autoscaling/schedule:Schedule" });
    },
    says: /^AnotherScaleOutInPrimary would start instances in a region that has lost the lease$/,
  },
  {
    what: "a policy that wants so many instances whatever there are",
    policy: "sized by the clock",
    change: set("ScaleOutInStandby", "adjustmentType", "ExactCapacity"),
    says: /^ScaleOutInStandby does not go by what runs already$/,
  },
];

describe("what happens at night and the next deployment", () => itHolds(movePolicies, breaks));
