import type { DeedName } from "../functions/remediation/actions.ts";
import type { AttemptEnd } from "../shared/incident.ts";
import { check } from "./checks.ts";
import { queryDatabase } from "./evidence.ts";
import { names } from "./names.ts";
import { command } from "./people.ts";
import { forget, membersOf, type Scene, sicken, storm } from "./repairs-scene.ts";
import type { Check } from "./report.ts";

/** What is broken and goes on until it is healed: by Nightshift, or at the end of the story. */
export interface Broken {
  /** What was done to the platform, as a sentence. */
  text: string;
  /** Ends it, as far as nobody has. */
  heal(): Promise<void>;
  /** What this story asks for beyond what is asked of every one. */
  checks(): Check[] | Promise<Check[]>;
}

/** One thing that breaks under load, and what has to come of it. */
export interface RepairStory {
  name: string;
  /** For a row of a table. */
  title: string;
  /** The playbook whose attempt is waited for. */
  playbook: string;
  /** The kind of alarm that is to ring for it. */
  alarm: string;
  /** How that attempt has to end, and the deed that it may take: none where it rightly refuses. */
  expects: { end: AttemptEnd; codes: readonly string[]; deed: DeedName | null };
  /** Nothing is even begun: what people are called with instead, in Slack. */
  calls?: RegExp;
  /** Of the requests of its time so many may fail: what breaks takes some until it is noticed. */
  failingShare: number;
  /** Whether it may be broken while the story before it still proves itself. */
  early?: boolean;
  break(scene: Scene): Promise<Broken>;
}

const sickInstance: RepairStory = {
  name: "sick-instance",
  title: "one sick instance",
  playbook: "unhealthy-host",
  alarm: "unhealthy-hosts",
  expects: { end: "done", codes: ["healed"], deed: "replace-instance" },
  failingShare: 0.1,
  break: async (scene) => {
    const { ids, heal } = await sicken(scene, 1);
    const [sick = ""] = ids;
    return {
      text: `${sick} answers nobody any more, and its group leaves it alone`,
      heal: async () => heal(),
      checks: () => replaced(scene, sick),
    };
  },
};

const replaced = async (scene: Scene, sick: string): Promise<Check[]> => {
  const members = await membersOf(scene);
  const serving = members.filter((each) => each.LifecycleState === "InService");
  const { desired } = scene.world.platform.config.sizes.application;
  const isGone = members.every(({ InstanceId }) => InstanceId !== sick);
  return [
    check(
      "the sick instance is gone and another serves",
      isGone && serving.length >= desired,
      `${desired} in service, without ${sick}`,
      `${serving.length} in service, ${sick} ${isGone ? "gone" : "still there"}`,
    ),
  ];
};

const forgottenSessions = 80;

const forgottenTransactions: RepairStory = {
  name: "idle-transactions",
  title: "forgotten transactions eat the connections",
  playbook: "database-connections",
  alarm: "database-connections",
  expects: { end: "done", codes: ["healed"], deed: "end-sessions" },
  failingShare: 0.05,
  early: true,
  break: async (scene) => {
    const forgotten = await forget(scene, forgottenSessions);
    return {
      text: `${forgottenSessions} sessions of the application begin a transaction and forget it`,
      heal: forgotten.close,
      checks: async () => {
        const { engineId } = scene.world.platform.home;
        const [left] = await queryDatabase<{ used: number; most: number }>(
          scene.world,
          engineId,
          "select count(*)::int as used, current_setting('max_connections')::int as most " +
            "from pg_stat_activity where backend_type = 'client backend'",
        );
        const { used = 0, most = 0 } = left ?? {};
        const ended = forgotten.ended();
        return [
          check(
            "PostgreSQL has room for connections again",
            used > 0 && used < 0.8 * most,
            `fewer than ${0.8 * most} of ${most}`,
            used,
          ),
          check(
            "only as many forgotten transactions were ended as it takes",
            ended > 0 && ended < forgottenSessions,
            `some of ${forgottenSessions}`,
            ended,
          ),
          check(
            "the migration that was silent for as long was spared",
            forgotten.migrationLives(),
            "alive",
            forgotten.migrationLives() ? "alive" : "ended",
          ),
        ];
      },
    };
  },
};

const stormAlarms = 200;

const alarmStorm: RepairStory = {
  name: "alarm-storm",
  title: `a storm of ${stormAlarms} alarms around one sick instance`,
  playbook: "unhealthy-host",
  alarm: "unhealthy-hosts",
  expects: { end: "done", codes: ["healed"], deed: "replace-instance" },
  failingShare: 0.1,
  break: async (scene) => {
    const before = scene.rang.size;
    const { ids, heal } = await sicken(scene, 1);
    const { end } = await storm(scene, stormAlarms);
    const [sick = ""] = ids;
    return {
      text: `${sick} answers nobody any more, and ${stormAlarms} services ring for it in the same minute`,
      heal: async () => {
        end();
        heal();
      },
      checks: async () => {
        const rang = scene.rang.size - before;
        return [
          ...(await replaced(scene, sick)),
          check(`all ${stormAlarms} alarms rang`, rang === stormAlarms, String(stormAlarms), rang),
        ];
      },
    };
  },
};

/** A larger volume takes RDS some minutes, which nobody wants to watch. */
const hurry = 10;

