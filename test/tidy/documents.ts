import { posix } from "node:path";
import { eachFile, type Rule } from "./rule.ts";
import type { Tree, Violation } from "./source.ts";

/** Hosts that are quoted as sources, stand for nobody, or are this machine. */
const knownHosts = [
  /^(127(\.\d+){3}|localhost|\[::1\])$/,
  /(^|\.)example(\.com|\.net|\.org)?$/,
  /(^|\.)(aws\.amazon|amazonaws)\.com$/,
  /(^|\.)slack\.com$/,
  /^(github|nodejs|www\.postgresql|registry\.npmjs)\.(com|org)$/,
];

/** In the lock file only where packages come from counts: it also quotes who asks for donations. */
const hostsIn = (path: string): RegExp =>
  path === "package-lock.json"
    ? /"resolved": "https?:\/\/([\w.-]+)/g
    : /\bhttps?:\/\/([\w.-]+|\[[\w:]+\])/g;

const strangeHosts: Rule = {
  name: "no address of a host is written down that is not a public source",
  instead: "Everything runs on loopback; add a documentation host to test/tidy/documents.ts.",
  find: (tree) =>
    eachFile(
      tree,
      () => true,
      (source) =>
        [...source.text.matchAll(hostsIn(source.path))].flatMap((found) => {
          const host = (found[1] ?? "").replace(/\.$/, "");
          const known = knownHosts.some((each) => each.test(host));
          return known ? [] : [source.at(found.index, host)];
        }),
    ),
};

/** Folders of one person's machine; in pieces, so that this file does not break its own rule. */
const machineFolder = new RegExp(`(?<![\\w.$})*-])/(?:${"work|tmp|home|root|Users"})/\\w`, "g");

const machinePaths: Rule = {
  name: "no path of one machine is written down",
  instead: "Start from the file's own place, or from os.tmpdir().",
  find: (tree) =>
    eachFile(
      tree,
      () => true,
      (source) =>
        [...source.text.matchAll(machineFolder)].map(({ index, 0: path }) =>
          source.at(index, `${path}…`),
        ),
    ),
};

const isDocument = (path: string) => path.endsWith(".md");

const links: Rule = {
  name: "every link and path in a document leads to a file",
  instead: "Correct the path, or take out what tells of something that is gone.",
  find: (tree) =>
    eachFile(tree, isDocument, (source) => {
      const told = [
        ...source.text.matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g),
        ...source.text.matchAll(
          /`((?:functions|shared|local|drills|test|bench|docs|bin)\/[\w./-]+\.(?:ts|mjs|md|json))`/g,
        ),
      ];
      return told.flatMap((found) => {
        const [, path = ""] = found;
        const linked = found[0].startsWith("]");
        const from = linked ? posix.join(posix.dirname(source.path), path) : path;
        return exists(tree, posix.normalize(from)) ? [] : [source.at(found.index, path)];
      });
    }),
};

const exists = ({ paths }: Tree, path: string): boolean => {
  const folder = path.endsWith("/") ? path : `${path}/`;
  return paths.includes(path) || paths.some((each) => each.startsWith(folder));
};

const risks = "docs/RISKS.md";

/** A line `- test/x.test.ts: "fact"; "fact"` in backticks and quotes, as RISKS.md has them. */
const proof = /^\s*- `((?:test|drills)\/[^`]+\.ts)`: (.+)$/gm;

const proofs: Rule = {
  name: "every proof that RISKS.md names exists under that name",
  instead: "Name the test as it is called now; a risk without a proof says that it has none.",
  find: (tree) =>
    tree.paths.includes(risks)
      ? [...tree.read(risks).text.matchAll(proof)].flatMap((found) => missing(tree, found))
      : [],
};

const missing = (tree: Tree, found: RegExpExecArray): Violation[] => {
  const [, path = "", names = ""] = found;
  const told = tree.read(risks);
  if (!tree.paths.includes(path)) return [told.at(found.index, path)];
  const { text } = tree.read(path);
  return [...names.matchAll(/"([^"]+)"/g)]
    .filter(([, name = ""]) => !text.includes(name))
    .map(([quoted]) => told.at(found.index, `${path} has no ${quoted}`));
};

export const documentRules: readonly Rule[] = [strangeHosts, machinePaths, links, proofs];
