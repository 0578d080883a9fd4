import type {
  AlarmMuteRuleStatus,
  DeleteAlarmMuteRuleCommandInput,
  GetAlarmMuteRuleCommandInput,
  GetAlarmMuteRuleCommandOutput,
  ListAlarmMuteRulesCommandInput,
  ListAlarmMuteRulesCommandOutput,
  PutAlarmMuteRuleCommandInput,
} from "@aws-sdk/client-cloudwatch";
import type { Place } from "../network.ts";
import { invalidValue } from "./metric-queries.ts";
import { pageOf } from "./paging.ts";
import { type Next, readSchedule } from "./schedule-expression.ts";
import { AwsError, type Call, type Surroundings } from "./service.ts";

interface Mute {
  arn: string;
  input: PutAlarmMuteRuleCommandInput;
  next: Next;
  lastsMilliseconds: number;
  updatedAt: number;
}

const mostAlarms = 100;
const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];
const longestMilliseconds = 15 * day;

/** `PT4H`, `P1DT30M`: between one minute and 15 days. Source: API reference of Schedule. */
const readDuration = (text: string | undefined): number => {
  const [, days = 0, hours = 0, minutes = 0] =
    /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?$/.exec(text ?? "") ?? [];
  const milliseconds = Number(days) * day + Number(hours) * hour + Number(minutes) * minute;
  if (milliseconds >= minute && milliseconds <= longestMilliseconds) return milliseconds;
  throw invalidValue("Duration must be between 1 minute and 15 days.");
};

/** `at(2026-11-22T03:00)` or `cron(0 2 * * SUN)`, which has neither seconds nor a year here. */
const readExpression = (text: string, now: number): Next => {
  const whole = text
    .replace(/^at\((\S{16})\)$/, "at($1:00)")
    .replace(/^cron\(((?:\S+ ){4}\S+)\)$/, "cron($1 *)");
  const next = /^(?:at|cron)\(/.test(whole) ? readSchedule(whole, now) : undefined;
  if (next) return next;
  throw invalidValue(`${text} is no valid schedule.`);
};

/**
 * Mute rules. A muted alarm goes on being evaluated, and only its configured actions are muted: that its
 * events still reach EventBridge is the assumption here, AWS does not say so. Zones other than UTC are
 * not modelled. Source: API reference of PutAlarmMuteRule.
 */
export const muteOperations = ({ timeline, account }: Surroundings) => {
  const mutes = new Map<string, Mute>();
  const key = (region: Place, name: string | undefined) => `${region}/${name}`;
  const existing = (region: Place, name: string | undefined): Mute => {
    const found = mutes.get(key(region, name));
    if (found) return found;
    const message = `Alarm mute rule ${name} does not exist`;
    throw new AwsError("ResourceNotFoundException", message, { status: 404 });
  };
  return {
    PutAlarmMuteRule: (input: PutAlarmMuteRuleCommandInput, { region }: Call) => {
      const schedule = input.Rule?.Schedule;
      if ((schedule?.Timezone ?? "UTC") !== "UTC") {
        const message = "cloudwatch: a mute rule in another zone than UTC is not modelled";
        throw new AwsError("NotImplemented", message, { status: 501 });
      }
      if ((input.MuteTargets?.AlarmNames?.length ?? 0) > mostAlarms) {
        throw invalidValue(`A mute rule can target up to ${mostAlarms} alarms.`);
      }
      mutes.set(key(region, input.Name), {
        arn: `arn:aws:cloudwatch:${region}:${account}:alarm-mute-rule:${input.Name}`,
        input,
        next: readExpression(schedule?.Expression ?? "", timeline.now()),
        lastsMilliseconds: readDuration(schedule?.Duration),
        updatedAt: timeline.now(),
      });
      return {};
    },
    GetAlarmMuteRule: (
      input: GetAlarmMuteRuleCommandInput,
      { region }: Call,
    ): Omit<GetAlarmMuteRuleCommandOutput, "$metadata"> => {
      const mute = existing(region, input.AlarmMuteRuleName);
      const { Name, Description, Rule, MuteTargets, StartDate, ExpireDate } = mute.input;
      const told = { Name, Description, Rule, MuteTargets, StartDate, ExpireDate };
      return { ...told, ...summary(mute, timeline.now()) };
    },
    ListAlarmMuteRules: (
      input: ListAlarmMuteRulesCommandInput,
      { region }: Call,
    ): Omit<ListAlarmMuteRulesCommandOutput, "$metadata"> => {
      const now = timeline.now();
      const found = [...mutes]
        .filter(([name]) => name.startsWith(`${region}/`))
        .map(([, mute]) => mute)
        .filter(
          (mute) =>
            (input.AlarmName === undefined ||
              mute.input.MuteTargets?.AlarmNames?.includes(input.AlarmName)) &&
            (!input.Statuses?.length || input.Statuses.includes(statusOf(mute, now))),
        );
      const page = pageOf(found, input.NextToken, input.MaxRecords ?? 50);
      const AlarmMuteRuleSummaries = page.items.map((mute) => summary(mute, now));
      return { AlarmMuteRuleSummaries, ...(page.next ? { NextToken: page.next } : {}) };
    },
    DeleteAlarmMuteRule: (input: DeleteAlarmMuteRuleCommandInput, { region }: Call) => {
      mutes.delete(key(region, input.AlarmMuteRuleName));
      return {};
    },
  };
};

const summary = (mute: Mute, now: number) => ({
  AlarmMuteRuleArn: mute.arn,
  ...(mute.input.ExpireDate ? { ExpireDate: mute.input.ExpireDate } : {}),
  Status: statusOf(mute, now),
  LastUpdatedTimestamp: new Date(mute.updatedAt),
});

const statusOf = ({ input, next, lastsMilliseconds }: Mute, now: number): AlarmMuteRuleStatus => {
  const expires = input.ExpireDate?.getTime() ?? Number.POSITIVE_INFINITY;
  if (now >= expires) return "EXPIRED";
  const began = next(Math.max(now - lastsMilliseconds, (input.StartDate?.getTime() ?? 0) - 1));
  if (began !== undefined && began <= now) return "ACTIVE";
  return next(now) === undefined ? "EXPIRED" : "SCHEDULED";
};
