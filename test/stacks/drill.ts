import type { Platform, Site } from "../../drills/platform.ts";
import config from "../../nightshift.config.ts";

const { primary, standby } = config.regions;

const site = (region: string): Site => ({
  region,
  databaseId: `platform-${region}`,
  engineId: "engine",
  host: "host",
  port: 5432,
  databaseSecurityGroup: "sg-database",
  applicationSecurityGroup: "sg-application",
  loadBalancerName: "balancer",
  loadBalancer: "arn",
  targetGroup: "arn",
  certificate: "arn",
  zones: ["a", "b", "c"],
  roleRule: "arn",
});

/** As far as wiring goes: nothing of it exists. */
export const platform: Platform = {
  config,
  home: site(primary),
  standby: site(standby),
  publicUrl: "http://app.example.com",
  zoneId: "Z1",
};
