import type { Source, Tree, Violation } from "./source.ts";

export interface Rule {
  /** What holds in the tree, as a fact. */
  name: string;
  /** What to do about a violation. */
  instead: string;
  find(tree: Tree): Violation[];
}

/** A place where a rule does not hold, and why it need not. */
export interface Allowance {
  path: string;
  /** The name that is allowed there. */
  name: string;
  because: string;
}

/** Applies `find` to each file that `where` chooses. */
export const eachFile = (
  tree: Tree,
  where: (path: string) => boolean,
  find: (source: Source) => Violation[],
): Violation[] => tree.paths.filter(where).flatMap((path) => find(tree.read(path)));

export const isCode = (path: string): boolean => /\.(ts|mjs)$/.test(path);

export const isBelow =
  (...folders: string[]) =>
  (path: string): boolean =>
    folders.some((folder) => path.startsWith(`${folder}/`));

/** What runs in Lambda. */
export const isShipped = isBelow("functions", "shared");

/** Takes what is allowed out of what was found, and reports allowances that nothing needs. */
export const except = (
  tree: Tree,
  allowances: readonly Allowance[],
  found: readonly (Violation & { name: string })[],
): Violation[] => {
  const allows = (allowance: Allowance) => (violation: Violation & { name: string }) =>
    violation.path === allowance.path && violation.name === allowance.name;
  const left = found.filter((violation) => !allowances.some((each) => allows(each)(violation)));
  const stale = allowances
    .filter(({ path }) => tree.paths.includes(path))
    .filter((allowance) => !found.some(allows(allowance)))
    .map(({ path, name }) => ({ path, line: 1, what: `needs no allowance for ${name} any more` }));
  return [...left.map(({ path, line, what }) => ({ path, line, what })), ...stale];
};
