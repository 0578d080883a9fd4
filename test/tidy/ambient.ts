import { type Allowance, except, isBelow, isCode, isShipped, type Rule } from "./rule.ts";
import type { Source, Syntax, Tree } from "./source.ts";
import { dotted } from "./source.ts";

/** Real sockets and processes take real time, also where everything else is modelled. */
const realWait = "it bounds a wait for a real socket or process, whose time is real";

const allowed: readonly Allowance[] = [
  { path: "local/http.ts", name: "AbortSignal.timeout", because: realWait },
  { path: "local/dns/resolver.ts", name: "AbortSignal.timeout", because: realWait },
  { path: "local/ledger/cache.ts", name: "AbortSignal.timeout", because: realWait },
  { path: "local/redis/real.ts", name: "AbortSignal.timeout", because: realWait },
  { path: "local/ledger/process.ts", name: "AbortSignal.timeout", because: realWait },
  { path: "local/postgres/keeper.ts", name: "AbortSignal.timeout", because: realWait },
  { path: "drills/people.ts", name: "AbortSignal.timeout", because: realWait },
  {
    path: "local/ledger/main.ts",
    name: "randomUUID",
    because: "it is a process of its own, as the customer's application would be",
  },
  {
    path: "local/ledger/main.ts",
    name: "randomBytes",
    because: "it is a process of its own, as the customer's application would be",
  },
  {
    path: "local/lambda/inprocess.ts",
    name: "setImmediate",
    because: "it puts the global on the timeline",
  },
  { path: "drills/world.ts", name: "Date.now", because: "it is where modelled time begins" },
  { path: "drills/main.ts", name: "Date.now", because: "it dates the folder of the report" },
  {
    path: "test/simulation/main.ts",
    name: "performance.now",
    because: "it tells how many failovers a second of real time holds",
  },
  {
    path: "test/simulation/world.ts",
    name: "Math.random",
    because: "it seeds the global for libraries that read it",
  },
];

const members = new Set([
  "Date.now",
  "Math.random",
  "performance.now",
  "process.hrtime",
  "process.hrtime.bigint",
  "process.uptime",
  "AbortSignal.timeout",
  "crypto.randomUUID",
  "crypto.getRandomValues",
]);

const globals = new Set(["setTimeout", "setInterval", "setImmediate"]);

const imported: Record<string, RegExp> = {
  "node:crypto": /^(random\w*|getRandomValues|webcrypto|\*|default)$/,
  "node:timers": /./,
  "node:timers/promises": /./,
  "node:perf_hooks": /./,
};

const owners = new Set(["shared/clock.ts", "shared/random.ts"]);
const isOwned = isBelow("functions", "shared", "local", "drills", "test/simulation");
/** Whatever makes a timeline out of real time has to read it. */
const ownsTime = isBelow("local/time");

/** One read of time or chance; `name` is what an allowance names. */
const readOf = (node: Syntax): string | undefined => {
  const name = dotted(node)?.replace(/^(globalThis|global)\./, "");
  if (node.type === "MemberExpression" && name && (members.has(name) || globals.has(name))) {
    return name;
  }
  const called = node.type === "CallExpression" ? dotted(node.callee) : undefined;
  if (called && (globals.has(called) || called === "Date")) return called;
  const made = node.type === "NewExpression" && dotted(node.callee) === "Date";
  return made && (node.arguments as unknown[]).length === 0 ? "new Date()" : undefined;
};

const reads = (source: Source) => [
  ...source.nodes().flatMap((node) => {
    const name = readOf(node);
    return name === undefined ? [] : [{ ...source.at(node.start, name), name }];
  }),
  ...source
    .imports()
    .flatMap(({ from, values, start }) =>
      values
        .filter((value) => imported[from]?.test(value))
        .map((name) => ({ ...source.at(start, `${name} of ${from}`), name })),
    ),
];

const found = (tree: Tree, where: (path: string) => boolean) =>
  tree.paths
    .filter((path) => isCode(path) && where(path))
    .flatMap((path) => reads(tree.read(path)));

const timeAndChance: Rule = {
  name: "time and chance are read in shared/clock.ts, shared/random.ts and local/time only",
  instead: "Take a Clock, a Timeline or a Random from whoever calls.",
  find: (tree) =>
    except(
      tree,
      allowed,
      found(tree, (path) => isOwned(path) && !owners.has(path) && !ownsTime(path)),
    ),
};

const environment: Rule = {
  name: "the environment is read in handler.ts only",
  instead: "Take it from the Runtime that the handler hands in.",
  find: (tree) =>
    tree.paths
      .filter((path) => isCode(path) && isShipped(path) && !path.endsWith("/handler.ts"))
      .flatMap((path) => {
        const source = tree.read(path);
        return source
          .nodes()
          .filter((node) => dotted(node) === "process.env")
          .map(({ start }) => source.at(start, "process.env"));
      }),
};

export const ambientRules: readonly Rule[] = [timeAndChance, environment];
