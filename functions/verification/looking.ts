import { observed } from "../../shared/outcome.ts";
import type { Check, CheckResult, CopyFacts, Json, Turned } from "./checks.ts";
import { isMore } from "./checks.ts";
import type { Plan } from "./record.ts";
import type { Work } from "./verification.ts";

/** One turn, below a function's fifteen minutes with all that a slow copy may add to it. */
const turnSeconds = 120;
/** After so many turns the next ones get an invocation of their own, with all of its time. */
const turnsPerInvocation = 4;
/** At two minutes each it is a day, which no copy is given. */
const mostTurns = 720;

/** The check whose end says that every page has been read. */
const readsAll = "readable-in-full";

/** All checks in order, each with what it says; and when they were through. */
export const lookInto = async (work: Work, plan: Plan): Promise<CheckResult[]> => {
  const { ports, record } = work;
  const results: CheckResult[] = [];
  for (const check of ports.checks) {
    const missing = check.needs.filter(
      (name) => !results.some((each) => each.name === name && each.is === "passed"),
    );
    const result =
      missing.length > 0
        ? notRun(check, `It needs ${missing.join(", ")}.`)
        : await worked(work, plan, check, results);
    results.push(result);
    record.checks = results;
  }
  return results;
};

const notRun = ({ name, title }: Check, says: string): CheckResult => ({
  ...{ name, expected: title, is: "could-not-run", actual: "nothing was seen", says },
});

/** A check that fails for longer than its retries says nothing about the copy. */
const worked = async (
  work: Work,
  plan: Plan,
  check: Check,
  before: readonly CheckResult[],
): Promise<CheckResult> => {
  const fact = await observed(check.name, work.clock.now, () => turns(work, plan, check, before));
  return fact.known ? fact.value : notRun(check, `${fact.why}.`);
};

interface Ended {
  turned: Turned;
  at: number;
}

const turns = async (
  work: Work,
  plan: Plan,
  check: Check,
  before: readonly CheckResult[],
): Promise<CheckResult> => {
  const { steps, clock, record } = work;
  let cursor: Json = null;
  for (let number = 1; number <= mostTurns; number += 1) {
    const from: Json = cursor;
    const { turned, at }: Ended = await steps.step(`check ${check.name} #${number}`, async () => ({
      turned: await turn(work, plan, check, { before, cursor: from }),
      at: Math.floor(clock.now()),
    }));
    if (!isMore(turned)) {
      if (check.name === readsAll && turned.is === "passed") record.times.warmAt = at;
      return turned;
    }
    cursor = turned.more;
    if (at >= plan.deleteAfterMilliseconds) return notRun(check, "The time of the copy is over.");
    if (number % turnsPerInvocation === 0)
      await steps.rest(`check ${check.name} rest #${number}`, 1);
  }
  return notRun(check, `It did not end within ${mostTurns} turns.`);
};

const turn = async (
  { ports, clock, record }: Work,
  plan: Plan,
  check: Check,
  { before, cursor }: { before: readonly CheckResult[]; cursor: Json },
): Promise<Turned> => {
  const end = clock.now() + turnSeconds * 1000;
  const { rpoSeconds, schemaRevision } = ports.policy;
  const facts: CopyFacts = {
    run: record.run,
    region: record.region,
    sourceRegion: record.sourceRegion,
    database: ports.quarantine.database,
    aim: plan.aim,
    restoredToMilliseconds: plan.restoreToMilliseconds,
    orderedAtMilliseconds: record.times.orderedAt ?? record.times.startedAt,
    maximumLossSeconds: rpoSeconds,
    schemaRevision,
    before,
  };
  const session = await ports.copies.session(plan.copy);
  try {
    return await check.run(session, facts, {
      cursor,
      now: clock.now,
      isOver: () => clock.now() >= end,
    });
  } finally {
    await session.end();
  }
};

/** Whether anybody can log in at all. The first login waits until RDS has set its password. */
export const logIn = async (work: Work, plan: Plan): Promise<CheckResult> => {
  const { steps, clock, ports, record } = work;
  const name = "takes-logins";
  const expected = "a login with a throwaway password";
  const fact = await observed(name, clock.now, () =>
    steps.step("log in", async () => {
      const session = await ports.copies.session(plan.copy);
      await session.end();
      return Math.floor(clock.now());
    }),
  );
  if (!fact.known) {
    return { name, expected, is: "failed", actual: fact.why, says: "Nobody can log in to it." };
  }
  record.times.loggedInAt = fact.value;
  return { name, expected, is: "passed", actual: "logged in", says: "It takes logins." };
};
