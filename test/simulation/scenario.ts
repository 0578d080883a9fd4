import type { Script } from "../../local/slack/operators.ts";
import type { Random } from "../../shared/random.ts";

/**
 * - `dead`: the home region's processes are gone.
 * - `cut`: it lives behind a partition, and nobody outside reaches it.
 * - `cut-served`: other regions do not reach it, and users still do.
 * - `witness-cut`: home is well; one of its two observers is cut off.
 * - `none`: all is well, and somebody asks for a move all the same.
 */
export type Incident = "dead" | "cut" | "cut-served" | "witness-cut" | "none";

/** Seconds after the beginning of the story, or after a run has claimed the lease. */
export interface Moment {
  after: "begin" | "claim";
  seconds: number;
}

/** What happens in one run besides faults and crashes. Plain data, so that a failure can be read. */
export interface Scenario {
  /** What an operator asks for, if one does: to leave a region that is lost, or one that is well. */
  move: "failover" | "switchover";
  incident: Incident;
  incidentAt: Moment;
  /** Of a well platform, before the incident. */
  baselineSeconds: number;
  /** After the incident; null: the region stays away. */
  returnsAfterSeconds: number | null;
  /** An operator asks for the move in Slack so long after the incident, before or after the alarm. */
  asksAfterSeconds: number | null;
  people: Script[];
  /** The nightly backup of the replica begins so long after the incident. */
  backupAfterSeconds: number | null;
  /** Commits become visible on the replica so much later, from the beginning on. */
  replayDelaySeconds: number;
  /** The one warm instance of the standby region fails so long after the incident. */
  instanceFailsAfterSeconds: number | null;
  /** Slack hears nothing from then on until all is healed. */
  slackSilentAfterSeconds: number | null;
  /** Route 53's control plane in us-east-1 is silent until all is healed. */
  controlPlanesSilent: boolean;
  /** Somebody throws the pause switch so long after the incident, and lifts it when all is healed. */
  pausedAfterSeconds: number | null;
  /** Somebody stops the run that is under way. */
  abortsAt: Moment | null;
  /** The health check that should move users is switched off and never turns. */
  checksStuck: boolean;
  /** After the incident: no fault and no crash from then on. */
  healedAfterSeconds: number;
}

/** The scenario that everybody thinks of: the region is gone, two people agree, nothing else is wrong. */
export const plain: Scenario = {
  move: "failover",
  incident: "dead",
  incidentAt: { after: "begin", seconds: 0 },
  baselineSeconds: 150,
  returnsAfterSeconds: null,
  asksAfterSeconds: null,
  people: [
    { user: "U0ANA", says: "approve", thinksSeconds: [20, 60] },
    { user: "U0BEN", says: "approve", thinksSeconds: [20, 90] },
  ],
  backupAfterSeconds: null,
  replayDelaySeconds: 0,
  instanceFailsAfterSeconds: null,
  slackSilentAfterSeconds: null,
  controlPlanesSilent: false,
  pausedAfterSeconds: null,
  abortsAt: null,
  checksStuck: false,
  healedAfterSeconds: 0,
};

/** The planned move that everybody hopes for. */
export const planned: Partial<Scenario> = {
  move: "switchover",
  incident: "none",
  asksAfterSeconds: 5,
  people: [
    { user: "U0BEN", says: "approve", thinksSeconds: [5, 30] },
    { user: "U0CHIARA", says: "approve", thinksSeconds: [5, 30] },
  ],
};

/** What a story is about: a region that is lost, a planned move, or leaving a region that lives. */
export type Kind = "loss" | "switchover" | "alive";

export const drawKind = (random: Random): Kind => {
  const drawn = random.fraction();
  if (drawn < 0.55) return "loss";
  return drawn < 0.88 ? "switchover" : "alive";
};

