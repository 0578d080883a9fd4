import { parseArgs } from "node:util";
import type { Override } from "../functions/failover/request.ts";
import { type Age, ageOf, commanded, runPattern } from "../functions/slack/decide.ts";
import { type RotateWords, rotateOf, rotateUsage } from "../functions/slack/rotate-words.ts";
import { attemptPattern } from "../shared/incident.ts";
import type { Move } from "../shared/move.ts";
import { stageVariable } from "../shared/stage.ts";

/** What is to be done, once the words are understood. */
export type Command =
  | { verb: "status" | "ack" | "repairs" | "rotations" | "backups" }
  | { verb: "verify-backup"; age: Age }
  | { verb: "rotate"; words: RotateWords }
  | { verb: "repairs-ack"; playbook: string }
  | { verb: Move; reason: string; overrides: Override[] }
  | { verb: "pause" | "resume" | "rebuild"; reason: string }
  | { verb: "abort"; reason: string; run?: string }
  | { verb: "carry-on"; reason: string; accepts: Override[]; run?: string }
  | { verb: "maintenance"; minutes: number; reason: string }
  | { verb: "approve" | "reject"; planHash: string }
  | { verb: "journal"; run: string };

/** What Nightshift's parts are called in the account. */
export interface Names {
  table: string;
  journal: string;
  function: string;
  /** Of restore tests. */
  verification: string;
  rotation: string;
}

export interface OpsArguments {
  command: Command;
  /** As it was deployed: `production`. */
  stage: string;
  names: Names;
  json: boolean;
}

/** A wrong command line: what was wrong, and what is possible. Exits with 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(`${message}\n\n${usage}`);
    this.name = "UsageError";
  }
}

export const usage = `Nightshift without Slack. Straight to the coordination table and to Lambda, as yourself.

  npm run ops -- status                   who may write, what is under way, what waits for approval
  npm run ops -- failover <reason>        leave a region that is lost
  npm run ops -- switchover <reason>      move from a region that is well; nothing is lost
  npm run ops -- failback <reason>        the same, home
  npm run ops -- rehearse <reason>        all of a move up to its one-way door; nothing is moved
  npm run ops -- rebuild <reason>         the region that was left becomes a standby region again
  npm run ops -- approve <planHash>       12 digits of the hash are enough
  npm run ops -- reject <planHash>
  npm run ops -- abort [run] <reason>     stop the run that is under way; undone until it promotes
  npm run ops -- carry-on [run]           go on with the run that has asked for a human
  npm run ops -- ack                      the block period does not hold the next move
  npm run ops -- pause <reason>           all automation stops before its next change
  npm run ops -- resume <reason>
  npm run ops -- maintenance <minutes> <reason>, or maintenance end: repairs wait for it
  npm run ops -- repairs                  what is done by itself when an alarm rings, and how well
  npm run ops -- repairs ack <playbook>   gives a playbook its automatic right back
  npm run ops -- rotations                which secrets are being rotated, and what forbids it now
  npm run ops -- rotate <secret>          shows what would be done, and asks for a confirmation
  npm run ops -- rotate <secret> dry-run  only shows it, and what forbids it now
  npm run ops -- rotate <secret> compromise <reason>   the old value goes at once
  npm run ops -- rotate <secret> abandon <reason>      gives up what is not complete
  npm run ops -- backups                  whether the backups are known to restore, and since when
  npm run ops -- verify-backup [random]   restores one now, apart from production
  npm run ops -- journal <run>            what a run saw, decided and did; the chain is verified

  A move takes accept:unknown-loss, accept:block-period and accept:readiness among its words, where
  a refusal asks for one.

  --json                                  one JSON object on standard output
  --stage production                      or NIGHTSHIFT_STAGE: what was deployed under that name
  --table, --journal, --function <name>   or NIGHTSHIFT_TABLE, NIGHTSHIFT_JOURNAL,
                                          NIGHTSHIFT_FUNCTION: one of them by a name of its own

Credentials come from where the AWS command line has them. Exit codes: 0 done, 1 refused or failed,
2 not understood.`;

/** Reads the command line. Throws a UsageError, with nothing done, when it is wrong. */
export const opsArguments = (
  given: string[],
  environment: Record<string, string | undefined>,
): OpsArguments | "help" => {
  const { values, positionals } = parsed(given);
  const [verb, ...words] = positionals;
  if (values.help || verb === "help") return "help";
  if (verb === undefined) throw new UsageError("No verb was given.");
  const { NIGHTSHIFT_TABLE, NIGHTSHIFT_JOURNAL, NIGHTSHIFT_FUNCTION } = environment;
  const stage = named(values.stage ?? environment[stageVariable], "production");
  const prefix = `nightshift-${stage}`;
  return {
    command: commandOf(verb, words),
    stage,
    names: {
      table: named(values.table ?? NIGHTSHIFT_TABLE, `${prefix}-coordination`),
      journal: named(values.journal ?? NIGHTSHIFT_JOURNAL, `${prefix}-journal`),
      // By its alias: a run that is under way goes on with the version that it began with.
      function: named(values.function ?? NIGHTSHIFT_FUNCTION, `${prefix}-failover:live`),
      verification: `${prefix}-verification:live`,
      rotation: `${prefix}-rotation`,
    },
    json: values.json ?? false,
  };
};

