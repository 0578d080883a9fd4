import { type Release, release, releaseOf } from "../../deploy/release.ts";
import { fleetOf } from "../../deploy/release-aws.ts";
import { releaseAlarms } from "../../deploy/release-plan.ts";
import { names } from "../../drills/names.ts";
import { frugal, inProcess } from "../../local/aws/transport.ts";
import { internet } from "../../local/network.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { systemWeb } from "../../shared/web.ts";
import { clockOn } from "../clock.ts";
import { config, world } from "../simulation/world.ts";

export const minute = 60_000;
const AutoScalingGroupName = names.group;

/** The platform with alarms as a deployment makes them, all well, and a template of two versions. */
export const stage = async () => {
  const at = await world({ seed: "release" });
  const { home, standby } = at.platform;
  const alarms = releaseAlarms("production");
  const cw = (region: string, operation: string, input: object) =>
    at.cloud.ask("cloudwatch", operation, region, input);
  const deploy = (region: string, digest: string) =>
    at.cloud.ask("ec2", "CreateLaunchTemplateVersion", region, {
      LaunchTemplateName: names.group,
      SourceVersion: "1",
      LaunchTemplateData: {
        TagSpecifications: [
          { ResourceType: "instance", Tags: [{ Key: "nightshift:image", Value: digest }] },
        ],
      },
    });
  for (const { region } of [home, standby]) {
    for (const AlarmName of alarms) {
      await cw(region, "PutMetricAlarm", {
        AlarmName,
        Namespace: "Test",
        MetricName: AlarmName,
        Statistic: "Sum",
        Period: 60,
        EvaluationPeriods: 1,
        Threshold: 1,
        ComparisonOperator: "GreaterThanThreshold",
        TreatMissingData: "notBreaching",
      });
    }
    await deploy(region, "platform@sha256:new");
  }
  await at.timeline.advance(5 * minute);
  return { ...at, ...looksAt(at), alarms, home, standby, ...tools(at), deploy, cw };
};

type World = Awaited<ReturnType<typeof world>>;

const runtimeOf = ({ cloud, timeline, random }: World): Runtime => ({
  environment: { AWS_ACCESS_KEY_ID: "AKIDLOCAL", AWS_SECRET_ACCESS_KEY: "local" },
  clock: clockOn(timeline),
  random,
  web: systemWeb,
  config,
  write: () => undefined,
  aws: ({ answerSeconds }) => ({
    ...frugal,
    requestHandler: inProcess(cloud.endpoint, internet, timeline, {
      requestTimeoutMilliseconds: answerSeconds * 1000,
      trace: `${config.regions.standby}/operators/release`,
    }),
  }),
});

const tools = (at: World) => ({
  /** The command line, with the names that the platform has on the local AWS. */
  release: (line = "") => {
    const lines: string[] = [];
    const control = new AbortController();
    const runtime = runtimeOf(at);
    const made = releaseOf(line.split(" ").filter(Boolean), () => runtime);
    const given: Release = {
      ...made,
      table: at.table,
      fleet: (region) => fleetOf(runtime, region, names.group),
      signal: control.signal,
      tell: (text) => void lines.push(text),
    };
    const ended = release(given);
    return {
      lines,
      stop: () => control.abort(),
      ended: () => at.timeline.run(ended, 5 * 3_600_000),
    };
  },
});

/** What a region's group and its last refresh are, by AWS. */
const looksAt = ({ cloud }: World) => ({
  group: async (region: string) => {
    const answer = (await cloud.ask("auto-scaling", "DescribeAutoScalingGroups", region, {
      AutoScalingGroupNames: [AutoScalingGroupName],
    })) as {
      AutoScalingGroups: [
        {
          LaunchTemplate: { Version: string };
          Instances: { LifecycleState: string; LaunchTemplate: { Version: string } }[];
        },
      ];
    };
    const [found] = answer.AutoScalingGroups;
    return {
      version: found.LaunchTemplate.Version,
      running: found.Instances.filter((one) => one.LifecycleState === "InService").map(
        ({ LaunchTemplate }) => LaunchTemplate.Version,
      ),
    };
  },
  refreshes: async (region: string) => {
    const answer = await cloud.ask("auto-scaling", "DescribeInstanceRefreshes", region, {
      AutoScalingGroupName,
    });
    return (
      answer as { InstanceRefreshes: { Status: string; StartTime: Date; Preferences: object }[] }
    ).InstanceRefreshes;
  },
});
