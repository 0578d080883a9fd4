import { overdueHoursOf } from "../shared/verification.ts";
import { check } from "./checks.ts";
import type { Check } from "./report.ts";
import type { VerificationFindings } from "./verification-findings.ts";
import { quarantine } from "./verification-platform.ts";
import type { VerificationReport } from "./verification-report.ts";

type Evidence = VerificationReport["evidence"];

/** What is asked of the whole drill, and then of each act. */
export const verificationChecks = (findings: VerificationFindings, evidence: Evidence): Check[] => [
  ...ofTheGoodNight(findings),
  ...ofTheDeadRun(findings),
  ...ofTroubles(findings),
  ...ofTheOverdue(findings),
  ...ofTheWhole(findings, evidence),
];

const ofTheGoodNight = ({
  rows,
  lost,
  early,
  isCompared,
  told,
  objectives,
}: VerificationFindings): Check[] => {
  const [good] = rows;
  const reds = good?.reds.map(({ name, says }) => `${name}: ${says}`).join(" ") ?? "";
  const {
    verdict = { landed: "", restorable: "", correct: "" },
    warmSeconds,
    lossSeconds,
  } = good ?? {};
  return [
    check(
      "a good night: landed, restorable and correct",
      good?.isAsExpected === true && Object.values(verdict).every((is) => is === "yes"),
      "yes three times, and verified",
      good ? `${Object.values(verdict).join(", ")}; ${good.end} (${good.code}) ${reds}` : "no run",
    ),
    check(
      "a good night: all checks ran and passed",
      good !== undefined && good.checks.all >= 25 && good.checks.passed === good.checks.all,
      "25 or more, all passed",
      `${good?.checks.passed} of ${good?.checks.all}`,
    ),
    check(
      "a good night: both recovery times and the loss were measured, and are within their objectives",
      good?.availableSeconds != null &&
        (warmSeconds ?? objectives.rtoSeconds + 1) <= objectives.rtoSeconds &&
        (lossSeconds ?? objectives.rpoSeconds + 1) <= objectives.rpoSeconds,
      `at most ${objectives.rtoSeconds} s and ${objectives.rpoSeconds} s`,
      `available ${good?.availableSeconds} s, read in full ${warmSeconds} s, loss ${lossSeconds} s`,
    ),
    check(
      "a good night: the copy has every write acknowledged before its moment, read past all checks",
      isCompared && lost.length === 0,
      "none missing",
      isCompared ? `${lost.length} missing of ${told[0]?.copied?.size} rows` : "nobody compared",
    ),
    check(
      "a good night: the copy has no write of after its moment",
      isCompared && early.length === 0,
      "0",
      early.length,
    ),
  ];
};

const ofTheDeadRun = ({ rows, told, journals }: VerificationFindings): Check[] => {
  const index = told.findIndex(({ act }) => act.isStopped);
  const swept = told[index]?.swept;
  const row = rows[index];
  const entries = journals[index]?.entries ?? [];
  return [
    check(
      "a dead run: the sweep takes its copy away, and nothing else",
      row?.isAsExpected === true && swept?.removed.length === 1 && told[index]?.left.length === 0,
      "one copy taken away",
      swept ? swept.removed.join(" ") || "none" : "no sweep",
    ),
    check(
      "a dead run: its journal says who took the copy away, and from when on it was named",
      entries.some(({ key }) => key === "copy") && entries.some(({ key }) => key === "swept"),
      "both lines",
      entries.map(({ key }) => key).join(", "),
    ),
    check(
      "a dead run: repairs and the next run are held back no longer",
      swept?.released === row?.run && rows[index + 1]?.end !== "postponed",
      row?.run ?? "its run",
      swept?.released ?? "nobody",
    ),
  ];
};

const ofTroubles = ({ rows, told }: VerificationFindings): Check[] =>
  rows.flatMap((row, index) => {
    const expects = told[index]?.act.expects;
    if (row.name === "good" || !expects) return [];
    const found = row.reds.map(({ name }) => name);
    return [
      check(
        `${row.title}: it is told so, by the checks that should and by no other`,
        row.isAsExpected,
        `${row.expected}: ${expects.reds.join(", ")}`,
        `${row.end} (${row.code}): ${found.join(", ") || "none"}`,
      ),
    ];
  });

const ofTheOverdue = ({ overdue, scene }: VerificationFindings): Check[] => {
  const { hours, answer, published } = overdue;
  const bound = overdueHoursOf(scene.world.config);
  return [
    check(
      "backups of which none was verified for long are told as NOT VERIFIED",
      /NOT VERIFIED: overdue/.test(answer) && (published ?? 0) > bound,
      `overdue after ${bound} h, in Slack and as a metric`,
      `${published?.toFixed(1)} h of ${hours}; ${answer.split("\n")[0]}`,
    ),
  ];
};

const ofTheWhole = (findings: VerificationFindings, evidence: Evidence): Check[] => {
  const { changes, production, told, journals, rows, pages, scene } = findings;
  const ours = new RegExp(`^${quarantine.prefix}-verify-[0-9a-f]{16}$`);
  const planted = /^(Stop|Delete)DBInstanceAutomatedBackup/;
  const others = changes.filter(
    ({ operation, target }) => !ours.test(target) && !planted.test(operation),
  );
  const left = told.flatMap(({ left: some }) => some);
  const broken = journals.filter(({ verdict, entries }) => !verdict.ok || entries.length === 0);
  const recorded = rows.filter(({ sequence }) => sequence !== null).length;
  const said = JSON.stringify(scene.world.slack.messages());
  return [
    check(
      "nothing but copies was changed in RDS",
      others.length === 0 && changes.length > 0,
      `${quarantine.prefix}-verify-… only`,
      others.map(({ operation, target }) => `${operation} ${target}`).join(", ") ||
        `${changes.length} changes, all of copies`,
    ),
    check(
      "the databases of both regions are what they were",
      production.before === production.after && production.before.length > 2,
      "unchanged",
      production.before === production.after ? "unchanged" : "changed",
    ),
    check("every copy is gone", left.length === 0, "none left", left.join(", ") || "none left"),
    check("an auditor's command verifies the evidence", evidence.ok, "exit code 0", evidence.says),
    check(
      "each run that came to its end has one record and one page",
      recorded === rows.length - 1 && evidence.records === recorded && pages.length === recorded,
      `${rows.length - 1} of each`,
      `${evidence.records} records, ${pages.length} pages`,
    ),
    check(
      "the journals of all runs are whole",
      broken.length === 0,
      "every entry follows",
      broken.map(({ run }) => run).join(", ") || `${journals.length} journals`,
    ),
    check(
      "people were told of each end, with its record and its page",
      rows.every(({ sequence }) => sequence === null || said.includes(`evidence ${sequence}:`)),
      "a message each",
      `${scene.world.slack.messages().length} messages`,
    ),
  ];
};
