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
  ListMetricsCommandInput,
  ListMetricsCommandOutput,
  MetricDataResult,
  MetricDatum,
  PutCompositeAlarmCommandInput,
  PutMetricAlarmCommandInput,
  PutMetricDataCommandInput,
  SetAlarmStateCommandInput,
} from "@aws-sdk/client-cloudwatch";
import type { Place } from "../network.ts";
import { muteOperations } from "./alarm-mutes.ts";
import { describedComposite, describedMetric, type Watch } from "./alarm-watch.ts";
import { Alarms, type Emit } from "./alarms.ts";
import { type MetricStore, metricStore } from "./cloudwatch-metrics.ts";
import { invalidValue, type Measured, measuredMetric, measuredQueries } from "./metric-queries.ts";
import { pageOf } from "./paging.ts";
import { AwsError, type Call, type Service, type Surroundings } from "./service.ts";

type Answer<T> = Omit<T, "$metadata">;

const badParameter = (message: string): AwsError =>
  new AwsError("InvalidParameterValueException", message, { status: 400 });

/** All that is there of a series, oldest first. Periods begin at multiples of themselves. */
const points = (
  { periodMilliseconds: step, at }: Measured,
  from: Date | undefined,
  to: Date | undefined,
  most: number,
): [start: number, value: number][] => {
  if (!from || !to || from >= to) throw badParameter("StartTime must be before EndTime");
  const first = Math.floor(from.getTime() / step) * step;
  if ((to.getTime() - first) / step > most) throw badParameter(`more than ${most} datapoints`);
  const found: [start: number, value: number][] = [];
  for (let start = first; start < to.getTime(); start += step) {
    const value = at(start);
    if (value !== undefined) found.push([start, value]);
  }
  return found;
};

/** AWS gives at most 1440 points in one answer; so does this. */
const getMetricStatistics =
  (metrics: MetricStore) =>
  (
    input: GetMetricStatisticsCommandInput,
    call: Call,
  ): Answer<GetMetricStatisticsCommandOutput> => {
    const { StartTime: from, EndTime: to, Period } = input;
    const byStart = new Map<number, Record<string, number>>();
    for (const Stat of input.Statistics ?? []) {
      const series = measuredMetric(metrics, call.region, { Metric: input, Period, Stat });
      for (const [start, value] of points(series, from, to, 1440)) {
        byStart.set(start, { ...byStart.get(start), [Stat]: value });
      }
    }
    const Datapoints = [...byStart].map(([start, values]) => ({
      Timestamp: new Date(start),
      ...values,
    }));
    return { Label: input.MetricName, Datapoints };
  };

/** Limits of GetMetricData in the API reference; AWS pages beyond the second, this refuses. */
const mostQueries = 500;
const mostDatapoints = 100_800;

const getMetricData =
  (metrics: MetricStore) =>
  (input: GetMetricDataCommandInput, call: Call): Answer<GetMetricDataCommandOutput> => {
    const queries = input.MetricDataQueries ?? [];
    if (queries.length > mostQueries) throw invalidValue(`more than ${mostQueries} queries`);
    const measured = measuredQueries(metrics, call.region, queries);
    const wanted = queries.filter(({ ReturnData }) => ReturnData ?? true);
    const most = Math.floor(mostDatapoints / Math.max(1, wanted.length));
    const answer = ({ Id = "" }: { Id?: string | undefined }): MetricDataResult[] => {
      const series = measured.get(Id);
      if (!series) return [];
      const found = points(series, input.StartTime, input.EndTime, most);
      // Newest first is what AWS does when it is not told otherwise.
      if (input.ScanBy !== "TimestampAscending") found.reverse();
      return [
        {
          Id,
          Label: series.label,
          Timestamps: found.map(([start]) => new Date(start)),
          Values: found.map(([, value]) => value),
          StatusCode: "Complete",
        },
      ];
    };
    return { MetricDataResults: wanted.flatMap(answer), Messages: [] };
  };

/** On AWS a new metric takes up to 15 minutes to be listed; here it is listed at once. */
const listMetrics =
  (metrics: MetricStore) =>
  (input: ListMetricsCommandInput, call: Call): Answer<ListMetricsCommandOutput> => {
    const found = metrics
      .list(call.region)
      .filter(
        ({ namespace, name, dimensions }) =>
          [undefined, namespace].includes(input.Namespace) &&
          [undefined, name].includes(input.MetricName) &&
          (input.Dimensions ?? []).every((wanted) =>
            dimensions.some(
              ({ Name, Value }) =>
                Name === wanted.Name && (wanted.Value === undefined || Value === wanted.Value),
            ),
          ),
      );
    const page = pageOf(found, input.NextToken, 500);
    const Metrics = page.items.map(({ namespace, name, dimensions }) => ({
      Namespace: namespace,
      MetricName: name,
      Dimensions: dimensions,
    }));
    return { Metrics, ...(page.next ? { NextToken: page.next } : {}) };
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

/** The most in one answer. Source: DescribeAlarmHistory in the API reference. */
const historyPage = 100;

const badValidation = (message: string): AwsError =>
  new AwsError("ValidationError", message, { status: 400 });

const describeAlarmHistory =
  (alarms: Alarms) =>
  (
    input: DescribeAlarmHistoryCommandInput,
    call: Call,
  ): Answer<DescribeAlarmHistoryCommandOutput> => {
    const types = input.AlarmTypes ?? ["MetricAlarm"];
    const { NextToken: token, MaxRecords: most = historyPage } = input;
    if (token !== undefined && !/^\d+$/.test(token)) {
      throw new AwsError("InvalidNextToken", `${token} is not a valid token`, { status: 400 });
    }
    if (most < 1 || most > historyPage) throw badValidation(`MaxRecords ${most} is not 1 to 100`);
    const found = alarms.history.filter(
      ({ region, watch, at }) =>
        region === call.region &&
        types.includes(watch.kind === "metric" ? "MetricAlarm" : "CompositeAlarm") &&
        (input.AlarmName === undefined || input.AlarmName === watch.name) &&
        // Changes of configuration and actions are not kept here.
        [undefined, "StateUpdate"].includes(input.HistoryItemType) &&
        at >= (input.StartDate?.getTime() ?? 0) &&
        at <= (input.EndDate?.getTime() ?? Number.POSITIVE_INFINITY),
    );
    if (input.ScanBy !== "TimestampAscending") found.reverse();
    const page = pageOf(found, token, most);
    return {
      ...(page.next ? { NextToken: page.next } : {}),
      AlarmHistoryItems: page.items.map((entry) => ({
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
      ListMetrics: listMetrics(metrics),
      ...muteOperations(surroundings),
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
  const stateOf = (region: Place, alarm: string) => alarms.find(region, alarm)?.state.value;
  return { service, put, stateOf };
};
