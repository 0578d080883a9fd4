import { verify } from "../../shared/journal.ts";
import { ofTheRun } from "../../shared/refused-answer.ts";
import { endsWithinSeconds } from "./course.ts";
import type { Facts, RunFacts } from "./evidence.ts";
import type { PromoteCall } from "./watch.ts";
import { config } from "./world.ts";

/** A line of docs/RISKS.md, and what of a run breaks it. */
export interface Invariant {
  /** The name of the line. */
  risk: string;
  /** Sentences about what is broken; none when it holds. */
  broken(facts: Facts): string[];
}

export interface Breach {
  risk: string;
  what: string;
}

/** Whether nothing but the incident itself was wrong, so that the run had no reason not to succeed. */
export const isCalm = ({ scenario, weather, crashes }: Facts): boolean =>
  weather.rules.length === 0 &&
  crashes.checkpoint === 0 &&
  crashes.call === 0 &&
  scenario.returnsAfterSeconds === null &&
  scenario.incident !== "witness-cut" &&
  (scenario.move === "failover" ||
    (scenario.incident === "none" && scenario.replayDelaySeconds === 0)) &&
  (scenario.incident !== "none" || scenario.asksAfterSeconds !== null) &&
  scenario.abortsAt === null &&
  // One of the two ways to send users is enough, and it takes one of them.
  !(scenario.checksStuck && scenario.controlPlanesSilent) &&
  scenario.pausedAfterSeconds === null &&
  scenario.slackSilentAfterSeconds === null &&
  scenario.replayDelaySeconds <= config.failover.maximumLagSeconds &&
  scenario.people.every(({ says }) => says === "approve") &&
  scenario.people.length >= config.failover.approvals;

const seconds = (milliseconds: number) => `${Math.round(milliseconds / 100) / 10} s`;
const when = (condition: boolean, sentence: () => string): string[] =>
  condition ? [sentence()] : [];

/** The old region is known to obey the newer epoch, or its time to fence itself is over. */
const isolated = ({ atMilliseconds, contact, lease }: PromoteCall): boolean => {
  if (!contact || contact.epoch >= (lease?.epoch ?? 2)) return true;
  const { isolationSeconds, heartbeatSeconds, isolationMarginSeconds } = config.failover;
  const wait = (isolationSeconds + heartbeatSeconds + isolationMarginSeconds) * 1000;
  return atMilliseconds >= contact.contactAtMilliseconds + wait;
};

/** A guard runs each minute, and the listener's rule takes its time. */
const firstBeatSeconds = 90;

/**
 * A dead region that comes back says for a moment what it said when it died. Nobody is sent there,
 * since the other one says that it is active, and not one write there is forgiven.
 */
const bothActive = ({ notes, scenario, incidentAt }: Facts): number[] => {
  const { incident, returnsAfterSeconds } = scenario;
  if (incident !== "dead" || returnsAfterSeconds === null) return notes.bothActive;
  const toldBy = incidentAt + (returnsAfterSeconds + firstBeatSeconds) * 1000;
  return notes.bothActive.filter((at) => at > toldBy);
};

const twoWriters = (facts: Facts): string[] => {
  const { notes, lateCommits } = facts;
  const both = bothActive(facts);
  const early = notes.promoteCalls.filter((call) => !isolated(call));
  const epochs = notes.leases.map(({ epoch }) => epoch);
  const back = epochs.findIndex((epoch, index) => epoch < (epochs[index - 1] ?? 0));
  return [
    ...when(lateCommits.length > 0, () => {
      const last = (lateCommits.at(-1)?.at ?? 0) - (notes.promotedAt[0]?.atMilliseconds ?? 0);
      const many = `${lateCommits.length} write(s)`;
      return `${many} on the old database until ${seconds(last)} after the promotion`;
    }),
    ...when(early.length > 0, () => {
      const [call] = early;
      const silent = (call?.atMilliseconds ?? 0) - (call?.contact?.contactAtMilliseconds ?? 0);
      return `promoted ${seconds(silent)} after the last contact of a region that had not fenced itself`;
    }),
    ...when(
      back > 0,
      () => `the lease went back from epoch ${epochs[back - 1]} to ${epochs[back]}`,
    ),
    ...when(both.length > 0, () => {
      const at = (both[0] ?? 0) - facts.incidentAt;
      return `both regions were active with writable databases, first ${seconds(at)} after the incident`;
    }),
  ];
};

