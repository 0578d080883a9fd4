import type { Job } from "../job.ts";
import { job } from "../job.ts";
import { tableLinks } from "../links.ts";
import type { Platform, Site } from "../platform.ts";
import type { Stage } from "../stage.ts";
import { databaseIds, restoreTest } from "./verification-permissions.ts";

/** Restores a backup apart from production, looks into it, and takes it away again. */
export const verification = (stage: Stage, platform: Platform, site: Site): Job =>
  job(stage, site.region, {
    name: "verification",
    // As long as a function may take: a part of a check is one statement over a large table.
    timeoutSeconds: 900,
    memoryMegabytes: 1024,
    // Longer than a copy may live (`verification.hours`, at most 24): it is taken away by its own run.
    durable: { executionTimeoutHours: 26 },
    // The sweep and both doors tell it once, and look for themselves whether it has begun.
    events: { retries: 2, maximumAgeSeconds: 3600 },
    links: {
      ...tableLinks(platform),
      SlackSecret: { arn: site.secrets.slack.arn },
      Evidence: { bucket: site.evidenceBucket.name, key: site.evidenceKey },
      Verified: {
        prefix: stage.prefix,
        subnetGroup: site.quarantine.subnetGroup.name,
        securityGroup: site.quarantine.securityGroup,
        parameterGroup: site.databaseParameterGroup.name,
        database: platform.database.name,
        databases: databaseIds(platform),
        tls: "verify-full",
        encryptionKeys: site.secrets["encryption-keys"].name,
      },
    },
    may: restoreTest(stage, platform, site),
    vpc: { subnets: site.functionSubnets, securityGroups: [site.quarantine.functionGroup] },
  });
