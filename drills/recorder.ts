import { unmarshall } from "@aws-sdk/util-dynamodb";
import type { Observer } from "../local/aws/endpoint.ts";
import type { AcknowledgedWrite, LoadReport } from "../local/load/generator.ts";
import type { Entry } from "../shared/journal.ts";
import { names } from "./names.ts";
import type { EventKind, RunEvent, Sample } from "./report.ts";

/** An event at its modelled instant, before the incident gives it its place on the timeline. */
export interface Moment extends Omit<RunEvent, "atSeconds"> {
  atMilliseconds: number;
}

/** Everything that is seen of a run while it goes on, in the order in which it was seen. */
export const recorder = (now: () => number, tell: (moment: Moment) => void) => {
  const moments: Moment[] = [];
  const recorded = new Set<string>();
  let promotedAt: number | undefined;
  const see = (who: string, kind: EventKind, text: string, atMilliseconds = now()) => {
    const moment = { who, kind, text, atMilliseconds };
    moments.push(moment);
    tell(moment);
  };
  const observe: Observer = {
    after: (call, input, outcome) => {
      const worked = outcome.kind === "answered" || (outcome.kind === "silent" && outcome.effect);
      if (!worked) return;
      if (call.service === "rds" && call.operation === "PromoteReadReplica") {
        promotedAt ??= now();
        see("aws", "aws", `RDS in ${call.region} has begun to promote the replica`);
      }
      if (call.service !== "dynamodb" || call.operation !== "PutItem") return;
      const { TableName, Item } = input as {
        TableName?: string;
        Item?: Parameters<typeof unmarshall>[0];
      };
      if (TableName !== names.journal || !Item) return;
      const entry = unmarshall(Item) as Entry;
      if (recorded.has(entry.hash)) return;
      recorded.add(entry.hash);
      const mark = markOf(entry);
      see(entry.by, entry.kind, entry.text, entry.atMilliseconds);
      if (mark) see(entry.by, mark.kind, mark.text, entry.atMilliseconds);
    },
  };
  return {
    moments,
    see,
    observe,
    /** When RDS began to promote: no write of the old region after that may be acknowledged. */
    promotedAt: () => promotedAt,
    /** A line that a function logged: presses of buttons are seen there first. */
    line: (text: string) => {
      const line = parsed(text);
      if (line?.message === "answer recorded" && line.says === "approve") {
        see(`operator ${line.user}`, "approval", `${line.user} approves`);
      }
    },
  };
};

export type Recorder = ReturnType<typeof recorder>;

const parsed = (text: string): Record<string, unknown> | undefined => {
  if (!text.startsWith("{")) return undefined;
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    // Not one of our lines; libraries may write what they like.
    return undefined;
  }
};

/** The instants that are drawn across the timeline. */
const markOf = (entry: Entry): { kind: EventKind; text: string } | undefined => {
  switch (entry.data?.to) {
    case "fenced":
      return { kind: "fence", text: "The old region can take no more writes." };
    case "promoted":
      return { kind: "promotion", text: "The replica is a primary." };
    default:
      return undefined;
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
