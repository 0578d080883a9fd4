import type { Job } from "../job.ts";
import { job } from "../job.ts";
import { readSecrets } from "../permissions.ts";
import type { Platform, Site } from "../platform.ts";
import type { Stage } from "../stage.ts";

/** The one way to the database. It is only ever asked, and whoever asks hears of a failure. */
export const database = (stage: Stage, { database: { name, logins } }: Platform, site: Site): Job =>
  job(stage, site.region, {
    name: "database",
    // To count what is in it for the manifest takes longer than all else that it is asked.
    timeoutSeconds: 60,
    links: {
      Database: {
        host: site.databaseHost,
        port: site.databasePort,
        database: name,
        secret: site.secrets.nightshift.name,
        roles: logins,
        tls: "verify-full",
      },
    },
    may: readSecrets("LogIntoTheDatabase", site, [site.secrets.nightshift]),
    vpc: { subnets: site.functionSubnets, securityGroups: [site.functionSecurityGroup] },
  });
