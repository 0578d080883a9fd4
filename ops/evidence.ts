import { createPublicKey } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { reportedRuns, reportPage } from "../functions/verification/report.ts";
import { systemClock } from "../shared/clock.ts";
import type { ChainVerdict, EvidenceFile, Expected } from "../shared/evidence.ts";
import { verifyChain } from "../shared/evidence.ts";

/** A wrong command line: what was wrong, and what to do instead. Ends with 2. */
class UsageError extends Error {}

export const evidenceUsage = `Usage: npm run evidence -- <folder> --key <public key file>

Tells whether the records of evidence in a folder are all there, unchanged, in order and signed.
It needs no AWS account; get what it reads with

  aws s3 cp --recursive s3://<evidence bucket>/records/ <folder>
  aws kms get-public-key --key-id <key> --query PublicKey --output text | base64 -d > <key file>

  --key FILE      a public key, PEM or DER; give it once for each key that has signed
  --head N[:HASH] the newest record as a report or a message has told it, so that records
                  missing at the end are noticed as well
  --from N        the oldest record, when older ones are past their years (1 when left out)
  --report FILE   writes a page of the restore tests, with their trends, from these records; only when
                  all is well with them
  --json          one object instead of lines

Ends with 0 when all is well, 1 when something is not, 2 when it was called wrongly.`;

/** One run a day, and two hours for a day on which it came late. */
const overdueHours = 26;

interface Asked {
  folder: string;
  expected: Expected;
  report: string | null;
  json: boolean;
}

/** Throws `UsageError`, with what to do instead. */
export const evidenceArguments = (given: readonly string[]): Asked | "help" => {
  const { values, positionals } = parsed(given);
  if (values.help) return "help";
  const [folder, ...others] = positionals;
  if (folder === undefined || others.length > 0) {
    throw new UsageError(`One folder, please.\n\n${evidenceUsage}`);
  }
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    throw new UsageError(`There is no folder ${folder}.`);
  }
  const files = values.key ?? [];
  if (files.length === 0) {
    throw new UsageError("Without --key nobody can tell who signed. See --help for how to get it.");
  }
  const from = values.from === undefined ? {} : { from: count("--from", values.from) };
  const head = values.head === undefined ? {} : { head: headOf(values.head) };
  return {
    folder,
    expected: { keys: keysOf(files), ...from, ...head },
    report: values.report ?? null,
    json: values.json ?? false,
  };
};

const parsed = (args: readonly string[]) => {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        key: { type: "string", multiple: true },
        head: { type: "string" },
        from: { type: "string" },
        report: { type: "string" },
        json: { type: "boolean" },
        help: { type: "boolean" },
      },
    });
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : error}\n\n${evidenceUsage}`);
  }
};

const count = (name: string, text: string): number => {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new UsageError(`${name} takes the number of a record, such as 12, and not "${text}".`);
};

const headOf = (text: string): NonNullable<Expected["head"]> => {
  const [number = "", hash, ...others] = text.split(":");
  if (others.length > 0 || (hash !== undefined && !/^[0-9a-f]{8,64}$/.test(hash))) {
    throw new UsageError(`--head takes 12:0f3a…, as it was told then, and not "${text}".`);
  }
  return { sequence: count("--head", number), ...(hash === undefined ? {} : { hash }) };
};

/** One key may have signed anything; of several, each record's signature has to fit one. */
const keysOf = (files: readonly string[]): string[] => files.map(pemOf);

const pemOf = (file: string): string => {
  if (!existsSync(file)) throw new UsageError(`There is no file ${file}.`);
  const bytes = readFileSync(file);
  const isPem = bytes.toString("latin1").includes("-----BEGIN");
  try {
    const key = createPublicKey(isPem ? bytes : { key: bytes, format: "der", type: "spki" });
    return key.export({ type: "spki", format: "pem" }).toString();
  } catch {
    throw new UsageError(`${file} is no public key, neither PEM nor DER.`);
  }
};

/** All files below it, since each region's bucket may have been copied into a folder of its own. */
const filesIn = (folder: string): EvidenceFile[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".json"))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((name) => ({ name, text: readFileSync(name, "utf8") }));

const linesOf = ({ records, head, problems }: ChainVerdict, { head: told }: Expected): string[] => {
  const first = records[0];
  if (!first || !head) return ["There is no record of evidence here. Nothing found is not well."];
  const last = records.at(-1) ?? first;
  const lines = [
    `${records.length} records, ${first.sequence} to ${last.sequence}, ` +
      `of ${first.recordedAt} to ${last.recordedAt}.`,
    `The newest is ${head.sequence}:${head.hash.slice(0, 16)}.`,
    ...problems.map(({ of, says }) => `NOT WELL  ${of}: ${says}`),
  ];
  if (problems.length > 0) return [...lines, `${problems.length} things are not well.`];
  const end = told
    ? ""
    : " Whether newer ones are missing cannot be told without --head, which reports and messages name.";
  return [...lines, `All are there, unchanged, in order and signed.${end}`];
};

const main = (): number => {
  const asked = evidenceArguments(process.argv.slice(2));
  if (asked === "help") {
    process.stdout.write(`${evidenceUsage}\n`);
    return 0;
  }
  const verdict = verifyChain(filesIn(asked.folder), asked.expected);
  const isWell = verdict.records.length > 0 && verdict.problems.length === 0;
  const { head, problems } = verdict;
  const told = { ok: isWell, records: verdict.records.length, head, problems };
  const text = asked.json ? JSON.stringify(told) : linesOf(verdict, asked.expected).join("\n");
  (isWell || asked.json ? process.stdout : process.stderr).write(`${text}\n`);
  // A page of records that are not whole would look as good as one of records that are.
  if (isWell && asked.report !== null) {
    const settings = { now: systemClock.now(), overdueHours };
    writeFileSync(asked.report, reportPage(reportedRuns(verdict.records), settings));
  }
  return isWell ? 0 : 1;
};

if (import.meta.main) {
  try {
    process.exitCode = main();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
  }
}