interface Statement {
  verdict: string;
  boundSeconds: number | null;
  replayedUntilMilliseconds: number | null;
}

/** The statement as it was recorded, of the run that promoted. */
const statement = ({ journal }: RunFacts) => {
  const entry = journal.find(({ key }) => key === "loss");
  return entry && { entry, loss: (entry.data as { loss?: Statement } | undefined)?.loss };
};

const silentLoss = (facts: Facts): string[] => [...statedLoss(facts), ...plannedLoss(facts)];

const statedLoss = (facts: Facts): string[] => {
  const [first] = facts.notes.promoteCalls;
  if (!first) return [];
  const run = promoter(facts);
  const stated = run && statement(run);
  if (!stated || stated.entry.atMilliseconds > first.atMilliseconds) {
    return ["PromoteReadReplica was called before the possible loss was in the journal"];
  }
  const { boundSeconds, replayedUntilMilliseconds } = stated.loss ?? {};
  if (boundSeconds == null || replayedUntilMilliseconds == null) {
    return when(
      !overridden(run),
      () => "promoted with an unknown loss that nobody accepted by name",
    );
  }
  const end = replayedUntilMilliseconds + boundSeconds * 1000;
  const outside = facts.lost.filter(
    ({ acknowledgedAt }) => acknowledgedAt > end || acknowledgedAt < replayedUntilMilliseconds,
  );
  return when(outside.length > 0, () => {
    const far = (outside.at(-1)?.acknowledgedAt ?? 0) - replayedUntilMilliseconds;
    const bound = `stated were ${boundSeconds} s`;
    return `a lost write was acknowledged ${seconds(far)} after the replayed heartbeat; ${bound}`;
  });
};

/** The run that held the lease when the promotion was asked for. */
const promoter = ({ runs, notes }: Facts): RunFacts | undefined =>
  runs.find(({ name }) => name === notes.promoteCalls[0]?.lease?.holder) ?? runs.at(-1);

export const kindOf = (run: RunFacts | undefined): string =>
  String((run?.journal.find(({ key }) => key === "begin")?.data as { kind?: string })?.kind);

/** A planned move loses nothing, whatever befalls it: that is what it is for. */
const plannedLoss = (facts: Facts): string[] => {
  const { notes, lost, runs } = facts;
  const [first] = notes.promoteCalls;
  if (runs.some((run) => kindOf(run) === "emergency") && !first) return [];
  if (first && kindOf(promoter(facts)) !== "switchover") return [];
  const count = lost.length;
  return [
    ...when(
      count > 0 && runs.length > 0,
      () => `a planned move lost ${count} acknowledged write(s)`,
    ),
    ...when((first?.missing ?? 0) > 0, () => {
      return `a planned move promoted a replica that lacked ${first?.missing} commit(s)`;
    }),
  ];
};

const overridden = ({ journal }: RunFacts): boolean =>
  JSON.stringify(journal.find(({ key }) => key === "begin")?.data ?? {}).includes("unknown-loss");

const withoutNeed = (facts: Facts): string[] => {
  if (facts.notes.promoteCalls.length === 0) return [];
  const observers = [...facts.notes.lostReports.values()].filter((count) => count >= 2).length;
  const used = facts.approvals.find(({ usedBy }) => usedBy !== undefined);
  const people = new Set(
    facts.presses
      .filter(({ says, planHash }) => says === "approve" && planHash === used?.planHash)
      .map(({ user }) => user),
  );
  people.delete(used?.requester ?? "");
  return [
    ...when(observers < 2 && !facts.operatorAsked, () => `promoted on ${observers} observer(s)`),
    ...when(people.size < config.failover.approvals, () => {
      return `promoted with ${people.size} operator(s) who had approved the plan`;
    }),
    ...when(used?.rejectedBy !== undefined, () => `promoted although ${used?.rejectedBy} rejected`),
  ];
};

const withNeed = (facts: Facts): string[] => {
  if (!isCalm(facts)) return [];
  const { outcome, endedAt, incidentAt, served } = facts;
  const took = (endedAt ?? facts.finishedAt) - incidentAt;
  const { rtoSeconds } = config.objectives;
  return [
    ...when(outcome !== "done", () => `nothing was in the way, and the run ended ${outcome}`),
    ...when(took > rtoSeconds * 1000, () => `it took ${seconds(took)}`),
    ...when(outcome === "done" && !served, () => "done, and users are not served"),
  ];
};

