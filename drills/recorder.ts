import { unmarshall } from "@aws-sdk/util-dynamodb";
import type { Observer, Outcome, Verdict } from "../local/aws/endpoint.ts";
import type { Call } from "../local/aws/service.ts";
import { scopeOf, type WireRequest } from "../local/aws/wire.ts";
import type { AcknowledgedWrite, LoadReport } from "../local/load/generator.ts";
import type { Entry } from "../shared/journal.ts";
import { inSentences } from "../shared/outcome.ts";
import { names } from "./names.ts";
import type { EventKind, RunEvent, Sample } from "./report.ts";

/** An event at its modelled instant, before the incident gives it its place on the timeline. */
export interface Moment extends Omit<RunEvent, "atSeconds"> {
  atMilliseconds: number;
}

/** Sees a call that had its effect; `silence` keeps the answer from its caller. */
export type Interceptor = (call: Call, input: unknown) => Verdict;

/** A request to a control plane that stands in us-east-1. */
export interface FarRequest {
  atMilliseconds: number;
  what: string;
  /** False when nothing answered. */
  reached: boolean;
}

const far = "us-east-1";
/** Their control planes stand there, whatever region a client names. */
const homedFar = new Set(["route53", "iam"]);

const hadEffect = (outcome: Outcome): boolean =>
  outcome.kind === "answered" || (outcome.kind === "silent" && outcome.effect);

/** Everything that is seen of a run while it goes on, in the order in which it was seen. */
export const recorder = (now: () => number, tell: (moment: Moment) => void) => {
  const moments: Moment[] = [];
  const recorded = new Set<string>();
  const promotedAt = new Map<string, number>();
  const see = (who: string, kind: EventKind, text: string, atMilliseconds = now()) => {
    const moment = { who, kind, text, atMilliseconds };
    moments.push(moment);
    tell(moment);
  };
  const interceptors = new Set<Interceptor>();
  const farRequests: FarRequest[] = [];
  const sawCall = (call: Call, input: unknown) => {
    if (call.service === "rds" && call.operation === "PromoteReadReplica") {
      if (!promotedAt.has(call.region)) promotedAt.set(call.region, now());
      see("aws", "aws", `RDS in ${call.region} has begun to promote the replica`);
    }
    const entry = writtenEntry(call, input);
    if (!entry || recorded.has(entry.hash)) return;
    recorded.add(entry.hash);
    for (const { kind, text } of [entry, ...reasonsOf(entry), ...marksOf(entry)]) {
      see(entry.by, kind, text, entry.atMilliseconds);
    }
  };
  const observe: Required<Observer> = {
    before: (call) => {
      if (call.region !== far) return;
      const what = `${call.service}.${call.operation}`;
      farRequests.push({ atMilliseconds: now(), what, reached: true });
    },
    after: async (call, input, outcome) => {
      if (!hadEffect(outcome)) return;
      sawCall(call, input);
      for (const intercept of interceptors) {
        if ((await intercept(call, input)) === "silence") return "silence";
      }
    },
  };
  return {
    moments,
    see,
    observe,
    /** Requests towards us-east-1, tried or answered. */
    farRequests: farRequests as readonly FarRequest[],
    request: (request: WireRequest, from: string) => {
      const scope = scopeOf(request);
      if (!scope || (scope.region !== far && !homedFar.has(scope.signingName))) return;
      const what = `${scope.signingName} from ${from}`;
      farRequests.push({ atMilliseconds: now(), what, reached: false });
    },
    /** Lets `interceptor` see every call from now on; gives the way to end that. */
    intercept: (interceptor: Interceptor): (() => void) => {
      interceptors.add(interceptor);
      return () => void interceptors.delete(interceptor);
    },
    /** When RDS began to promote there: no write of the old region after that may be acknowledged. */
    promotedAt: (region: string) => promotedAt.get(region),
    /** What AWS's own services tell; of that only alarms are worth a line. */
    event: (region: string, event: { detail: Record<string, unknown> }) => {
      const alarm = raisedBy(event);
      if (alarm) see(`CloudWatch ${region}`, "alarm", `Alarm ${alarm}`);
    },
    /** A line that a function logged: presses of buttons are seen there first. */
    line: (text: string) => {
      const user = approverIn(text);
      if (user) see(`operator ${user}`, "approval", `${user} approves`);
    },
  };
};

const approverIn = (text: string): string | undefined => {
  const line = parsed(text);
  return line?.message === "answer recorded" && line.says === "approve"
    ? String(line.user)
    : undefined;
};

const raisedBy = ({ detail }: { detail: Record<string, unknown> }): string | undefined => {
  const { alarmName, state } = detail as { alarmName?: string; state?: { value?: string } };
  return state?.value === "ALARM" ? alarmName : undefined;
};

export type Recorder = ReturnType<typeof recorder>;

/** The journal entry that a call has written, if that is what it did. */
const writtenEntry = (call: Call, input: unknown): Entry | undefined => {
  if (call.service !== "dynamodb" || call.operation !== "PutItem") return undefined;
  const { TableName, Item } = input as {
    TableName?: string;
    Item?: Parameters<typeof unmarshall>[0];
  };
  return TableName === names.journal && Item ? (unmarshall(Item) as Entry) : undefined;
};

const parsed = (text: string): Record<string, unknown> | undefined => {
  if (!text.startsWith("{")) return undefined;
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    // Not one of our lines; libraries may write what they like.
    return undefined;
  }
};

/** A move that led nowhere is told with its reasons: its own line says only that it did. */
const reasonsOf = ({ kind, data }: Entry): { kind: EventKind; text: string }[] => {
  const ended = data?.to === "aborted" || data?.to === "needs-human" || data?.to === "returning";
  const notes = Array.isArray(data?.notes) ? data.notes.map(String) : [];
  return ended && notes.length > 0 ? [{ kind, text: inSentences(notes) }] : [];
};

/** The instants that are drawn across the timeline. */
const marksOf = (entry: Entry): { kind: EventKind; text: string }[] => {
  switch (entry.data?.to) {
    case "fenced":
      return [{ kind: "fence", text: "The old region can take no more writes." }];
    case "promoted":
      return [{ kind: "promotion", text: "The replica is a primary." }];
    default:
      return [];
  }
};

/** Counts what users got in each slice of `seconds`, from two readings of the load generator. */
export const sampler = (
  load: { acknowledged: readonly AcknowledgedWrite[]; report(): LoadReport },
  seconds: number,
) => {
  const samples: (Omit<Sample, "atSeconds"> & { atMilliseconds: number })[] = [];
  let seen = 0;
  let failed = 0;
  return {
    samples,
    take: (atMilliseconds: number) => {
      const fresh = load.acknowledged.slice(seen);
      seen = load.acknowledged.length;
      const failures = load.report().failed;
      const sample = {
        atMilliseconds,
        acknowledgedPerSecond: fresh.length / seconds,
        failedPerSecond: (failures - failed) / seconds,
        region: fresh.at(-1)?.region ?? null,
      };
      failed = failures;
      samples.push(sample);
      return sample;
    },
  };
};