/** Of a region that is lost. What else there is to draw is drawn apart: see `drawMove`. */
export const drawLoss = (random: Random): Scenario => {
  const { within, sometimes } = drawing(random);
  const incident = drawIncident(random);
  const asks = incident !== "witness-cut" && random.fraction() < 0.3;
  return {
    move: "failover",
    incident,
    incidentAt: plain.incidentAt,
    baselineSeconds: within(130, 260),
    returnsAfterSeconds: sometimes(0.4, () => within(60, 1500)),
    asksAfterSeconds: asks ? within(5, 240) : null,
    people: drawPeople(random, asks),
    backupAfterSeconds: sometimes(0.25, () => within(0, 420)),
    replayDelaySeconds: sometimes(0.3, () => within(1, 150)) ?? 0,
    instanceFailsAfterSeconds: sometimes(0.15, () => within(0, 600)),
    slackSilentAfterSeconds: sometimes(0.2, () => within(0, 600)),
    controlPlanesSilent: random.fraction() < 0.3,
    pausedAfterSeconds: sometimes(0.1, () => within(0, 600)),
    abortsAt: null,
    checksStuck: false,
    healedAfterSeconds: within(300, 1200),
  };
};

/** What is drawn for every kind, from a stream of its own, so that older seeds keep their loss. */
export const drawMove = (random: Random, kind: Kind, loss: Scenario): Scenario => {
  const { within, sometimes } = drawing(random);
  const abortsAt = sometimes(kind === "loss" ? 0.15 : 0.25, () => drawMoment(random, 300));
  const checksStuck = random.fraction() < 0.15;
  if (kind === "loss") return { ...loss, abortsAt, checksStuck };
  const strikes = kind === "switchover" && random.fraction() < 0.55;
  const incident = strikes ? drawIncident(random) : "none";
  return {
    ...loss,
    move: kind === "switchover" ? "switchover" : "failover",
    incident,
    incidentAt: strikes ? drawMoment(random, 240) : plain.incidentAt,
    asksAfterSeconds: within(1, 60),
    people: drawPeople(random, true).map((script) => ({ ...script, thinksSeconds: [1, 40] })),
    // A replica that is far behind is refused at once, which the region losses show often enough.
    replayDelaySeconds: sometimes(0.3, () => within(1, 20)) ?? 0,
    abortsAt,
    checksStuck,
  };
};

/** Mostly in the seconds around the fence, where a planned move is decided. */
const drawMoment = (random: Random, withinSeconds: number): Moment =>
  random.fraction() < 0.7
    ? { after: "claim", seconds: random.fraction() * (random.fraction() < 0.6 ? 6 : 60) }
    : { after: "begin", seconds: random.integer(0, withinSeconds) };

const drawing = (random: Random) => ({
  within: (from: number, to: number) => random.integer(from, to),
  sometimes: <T>(probability: number, draw: () => T): T | null =>
    random.fraction() < probability ? draw() : null,
});

const drawIncident = (random: Random): Incident => {
  const drawn = random.fraction();
  if (drawn < 0.4) return "dead";
  if (drawn < 0.6) return "cut";
  return drawn < 0.92 ? "cut-served" : "witness-cut";
};

/** Mostly two who agree, quick or slow; now and then one who refuses or sleeps. */
const drawPeople = (random: Random, asks: boolean): Script[] => {
  const first = asks ? "U0CHIARA" : "U0ANA";
  const thinks = (): [number, number] => {
    const from = random.integer(1, random.fraction() < 0.3 ? 400 : 30);
    return [from, from + random.integer(0, 120)];
  };
  const people: Script[] = [
    { user: first, says: "approve", thinksSeconds: thinks() },
    { user: "U0BEN", says: "approve", thinksSeconds: thinks() },
  ];
  const other = random.fraction();
  if (other < 0.1) return people.slice(0, 1);
  if (other < 0.2) people.push({ user: "U0CHIARA", says: "reject", thinksSeconds: thinks() });
  return people;
};
