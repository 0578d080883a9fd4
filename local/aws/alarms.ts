import type {
  PutCompositeAlarmCommandInput,
  PutMetricAlarmCommandInput,
  StateValue,
} from "@aws-sdk/client-cloudwatch";
import type { Place } from "../network.ts";
import type { Timer } from "../time/timeline.ts";
import { evaluate, extraPeriods } from "./alarm-evaluation.ts";
import { watched } from "./alarm-input.ts";
import { children, parseRule, ruleHolds } from "./alarm-rule.ts";
import { Suppression } from "./alarm-suppression.ts";
import {
  type CompositeWatch,
  configuration,
  eventState,
  type MetricWatch,
  reasonOf,
  type State,
  stamp,
  type Watch,
} from "./alarm-watch.ts";
import type { MetricStore } from "./cloudwatch-metrics.ts";
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

export interface HistoryEntry {
  region: Place;
  watch: Watch;
  at: number;
  summary: string;
  data: string;
}

/** AWS keeps two weeks of it; here a number, which lets a storm be looked at afterwards. */
const kept = 5000;

/**
 * Alarms of all regions. Metric alarms are evaluated every minute (every ten seconds for shorter
 * periods) on one timer per region; composite alarms when one of their children changes.
 */
export class Alarms {
  readonly #surroundings: Surroundings;
  readonly #metrics: MetricStore;
  readonly #emit: Emit;
  readonly #suppressions = new Map<Place, Suppression>();
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
    this.#checkSuppressor(region, input);
    const name = input.AlarmName ?? "";
    this.#forget(region, name);
    const common = this.#common(region, name);
    this.#watches.set(`${region}/${name}`, { kind: "composite", ...common, input, rule });
    this.#settleComposites(region);
  }

  delete(region: Place, names: string[]): void {
    const missing = names.filter((name) => !this.find(region, name));
    if (missing.length > 0) throw noSuchAlarm(missing.join(", "));
    for (const name of names) {
      this.#forget(region, name);
      this.#watches.delete(`${region}/${name}`);
    }
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

  #checkSuppressor(region: Place, input: PutCompositeAlarmCommandInput): void {
    const name = input.ActionsSuppressor;
    if (name === undefined) return;
    if (!this.find(region, name)) throw invalidRule(`ActionsSuppressor ${name} not found`);
    const { ActionsSuppressorWaitPeriod: wait, ActionsSuppressorExtensionPeriod: more } = input;
    if (wait !== undefined && more !== undefined) return;
    throw invalidRule("ActionsSuppressor needs a WaitPeriod and an ExtensionPeriod");
  }

  #forget(region: Place, name: string): void {
    const watch = this.find(region, name);
    if (watch?.kind === "composite") this.#suppressionIn(region).forget(watch);
  }

  #suppressionIn(region: Place): Suppression {
    let found = this.#suppressions.get(region);
    if (!found) {
      found = new Suppression(this.#surroundings, {
        find: (alarm) => this.find(region, alarm),
        set: (watch, suppressedBy) => {
          const { suppressedBy: _, ...state } = watch.state;
          this.#become(watch, { ...state, ...(suppressedBy && { suppressedBy }) });
        },
      });
      this.#suppressions.set(region, found);
    }
    return found;
  }

  #common(region: Place, name: string) {
    const now = this.#surroundings.timeline.now();
    const before = this.find(region, name);
    return {
      region,
      name,
      arn: `arn:aws:cloudwatch:${region}:${this.#surroundings.account}:alarm:${name}`,
      configured: now,
      transitioned: before?.transitioned ?? now,
      // A changed alarm keeps its state until it is evaluated.
      state: before?.state ?? {
        value: "INSUFFICIENT_DATA" as const,
        reason: "Unchecked: Initial alarm creation",
        since: now,
      },
    };
  }

  #metricWatch(region: Place, input: PutMetricAlarmCommandInput): MetricWatch {
    const looks = watched(this.#metrics, region, input);
    return { kind: "metric", ...this.#common(region, input.AlarmName ?? ""), input, ...looks };
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
    const { periodMilliseconds: period, rule, measured } = watch;
    if (!measured) return;
    const points: (number | undefined)[] = [];
    for (let back = rule.evaluationPeriods + extraPeriods; back > 0; back -= 1) {
      points.push(measured.at(boundary - back * period));
    }
    const value = evaluate(points, rule, watch.state.value);
    if (value === watch.state.value) return;
    const data = {
      version: "1.0",
      queryDate: stamp(this.#surroundings.timeline.now()),
      startDate: stamp(boundary - rule.evaluationPeriods * period),
      ...(measured.statistic ? { statistic: measured.statistic } : {}),
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
      if (!changed) break;
    }
    this.#suppressionIn(region).settle(composites);
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
    if (watch.state.value === value) return;
    const suppressedBy =
      watch.kind === "composite" ? this.#suppressionIn(watch.region).begin(watch) : undefined;
    this.#become(watch, {
      value,
      reason,
      ...(reasonData !== undefined && { reasonData }),
      ...(suppressedBy && { suppressedBy }),
    });
  }

  /** A new state, or the same one whose actions are suppressed for another reason, or no longer. */
  #become(watch: Watch, next: Omit<State, "since">): void {
    const before = watch.state;
    const since = this.#surroundings.timeline.now();
    watch.state = { ...next, since };
    if (before.value !== next.value) watch.transitioned = since;
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
      summary: `Alarm updated from ${before.value} to ${next.value}`,
      data: historyData(before, watch.state),
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

/** Source: the example of `describe-alarm-history` in the AWS CLI's reference. */
const historyData = (before: State, after: State): string => {
  const shown = ({ value, reason, reasonData }: State) => ({
    stateValue: value,
    stateReason: reason,
    // What somebody gives to SetAlarmState may be any text.
    ...(reasonData?.startsWith("{") ? { stateReasonData: JSON.parse(reasonData) as unknown } : {}),
  });
  return JSON.stringify({ version: "1.0", oldState: shown(before), newState: shown(after) });
};

const invalidRule = (message: string) => new AwsError("ValidationError", message, { status: 400 });

const noSuchAlarm = (name: string) =>
  new AwsError("ResourceNotFound", `Alarm ${name} does not exist`, { status: 404 });
