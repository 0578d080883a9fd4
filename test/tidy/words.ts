import { type Allowance, eachFile, except, isCode, type Rule } from "./rule.ts";
import type { Source, Violation } from "./source.ts";
import { dotted } from "./source.ts";

const vagueNames: Rule = {
  name: "no file or folder is called utils, helpers, common, misc or index",
  instead: "Name the noun: what is in it, not that it is useful.",
  find: ({ paths }) =>
    paths
      .filter(isCode)
      .filter((path) => /(^|\/)(utils?|helpers?|common|misc|index)(\/|\.)/i.test(path))
      .map((path) => ({ path, line: 1, what: "a name that says nothing" })),
};

const barrels: Rule = {
  name: "no file hands on all of another, or nothing but others",
  instead: "Import from the file that has it, so that imports show the architecture.",
  find: (tree) =>
    eachFile(tree, isCode, (source) => {
      const all = source.nodes().filter(({ type }) => type === "ExportAllDeclaration");
      const body = (source.nodes()[0]?.body ?? []) as { type: string; source?: unknown }[];
      const barrel =
        body.length > 0 && body.every((each) => /^Export/.test(each.type) && each.source);
      return [
        ...all.map(({ start }) => source.at(start, "export *")),
        ...(barrel && all.length === 0 ? [source.at(0, "only re-exports")] : []),
      ];
    }),
};

const unfinished: Rule = {
  name: "no comment marks something as unfinished",
  instead: "Finish it, or open an issue and say in the comment what holds today.",
  find: (tree) =>
    eachFile(tree, isCode, (source) => commented(source, /\b(TODO|FIXME|XXX|HACK)\b/)),
};

const commented = (source: Source, word: RegExp): Violation[] =>
  source.comments().flatMap(({ text, start }) => {
    const found = word.exec(text);
    return found ? [source.at(start + found.index, found[0].trim())] : [];
  });

const silenced: Rule = {
  name: "no comment silences the compiler, and the linter only with a reason",
  instead: "Make the types say it; a `biome-ignore` ends with a sentence why.",
  find: (tree) =>
    eachFile(tree, isCode, (source) => [
      ...commented(source, /@ts-(ignore|nocheck|expect-error)/),
      ...commented(source, /biome-ignore(-all|-start)? [\w/]+(?!.*: \S+ \S+)/),
    ]),
};

const anyAllowed: readonly Allowance[] = [
  {
    path: "local/time/install.ts",
    name: "any",
    because: "it extends Date, whose constructor is overloaded",
  },
];

const looseTypes: Rule = {
  name: "nothing has the type any, and nothing is asserted to be there with !",
  instead: "Use unknown and look, or a type; throw with a sentence when it must be there.",
  find: (tree) => {
    const names: Record<string, string> = { TSAnyKeyword: "any", TSNonNullExpression: "!" };
    const found = eachNode(tree, ({ type }) => names[type]);
    return except(tree, anyAllowed, found);
  },
};

const eachNode = (
  tree: Parameters<Rule["find"]>[0],
  nameOf: (node: { type: string }) => string | undefined,
) =>
  tree.paths.filter(isCode).flatMap((path) => {
    const source = tree.read(path);
    return source.nodes().flatMap((node) => {
      const name = nameOf(node);
      return name === undefined ? [] : [{ ...source.at(node.start, name), name }];
    });
  });

const mocked = /^(vi|jest)\.(mock|doMock|unmock|doUnmock|hoisted|importMock|spyOn)$/;
const leftOut = /^(it|test|describe)(\.\w+)*\.(skip|only|todo|fails)$|^(xit|fit|xdescribe)$/;

const mocks: Rule = {
  name: "no test replaces a module",
  instead: "Hand a fake in: the local AWS in process, a virtual timeline, a port of the job.",
  find: (tree) => calls(tree, mocked),
};

const leftOutTests: Rule = {
  name: "no test is left out",
  instead: "Make it pass or delete it; `runIf` is for what this machine cannot do.",
  find: (tree) => calls(tree, leftOut),
};

/** Calls of a name, and calls of what such a call has given back (`it.skip.each(…)(…)`). */
const calls = (tree: Parameters<Rule["find"]>[0], name: RegExp): Violation[] =>
  eachFile(tree, isCode, (source) =>
    source.nodes().flatMap((node) => {
      if (node.type !== "CallExpression") return [];
      const called = dotted(node.callee)?.replace(/\.each$/, "");
      return called && name.test(called) ? [source.at(node.start, called)] : [];
    }),
  );

const testNames: Rule = {
  name: "no test is named as a wish",
  instead: 'Say the fact: "refuses to promote a replica that is 90 seconds behind".',
  find: (tree) =>
    eachFile(tree, isCode, (source) =>
      source.nodes().flatMap((node) => {
        if (node.type !== "CallExpression" || dotted(node.callee) !== "it") return [];
        const [title] = node.arguments as { type: string; value?: unknown }[];
        const text = typeof title?.value === "string" ? title.value : "";
        const wish = /^(should|must|works?|tests?|checks? (that|if|whether))\b/i.exec(text);
        return wish ? [source.at(node.start, `"${wish[0]} …"`)] : [];
      }),
    ),
};

export const wordRules: readonly Rule[] = [
  vagueNames,
  barrels,
  unfinished,
  silenced,
  looseTypes,
  mocks,
  leftOutTests,
  testNames,
];