const fillingDisk: RepairStory = {
  name: "filling-disk",
  title: "a filling disk",
  playbook: "database-storage",
  alarm: "database-storage",
  expects: { end: "done", codes: ["healed"], deed: "grow-storage" },
  failingShare: 0.02,
  early: true,
  break: async ({ world }) => {
    const { region, databaseId } = world.platform.home;
    const before = world.platform.config.sizes.database.storageGigabytes;
    world.cloud.databases.strain(region, databaseId, {
      usedPercent: 88,
      growsGigabytesPerHour: 6,
    });
    world.hurryDatabases(hurry);
    return {
      text: `88 of 100 GB are in use, and 6 GB more each hour`,
      heal: async () => {
        world.hurryDatabases(1);
        world.cloud.databases.strain(region, databaseId, { growsGigabytesPerHour: 0 });
      },
      checks: async () => {
        type Described = { DBInstances: { AllocatedStorage: number }[] };
        const { DBInstances } = await world.cloud.ask<Described>(
          "rds",
          "DescribeDBInstances",
          region,
          { DBInstanceIdentifier: databaseId },
        );
        const now = DBInstances[0]?.AllocatedStorage ?? 0;
        const wanted = Math.ceil(before * 1.2);
        const grown = check("the storage has grown once", now === wanted, `${wanted} GB`, now);
        return [grown];
      },
    };
  },
};

const badImage: RepairStory = {
  name: "bad-image",
  title: "a bad image in the middle of a refresh",
  playbook: "bad-deploy",
  alarm: "error-rate",
  expects: { end: "done", codes: ["healed"], deed: "rollback-refresh" },
  failingShare: 0.3,
  break: async (scene) => {
    const { region, world } = scene;
    const old = (await membersOf(scene)).map(({ InstanceId }) => InstanceId);
    const cure = world.cloud.fleet.ail(
      { region, launchTemplate: names.group, templateVersion: 2 },
      { is: "errors" },
    );
    await release(scene);
    return {
      text: "a deploy to version 2 begins; its instances pass their checks and answer users with errors",
      heal: async () => cure(),
      checks: async () => {
        const members = await membersOf(scene);
        const ours = members.filter(({ LaunchTemplate }) => LaunchTemplate?.Version === "1").length;
        const kept = old.filter((id) => members.some(({ InstanceId }) => InstanceId === id)).length;
        return [
          check(
            "the group runs the version before it",
            ours === members.length && ours >= old.length,
            `${old.length} of version 1`,
            `${ours} of ${members.length}, ${kept} of them were never replaced`,
          ),
        ];
      },
    };
  },
};

/** New ones are ready before old ones go, and each is given three minutes: time to notice. */
const release = async ({ world, region }: Scene): Promise<void> => {
  const { cloud } = world;
  await cloud.ask("ec2", "CreateLaunchTemplateVersion", region, {
    LaunchTemplateName: names.group,
    SourceVersion: "1",
    LaunchTemplateData: { InstanceType: "m7g.large" },
  });
  await cloud.ask("auto-scaling", "StartInstanceRefresh", region, {
    AutoScalingGroupName: names.group,
    DesiredConfiguration: {
      LaunchTemplate: { LaunchTemplateName: names.group, Version: "2" },
    },
    Preferences: { MinHealthyPercentage: 100, InstanceWarmup: 180 },
  });
};

/** More than half, so that no host is to blame. */
const manySick = 3;

const fleetWide: RepairStory = {
  name: "most-are-sick",
  title: "most instances sick at once",
  playbook: "unhealthy-host",
  alarm: "unhealthy-hosts",
  expects: { end: "needs-human", codes: ["not-actionable", "fleet-wide"], deed: null },
  // Nobody but people can repair it, so users feel it until the story ends it.
  failingShare: 1,
  break: async (scene) => {
    const { ids, heal } = await sicken(scene, manySick);
    return {
      text: `${ids.length} instances answer nobody any more: no matter of one host`,
      heal: async () => heal(),
      checks: async () => {
        const members = (await membersOf(scene)).map(({ InstanceId }) => InstanceId);
        const left = ids.filter((id) => members.includes(id)).length;
        const untouched = left === ids.length;
        return [check("no instance was ended", untouched, `${ids.length} there`, `${left} there`)];
      },
    };
  },
};

const requester = "U0ANA";

const pausePressed: RepairStory = {
  name: "pause-pressed",
  title: "one sick instance while Nightshift is paused",
  playbook: "unhealthy-host",
  alarm: "unhealthy-hosts",
  expects: { end: "held", codes: ["paused"], deed: null },
  calls: /unhealthy-hosts.*paused/is,
  failingShare: 0.3,
  break: async (scene) => {
    const { world } = scene;
    await command(world, requester, "pause we look at it ourselves");
    const { ids, heal } = await sicken(scene, 1);
    const [sick = ""] = ids;
    return {
      text: `${requester} pauses Nightshift, and ${sick} answers nobody any more`,
      heal: async () => {
        heal();
        await command(world, requester, "resume seen");
      },
      checks: async () => {
        const isThere = (await membersOf(scene)).some(({ InstanceId }) => InstanceId === sick);
        return [
          check(
            "nothing was done while paused",
            isThere,
            `${sick} is there`,
            isThere ? "it is" : "no",
          ),
        ];
      },
    };
  },
};

/** In the order in which they are told. */
export const stories: readonly RepairStory[] = [
  sickInstance,
  forgottenTransactions,
  fillingDisk,
  fleetWide,
  pausePressed,
  alarmStorm,
  badImage,
];
