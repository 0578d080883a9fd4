import type {
  CompositeAlarm,
  MetricAlarm,
  PutCompositeAlarmCommandInput,
  PutMetricAlarmCommandInput,
  StateValue,
  Statistic,
} from "@aws-sdk/client-cloudwatch";
import type { Place } from "../network.ts";
import type { Timer } from "../time/timeline.ts";
import { breaches, evaluate, extraPeriods, type Threshold } from "./alarm-evaluation.ts";
import { children, parseRule, type Rule, ruleHolds } from "./alarm-rule.ts";
import { type MetricStore, metricKey, statisticOf } from "./cloudwatch-metrics.ts";
import { duration } from "./durations.ts";
import { AwsError, type Surroundings } from "./service.ts";

/** What a service tells EventBridge; the bus adds id, account, region and time. */
export interface ServiceEvent {
  source: string;
  "detail-type": string;
  resources: string[];
  detail: Record<string, unknown>;
}

export type Emit = (region: Place, event: ServiceEvent) => void;

interface State {
  value: StateValue;
  reason: string;
  reasonData?: string;
  since: number;
}

interface Common {
  region: Place;
  name: string;
  arn: string;
  configured: number;
  state: State;
}

export interface MetricWatch extends Common {
  kind: "metric";
  input: PutMetricAlarmCommandInput;
  rule: Threshold;
  key: string;
  statistic: Statistic;
  periodMilliseconds: number;
}

export interface CompositeWatch extends Common {
  kind: "composite";
  input: PutCompositeAlarmCommandInput;
  rule: Rule;
}

export type Watch = MetricWatch | CompositeWatch;

export interface HistoryEntry {
  region: Place;
  watch: Watch;
  at: number;
  summary: string;
  data: string;
}

const kept = 200;

/** CloudWatch writes moments in events as `2026-11-22T03:14:07.000+0000`. */
const stamp = (milliseconds: number): string =>
  new Date(milliseconds).toISOString().replace("Z", "+0000");

const eventState = (state: State) => ({
  value: state.value,
  reason: state.reason,
  ...(state.reasonData !== undefined && { reasonData: state.reasonData }),
  timestamp: stamp(state.since),
});

const configuration = (watch: Watch): Record<string, unknown> => {
  const description = watch.input.AlarmDescription;
  const told = description === undefined ? {} : { description };
  if (watch.kind === "composite") return { ...told, alarmRule: watch.input.AlarmRule };
  const { Namespace, MetricName, Dimensions = [] } = watch.input;
  const dimensions = Object.fromEntries(Dimensions.map(({ Name, Value }) => [Name, Value]));
  const metric = { namespace: Namespace, name: MetricName, dimensions };
  const metricStat = { metric, period: watch.periodMilliseconds / 1000, stat: watch.statistic };
  return { ...told, metrics: [{ id: "m1", metricStat, returnData: true }] };
};

const reasonOf = (
  watch: MetricWatch,
  points: (number | undefined)[],
  value: StateValue,
): string => {
  const { evaluationPeriods, threshold, comparison } = watch.rule;
  const recent = points.filter((point) => point !== undefined).slice(-evaluationPeriods);
  const missing = evaluationPeriods - recent.length;
  if (value === "INSUFFICIENT_DATA")
    return `Insufficient Data: ${missing} datapoints were unknown.`;
  if (recent.length === 0) {
    return (
      `Threshold Crossed: no datapoints were received for ${missing} periods and ` +
      `${missing} missing datapoints were treated as [${watch.rule.treatMissingData}].`
    );
  }
  const breaching = recent.filter((point) => breaches(point, watch.rule)).length;
  const count = value === "ALARM" ? breaching : recent.length - breaching;
  return (
    `Threshold Crossed: ${count} out of the last ${recent.length} datapoints ` +
    `[${recent.join(", ")}] ${value === "ALARM" ? "breached" : "did not breach"} ` +
    `${comparison} ${threshold}.`
  );
};

/**
 * Alarms of all regions. Metric alarms are evaluated every minute (every ten seconds for shorter
 * periods) on one timer per region; composite alarms when one of their children changes.
 */
export class Alarms {
  readonly #surroundings: Surroundings;
  readonly #metrics: MetricStore;
  readonly #emit: Emit;
  readonly #watches = new Map<string, Watch>();
  readonly #timers = new Map<string, Timer>();
  readonly history: HistoryEntry[] = [];

  constructor(surroundings: Surroundings, metrics: MetricStore, emit: Emit) {
    this.#surroundings = surroundings;
    this.#metrics = metrics;
    this.#emit = emit;
  }

  /** By name or ARN. */
  find(region: Place, alarm: string): Watch | undefined {
    const name = alarm.startsWith("arn:") ? alarm.split(":").slice(6).join(":") : alarm;
    return this.#watches.get(`${region}/${name}`);
  }

