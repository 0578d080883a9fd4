import type {
  CreateScheduleCommandInput,
  CreateScheduleCommandOutput,
  DeleteScheduleCommandInput,
  DeleteScheduleCommandOutput,
  GetScheduleCommandInput,
  GetScheduleCommandOutput,
  ListSchedulesCommandInput,
  ListSchedulesCommandOutput,
  UpdateScheduleCommandInput,
  UpdateScheduleCommandOutput,
} from "@aws-sdk/client-scheduler";
import type { Place } from "../network.ts";
import type { Timer } from "../time/timeline.ts";
import { type DeliveryFaults, defaultRetries, deliverer, unreachable } from "./delivery.ts";
import { duration } from "./durations.ts";
import type { Invoke } from "./eventbridge.ts";
import { type Next, readSchedule } from "./schedule-expression.ts";
import { AwsError, type Call, type Service, type Surroundings } from "./service.ts";

type Answer<T> = Omit<T, "$metadata">;

interface Schedule {
  name: string;
  group: string;
  region: Place;
  arn: string;
  input: CreateScheduleCommandInput;
  next: Next;
  created: number;
  modified: number;
  timer: Timer | undefined;
}

const invalid = (message: string): AwsError =>
  new AwsError("ValidationException", message, { status: 400, fields: { Message: message } });

const notFound = (name: string): AwsError => {
  const message = `Schedule ${name} does not exist.`;
  return new AwsError("ResourceNotFoundException", message, {
    status: 404,
    fields: { Message: message },
  });
};

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
};

/**
 * The target's Input with its context attributes filled in; without Input a plain event.
 * https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
 */
const eventOf = (schedule: Schedule, due: number, execution: string, account: string): unknown => {
  const time = `${new Date(due).toISOString().slice(0, 19)}Z`;
  const input = schedule.input.Target?.Input;
  if (input !== undefined) {
    const filled = input
      .replaceAll("<aws.scheduler.schedule-arn>", schedule.arn)
      .replaceAll("<aws.scheduler.scheduled-time>", time)
      .replaceAll("<aws.scheduler.execution-id>", execution);
    return JSON.parse(filled);
  }
  return {
    version: "0",
    id: execution,
    "detail-type": "Scheduled Event",
    source: "aws.scheduler",
    account,
    time,
    region: schedule.region,
    resources: [schedule.arn],
    detail: "{}",
  };
};

/** EventBridge Scheduler, in UTC. A recurring schedule of a dead region misses its turns. */
class Schedules {
  readonly #surroundings: Surroundings;
  readonly #invoke: Invoke;
  readonly #schedules = new Map<string, Schedule>();
  readonly delivery: ReturnType<typeof deliverer>;

  constructor(surroundings: Surroundings, invoke: Invoke) {
    this.#surroundings = surroundings;
    this.#invoke = invoke;
    this.delivery = deliverer(surroundings);
  }

  find(region: Place, group: string | undefined, name: string | undefined): Schedule | undefined {
    return this.#schedules.get(`${region}/${group ?? "default"}/${name}`);
  }

  in(region: Place): Schedule[] {
    return [...this.#schedules.values()].filter((schedule) => schedule.region === region);
  }

  put(input: CreateScheduleCommandInput, call: Call, before: Schedule | undefined): Schedule {
    const { Name: name = "", GroupName: group = "default", ScheduleExpression = "" } = input;
    const now = this.#surroundings.timeline.now();
    const start = Math.max(input.StartDate?.getTime() ?? now, now);
    const next = readSchedule(ScheduleExpression, start);
    if (!next) throw invalid(`Invalid Schedule Expression ${ScheduleExpression}.`);
    if ((input.ScheduleExpressionTimezone ?? "UTC") !== "UTC") {
      throw new AwsError("NotImplemented", "scheduler: only UTC is modelled", { status: 501 });
    }
    if (!input.Target?.Arn?.startsWith("arn:aws:lambda:")) {
      throw new AwsError("NotImplemented", "scheduler: only Lambda targets are modelled", {
        status: 501,
      });
    }
    if (input.Target.Input !== undefined && !isJson(input.Target.Input)) {
      throw invalid("Input is not valid JSON, which a Lambda target needs.");
    }
    before?.timer?.cancel();
    const schedule: Schedule = {
      name,
      group,
      region: call.region,
      arn: `arn:aws:scheduler:${call.region}:${call.account}:schedule/${group}/${name}`,
      input,
      next,
      created: before?.created ?? now,
      modified: now,
      timer: undefined,
    };
    this.#schedules.set(`${call.region}/${group}/${name}`, schedule);
    if (input.State !== "DISABLED") this.#plan(schedule, now);
    return schedule;
  }

  delete(schedule: Schedule): void {
    schedule.timer?.cancel();
    this.#schedules.delete(`${schedule.region}/${schedule.group}/${schedule.name}`);
  }

  #plan(schedule: Schedule, after: number): void {
    const { timeline } = this.#surroundings;
    const due = schedule.next(Math.max(after, (schedule.input.StartDate?.getTime() ?? 0) - 1));
    const end = schedule.input.EndDate?.getTime() ?? Number.POSITIVE_INFINITY;
    if (due === undefined || due > end) return;
    schedule.timer = timeline.after(due - timeline.now(), () => {
      this.#fire(schedule, due);
      // Counted from the moment that was due, so that a timer that is early cannot fire twice.
      this.#plan(schedule, Math.max(due, timeline.now()));
    });
  }

