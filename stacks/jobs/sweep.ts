import { runTag } from "../../shared/copy.ts";
import type { Job } from "../job.ts";
import { job } from "../job.ts";
import { functionLink, tableLinks } from "../links.ts";
import { call, coordinate, journal, measure, readSecrets } from "../permissions.ts";
import type { Platform, Site } from "../platform.ts";
import type { Stage } from "../stage.ts";
import { compareDatabases, copies, databaseIds, rdsOf } from "./verification-permissions.ts";

/**
 * Each hour: takes away what a dead restore test has left, starts the day's, and has the rotations looked
 * after.
 */
export const sweep = (
  stage: Stage,
  platform: Platform,
  site: Site,
  { database, rotation, verification }: Record<"database" | "rotation" | "verification", Job>,
): Job =>
  job(stage, site.region, {
    name: "sweep",
    timeoutSeconds: 300,
    // The next hour tries all of it again.
    events: { retries: 0, maximumAgeSeconds: 3600 },
    links: {
      ...tableLinks(platform),
      DatabaseFunction: functionLink(database),
      RotationFunction: functionLink(rotation),
      SlackSecret: { arn: site.secrets.slack.arn },
      Swept: { prefix: stage.prefix, databases: databaseIds(platform) },
      VerificationFunction: functionLink(verification),
    },
    may: [
      coordinate(platform),
      journal(
        platform,
        "KeepTheJournal",
        [site.region.name],
        ["dynamodb:PutItem", "dynamodb:Query"],
      ),
      call("HaveTheManifestWritten", database),
      call("StartRestoreTests", verification),
      call("LookAfterTheRotations", rotation),
      {
        sid: "SeeWhetherRunsAreAlive",
        actions: ["lambda:ListDurableExecutionsByFunction"],
        resources: [verification.unqualified],
      },
      measure("TellWhatIsLeft", stage),
      ...readSecrets("KnowSlack", site, [site.secrets.slack]),
      {
        // All of the region: what bears our name or mark and is none of ours is reported.
        sid: "LookForCopies",
        actions: ["rds:DescribeDBInstances"],
        resources: [rdsOf(site)("db:*")],
      },
      ...compareDatabases(platform),
      {
        // By name and by mark, as its own code asks for them. Source of the key: "Resource types defined
        // by Amazon RDS", `db`.
        sid: "TakeCopiesAway",
        actions: ["rds:DeleteDBInstance"],
        resources: [copies(stage, site)],
        conditions: { Null: { [`aws:ResourceTag/${runTag}`]: "false" } },
      },
    ],
  });