  in(region: Place): Watch[] {
    return [...this.#watches.values()].filter((watch) => watch.region === region);
  }

  putMetric(region: Place, input: PutMetricAlarmCommandInput): void {
    const watch = this.#metricWatch(region, input);
    this.#watches.set(`${region}/${watch.name}`, watch);
    this.#schedule(region, watch.periodMilliseconds < 60_000 ? 10_000 : 60_000);
  }

  putComposite(region: Place, input: PutCompositeAlarmCommandInput): void {
    const rule = parseRule(input.AlarmRule ?? "");
    if (!rule) throw invalidRule("AlarmRule must not contain invalid syntax");
    const unknown = children(rule).find((child) => !this.find(region, child));
    if (unknown)
      throw invalidRule(`Could not save the composite alarm: alarm ${unknown} not found`);
    if (input.ActionsSuppressor !== undefined) throw notModelled("ActionsSuppressor");
    const name = input.AlarmName ?? "";
    const common = this.#common(region, name);
    this.#watches.set(`${region}/${name}`, { kind: "composite", ...common, input, rule });
    this.#settleComposites(region);
  }

  delete(region: Place, names: string[]): void {
    const missing = names.filter((name) => !this.find(region, name));
    if (missing.length > 0) throw noSuchAlarm(missing.join(", "));
    for (const name of names) this.#watches.delete(`${region}/${name}`);
    if (this.in(region).some((watch) => watch.kind === "metric")) return;
    for (const interval of [10_000, 60_000]) {
      this.#timers.get(`${region}/${interval}`)?.cancel();
      this.#timers.delete(`${region}/${interval}`);
    }
  }

  /** Holds until the next evaluation, as SetAlarmState does. */
  set(region: Place, name: string, value: StateValue, reason: string, reasonData?: string): void {
    const watch = this.find(region, name);
    if (!watch) throw noSuchAlarm(name);
    this.#change(watch, value, reason, reasonData);
    this.#settleComposites(region);
  }

  #common(region: Place, name: string): Common {
    const now = this.#surroundings.timeline.now();
    const before = this.find(region, name)?.state;
    return {
      region,
      name,
      arn: `arn:aws:cloudwatch:${region}:${this.#surroundings.account}:alarm:${name}`,
      configured: now,
      // A changed alarm keeps its state until it is evaluated.
      state: before ?? {
        value: "INSUFFICIENT_DATA",
        reason: "Unchecked: Initial alarm creation",
        since: now,
      },
    };
  }

