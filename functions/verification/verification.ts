import type { Clock } from "../../shared/clock.ts";
import { copyLine, copyOf } from "../../shared/copy.ts";
import type { Line } from "../../shared/journal.ts";
import type { Refusal } from "../../shared/outcome.ts";
import { inSentences, observed, sentence } from "../../shared/outcome.ts";
import { whilePaused } from "../../shared/pause.ts";
import type { Steps } from "../../shared/steps.ts";
import { remove, restore } from "./copy.ts";
import { type BackupSeen, type Choice, choose, chooseSnapshot, judge } from "./decide.ts";
import type { LandedFacts } from "./landed.ts";
import { judgeLanded } from "./landed.ts";
import { logIn, lookInto } from "./looking.ts";
import type { Kept, Ports, Posted } from "./ports.ts";
import type { Plan, RunRecord } from "./record.ts";
import type { VerificationRequest } from "./request.ts";

/** All that a run works with. The record is rebuilt from step results when it is resumed. */
export interface Work {
  steps: Steps;
  clock: Clock;
  ports: Ports;
  record: RunRecord;
  message: Posted | null;
  /** What was seen before anything was made. */
  seen: { facts: LandedFacts; fraction: number; at: number } | null;
}

export interface Result {
  run: string;
  end: RunRecord["end"];
  code: string;
  notes: string[];
  leftovers: string[];
  /** Its place in the chain of evidence; null when it could not be kept. */
  evidence: Kept | null;
  /** Address of its page; null when it could not be written. */
  report: string | null;
  unrecorded: number;
}

/** One restore test: look what has landed, restore, look into it, judge, take it away, tell. */
export const verify = async (
  steps: Steps,
  ports: Ports,
  wish: VerificationRequest,
): Promise<Result> => {
  const { clock } = ports;
  const work: Work = {
    steps,
    clock,
    ports,
    record: newRecord(ports, wish),
    message: null,
    seen: null,
  };
  try {
    const refused = await begin(work);
    if (refused) return await close(work, "postponed", refused.code, [refused.reason]);
  } catch (error) {
    // Nothing was made yet.
    return close(work, "red", "failed", [`It could not begin: ${sentence(error)}.`]);
  }
  const ending = await attempted(work);
  await clear(work);
  return close(work, ending.end, ending.code, ending.notes);
};

const newRecord = (ports: Ports, wish: VerificationRequest): RunRecord => {
  const { rtoSeconds, rpoSeconds, retentionDays, backupLagSeconds } = ports.policy;
  const figures = { availableSeconds: null, warmSeconds: null };
  const later = { orderedAt: null, availableAt: null, loggedInAt: null, warmAt: null };
  return {
    run: wish.run,
    wish,
    region: ports.region,
    sourceRegion: "",
    objectives: { rtoSeconds, rpoSeconds, retentionDays, backupLagSeconds },
    codeVersion: ports.codeVersion,
    plan: null,
    times: { startedAt: 0, ...later, checkedAt: null, destroyedAt: null, endedAt: null },
    figures: { ...figures, lossSeconds: null, backupLagSeconds: null, costDollars: null },
    landed: [],
    restored: [],
    checks: [],
    verdict: judge([], [], []),
    end: "red",
    code: "begun",
    notes: [],
    leftovers: [],
    unrecorded: 0,
  };
};

/** Why it is not done now. Whoever has set it off tries again, and what is overdue is red. */
const begin = async (work: Work): Promise<Refusal | undefined> => {
  const { steps, clock, ports, record } = work;
  const begun = await steps.step("begin", async () => {
    const [lease, moves, pause] = await Promise.all([
      ports.readLease(),
      ports.readMoves(),
      ports.readPause(),
    ]);
    return { atMilliseconds: Math.floor(clock.now()), lease, moves, paused: whilePaused(pause) };
  });
  record.times.startedAt = begun.atMilliseconds;
  record.sourceRegion = begun.lease.region;
  if (begun.lease.region === ports.region) {
    const reason = `${ports.region} serves users: restore tests run in the standby region.`;
    return { code: "not-standby", reason };
  }
  const [move] = begun.moves;
  if (move) return { code: "failover-moves", reason: `${move.reason}.` };
  if (begun.paused) return begun.paused;
  const tooDear = await steps.step(
    "reserve",
    async () => (await ports.reserve(record.run)) ?? null,
  );
  if (tooDear) return tooDear;
  const until = begun.atMilliseconds + (ports.policy.hours + 1) * 3_600_000;
  return (
    (await steps.step("freeze", async () => (await ports.freeze(record.run, until)) ?? null)) ??
    undefined
  );
};

