import { clockwork } from "./clockwork.ts";
import type { Job } from "./job.ts";
import { canary } from "./jobs/canary.ts";
import { database } from "./jobs/database.ts";
import { detection } from "./jobs/detection.ts";
import { failover } from "./jobs/failover.ts";
import { guard } from "./jobs/guard.ts";
import { readiness } from "./jobs/readiness.ts";
import { remediation } from "./jobs/remediation.ts";
import { retirement } from "./jobs/retirement.ts";
import type { Rotation } from "./jobs/rotation.ts";
import { rotation } from "./jobs/rotation.ts";
import { slack } from "./jobs/slack.ts";
import { sweep } from "./jobs/sweep.ts";
import { triage } from "./jobs/triage.ts";
import { verification } from "./jobs/verification.ts";
import type { Watch } from "./observers.ts";
import { watchOf } from "./observers.ts";
import type { Platform, Site } from "./platform.ts";
import type { Regions } from "./regions.ts";
import type { Beat } from "./schedules.ts";
import { schedules } from "./schedules.ts";
import { rotated } from "./secret-rotation.ts";
import type { Stage } from "./stage.ts";
import { anyAlarm, regionLost } from "./triggers.ts";

/** What Nightshift is, as alarms, dashboards and the operator need it. */
export interface Automation {
  jobs: Job[];
  /** By the region that would take over: what it watches of the other one. */
  watches: Record<string, Watch>;
  /** Where Slack sends requests: the standby region's door first, which no loss of home closes. */
  doors: { standby: Job; home: Job };
  /** What operators start and wake without Slack, what they only wake, and what they only start. */
  failovers: Job[];
  repairs: Job[];
  restoreTests: Job[];
  rotations: Job[];
}

/** Every function in the regions where it must run, and what sets it off. */
export const automation = (stage: Stage, regions: Regions, platform: Platform): Automation => {
  const { home, standby } = platform;
  const databases = both(platform, (site) => database(stage, platform, site));
  const guards = both(platform, (site) => guard(stage, platform, site, databases.of(site)));
  const failovers = both(platform, (site, other) =>
    failover(stage, platform, site, {
      database: databases.of(site),
      databaseThere: databases.of(other),
      guards: guards.all,
    }),
  );
  const watches = both(platform, (site, other) =>
    watchOf(stage, other.region, [site.region, regions.witness]),
  );
  const detections = both(platform, (site) =>
    detection(stage, platform, site, { watch: watches.of(site), failover: failovers.of(site) }),
  );
  const looks = both(platform, (site) => readiness(stage, platform, site, databases.of(site)));
  const repairs = both(platform, (site) => remediation(stage, platform, site, databases.of(site)));
  const { retirements, rotations } = rotationsOf(stage, platform, databases);
  const triages = both(platform, (site) => triage(stage, platform, site, repairs.of(site)));
  const { verifications, sweeps } = restoreTests(stage, platform, databases, rotations);
  const directed = {
    failovers: failovers.all,
    repairs: repairs.all,
    restoreTests: verifications.all,
    rotations: rotations.all.map((each) => each.rotation),
  };
  const doors = both(platform, (site) => slack(stage, platform, site, directed));
  const canaries = [home.region, standby.region, regions.witness].map((region) =>
    canary(stage, platform, region),
  );
  const jobs = [
    databases,
    guards,
    failovers,
    detections,
    looks,
    repairs,
    triages,
    doors,
    retirements,
    verifications,
    sweeps,
  ]
    .flatMap(({ all }) => all)
    .concat(directed.rotations)
    .concat(canaries);
  for (const region of Object.values(regions)) {
    schedules(stage, region, beatsOf(jobs.filter((each) => each.region === region)));
  }
  for (const site of [home, standby]) {
    regionLost(stage, watches.of(site), detections.of(site));
    anyAlarm(stage, triages.of(site));
  }
  return {
    jobs,
    watches: {
      [home.region.name]: watches.of(home),
      [standby.region.name]: watches.of(standby),
    },
    doors: { standby: doors.of(standby), home: doors.of(home) },
    ...directed,
  };
};

const rotationsOf = (stage: Stage, platform: Platform, databases: Both<Job>) => {
  const retirements = both(platform, (site) => retirement(stage, platform, site, databases.all));
  const rotations = both(platform, (site) =>
    rotation(stage, platform, site, {
      database: databases.of(site),
      retirement: retirements.of(site),
    }),
  );
  rotated(stage, platform, rotations.of(platform.home));
  return { retirements, rotations };
};

const restoreTests = (
  stage: Stage,
  platform: Platform,
  databases: Both<Job>,
  rotations: Both<Rotation>,
) => {
  const verifications = both(platform, (site) => verification(stage, platform, site));
  const sweeps = both(platform, (site) =>
    sweep(stage, platform, site, {
      database: databases.of(site),
      rotation: rotations.of(site).rotation,
      verification: verifications.of(site),
    }),
  );
  return { verifications, sweeps };
};

const beatsOf = (jobs: Job[]): Beat[] =>
  jobs.flatMap((job) => {
    const beat = clockwork[job.job];
    return beat ? [{ job, ...beat }] : [];
  });

interface Both<T> {
  all: T[];
  of(site: Site): T;
}

/** One for each region of the pair. */
const both = <T>({ home, standby }: Platform, make: (site: Site, other: Site) => T): Both<T> => {
  const made = { home: make(home, standby), standby: make(standby, home) };
  return {
    all: [made.home, made.standby],
    of: (site: Site): T => (site === home ? made.home : made.standby),
  };
};
