import type { AlarmChange } from "../../shared/alarm.ts";
import { parseAlarm } from "../../shared/alarm.ts";
import type { Clock } from "../../shared/clock.ts";
import type { Lease } from "../../shared/lease.ts";
import { nextRun } from "../../shared/lease.ts";
import { observed } from "../../shared/outcome.ts";
import type { Pause } from "../../shared/pause.ts";
import type { FailoverRequest } from "../failover/request.ts";
import type { Detection, Observation } from "./decide.ts";
import { decide } from "./decide.ts";

export interface DetectionPorts {
  clock: Clock;
  /** The region that the composite alarm of this name is about; undefined when it is not ours. */
  regionOfAlarm(name: string): string | undefined;
  alarmState(name: string): Promise<{ state: string }>;
  observations(region: string): Promise<Observation[]>;
  readLease(): Promise<Lease>;
  readPause(): Promise<Pause>;
  startFailover(request: FailoverRequest): Promise<void>;
  log(message: string, fields: Record<string, unknown>): void;
}

/** From an alarm event to at most one run: the same event twice, or two alarms, start the same run. */
export const detect = async (ports: DetectionPorts, event: unknown): Promise<Detection> => {
  const parsed = parseAlarm(event);
  if ("malformed" in parsed) {
    throw new Error(`not an alarm event as documented: ${parsed.malformed.join(", ")}`);
  }
  const { alarm } = parsed;
  const region = ports.regionOfAlarm(alarm.name);
  if (!region) throw new Error(`${alarm.name} is not a region alarm: check the rule's pattern`);
  const { detection, lease } = await look(ports, alarm, region);
  if (detection.kind === "nothing" || !lease) {
    ports.log("no failover is proposed", { alarm: alarm.name, detection });
    return detection;
  }
  const run = nextRun(lease);
  await ports.startFailover({
    run,
    trigger: {
      by: "alarm",
      who: alarm.name,
      reason: detection.reasons.join("; "),
      sinceMilliseconds: Math.floor(detection.sinceMilliseconds),
      overrides: [],
    },
  });
  ports.log("a failover is proposed", { alarm: alarm.name, run, reasons: detection.reasons });
  return detection;
};

const look = async (ports: DetectionPorts, alarm: AlarmChange, region: string) => {
  const { now } = ports.clock;
  const [current, observations, lease, pause] = await Promise.all([
    observed("CloudWatch", now, () => ports.alarmState(alarm.name)),
    observed("CloudWatch", now, () => ports.observations(region)),
    observed("coordination table", now, ports.readLease),
    ports.readPause(),
  ]);
  const detection = decide(alarm, { region, current, observations, lease, pause });
  return { detection, lease: lease.known ? lease.value : undefined };
};