interface Ending {
  end: RunRecord["end"];
  code: string;
  notes: string[];
}

/** Whatever breaks, the run goes on to take away what it has made. */
const attempted = async (work: Work): Promise<Ending> => {
  try {
    return await attempt(work);
  } catch (error) {
    return { end: "red", code: "failed", notes: [`It could not go on: ${sentence(error)}.`] };
  }
};

const attempt = async (work: Work): Promise<Ending> => {
  const { record } = work;
  const { by, reason } = record.wish;
  await tell(work, "begin", "saw", `Asked by ${by}: ${reason}`, { wish: record.wish });
  await look(work);
  const chosen = await plan(work);
  if ("refused" in chosen) {
    const { code, reason: why } = chosen.refused;
    record.restored = [
      { name: "has-a-backup", is: "failed", expected: "one", actual: "none", says: why },
    ];
    record.verdict = judge(record.landed, record.restored, []);
    return { end: "red", code, notes: [...record.verdict.landed.why, why] };
  }
  record.restored = await restore(work, chosen.plan);
  await tell(work, "restored", "did", summary(record.restored), { results: record.restored });
  if (record.restored.every(({ is }) => is === "passed")) await examine(work, chosen.plan);
  measure(record);
  record.verdict = judge(record.landed, record.restored, record.checks);
  const { landed, restorable, correct, verified } = record.verdict;
  const notes = [landed, restorable, correct].flatMap(({ why }) => why);
  if (verified) return { end: "verified", code: "verified", notes };
  const parts = { landed, restorable, correct };
  const [first] = Object.entries(parts).filter(([, { is }]) => is !== "yes");
  const code = first ? `${first[1].is === "no" ? "not" : "unknown"}-${first[0]}` : "red";
  return { end: "red", code, notes };
};

const examine = async (work: Work, chosen: Plan): Promise<void> => {
  const { steps, clock, record } = work;
  record.restored = [...record.restored, await logIn(work, chosen)];
  if (record.restored.some(({ is }) => is !== "passed")) return;
  record.checks = await lookInto(work, chosen);
  record.times.checkedAt = await steps.step("when it was seen", async () =>
    Math.floor(clock.now()),
  );
  await tell(work, "checked", "saw", summary(record.checks), { results: record.checks });
};

const summary = (results: RunRecord["checks"]): string => {
  const bad = results.filter(({ is }) => is !== "passed");
  const passed = `${results.length - bad.length} of ${results.length} passed`;
  return inSentences([passed, ...bad.map(({ name, says }) => `${name}: ${says}`)]);
};

const mostLooks = 5;
const betweenLooksSeconds = 30;

/** Whether backups arrive, as far as that can be told from outside. One bad minute is no verdict. */
const look = async (work: Work): Promise<void> => {
  const { steps, clock, ports, record } = work;
  for (let number = 1; number <= mostLooks; number += 1) {
    work.seen = await steps.step(`look what has landed #${number}`, async () => ({
      facts: await gather(work),
      fraction: ports.random.fraction(),
      at: Math.floor(clock.now()),
    }));
    if (Object.values(work.seen.facts).every(({ known }) => known)) break;
    if (number < mostLooks) await steps.rest(`look again #${number}`, betweenLooksSeconds);
  }
  if (!work.seen) throw new Error(`${record.run} has not looked`);
  record.landed = judgeLanded(work.seen.facts, ports.policy, work.seen.at);
  await tell(work, "landed", "saw", summary(record.landed), { results: record.landed });
};

