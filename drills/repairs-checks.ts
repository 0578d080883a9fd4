import { attemptPattern } from "../shared/incident.ts";
import { check } from "./checks.ts";
import { resultOf } from "./repairs-attempts.ts";
import type { Told } from "./repairs-course.ts";
import type { RepairFindings } from "./repairs-findings.ts";
import type { RepairRow } from "./repairs-report.ts";
import type { Check } from "./report.ts";

/** What is asked of every drill of repairs, and then what each story asks for itself. */
export const repairChecks = (findings: RepairFindings): Check[] => [
  ...ofUsers(findings),
  ...ofTheWhole(findings),
  ...findings.told.flatMap((told, index) => ofStory(findings, told, findings.rows[index])),
];

const ofUsers = ({ scene, lost, strangers, sum, firstAt }: RepairFindings): Check[] => {
  const { acknowledged } = scene.world.users;
  const before = acknowledged.filter(({ acknowledgedAt }) => acknowledgedAt < firstAt).length;
  return [
    check("users were served before anything broke", before > 0, "some writes", before),
    check("no acknowledged write was lost", lost === 0, "0", lost),
    check("the database holds nothing that nobody sent", strangers === 0, "0", strangers),
    check("the ledger balances", sum === 0, "0", sum),
  ];
};

const ofTheWhole = ({ told, deeds, journals, budget }: RepairFindings): Check[] => {
  const wanted = told.filter(({ story }) => story.expects.deed !== null).length;
  const done = new Set(deeds.map(({ deed, target }) => `${deed} ${target}`));
  const broken = journals.filter(({ verdict, entries }) => !verdict.ok || entries.length === 0);
  const entries = journals.reduce((sum, { entries: own }) => sum + own.length, 0);
  return [
    check(
      "the endpoint heard one deed for each repair and no other",
      done.size === wanted,
      String(wanted),
      [...done].join(", ") || "none",
    ),
    check(
      "the budget was kept, and every deed is in it",
      budget.used === wanted && budget.used <= budget.perHour,
      `${wanted}, at most ${budget.perHour} an hour`,
      budget.used,
    ),
    check(
      "the journals of all attempts are whole",
      broken.length === 0 && journals.length > 0,
      "every entry follows",
      broken.length === 0
        ? `${entries} entries of ${journals.length} runs`
        : broken.map(({ run }) => run).join(", "),
    ),
  ];
};

const ofStory = ({ deeds }: RepairFindings, told: Told, row: RepairRow | undefined): Check[] => {
  const { story, answer, page, attempts, checks, brokenAt, endedAt } = told;
  const { end, codes, deed } = story.expects;
  const result = answer && resultOf(answer);
  const acted = attempts.filter((each) => (resultOf(each)?.acts ?? 0) > 0);
  const own = deeds.filter(({ atMilliseconds: at }) => at >= brokenAt && at <= endedAt);
  const failing = row ? row.failed / Math.max(1, row.failed + row.acknowledged) : 1;
  const named = (name: string) => `${story.name}: ${name}`;
  return [
    story.calls
      ? calledInTime(named("people were called instead"), page, brokenAt)
      : check(
          named(deed ? "repaired, and it has proven itself" : "rightly left alone"),
          result?.end === end && codes.includes(result.code),
          `${end} (${codes.join(" or ")})`,
          result ? `${result.end} (${result.code})` : "nobody has answered",
        ),
    check(
      named(deed ? "exactly one deed" : "no deed"),
      acted.length === (deed ? 1 : 0) && own.length >= (deed ? 1 : 0),
      deed ?? "none",
      own.map(({ deed: name, target }) => `${name} ${target}`).join(", ") || "none",
    ),
    story.calls
      ? check(named("nothing was begun"), attempts.length === 0, "0 runs", attempts.length)
      : check(
          named("one incident"),
          incidentsOf(attempts).size === 1,
          "1",
          incidentsOf(attempts).size,
        ),
    ...(story.failingShare < 1
      ? [
          check(
            named("few requests of users failed"),
            failing <= story.failingShare,
            `at most ${percent(story.failingShare)}`,
            percent(failing),
          ),
        ]
      : []),
    ...checks.map((each) => ({ ...each, name: named(each.name) })),
  ];
};

/** The ten minutes of triage, the alarm's own time before it, and the minute of a look. */
const calledWithinSeconds = 15 * 60;

const calledInTime = (name: string, page: Told["page"], brokenAt: number): Check => {
  const seconds = page && (page.atMilliseconds - brokenAt) / 1000;
  return check(
    name,
    seconds !== undefined && seconds <= calledWithinSeconds,
    `within ${calledWithinSeconds} s`,
    seconds === undefined ? "nobody was called" : `${Math.round(seconds)} s`,
  );
};

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** The name of an attempt has that of its incident in it. */
const incidentsOf = (attempts: Told["attempts"]): Set<string> =>
  new Set(
    attempts
      .filter(({ name }) => attemptPattern.test(name))
      .map(({ name }) => name.replace(/-\d+$/, "")),
  );
