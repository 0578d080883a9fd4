import type {
  DeleteAlarmsCommandInput,
  DescribeAlarmHistoryCommandInput,
  DescribeAlarmHistoryCommandOutput,
  DescribeAlarmsCommandInput,
  DescribeAlarmsCommandOutput,
  GetMetricDataCommandInput,
  GetMetricDataCommandOutput,
  GetMetricStatisticsCommandInput,
  GetMetricStatisticsCommandOutput,
  MetricDataQuery,
  MetricDataResult,
  MetricDatum,
  PutCompositeAlarmCommandInput,
  PutMetricAlarmCommandInput,
  PutMetricDataCommandInput,
  SetAlarmStateCommandInput,
  Statistic,
} from "@aws-sdk/client-cloudwatch";
import type { Place } from "../network.ts";
import { Alarms, describedComposite, describedMetric, type Emit, type Watch } from "./alarms.ts";
import {
  type Aggregate,
  type MetricStore,
  metricKey,
  metricStore,
  statisticOf,
} from "./cloudwatch-metrics.ts";
import { AwsError, type Call, type Service, type Surroundings } from "./service.ts";

type Answer<T> = Omit<T, "$metadata">;

const statistics = ["Average", "Sum", "Minimum", "Maximum", "SampleCount"] as const;

const isStatistic = (name: string | undefined): name is Statistic =>
  statistics.some((known) => known === name);

const badParameter = (message: string): AwsError =>
  new AwsError("InvalidParameterValueException", message, { status: 400 });

interface Bucket {
  at: number;
  aggregate: Aggregate;
}

/** AWS gives at most 1440 points in one answer; so does this. */
const series = (
  metrics: MetricStore,
  region: Place,
  key: string,
  period: number | undefined,
  from: Date | undefined,
  to: Date | undefined,
): Bucket[] => {
  if (!period || !from || !to || from >= to) {
    throw badParameter("StartTime must be before EndTime, and Period is required");
  }
  const step = period * 1000;
  const start = Math.floor(from.getTime() / step) * step;
  if ((to.getTime() - start) / step > 1440) throw badParameter("more than 1440 datapoints");
  const found: Bucket[] = [];
  for (let at = start; at < to.getTime(); at += step) {
    const aggregate = metrics.read(region, key, at, at + step);
    if (aggregate) found.push({ at, aggregate });
  }
  return found;
};

const getMetricStatistics =
  (metrics: MetricStore) =>
  (
    input: GetMetricStatisticsCommandInput,
    call: Call,
  ): Answer<GetMetricStatisticsCommandOutput> => {
    const key = metricKey(input.Namespace, input.MetricName, input.Dimensions);
    const found = series(metrics, call.region, key, input.Period, input.StartTime, input.EndTime);
    const asked = (input.Statistics ?? []).filter(isStatistic);
    return {
      Label: input.MetricName,
      Datapoints: found.map(({ at, aggregate }) => ({
        Timestamp: new Date(at),
        ...Object.fromEntries(asked.map((name) => [name, statisticOf(aggregate, name)])),
      })),
    };
  };

const getMetricData =
  (metrics: MetricStore) =>
  (input: GetMetricDataCommandInput, call: Call): Answer<GetMetricDataCommandOutput> => {
    const answer = (query: MetricDataQuery): MetricDataResult => {
      const stat = query.MetricStat;
      if (!stat || !isStatistic(stat.Stat)) {
        throw new AwsError("NotImplemented", "cloudwatch: metric math is not modelled", {
          status: 501,
        });
      }
      const { Namespace, MetricName, Dimensions } = stat.Metric ?? {};
      const key = metricKey(Namespace, MetricName, Dimensions);
      const found = series(metrics, call.region, key, stat.Period, input.StartTime, input.EndTime);
      // Newest first is what AWS does when it is not told otherwise.
      if (input.ScanBy !== "TimestampAscending") found.reverse();
      const name = stat.Stat;
      return {
        Id: query.Id,
        Label: query.Label ?? MetricName,
        Timestamps: found.map(({ at }) => new Date(at)),
        Values: found.map(({ aggregate }) => statisticOf(aggregate, name)),
        StatusCode: "Complete",
      };
    };
    return { MetricDataResults: (input.MetricDataQueries ?? []).map(answer), Messages: [] };
  };