const gather = async ({ clock, ports, record }: Work): Promise<LandedFacts> => {
  const { sourceRegion } = record;
  const id = ports.databaseIn(sourceRegion);
  const fact = <T>(source: string, ask: () => Promise<T>) => observed(source, clock.now, ask);
  const [copies, source, snapshots, drift, application] = await Promise.all([
    fact(`RDS in ${ports.region}`, () => ports.backups.here(id)),
    fact(`RDS in ${sourceRegion}`, () => ports.backups.source(sourceRegion, id)),
    fact(`RDS in ${sourceRegion}`, () => ports.backups.snapshots(sourceRegion, id)),
    fact("settings", () => ports.drift(sourceRegion, ports.region)),
    fact("registries", () => ports.application(sourceRegion)),
  ]);
  const key = (region: string, arn: string | null | undefined) =>
    fact(`KMS in ${region}`, async () => (arn ? ports.backups.keyState(region, arn) : null));
  const here = copies.known ? copies.value.find((each) => each.key !== null) : undefined;
  const [keyHere, keyThere] = await Promise.all([
    copies.known ? key(ports.region, here?.key) : copies,
    source.known ? key(sourceRegion, source.value.key) : source,
  ]);
  const seen = { copies, source, snapshots, keyHere, keyThere, drift, application };
  if (record.wish.age.is !== "snapshot") return seen;
  const snapshotsHere = await fact(`RDS in ${ports.region}`, () => ports.backups.snapshotsHere(id));
  return { ...seen, snapshotsHere };
};

/** The name of the copy is in the journal before there is one: the sweep believes nothing else. */
const plan = async (work: Work): Promise<{ plan: Plan } | { refused: Refusal }> => {
  const { ports, record, seen } = work;
  if (!seen) throw new Error(`${record.run} has not looked`);
  const { copies } = seen.facts;
  if (!copies.known) {
    return { refused: { code: "backups-unknown", reason: `No backups are known: ${copies.why}.` } };
  }
  const { instanceClass, hours } = ports.policy;
  const copy = copyOf(ports.quarantine.prefix, record.run);
  const { fraction, at: nowMilliseconds } = seen;
  const by = { copy, instanceClass, hours, fraction, nowMilliseconds };
  const chosen = chosenOf(work, copies.value, seen.facts.snapshotsHere, by);
  if ("refused" in chosen) return chosen;
  const { restoreToMilliseconds, backup } = chosen.plan;
  const moment = new Date(restoreToMilliseconds).toISOString();
  record.plan = chosen.plan;
  record.times.orderedAt = nowMilliseconds;
  record.figures.backupLagSeconds = (nowMilliseconds - backup.latestMilliseconds) / 1000;
  const text = `Restores ${backup.sourceId} as of ${moment} as ${copy}.`;
  await tell(work, copyLine, "decided", text, { copy, plan: chosen.plan });
  return chosen;
};

/** A schedule wants a snapshot where there is one; a person who names it wants nothing else. */
const chosenOf = (
  { record }: Work,
  copies: BackupSeen[],
  snapshots: LandedFacts["snapshotsHere"],
  by: Choice,
): ReturnType<typeof choose> => {
  const { age } = record.wish;
  if (age.is !== "snapshot") return choose(copies, age, by);
  if (!snapshots?.known) {
    const reason = `No snapshots are known: ${snapshots?.why ?? "nobody has looked"}.`;
    return { refused: { code: "backups-unknown", reason } };
  }
  const isNone = snapshots.value.length === 0 && age.orLatest === true;
  return isNone ? choose(copies, { is: "latest" }, by) : chooseSnapshot(snapshots.value, by);
};

const measure = ({ times, figures, checks }: RunRecord): void => {
  const { orderedAt, availableAt, warmAt } = times;
  const since = (at: number | null) =>
    at === null || orderedAt === null ? null : (at - orderedAt) / 1000;
  figures.availableSeconds = since(availableAt);
  figures.warmSeconds = since(warmAt);
  const heartbeat = checks.find(({ name }) => name === "heartbeat");
  figures.lossSeconds = heartbeat?.measured?.lossSeconds ?? null;
};

