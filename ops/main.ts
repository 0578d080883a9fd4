import config from "../nightshift.config.ts";
import { processRuntime } from "../shared/runtime.ts";
import { stageVariable } from "../shared/stage.ts";
import { opsArguments, UsageError, usage } from "./arguments.ts";
import { station } from "./aws.ts";
import { operate } from "./operations.ts";
import { columns, wrapped } from "./text.ts";
import { whyOf } from "./why.ts";

const main = async (): Promise<number> => {
  const given = opsArguments(process.argv.slice(2), process.env);
  if (given === "help") {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  const { command, names, json, stage } = given;
  const runtime = {
    ...processRuntime({ ...process.env, [stageVariable]: stage }, config),
    // Here a person sits: the SDK finds their credentials where the AWS command line does.
    aws: () => ({ credentials: undefined }),
  };
  const told = await operate(await station(runtime, names), command).catch((error: unknown) => {
    const why = whyOf(error);
    const doubt =
      command.verb === "status" || command.verb === "journal"
        ? []
        : ["It is not certain whether anything was done. Look at the status, then ask again."];
    return { ok: false, lines: [`Failed: ${why}`, ...doubt], data: { failed: why } };
  });
  const stream = told.ok ? process.stdout : process.stderr;
  if (json)
    process.stdout.write(`${JSON.stringify({ ok: told.ok, verb: command.verb, ...told.data })}\n`);
  else stream.write(`${told.lines.flatMap(fitted).join("\n")}\n`);
  return told.ok ? 0 : 1;
};

/** What was laid out keeps its indentation; a sentence that is too long is broken. */
const fitted = (line: string): string[] =>
  line.length <= columns ? [line] : wrapped(line, columns);

const explain = (error: unknown): number => {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n`);
  return 2;
};

process.exitCode = await main().catch(explain);