  #fire(schedule: Schedule, due: number): void {
    const { network, random } = this.#surroundings;
    const once = schedule.input.ScheduleExpression?.startsWith("at(") === true;
    if (!once && network.state(schedule.region) === "dead") return;
    const target = schedule.input.Target;
    const arn = target?.Arn ?? "";
    const policy = target?.RetryPolicy;
    const event = eventOf(schedule, due, random.id(), this.#surroundings.account);
    this.delivery.deliver({
      delayMilliseconds: duration(random, "scheduler.delay"),
      maximumRetries: policy?.MaximumRetryAttempts ?? defaultRetries.maximumRetries,
      maximumAgeSeconds: policy?.MaximumEventAgeInSeconds ?? defaultRetries.maximumAgeSeconds,
      attempt: () => {
        if (network.state(schedule.region) === "dead") throw unreachable(schedule.region);
        return this.#invoke(schedule.region, arn, event);
      },
      // Without a dead-letter queue AWS drops it, too.
      dropped: () => undefined,
    });
    if (once && schedule.input.ActionAfterCompletion === "DELETE") this.delete(schedule);
  }
}

const createSchedule =
  (schedules: Schedules) =>
  (input: CreateScheduleCommandInput, call: Call): Answer<CreateScheduleCommandOutput> => {
    if (schedules.find(call.region, input.GroupName, input.Name)) {
      const message = `Schedule ${input.Name} already exists.`;
      throw new AwsError("ConflictException", message, {
        status: 409,
        fields: { Message: message },
      });
    }
    return { ScheduleArn: schedules.put(input, call, undefined).arn };
  };

/** Replaces all of a schedule: what the request leaves out goes back to its default, as on AWS. */
const updateSchedule =
  (schedules: Schedules) =>
  (input: UpdateScheduleCommandInput, call: Call): Answer<UpdateScheduleCommandOutput> => {
    const before = schedules.find(call.region, input.GroupName, input.Name);
    if (!before) throw notFound(input.Name ?? "");
    return { ScheduleArn: schedules.put(input, call, before).arn };
  };

const getSchedule =
  (schedules: Schedules) =>
  (input: GetScheduleCommandInput, call: Call): Answer<GetScheduleCommandOutput> => {
    const schedule = schedules.find(call.region, input.GroupName, input.Name);
    if (!schedule) throw notFound(input.Name ?? "");
    const { ClientToken: _, ...given } = schedule.input;
    return {
      ...given,
      Arn: schedule.arn,
      GroupName: schedule.group,
      State: given.State ?? "ENABLED",
      ScheduleExpressionTimezone: "UTC",
      CreationDate: new Date(schedule.created),
      LastModificationDate: new Date(schedule.modified),
    };
  };

const listSchedules =
  (schedules: Schedules) =>
  (input: ListSchedulesCommandInput, call: Call): Answer<ListSchedulesCommandOutput> => {
    const found = schedules
      .in(call.region)
      .filter(
        ({ group, name, input: given }) =>
          (input.GroupName === undefined || input.GroupName === group) &&
          name.startsWith(input.NamePrefix ?? "") &&
          (input.State === undefined || input.State === (given.State ?? "ENABLED")),
      );
    const from = Number(input.NextToken ?? 0);
    const to = from + (input.MaxResults ?? 100);
    return {
      Schedules: found.slice(from, to).map((schedule) => ({
        Arn: schedule.arn,
        Name: schedule.name,
        GroupName: schedule.group,
        State: schedule.input.State ?? "ENABLED",
        CreationDate: new Date(schedule.created),
        LastModificationDate: new Date(schedule.modified),
        Target: { Arn: schedule.input.Target?.Arn },
      })),
      ...(to < found.length && { NextToken: String(to) }),
    };
  };

export const scheduler = (surroundings: Surroundings, ports: { invoke: Invoke }) => {
  const schedules = new Schedules(surroundings, ports.invoke);
  const service: Service = {
    name: "scheduler",
    operations: {
      CreateSchedule: createSchedule(schedules),
      DeleteSchedule: (
        input: DeleteScheduleCommandInput,
        call: Call,
      ): Answer<DeleteScheduleCommandOutput> => {
        const schedule = schedules.find(call.region, input.GroupName, input.Name);
        if (!schedule) throw notFound(input.Name ?? "");
        schedules.delete(schedule);
        return {};
      },
      GetSchedule: getSchedule(schedules),
      ListSchedules: listSchedules(schedules),
      UpdateSchedule: updateSchedule(schedules),
    },
  };
  return {
    service,
    setDelivery: (faults: DeliveryFaults): void => schedules.delivery.setFaults(faults),
  };
};
