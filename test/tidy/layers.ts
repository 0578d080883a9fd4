import { posix } from "node:path";
import { eachFile, isBelow, isCode, isShipped, type Rule } from "./rule.ts";
import type { Import, Source, Violation } from "./source.ts";

/** A relative import as a path from the root; undefined for a package. */
const target = (path: string, { from }: Import): string | undefined =>
  from.startsWith(".") ? posix.normalize(posix.join(posix.dirname(path), from)) : undefined;

const jobOf = (path: string): string | undefined => /^functions\/([^/]+)\//.exec(path)?.[1];

const isLocal = isBelow("local");
const isConfig = (path: string) => path === "nightshift.config.ts";

/** What the local AWS may know of Nightshift, beside its own. */
const knownToLocal = new Set([
  // Chance by seed, and the shape of what Slack is sent and answers.
  "shared/random.ts",
  "shared/message.ts",
  "shared/slack.ts",
  // How any handler is bundled, so that what runs here is what is deployed.
  "bundle.config.ts",
]);

/** Why `path` may not import `to`; undefined when it may. */
const forbidden = (path: string, to: string, { values }: Import): string | undefined => {
  if (isLocal(path) && !isLocal(to) && !knownToLocal.has(to))
    return `local/ knows nothing of ${to}`;
  if (isBelow("drills")(path) && isBelow("test", "bench")(to)) return `drills/ do not need ${to}`;
  if (!isShipped(path)) return undefined;
  if (isBelow("shared")(path)) {
    return isBelow("shared")(to) ? undefined : `shared/ stands below ${to}`;
  }
  if (isConfig(to)) {
    return path.endsWith("/handler.ts") ? undefined : "only a handler reads nightshift.config.ts";
  }
  if (!isShipped(to)) return `${to} is not shipped`;
  const other = jobOf(to);
  if (other === undefined || other === jobOf(path)) return undefined;
  const pure = to.endsWith("/decide.ts") || isDecision(to);
  return values.length === 0 || pure ? undefined : `${values.join(", ")} belongs to ${other}`;
};

const direction: Rule = {
  name: "imports go from jobs to shared/, and between Nightshift and local/ not at all",
  instead: "Hand it in as a port; share a type, a decide.ts, or a noun in shared/.",
  find: (tree) =>
    eachFile(tree, isCode, (source) =>
      source.imports().flatMap((each) => {
        const to = target(source.path, each);
        const why = to && forbidden(source.path, to, each);
        return why ? [source.at(each.start, why)] : [];
      }),
    ),
};

/** The shared stores and the one file that makes clients: all else asks a port in the job's words. */
const sdkUsers = new Set([
  "shared/clients.ts",
  "shared/coordination.ts",
  "shared/credentials.ts",
  "shared/evidence-store.ts",
  "shared/durable.ts",
  "shared/invoke.ts",
  "shared/journal.ts",
]);

const sdkPlaces: Rule = {
  name: "the AWS SDK is used in aws.ts, handler.ts and the shared stores only",
  instead: "Put the call behind a port in the job's aws.ts.",
  find: (tree) =>
    eachFile(
      tree,
      (path) => isShipped(path) && !/(\/|-)(aws|handler)\.ts$/.test(path) && !sdkUsers.has(path),
      (source) =>
        source
          .imports()
          .filter(({ from, values }) => /^@(aws-sdk|aws|smithy)\//.test(from) && values.length > 0)
          .map(({ from, start }) => source.at(start, from)),
    ),
};

/** Functions of values that decisions may use, by the module that has them. */
const pureValues: Record<string, readonly string[]> = {
  "zod/mini": ["*"],
  "functions/slack/rotate-words.ts": ["rotateOf"],
  "shared/canonical.ts": ["sha256"],
  "shared/clock.ts": ["isoSeconds"],
  "shared/incident.ts": ["triedOf"],
  "shared/message.ts": ["actionIds"],
  "shared/pause.ts": ["whilePaused"],
  "shared/readiness.ts": ["backupBoundSeconds", "verdictOf", "isFailing"],
};

/**
 * Playbooks are decisions as well: whoever reads one has seen all that it can do. So are parts of
 * readiness' and triage's decisions with files of their own, and what several playbooks make of requests,
 * of the way to the database, of its errors and statements, and of what was changed before.
 */
const isDecision = (path: string) =>
  /^functions\/[^/]+\/(decide|states|warnings|playbooks)\.ts$/.test(path) ||
  /^functions\/readiness\/(judged|backups)\.ts$/.test(path) ||
  /^functions\/triage\/(facts|memory|telling)\.ts$/.test(path) ||
  /^functions\/remediation\/(traffic|path|past|causation|connection-errors|statements)\.ts$/.test(
    path,
  ) ||
  /^functions\/remediation\/playbooks\/[^/]+\/playbook\.ts$/.test(path);

const purity: Rule = {
  name: "decide.ts and states.ts are pure",
  instead: "Gather facts in the job and hand them in; a decision is a value.",
  find: (tree) => eachFile(tree, isDecision, (source) => [...effects(source), ...waits(source)]),
};

const effects = (source: Source): Violation[] =>
  source.imports().flatMap((each) => {
    const to = target(source.path, each) ?? each.from;
    const impure = each.values.filter((value) => !isPure(to, value));
    return impure.length > 0 ? [source.at(each.start, `${impure.join(", ")} of ${to}`)] : [];
  });

const isPure = (from: string, value: string) =>
  isDecision(from) || (pureValues[from] ?? []).includes(value);

const waits = (source: Source): Violation[] =>
  source
    .nodes()
    .filter(({ type, async }) => type === "AwaitExpression" || async === true)
    .map(({ start }) => source.at(start, "async or await"));

const fourFiles: Rule = {
  name: "every job has handler.ts, <job>.ts, decide.ts and aws.ts",
  instead: "Give the job the same four files as the others have.",
  find: ({ paths }) => {
    const jobs = new Set(paths.flatMap((path) => jobOf(path) ?? []));
    return [...jobs].flatMap((job) =>
      ["handler", job, "decide", "aws"]
        .map((name) => `functions/${job}/${name}.ts`)
        .filter((path) => !paths.includes(path))
        .map((path) => ({ path, line: 1, what: "is missing" })),
    );
  },
};

const entrances: Rule = {
  name: "every handler.ts exports assemble and handler, and nothing else",
  instead: "Export `assemble(runtime)` for tests and `handler` for Lambda.",
  find: (tree) =>
    eachFile(
      tree,
      (path) => /^functions\/[^/]+\/handler\.ts$/.test(path),
      (source) => {
        const names = [...source.text.matchAll(/^export (?:const|function|class) (\w+)/gm)];
        const exported = names
          .map(([, name]) => name)
          .sort()
          .join(", ");
        return exported === "assemble, handler" ? [] : [source.at(0, `it exports: ${exported}`)];
      },
    ),
};

export const layerRules: readonly Rule[] = [direction, sdkPlaces, purity, fourFiles, entrances];
