/** `npm run replay -- <file>`: a recorded incident, against the playbooks of today. */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { playbooks } from "../functions/remediation/playbooks.ts";
import config from "../nightshift.config.ts";
import { recordedIn } from "./attempt.ts";
import { BadInput, type Recording, recordingIn } from "./recording.ts";
import { replay } from "./replay.ts";
import { alarmLines, linesOf } from "./text.ts";

const usage = `npm run replay -- <file> [--json]

  What the playbooks of today make of an incident that was recorded, and why that differs from what was
  decided then. The file has the journal of one attempt or of several, one entry as JSON in each line, or
  what this prints:

    npm run --silent ops -- journal <run> --json > incident.json

  or the event of one CloudWatch alarm: then it is told which playbooks would look at it.

Exit codes: 0 the same, 2 the file cannot be used, 3 something differs.`;

interface Told {
  code: 0 | 3;
  lines: string[];
  data: unknown;
}

const main = (): number => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: "boolean", default: false }, help: { type: "boolean", short: "h" } },
  });
  if (values.help) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  const [path] = positionals;
  if (path === undefined || positionals.length > 1)
    throw new BadInput(`One file is wanted.\n\n${usage}`);
  const { code, lines, data } = told(recordingIn(contentsOf(path)));
  process.stdout.write(values.json ? `${JSON.stringify(data)}\n` : `${lines.join("\n")}\n`);
  return code;
};

const contentsOf = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new BadInput(`${path} cannot be read: ${(error as Error).message}.`);
  }
};

const told = (recording: Recording): Told =>
  recording.is === "alarm" ? ofAlarm(recording.alarm) : ofJournals(recording.runs);

const ofJournals = (runs: Extract<Recording, { is: "journals" }>["runs"]): Told => {
  const unusable: string[] = [];
  const replayed = runs.flatMap(({ run, entries }) => {
    const recorded = recordedIn(run, entries);
    if ("unusable" in recorded) {
      unusable.push(recorded.unusable);
      return [];
    }
    const { end } = recorded;
    const ended = end ? `${end.end}, ${end.code}` : "its journal breaks off";
    const found = replay(recorded, playbooks);
    return [{ ...found, ended, entries: entries.length }];
  });
  if (replayed.length === 0) throw new BadInput(unusable.join(" "));
  const differ = replayed.filter(({ isSame }) => !isSame).length;
  return {
    code: differ === 0 ? 0 : 3,
    lines: [
      ...replayed.flatMap((each) => [...linesOf(each, each.ended), ""]),
      ...unusable,
      `${replayed.length - differ} the same, ${differ} otherwise. The hash chain of each is whole.`,
    ],
    data: { same: differ === 0, attempts: replayed, unusable },
  };
};

/** All alarms of a stage begin with it, whatever the stage is. */
const prefixes = /^nightshift(-[a-z0-9]+)?-/;

const ofAlarm = (alarm: Extract<Recording, { is: "alarm" }>["alarm"]): Told => {
  const rights = config.remediation?.playbooks ?? {};
  const kinds = playbooks.flatMap(({ alarms }) => alarms).toSorted((a, b) => b.length - a.length);
  const isOurs = prefixes.test(alarm.name);
  const kind = kinds.find(
    (each) => alarm.name.endsWith(`-${each}`) || alarm.name.includes(`-${each}-`),
  );
  const candidates = playbooks
    .filter(({ alarms }) => isOurs && kind !== undefined && alarms.includes(kind))
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ name, evidence }) => ({
      playbook: name,
      right: rights[name] ?? "shadow",
      looks: evidence,
    }));
  const shown = isOurs ? (kind ?? "one that no playbook names") : null;
  return {
    code: 0,
    lines: alarmLines(alarm, shown, candidates),
    data: { alarm, kind: kind ?? null, candidates },
  };
};

const explain = (error: unknown): number => {
  const isUsage = error instanceof TypeError && "code" in error;
  if (!(error instanceof BadInput) && !isUsage) throw error;
  process.stderr.write(`${(error as Error).message}\n`);
  return 2;
};

const run = (): number => {
  try {
    return main();
  } catch (error) {
    return explain(error);
  }
};

process.exitCode = run();