const halfDone = (facts: Facts): string[] => {
  const { promotions, runs, healedAt, endedAt, outcome, lease } = facts;
  const late = (endedAt ?? 0) - healedAt;
  const [run] = runs.filter(({ name }) => name === lease.holder);
  return [
    ...when(outcome === "unfinished", () => "the run had not ended long after all was healed"),
    ...when(
      outcome === "failed",
      () => `the execution failed: ${runs.at(-1)?.error ?? "no result"}`,
    ),
    ...when(late > endsWithinSeconds * 1000, () => `ended ${seconds(late)} after all was healed`),
    ...when(promotions > 1, () => `the replica was promoted ${promotions} times`),
    ...when(promotions > 0 && outcome === "aborted", () => "aborted after a promotion"),
    ...when(outcome === "done" && !(promotions === 1 && lease.state === "held" && run), () => {
      return `done with ${promotions} promotion(s) and the lease ${lease.state} by ${lease.holder}`;
    }),
    ...when(outcome === "done" && !facts.served, () => "done, and users are not served"),
    ...when(outcome === "done" && facts.lacks.length > 0, () => {
      return `done, and the new primary lacks ${facts.lacks.join(", ")}`;
    }),
    ...when(outcome === "done" && isUnguarded(facts), () => {
      return `done, and scaling in may take users to ${facts.standbyMinimum} instances without a word`;
    }),
    ...when(facts.watched && !facts.served && lease.state === "held" && !isStuck(facts), () => {
      return `${outcome}, and users are not served by ${lease.region}, which holds the lease`;
    }),
    ...runs.flatMap(journalBreaks),
  ];
};

const isUnguarded = ({ standbyMinimum, runs }: Facts): boolean =>
  standbyMinimum < config.sizes.application.minimum &&
  !runs.some(({ result }) => result?.notes.some((note) => note.startsWith("Mind: the minimum")));

/** Neither way of sending users was there: that is told, and a human has to change the records. */
const isStuck = ({ scenario, outcome }: Facts): boolean =>
  scenario.checksStuck && outcome === "needs-human";

const journalBreaks = ({ name, journal, result }: RunFacts): string[] => {
  const verdict = verify(journal);
  const last = (ofTheRun(journal).at(-1)?.data as { to?: string } | undefined)?.to;
  const complete = result !== null && result.unrecorded === 0;
  return [
    ...when(!verdict.ok, () => `the journal of ${name}: ${verdict.ok ? "" : verdict.why}`),
    ...when(complete && last !== result?.outcome, () => {
      return `the journal of ${name} ends with ${last}, and the run ${result?.outcome}`;
    }),
  ];
};

const leftovers = (facts: Facts): string[] => {
  const { outcome, runs, lease, standbyDesired, home } = facts;
  const { desired } = config.sizes.application;
  const isBack = outcome === "aborted" && home.isUp && facts.served;
  if (outcome !== "aborted") return [];
  const told = runs.some(({ result }) => result?.notes.some((note) => note.startsWith("Left:")));
  const before = config.sizes.application.standbyMinimum;
  return [
    ...when(standbyDesired > before && !told, () => {
      return `aborted, and the standby region keeps ${standbyDesired} instances without a word`;
    }),
    ...when(lease.region !== config.regions.primary || lease.state !== "held", () => {
      return `aborted, and the lease is ${lease.state} by ${lease.region}`;
    }),
    ...when(isBack && home.desired !== desired, () => {
      return `aborted, and the home region is left with ${home.desired} instances`;
    }),
    ...when(isBack && home.waysIn !== 1, () => `aborted, and home has ${home.waysIn} ways in`),
  ];
};

/** Every line of DESIGN's first section that one region loss can break. */
export const invariants: readonly Invariant[] = [
  { risk: "two writers", broken: twoWriters },
  { risk: "silent data loss", broken: silentLoss },
  { risk: "failing over without need", broken: withoutNeed },
  { risk: "not failing over with need", broken: withNeed },
  { risk: "half done", broken: halfDone },
  { risk: "leftovers", broken: leftovers },
  {
    risk: "strangers",
    broken: ({ leaks }) => leaks.map((place) => `a secret was seen in ${place}`),
  },
  {
    risk: "the simulation itself",
    broken: ({ bugs }) => bugs.map((bug) => `a bug in the local AWS: ${String(bug)}`),
  },
];

export const breaches = (facts: Facts): Breach[] =>
  invariants.flatMap(({ risk, broken }) => broken(facts).map((what) => ({ risk, what })));