const describeAlarms =
  (alarms: Alarms) =>
  (input: DescribeAlarmsCommandInput, call: Call): Answer<DescribeAlarmsCommandOutput> => {
    // Without AlarmTypes AWS answers with metric alarms only.
    const types = input.AlarmTypes ?? ["MetricAlarm"];
    const wanted = (watch: Watch): boolean =>
      types.includes(watch.kind === "metric" ? "MetricAlarm" : "CompositeAlarm") &&
      (input.AlarmNames === undefined || input.AlarmNames.includes(watch.name)) &&
      watch.name.startsWith(input.AlarmNamePrefix ?? "") &&
      (input.StateValue === undefined || input.StateValue === watch.state.value);
    const found = alarms
      .in(call.region)
      .filter(wanted)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    const from = Number(input.NextToken ?? 0);
    const to = from + (input.MaxRecords ?? 50);
    const shown = found.slice(from, to);
    return {
      MetricAlarms: shown.flatMap((watch) =>
        watch.kind === "metric" ? [describedMetric(watch)] : [],
      ),
      CompositeAlarms: shown.flatMap((watch) =>
        watch.kind === "composite" ? [describedComposite(watch)] : [],
      ),
      ...(to < found.length && { NextToken: String(to) }),
    };
  };

const describeAlarmHistory =
  (alarms: Alarms) =>
  (
    input: DescribeAlarmHistoryCommandInput,
    call: Call,
  ): Answer<DescribeAlarmHistoryCommandOutput> => {
    const types = input.AlarmTypes ?? ["MetricAlarm"];
    const found = alarms.history.filter(
      ({ region, watch, at }) =>
        region === call.region &&
        types.includes(watch.kind === "metric" ? "MetricAlarm" : "CompositeAlarm") &&
        (input.AlarmName === undefined || input.AlarmName === watch.name) &&
        at >= (input.StartDate?.getTime() ?? 0) &&
        at <= (input.EndDate?.getTime() ?? Number.POSITIVE_INFINITY),
    );
    if (input.ScanBy !== "TimestampAscending") found.reverse();
    return {
      AlarmHistoryItems: found.slice(0, input.MaxRecords ?? 100).map((entry) => ({
        AlarmName: entry.watch.name,
        AlarmType: entry.watch.kind === "metric" ? "MetricAlarm" : "CompositeAlarm",
        Timestamp: new Date(entry.at),
        HistoryItemType: "StateUpdate",
        HistorySummary: entry.summary,
        HistoryData: entry.data,
      })),
    };
  };

/** CloudWatch metrics and alarms; a change of state of an alarm goes to `emit`. */
export const cloudwatch = (surroundings: Surroundings, ports: { emit: Emit }) => {
  const metrics = metricStore();
  const alarms = new Alarms(surroundings, metrics, ports.emit);
  /** For metrics that AWS's own services publish, e.g. `AWS/ApplicationELB`. */
  const put = (region: Place, namespace: string, data: MetricDatum[]): void => {
    for (const datum of data) metrics.put(region, namespace, datum, surroundings.timeline.now());
  };
  const service: Service = {
    name: "cloudwatch",
    operations: {
      DeleteAlarms: (input: DeleteAlarmsCommandInput, call: Call) => {
        alarms.delete(call.region, input.AlarmNames ?? []);
        return {};
      },
      DescribeAlarmHistory: describeAlarmHistory(alarms),
      DescribeAlarms: describeAlarms(alarms),
      GetMetricData: getMetricData(metrics),
      GetMetricStatistics: getMetricStatistics(metrics),
      PutCompositeAlarm: (input: PutCompositeAlarmCommandInput, call: Call) => {
        alarms.putComposite(call.region, input);
        return {};
      },
      PutMetricAlarm: (input: PutMetricAlarmCommandInput, call: Call) => {
        alarms.putMetric(call.region, input);
        return {};
      },
      PutMetricData: (input: PutMetricDataCommandInput, call: Call) => {
        if (!input.Namespace) throw badParameter("The parameter Namespace is required.");
        if (input.Namespace.startsWith("AWS/")) {
          throw badParameter("The value AWS/ for parameter Namespace is invalid.");
        }
        put(call.region, input.Namespace, input.MetricData ?? []);
        return {};
      },
      SetAlarmState: (input: SetAlarmStateCommandInput, call: Call) => {
        const { AlarmName = "", StateValue: value = "OK", StateReason = "" } = input;
        alarms.set(call.region, AlarmName, value, StateReason, input.StateReasonData);
        return {};
      },
    },
  };
  return { service, put };
};
