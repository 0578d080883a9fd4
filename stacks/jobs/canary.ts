import type { Job } from "../job.ts";
import { job } from "../job.ts";
import { measure } from "../permissions.ts";
import type { Platform } from "../platform.ts";
import type { Region } from "../regions.ts";
import type { Stage } from "../stage.ts";

const rolePath = "/.well-known/nightshift/role";

/** Sees the public name and both regions from outside, from each of the three regions. */
export const canary = (
  stage: Stage,
  { home, standby, publicUrl }: Platform,
  region: Region,
): Job => {
  const pair = [home, standby];
  const both = pair.map((site) => site.region.name);
  return job(stage, region, {
    name: "canary",
    timeoutSeconds: 30,
    events: { retries: 0, maximumAgeSeconds: 60 },
    links: {
      Canary: {
        roleUrls: Object.fromEntries(
          pair.map((site) => [site.region.name, `https://${site.regionalName}${rolePath}`]),
        ),
        publicUrl,
        // The witness is heard by both; of the other two nobody but their own region needs them.
        reportTo: region.role === "witness" ? both : [region.name],
      },
    },
    may: [measure("TellWhatItSaw", stage)],
  });
};
