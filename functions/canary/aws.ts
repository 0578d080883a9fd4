import { CloudWatchClient, PutMetricDataCommand } from "@aws-sdk/client-cloudwatch";
import { type CallBounds, clientOptions, near, perRegion } from "../../shared/clients.ts";
import { metricNamespace } from "../../shared/metrics.ts";
import { sentence } from "../../shared/outcome.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { linked, regionOf } from "../../shared/runtime.ts";
import type { CanaryPorts } from "./canary.ts";
import type { Look } from "./decide.ts";

interface CanaryLink extends Record<string, unknown> {
  /** The role path of each region's load balancer, by region. */
  roleUrls: Record<string, string>;
  publicUrl: string;
  /** Where the verdicts are needed: each region that would take over from one that this one sees. */
  reportTo: string[];
}

/** Another region may be the one that is lost, and the next round tells it again. */
const far: CallBounds = { attempts: 2, connectSeconds: 2, answerSeconds: 3 };

const metricNames = {
  public: "PublicNameServes",
  active: "SomebodyActive",
  region: "RegionReachable",
} as const;

export const canaryPorts = (runtime: Runtime): CanaryPorts => {
  const observer = regionOf(runtime);
  const link = linked<CanaryLink>(runtime, "Canary");
  const client = perRegion(
    (region) =>
      new CloudWatchClient(clientOptions(runtime, region, region === observer ? near : far)),
  );
  const at = async (url: string): Promise<Look> => {
    try {
      const host = new URL(url).hostname;
      const resolver = runtime.config.failover.resolvers[0] ?? "";
      const [address] = await runtime.web.resolve(host, resolver);
      if (!address) return { status: null, body: "", detail: `${host} has no address` };
      const answer = await runtime.web.request({ url, address, timeoutSeconds: 4 });
      return { status: answer.status, body: answer.body.slice(0, 200), detail: "answered" };
    } catch (error) {
      return { status: null, body: "", detail: sentence(error) };
    }
  };
  return {
    observer,
    regions: Object.keys(link.roleUrls),
    lookAtRegion: (region) => at(link.roleUrls[region] ?? ""),
    lookAtPublicName: () => at(new URL("/health/ready", link.publicUrl).href),
    reportTo: link.reportTo,
    report: async (region, told) => {
      const MetricData = told.map(({ subject, verdict }) => ({
        MetricName: metricNames[subject.kind],
        Value: verdict.well ? 1 : 0,
        Timestamp: new Date(runtime.clock.now()),
        Dimensions: [
          ...(subject.kind === "region" ? [{ Name: "Region", Value: subject.region }] : []),
          { Name: "Observer", Value: observer },
        ],
      }));
      const put = new PutMetricDataCommand({ Namespace: metricNamespace(runtime), MetricData });
      await client(region).send(put);
    },
  };
};