  #metricWatch(region: Place, input: PutMetricAlarmCommandInput): MetricWatch {
    for (const field of ["Metrics", "ExtendedStatistic", "ThresholdMetricId"] as const) {
      if (input[field] !== undefined) throw notModelled(`an alarm with ${field}`);
    }
    const { AlarmName, ComparisonOperator, EvaluationPeriods, Period, Statistic, Threshold } =
      input;
    const complete = ComparisonOperator && EvaluationPeriods && Period && Statistic;
    if (!AlarmName || !complete || Threshold === undefined) {
      throw new AwsError("MissingParameter", "A required parameter is missing", { status: 400 });
    }
    return {
      kind: "metric",
      ...this.#common(region, AlarmName),
      input,
      rule: {
        comparison: ComparisonOperator,
        threshold: Threshold,
        evaluationPeriods: EvaluationPeriods,
        datapointsToAlarm: input.DatapointsToAlarm ?? EvaluationPeriods,
        treatMissingData: input.TreatMissingData ?? "missing",
      },
      key: metricKey(input.Namespace, input.MetricName, input.Dimensions),
      statistic: Statistic,
      periodMilliseconds: Period * 1000,
    };
  }

  #schedule(region: Place, interval: number): void {
    const key = `${region}/${interval}`;
    if (this.#timers.has(key)) return;
    const { timeline, random } = this.#surroundings;
    const delay = Math.min(duration(random, "cloudwatch.evaluation"), interval / 2);
    const tick = () => {
      // A timer of a scaled timeline may be a little early: the nearest boundary is meant.
      const boundary = Math.round((timeline.now() - delay) / interval) * interval;
      this.#evaluateAll(region, interval, boundary);
    };
    const first = interval - ((timeline.now() - delay) % interval);
    const start = timeline.after(first, () => {
      this.#timers.set(key, timeline.every(interval, tick));
      tick();
    });
    this.#timers.set(key, start);
  }

  #evaluateAll(region: Place, interval: number, boundary: number): void {
    if (this.#surroundings.network.state(region) === "dead") return;
    for (const watch of this.in(region)) {
      if (watch.kind !== "metric" || watch.periodMilliseconds < 60_000 !== interval < 60_000)
        continue;
      this.#evaluateOne(watch, boundary);
    }
    this.#settleComposites(region);
  }

  #evaluateOne(watch: MetricWatch, boundary: number): void {
    const { periodMilliseconds: period, rule, statistic } = watch;
    const points: (number | undefined)[] = [];
    for (let back = rule.evaluationPeriods + extraPeriods; back > 0; back -= 1) {
      const start = boundary - back * period;
      const found = this.#metrics.read(watch.region, watch.key, start, start + period);
      points.push(found && statisticOf(found, statistic));
    }
    const value = evaluate(points, rule, watch.state.value);
    if (value === watch.state.value) return;
    const data = {
      version: "1.0",
      queryDate: stamp(this.#surroundings.timeline.now()),
      startDate: stamp(boundary - rule.evaluationPeriods * period),
      statistic,
      period: period / 1000,
      recentDatapoints: points.filter((point) => point !== undefined),
      threshold: rule.threshold,
    };
    this.#change(watch, value, reasonOf(watch, points, value), JSON.stringify(data));
  }

  /** Composites may stand on composites; AWS allows no cycles, and the rounds here are bounded. */
  #settleComposites(region: Place): void {
    const composites = this.in(region).filter((watch) => watch.kind === "composite");
    for (let round = 0; round <= composites.length; round += 1) {
      let changed = false;
      for (const watch of composites) {
        const stateOf = (alarm: string) =>
          this.find(region, alarm)?.state.value ?? "INSUFFICIENT_DATA";
        const value: StateValue = ruleHolds(watch.rule, stateOf) ? "ALARM" : "OK";
        if (value === watch.state.value) continue;
        this.#changeComposite(watch, value);
        changed = true;
      }
      if (!changed) return;
    }
  }

  #changeComposite(watch: CompositeWatch, value: StateValue): void {
    const triggeringAlarms = children(watch.rule).flatMap((child) => {
      const found = this.find(watch.region, child);
      if (!found) return [];
      const { value: state, since } = found.state;
      return [{ arn: found.arn, state: { value: state, timestamp: stamp(since) } }];
    });
    const reason =
      `${watch.arn} transitioned to ${value}: ` +
      triggeringAlarms.map(({ arn, state }) => `${arn} is ${state.value}`).join(", ");
    this.#change(watch, value, reason, JSON.stringify({ triggeringAlarms }));
  }

  #change(watch: Watch, value: StateValue, reason: string, reasonData?: string): void {
    const before = watch.state;
    if (before.value === value) return;
    const since = this.#surroundings.timeline.now();
    watch.state = { value, reason, since, ...(reasonData !== undefined && { reasonData }) };
    const [state, previousState] = [eventState(watch.state), eventState(before)];
    const detail = {
      alarmName: watch.name,
      state,
      previousState,
      configuration: configuration(watch),
    };
    this.history.push({
      region: watch.region,
      watch,
      at: since,
      summary: `Alarm updated from ${before.value} to ${value}`,
      data: JSON.stringify({ version: "1.0", oldState: before.value, newState: state }),
    });
    if (this.history.length > kept) this.history.shift();
    const type = "CloudWatch Alarm State Change";
    this.#emit(watch.region, {
      source: "aws.cloudwatch",
      "detail-type": type,
      resources: [watch.arn],
      detail,
    });
  }
}

const invalidRule = (message: string) => new AwsError("ValidationError", message, { status: 400 });

const noSuchAlarm = (name: string) =>
  new AwsError("ResourceNotFound", `Alarm ${name} does not exist`, { status: 404 });

const notModelled = (what: string) =>
  new AwsError("NotImplemented", `cloudwatch: ${what} is not modelled`, { status: 501 });

const stateFields = (watch: Watch) => ({
  AlarmName: watch.name,
  AlarmArn: watch.arn,
  ...(watch.input.AlarmDescription !== undefined && {
    AlarmDescription: watch.input.AlarmDescription,
  }),
  AlarmConfigurationUpdatedTimestamp: new Date(watch.configured),
  ActionsEnabled: watch.input.ActionsEnabled ?? true,
  OKActions: watch.input.OKActions ?? [],
  AlarmActions: watch.input.AlarmActions ?? [],
  InsufficientDataActions: watch.input.InsufficientDataActions ?? [],
  StateValue: watch.state.value,
  StateReason: watch.state.reason,
  ...(watch.state.reasonData !== undefined && { StateReasonData: watch.state.reasonData }),
  StateUpdatedTimestamp: new Date(watch.state.since),
  StateTransitionedTimestamp: new Date(watch.state.since),
});

export const describedComposite = (watch: CompositeWatch): CompositeAlarm => ({
  ...stateFields(watch),
  AlarmRule: watch.input.AlarmRule,
});

export const describedMetric = (watch: MetricWatch): MetricAlarm => ({
  ...stateFields(watch),
  MetricName: watch.input.MetricName,
  Namespace: watch.input.Namespace,
  Statistic: watch.statistic,
  Dimensions: watch.input.Dimensions ?? [],
  Period: watch.periodMilliseconds / 1000,
  EvaluationPeriods: watch.rule.evaluationPeriods,
  DatapointsToAlarm: watch.rule.datapointsToAlarm,
  Threshold: watch.rule.threshold,
  ComparisonOperator: watch.rule.comparison,
  TreatMissingData: watch.rule.treatMissingData,
});
