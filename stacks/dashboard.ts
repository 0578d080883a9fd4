import type { Output } from "@pulumi/pulumi";
import type { Alarm, Raised } from "./alarms.ts";
import type { Platform, Site } from "./platform.ts";
import { named } from "./regions.ts";
import type { Stage } from "./stage.ts";

type Metrics = (string | Output<string> | Record<string, string>)[][];

/** One for each region of the pair: is it well, and would a failover work now? */
export const dashboards = (stage: Stage, { home, standby }: Platform, raised: Raised[]): void => {
  for (const site of [home, standby]) {
    const here = raised.find(({ region }) => region === site.region);
    if (!here) throw new Error(`${site.region.name} raises no alarms`);
    new aws.cloudwatch.Dashboard(
      named("Dashboard", site.region),
      {
        // Dashboards belong to the whole account, so the region is part of the name.
        dashboardName: `${stage.prefix}-${site.region.name}`,
        dashboardBody: $jsonStringify({
          periodOverride: "inherit",
          widgets: rows(stage, site, [home, standby], here),
        }),
      },
      { provider: site.region.provider },
    );
  }
};

const rowHeight = 6;

/** Rows from top to bottom by how soon somebody at night wants to see them. */
const rows = (stage: Stage, site: Site, pair: Site[], here: Raised) =>
  [
    [
      status("Would a failover to here work now?", 12, here.takeover),
      status("Is it well for users?", 12, here.application),
    ],
    [
      graph(site, "Readiness (1 is ready) and failing checks", 8, [
        [stage.metricNamespace, "Readiness", "Observer", site.region.name, { stat: "Minimum" }],
        [".", "ReadinessChecksFailing", ".", ".", { stat: "Maximum", yAxis: "right" }],
      ]),
      graph(site, "Regions and the public name, seen from here", 8, seen(stage, site, pair)),
      graph(site, "How far the replica is behind (seconds)", 8, [
        ["AWS/RDS", "ReplicaLag", "DBInstanceIdentifier", site.databaseId, { stat: "Maximum" }],
      ]),
    ],
    users(site),
    machines(site),
    [status("Database and cache", 12, here.data), status("Nightshift itself", 12, here.automation)],
  ].flatMap((row, index) => placed(row, index * rowHeight));

const users = (site: Site) => {
  const of = (name: string, stat: string) => [
    "AWS/ApplicationELB",
    name,
    "LoadBalancer",
    site.balancerSuffix,
    { stat },
  ];
  return [
    graph(site, "Requests a minute", 8, [of("RequestCount", "Sum")]),
    graph(site, "Errors a minute", 8, [
      of("HTTPCode_Target_5XX_Count", "Sum"),
      of("HTTPCode_ELB_5XX_Count", "Sum"),
    ]),
    graph(site, "Seconds until an answer", 8, [
      of("TargetResponseTime", "p50"),
      of("TargetResponseTime", "p95"),
    ]),
  ];
};

const machines = (site: Site) => {
  const group = ["AutoScalingGroupName", site.group];
  return [
    graph(site, "Instances in service", 8, [
      ["AWS/AutoScaling", "GroupInServiceInstances", ...group, { stat: "Minimum" }],
      ["AWS/AutoScaling", "GroupDesiredCapacity", ...group, { stat: "Maximum" }],
    ]),
    graph(site, "CPU and memory of instances (percent)", 8, [
      ["AWS/EC2", "CPUUtilization", ...group, { stat: "Average" }],
      ["CWAgent", "mem_used_percent", ...group, { stat: "Maximum" }],
    ]),
    graph(site, "Database: CPU (percent) and connections", 8, [
      ["AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", site.databaseId, { stat: "Average" }],
      [".", "DatabaseConnections", ".", ".", { stat: "Maximum", yAxis: "right" }],
    ]),
  ];
};

const seen = ({ metricNamespace }: Stage, { region }: Site, pair: Site[]): Metrics => {
  const of = (metric: string, ...more: string[]) => [
    metricNamespace,
    metric,
    ...more,
    "Observer",
    region.name,
    { stat: "Maximum" },
  ];
  return [
    of("PublicNameServes"),
    of("SomebodyActive"),
    ...pair.map((site) => of("RegionReachable", "Region", site.region.name)),
  ];
};

interface Widget {
  type: string;
  width: number;
  properties: Record<string, unknown>;
}

const status = (title: string, width: number, alarms: Alarm[]): Widget => ({
  type: "alarm",
  width,
  properties: { title, alarms: alarms.map(({ arn }) => arn) },
});

const graph = ({ region }: Site, title: string, width: number, metrics: Metrics): Widget => ({
  type: "metric",
  width,
  properties: { title, region: region.name, period: 60, view: "timeSeries", metrics },
});

const placed = (row: Widget[], y: number) => {
  let x = 0;
  return row.map((widget) => {
    const place = { ...widget, x, y, height: rowHeight };
    x += widget.width;
    return place;
  });
};
