import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAst } from "vitest/node";

/** A node of the syntax tree, as much of it as the rules look at. */
export interface Syntax {
  type: string;
  start: number;
  end: number;
  [field: string]: unknown;
}

export interface Violation {
  path: string;
  line: number;
  /** What is wrong here; what to do about it is said by the rule. */
  what: string;
}

export interface Source {
  path: string;
  text: string;
  lines: readonly string[];
  /** The syntax tree of a TypeScript file; parsed when it is first asked for. */
  nodes(): readonly Syntax[];
  comments(): readonly { text: string; start: number }[];
  /** Everything that is imported or re-exported, with the names that exist at run time. */
  imports(): readonly Import[];
  at(offset: number, what: string): Violation;
}

export interface Import {
  from: string;
  /** Names that are used at run time: none for `import type`, `*` for a whole module. */
  values: readonly string[];
  start: number;
  exported: boolean;
}

/** Files by their path from the root. Rules see nothing else, so that a tree can be planted. */
export interface Tree {
  paths: readonly string[];
  /** Throws for a path that is not in the tree. */
  read(path: string): Source;
}

export const treeOf = (files: Record<string, string>): Tree => {
  const sources = new Map(Object.entries(files).map(([path, text]) => [path, source(path, text)]));
  return {
    paths: [...sources.keys()],
    read: (path) => {
      const found = sources.get(path);
      if (!found) throw new Error(`${path} is not in the tree`);
      return found;
    },
  };
};

/** Made by tools or by runs, and never part of the project. */
const outside = new Set(["node_modules", ".git", ".nightshift", ".sst", "coverage"]);
const textual = /(\.(ts|mjs|js|json|md|html|yml|yaml|sh|toml)|^\.ci\/run|^\.gitignore|\.npmrc)$/;

/** All text files of the project below `root`. */
export const projectTree = (root: string): Tree => {
  const files: Record<string, string> = {};
  const visit = (folder: string) => {
    const entries = readdirSync(join(root, folder), { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory() && !outside.has(entry.name)) visit(path);
      if (entry.isFile() && textual.test(path))
        files[path] = readFileSync(join(root, path), "utf8");
    }
  };
  visit("");
  return treeOf(files);
};

const source = (path: string, text: string): Source => {
  const nodes = once(() => allNodes(parse(path, text)));
  const comments = once(() => commentsOf(text, nodes()));
  return {
    path,
    text,
    lines: text.split("\n"),
    nodes,
    comments,
    imports: once(() => importsOf(nodes())),
    at: (offset, what) => ({ path, line: lineAt(text, offset), what }),
  };
};

const parse = (path: string, text: string): Syntax => {
  try {
    return parseAst(text, { lang: path.endsWith(".ts") ? "ts" : "js" }) as unknown as Syntax;
  } catch (error) {
    throw new Error(`${path} cannot be parsed`, { cause: error });
  }
};

const once = <T>(make: () => T): (() => T) => {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
};

/** The line of a position, counted from 1. */
export const lineAt = (text: string, offset: number): number => {
  let line = 1;
  for (let at = text.indexOf("\n"); at >= 0 && at < offset; at = text.indexOf("\n", at + 1)) {
    line += 1;
  }
  return line;
};

export const isSyntax = (value: unknown): value is Syntax =>
  typeof value === "object" && value !== null && typeof (value as Syntax).type === "string";

const childrenOf = (node: Syntax): Syntax[] =>
  Object.values(node).flatMap((field) =>
    Array.isArray(field) ? field.filter(isSyntax) : isSyntax(field) ? [field] : [],
  );

/** The node and all below it, in order of the text. */
export const allNodes = (root: Syntax): Syntax[] => {
  const found: Syntax[] = [];
  const visit = (node: Syntax) => {
    found.push(node);
    for (const child of childrenOf(node)) visit(child);
  };
  visit(root);
  return found;
};

/** The parser keeps no comments: they are what looks like one outside of all literals. */
const commentsOf = (text: string, nodes: readonly Syntax[]) => {
  const units = text.split("");
  const isLiteral = ({ type }: Syntax) => type === "Literal" || type === "TemplateElement";
  for (const { start, end } of nodes.filter(isLiteral)) units.fill("_", start, end);
  const found = units.join("").matchAll(/\/\/[^\n]*|\/\*[\s\S]*?\*\//g);
  return [...found].map(({ index, 0: shape }) => ({
    start: index,
    text: text.slice(index, index + shape.length),
  }));
};

const importsOf = (nodes: readonly Syntax[]): Import[] => nodes.flatMap(importOf);

const importOf = (node: Syntax): Import[] => {
  const from = isSyntax(node.source) ? String(node.source.value) : undefined;
  if (from === undefined) return [];
  const { start } = node;
  const typeOnly = node.importKind === "type" || node.exportKind === "type";
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportNamedDeclaration": {
      const specifiers = (node.specifiers ?? []) as Syntax[];
      const exported = node.type === "ExportNamedDeclaration";
      // `import "x"` runs the whole module.
      const bare = specifiers.length === 0 && !exported;
      const values = typeOnly ? [] : bare ? ["*"] : specifiers.flatMap(nameOf);
      return [{ from, values, start, exported }];
    }
    case "ExportAllDeclaration":
      return [{ from, values: typeOnly ? [] : ["*"], start, exported: true }];
    case "ImportExpression":
      return [{ from, values: ["*"], start, exported: false }];
    default:
      return [];
  }
};

const nameOf = (specifier: Syntax): string[] => {
  if (specifier.importKind === "type" || specifier.exportKind === "type") return [];
  if (specifier.type === "ImportNamespaceSpecifier") return ["*"];
  if (specifier.type === "ImportDefaultSpecifier") return ["default"];
  const named = specifier.type === "ExportSpecifier" ? specifier.local : specifier.imported;
  return isSyntax(named) ? [String(named.name ?? named.value)] : [];
};

/** `a.b.c` for a chain of names, whatever it starts from; undefined for anything else. */
export const dotted = (node: unknown): string | undefined => {
  if (!isSyntax(node)) return undefined;
  if (node.type === "Identifier") return String(node.name);
  if (node.type === "ThisExpression") return "this";
  if (node.type === "ChainExpression") return dotted(node.expression);
  if (node.type !== "MemberExpression" || node.computed === true) return undefined;
  const before = dotted(node.object);
  const name = isSyntax(node.property) ? String(node.property.name) : "";
  return before === undefined ? undefined : `${before}.${name}`;
};