const named = (given: string | undefined, usual: string): string => {
  const name = given || usual;
  if (/^[\w.:-]{1,255}$/.test(name)) return name;
  throw new UsageError(`"${name}" is no name of a stage, a table or a function.`);
};

const commandOf = (verb: string, words: string[]): Command => {
  switch (verb) {
    case "approve":
    case "reject":
      return {
        verb,
        planHash: only(verb, words, /^[0-9a-f]{12,64}$/, "12 to 64 digits of a hash"),
      };
    case "journal":
      return { verb, run: only(verb, words, journalled, "a run such as failover-2-1") };
    case "repairs":
      return repairsOf(words);
    case "verify-backup":
      return verifyBackupOf(words);
    case "rotate": {
      const understood = rotateOf(words);
      if (!understood) throw new UsageError(rotateUsage);
      return { verb, words: understood };
    }
    case "status":
    case "ack":
    case "rotations":
    case "backups":
      if (words.length > 0) throw new UsageError(`${verb} takes nothing more.`);
      return { verb };
    default:
      return reasoned(verb, words);
  }
};

/** Moves and attempts at a repair alike have a journal. */
const journalled = new RegExp(`${runPattern.source}|${attemptPattern.source}`);

const only = (verb: string, words: string[], pattern: RegExp, what: string): string => {
  const [word = ""] = words;
  if (words.length === 1 && pattern.test(word)) return word;
  throw new UsageError(`${verb} takes ${what}, not "${words.join(" ")}".`);
};

const verifyBackupOf = (words: string[]): Command => {
  const age = ageOf(words);
  if (age) return { verb: "verify-backup", age };
  throw new UsageError(
    "verify-backup takes nothing more, random, or a time such as 2026-11-22T03:00:00Z.",
  );
};

const repairsOf = (words: string[]): Command => {
  const intent = commanded(["repairs", ...words].join(" "));
  if (intent.wants === "repairs") return { verb: "repairs" };
  if (intent.wants === "repairs-ack") return { verb: "repairs-ack", playbook: intent.playbook };
  throw new UsageError("repairs takes nothing more, or ack and the name of a playbook.");
};

/** In the words that Slack takes. */
const reasoned = (verb: string, words: string[]): Command => {
  const intent = commanded([verb, ...words].join(" "));
  if (!("reason" in intent)) {
    if (verb !== "maintenance") throw new UsageError(`There is no verb "${verb}".`);
    throw new UsageError("maintenance takes 1 to 1440 minutes and a reason, or the word end.");
  }
  const { wants, ...rest } = intent;
  const ends = intent.wants === "maintenance" && intent.minutes === 0;
  if (rest.reason.length < 3 && !ends && wants !== "carry-on") {
    throw new UsageError(`Say why: npm run ops -- ${verb} <reason>.`);
  }
  return { verb: wants, ...rest } as Command;
};

const parsed = (args: string[]) => {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        stage: { type: "string" },
        table: { type: "string" },
        journal: { type: "string" },
        function: { type: "string" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split(". ")[0]}.`);
  }
};
