import { parseArgs } from "node:util";

export interface DrillArguments {
  scenario: string;
  seed: string;
  speed: number;
  json: boolean;
  interactive: boolean;
  /** Only these stories of a scenario that has several; all of them when left out. */
  stories?: string[];
}

/** A wrong command line: what was wrong, and what is possible. Exits with 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

/**
 * Below 2 a drill takes half an hour; above 20 a busy laptop falls behind modelled time, and its own
 * slowness looks like an outage.
 */
const speeds = { least: 1, most: 20, usual: 15 };

type Known = readonly {
  name: string;
  about: string;
  /** When it is another than the usual one. */
  speed?: number;
  /** Names of its stories, when it has several. */
  stories?: readonly string[];
}[];

const usage = (scenarios: Known) =>
  [
    `npm run drill -- <scenario> [--speed ${speeds.usual}] [--seed 1] [--json] [--interactive]`,
    "Scenarios:",
    ...scenarios.flatMap(({ name, about, stories }) => [
      `  ${name.padEnd(20)}${about}`,
      ...(stories ? [`  ${"".padEnd(20)}--stories takes some of:`] : []),
      ...(stories ?? []).map((story) => `  ${"".padEnd(22)}${story}`),
    ]),
  ].join("\n");

/** Reads the command line of a drill. Throws a UsageError and changes nothing when it is wrong. */
export const drillArguments = (given: string[], scenarios: Known): DrillArguments | "help" => {
  const { values, positionals } = parsed(given, scenarios);
  if (values.help) return "help";
  const [scenario, ...more] = positionals;
  if (scenario === undefined) throw new UsageError(`No scenario was named.\n${usage(scenarios)}`);
  const known = scenarios.find(({ name }) => name === scenario);
  if (!known) {
    throw new UsageError(`There is no scenario "${scenario}".\n${usage(scenarios)}`);
  }
  if (more.length > 0) {
    throw new UsageError(
      `One scenario at a time: "${more.join(" ")}" is too much.\n${usage(scenarios)}`,
    );
  }
  const speed = Number(values.speed ?? known.speed ?? speeds.usual);
  if (!(speed >= speeds.least && speed <= speeds.most)) {
    throw new UsageError(
      `--speed takes a number from ${speeds.least} to ${speeds.most}, not "${values.speed}".`,
    );
  }
  const seed = values.seed ?? "1";
  if (!/^[\w.-]{1,40}$/.test(seed)) {
    throw new UsageError(`--seed takes up to 40 letters and digits, not "${values.seed}".`);
  }
  const { json = false, interactive = false } = values;
  if (json && interactive) {
    throw new UsageError("--json and --interactive do not go together: one is for programs.");
  }
  const stories = storiesOf(values.stories, known.stories);
  return { scenario, seed, speed, json, interactive, ...(stories ? { stories } : {}) };
};

const storiesOf = (given: string | undefined, known: readonly string[] = []) => {
  if (given === undefined) return undefined;
  const named = given.split(",");
  const strange = named.filter((name) => !known.includes(name));
  if (strange.length === 0) return named;
  const has = known.length === 0 ? "it has none" : `it has ${known.join(", ")}`;
  throw new UsageError(`There is no story "${strange.join(", ")}" in this scenario: ${has}.`);
};

const parsed = (args: string[], scenarios: Known) => {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        seed: { type: "string" },
        speed: { type: "string" },
        json: { type: "boolean" },
        interactive: { type: "boolean" },
        stories: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    const why = error instanceof Error ? error.message.split(". ")[0] : String(error);
    throw new UsageError(`${why}.\n${usage(scenarios)}`);
  }
};

export const helpText = usage;
