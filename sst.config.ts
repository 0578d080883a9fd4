/// <reference path="./.sst/platform/config.d.ts" />

/** One `npx sst deploy --stage production` brings up the platform and Nightshift in all regions. */
export default $config({
  app: async ({ stage: name }) => {
    const { default: config } = await import("./nightshift.config.ts");
    const { stageOf } = await import("./stacks/stage.ts");
    const stage = stageOf(name, config);
    return {
      name: "nightshift",
      home: "aws",
      removal: stage.isProduction ? "retain" : "remove",
      protect: stage.isProduction,
      providers: {
        aws: { version: "7.20.0", region: stage.config.regions.primary as aws.Region },
        // The version that SST's own components are made with.
        random: "4.16.6",
      },
    };
  },
  run: async () => {
    const { default: config } = await import("./nightshift.config.ts");
    const { stageOf } = await import("./stacks/stage.ts");
    const { regionsOf } = await import("./stacks/regions.ts");
    const { zoneOf } = await import("./stacks/dns.ts");
    const { platform: build } = await import("./stacks/build.ts");
    const { automation } = await import("./stacks/automation.ts");
    const { alarms } = await import("./stacks/alarms.ts");
    const { dashboards } = await import("./stacks/dashboard.ts");
    const { operators } = await import("./stacks/operators.ts");
    const stage = stageOf($app.stage, config);
    const regions = regionsOf(stage);
    const zoneId = await zoneOf(stage, regions);
    const platform = build(stage, regions, zoneId);
    const nightshift = automation(stage, regions, platform);
    const raised = alarms(stage, regions, platform, nightshift);
    dashboards(stage, platform, raised);
    return {
      slack: nightshift.doors.standby.url,
      slackSecond: nightshift.doors.home.url,
      operatorPolicy: operators(stage, platform, nightshift),
      repositories: [platform.home.repository.name, platform.standby.repository.name],
    };
  },
});
