import type { AlarmChange } from "../../shared/alarm.ts";
import { parseAlarm } from "../../shared/alarm.ts";
import type { Clock } from "../../shared/clock.ts";
import type { Lease } from "../../shared/lease.ts";
import { nextRun } from "../../shared/lease.ts";
import { observed } from "../../shared/outcome.ts";
import type { Pause } from "../../shared/pause.ts";
import type { FailoverRequest } from "../failover/request.ts";
import type { CurrentAlarm, Detection, Observation } from "./decide.ts";
import { decide } from "./decide.ts";

export interface DetectionPorts {
  clock: Clock;
  /** The composite alarm's name of each region that is watched. */
  alarms: Record<string, string>;
  currentAlarm(name: string): Promise<CurrentAlarm>;
  observations(region: string): Promise<Observation[]>;
  readLease(): Promise<Lease>;
  readPause(): Promise<Pause>;
  /** The change of state that a failover was last proposed for. */
  proposedFor(region: string): Promise<string | null>;
  rememberProposal(region: string, key: string, run: string): Promise<void>;
  startFailover(request: FailoverRequest): Promise<void>;
  log(message: string, fields: Record<string, unknown>): void;
}

/**
 * From an alarm to at most one run. Called by the alarm's event, which may come twice, late or never,
 * and each minute by the schedule, because an alarm does not fire again while it is in ALARM. Throws
 * when something could not be read, so that the event is tried again and the function's own alarm
 * sees it.
 */
export const detect = async (ports: DetectionPorts, event: unknown): Promise<Detection[]> => {
  if (isRecheck(event)) return recheck(ports);
  const parsed = parseAlarm(event);
  if ("malformed" in parsed) {
    throw new Error(`not an alarm event as documented: ${parsed.malformed.join(", ")}`);
  }
  const { alarm } = parsed;
  const region = Object.keys(ports.alarms).find((each) => ports.alarms[each] === alarm.name);
  if (!region) throw new Error(`${alarm.name} is not a region alarm: check the rule's pattern`);
  return [await consider(ports, region, alarm)];
};

/** Nearly every minute all is well, and then one look is enough. */
const recheck = async (ports: DetectionPorts): Promise<Detection[]> => {
  const found: Detection[] = [];
  for (const [region, alarm] of Object.entries(ports.alarms)) {
    const { state } = await ports.currentAlarm(alarm);
    if (state === "ALARM") found.push(await consider(ports, region, null));
  }
  return found;
};

const isRecheck = (event: unknown): boolean =>
  typeof event === "object" && event !== null && "do" in event && event.do === "recheck";

const consider = async (
  ports: DetectionPorts,
  region: string,
  change: AlarmChange | null,
): Promise<Detection> => {
  const { detection, lease } = await look(ports, region, change);
  if (detection.kind === "nothing" || !lease) {
    if (change) ports.log("no failover is proposed", { region, detection });
    if (detection.kind === "nothing" && detection.doubtful) {
      throw new Error(detection.refusals.map(({ reason }) => reason).join(" "));
    }
    return detection;
  }
  const run = nextRun(lease);
  await ports.startFailover({
    run,
    trigger: {
      by: "alarm",
      who: ports.alarms[region] ?? region,
      reason: detection.reasons.join("; "),
      sinceMilliseconds: Math.floor(detection.sinceMilliseconds),
      overrides: [],
    },
  });
  // Remembered after the start: started twice it is the same run, forgotten it would be none.
  await ports.rememberProposal(region, detection.key, run);
  ports.log("a failover is proposed", { region, run, reasons: detection.reasons });
  return detection;
};

const look = async (ports: DetectionPorts, region: string, change: AlarmChange | null) => {
  const { now } = ports.clock;
  const [current, observations, lease, pause, proposedFor] = await Promise.all([
    observed("CloudWatch", now, () => ports.currentAlarm(ports.alarms[region] ?? "")),
    observed("CloudWatch", now, () => ports.observations(region)),
    observed("coordination table", now, ports.readLease),
    ports.readPause(),
    observed("coordination table", now, () => ports.proposedFor(region)),
  ]);
  const facts = { region, current, observations, lease, pause, proposedFor };
  return { detection: decide(change, facts), lease: lease.known ? lease.value : undefined };
};