const clear = async (work: Work): Promise<void> => {
  const { record } = work;
  if (!record.plan) return;
  try {
    record.leftovers = await remove(work, record.plan);
  } catch (error) {
    record.leftovers = [`${record.plan.copy} may still be there: ${sentence(error)}.`];
  }
};

/** Tells how it ended, as far as anybody can be told. */
const close = async (
  work: Work,
  end: RunRecord["end"],
  code: string,
  notes: string[],
): Promise<Result> => {
  const { steps, clock, ports, record } = work;
  const isLeft = record.leftovers.length > 0;
  record.end = end === "verified" && isLeft ? "red" : end;
  record.code = end === "verified" && isLeft ? "left-something" : code;
  record.notes = [...notes, ...record.leftovers];
  const trying = async <T>(name: string, act: () => Promise<T>) => {
    const fact = await observed(name, clock.now, () => steps.step(name, act));
    if (!fact.known) record.notes.push(`${name}: ${fact.why}.`);
    return fact.known ? fact.value : null;
  };
  record.times.endedAt = await trying("end", async () => Math.floor(clock.now()));
  record.figures.costDollars = costOf(work);
  const evidence =
    record.end === "postponed" ? null : await trying("keep evidence", () => kept(work));
  const report = evidence ? await trying("write its page", () => ports.report(evidence)) : null;
  const proof = { evidence, report };
  // A success that nobody can prove is none.
  if (record.end === "verified" && !evidence) [record.end, record.code] = ["red", "no-evidence"];
  const kind = { verified: "did", red: "failed", postponed: "refused" } as const;
  await tell(work, "end", kind[record.end], inSentences([record.code, ...record.notes]), {
    ...{ end: record.end, code: record.code, verdict: record.verdict, figures: record.figures },
    evidence,
    report,
  });
  const { costDollars } = record.figures;
  // Also of a run that was put off after its reservation: it has cost nothing.
  if (costDollars !== null && record.leftovers.length === 0) {
    await trying("settle the cost", async () => {
      await ports.settle(record.run, costDollars);
      return true;
    });
  }
  if (record.end !== "postponed") {
    await trying("publish", async () => {
      await ports.publish(record, proof);
      return true;
    });
    await trying("end the freeze", async () => {
      await ports.endFreeze(record.run);
      return true;
    });
  }
  await trying("tell people", async () => ports.show(record, "ended", work.message, proof));
  const { run, leftovers, unrecorded } = record;
  return {
    run,
    end: record.end,
    code: record.code,
    notes: record.notes,
    leftovers,
    evidence,
    report,
    unrecorded,
  };
};

/** From the order until it was gone, or until now. */
const costOf = ({ ports, record }: Work): number | null => {
  const { orderedAt, destroyedAt, endedAt } = record.times;
  const until = destroyedAt ?? endedAt;
  const price = ports.policy.dollarsPerHour;
  if (price === null || until === null) return null;
  const hours = orderedAt === null ? 0 : (until - orderedAt) / 3_600_000;
  return Math.round(hours * price * 100) / 100;
};

const kept = async ({ ports, record, clock }: Work): Promise<Kept> => {
  const recordedAt = new Date(Math.floor(clock.now())).toISOString();
  const body = ports.evidenceOf(record);
  const { sequence, hash } = await ports.keep({
    ...{ kind: "verification", run: record.run, recordedAt, body },
  });
  return { run: record.run, sequence, hash };
};

/** Into the journal, which has to take it until the copy is made, and after it only should. */
const tell = async (
  work: Work,
  key: string,
  kind: Line["kind"],
  text: string,
  data: Record<string, unknown>,
): Promise<void> => {
  const { steps, clock, ports, record } = work;
  const mustBe = key === "begin" || key === copyLine;
  const told = await observed("journal", clock.now, () =>
    steps.step(`record ${key}`, async () => {
      const atMilliseconds = Math.floor(clock.now());
      await ports.journal(record.run, { key, by: ports.name, atMilliseconds, kind, text, data });
      return ports.show(record, text, work.message);
    }),
  );
  if (told.known) work.message = told.value ?? work.message;
  else if (mustBe) throw new Error(`the journal has not taken "${key}": ${told.why}`);
  else record.unrecorded += 1;
};
