import type { AlarmChange } from "../../shared/alarm.ts";
import { parseAlarm } from "../../shared/alarm.ts";
import type { Clock } from "../../shared/clock.ts";
import type { Lease } from "../../shared/lease.ts";
import { nextRun } from "../../shared/lease.ts";
import { observed } from "../../shared/outcome.ts";
import type { Pause } from "../../shared/pause.ts";
import type { Proposal } from "../../shared/proposal.ts";
import type { Delivery } from "../../shared/slack.ts";
import type { Upheaval } from "../../shared/upheaval.ts";
import type { FailoverRequest } from "../failover/request.ts";
import type { Detection, DetectionFacts, Page, Underway, Watch } from "./decide.ts";
import { decide, pageOf, rivalsOf } from "./decide.ts";
import type { DeployPorts } from "./deploys.ts";
import { noteDeploy } from "./deploys.ts";

export interface DetectionPorts {
  clock: Clock;
  /** The composite alarm's name of each region that is watched from here. */
  alarms: Record<string, string>;
  watch(region: string): Promise<Watch>;
  readLease(): Promise<Lease>;
  readPause(): Promise<Pause>;
  /** What is being done to a region on purpose. */
  upheavals(region: string): Promise<Upheaval[]>;
  /** The failover that was proposed last. */
  proposal(region: string): Promise<Proposal | null>;
  rememberProposal(region: string, proposal: Proposal): Promise<void>;
  startFailover(request: FailoverRequest): Promise<void>;
  paging: PagingPorts;
  deploys: DeployPorts;
  log(message: string, fields: Record<string, unknown>): void;
}

export interface PagingPorts {
  /** The key of the last page of this kind that people have got. */
  told(region: string, kind: Page["kind"]): Promise<string | null>;
  rememberTold(region: string, page: Page): Promise<void>;
  /** What this process has told, for when the table is silent. */
  memory: Set<string>;
  post(region: string, text: string): Promise<Delivery>;
  /** Counts a page that is due, so that an alarm reaches people when Slack does not. */
  count(region: string): Promise<void>;
  /** How a run ended, in its own words. */
  endOf(run: string): Promise<string>;
  /** The newest line of a run; null before its first. */
  newest(run: string): Promise<Omit<Underway, "run"> | null>;
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
  return [await consider(ports, region, alarm, await look(ports, region))];
};

/** Nearly every minute all is well, and then one look is enough. */
const recheck = async (ports: DetectionPorts): Promise<Detection[]> => {
  const noted = noteDeploy(ports.deploys);
  const found: Detection[] = [];
  for (const region of Object.keys(ports.alarms)) {
    const watch = await look(ports, region);
    if (!isCalm(watch)) found.push(await consider(ports, region, null, watch));
  }
  const missed = await noted;
  if (missed) throw new Error(`whether a deploy is under way here cannot be seen: ${missed}`);
  return found;
};

const isRecheck = (event: unknown): boolean =>
  typeof event === "object" && event !== null && "do" in event && event.do === "recheck";

const look = (ports: DetectionPorts, region: string) =>
  observed("CloudWatch", ports.clock.now, () => ports.watch(region));

const isCalm = (watch: DetectionFacts["watch"]): boolean =>
  watch.known &&
  watch.value.current.state !== "ALARM" &&
  watch.value.observations.every(({ state }) => state !== "ALARM");

const consider = async (
  ports: DetectionPorts,
  region: string,
  change: AlarmChange | null,
  watch: DetectionFacts["watch"],
): Promise<Detection> => {
  const facts = await gather(ports, region, watch);
  const detection = decide(change, facts);
  if (detection.kind === "propose" && facts.nextRun !== null) {
    await propose(ports, region, detection, facts.nextRun);
    return detection;
  }
  if (change) ports.log("no failover is proposed", { region, detection });
  const page = pageOf(detection, facts);
  if (page) await tell(ports, region, page);
  if (detection.kind === "nothing" && detection.doubtful) {
    throw new Error(detection.refusals.map(({ reason }) => reason).join(" "));
  }
  return detection;
};

const gather = async (
  ports: DetectionPorts,
  region: string,
  watch: DetectionFacts["watch"],
): Promise<DetectionFacts> => {
  const { now } = ports.clock;
  const [lease, pause, proposal] = await Promise.all([
    observed("coordination table", now, ports.readLease),
    ports.readPause(),
    observed("coordination table", now, () => ports.proposal(region)),
  ]);
  const next = lease.known ? nextRun(lease.value) : null;
  const run = underWay(lease, next, proposal);
  const underway = await observed("journal", now, async () => {
    const newest = run === null ? null : await ports.paging.newest(run);
    return run !== null && newest !== null ? { run, ...newest } : null;
  });
  return { now: now(), region, watch, lease, nextRun: next, pause, proposal, underway };
};

/** The run that moves the lease, or the proposed one while its name is not used up. */
const underWay = (
  lease: DetectionFacts["lease"],
  next: string | null,
  proposal: DetectionFacts["proposal"],
): string | null => {
  if (lease.known && lease.value.state === "moving") return lease.value.holder;
  const proposed = proposal.known ? proposal.value?.run : undefined;
  return proposed !== undefined && proposed === next ? proposed : null;
};

/** As long as a request may be. */
const reasonLimit = 1000;

const propose = async (
  ports: DetectionPorts,
  region: string,
  { key, reasons, sinceMilliseconds }: Detection & { kind: "propose" },
  run: string,
): Promise<void> => {
  const upheavals = await observed("coordination table", ports.clock.now, () =>
    ports.upheavals(region),
  );
  const rivals = rivalsOf(upheavals);
  const said = [...reasons, ...rivals.map((rival) => `another explanation: ${rival}`)];
  await ports.startFailover({
    run,
    trigger: {
      by: "alarm",
      who: ports.alarms[region] ?? region,
      reason: said.join("; ").slice(0, reasonLimit),
      sinceMilliseconds: Math.floor(sinceMilliseconds),
      overrides: [],
      ...(rivals.length > 0 ? { rivals: rivals.map((each) => each.slice(0, reasonLimit)) } : {}),
    },
  });
  // Remembered after the start: started twice it is the same run, forgotten it would be none.
  await ports.rememberProposal(region, { key, run });
  ports.log("a failover is proposed", { region, run, reasons: said });
};

/**
 * Tells people once of each thing, and counts it for as long as it could not be told. Remembered after
 * the message: told twice is better than never. Slack being silent stops nothing here.
 */
const tell = async ({ paging, clock, log }: DetectionPorts, region: string, page: Page) => {
  const name = `${region} ${page.kind} ${page.key}`;
  if (paging.memory.has(name)) return;
  const { kind, run } = page;
  const before = await observed("coordination table", clock.now, () => paging.told(region, kind));
  if (before.known && before.value === page.key) return;
  const end = run ? await observed("journal", clock.now, () => paging.endOf(run)) : null;
  const how = end === null ? "" : end.known ? ` ${end.value}` : ` How it ended: ${end.why}.`;
  const [counted, delivery] = await Promise.all([
    observed("CloudWatch", clock.now, () => paging.count(region)),
    paging.post(region, page.text + how),
  ]);
  log("people are told", { region, page: page.kind, text: page.text + how, delivery });
  if (delivery.delivered) {
    paging.memory.add(name);
    if (before.known) await paging.rememberTold(region, page);
  }
  if (!counted.known) throw new Error(`a page could not be counted: ${counted.why}`);
};
