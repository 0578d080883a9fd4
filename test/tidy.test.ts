import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { ambientRules } from "./tidy/ambient.ts";
import { documentRules } from "./tidy/documents.ts";
import { errorRules } from "./tidy/errors.ts";
import { layerRules } from "./tidy/layers.ts";
import { innocent, planted } from "./tidy/planted.ts";
import type { Rule } from "./tidy/rule.ts";
import { sizeRules } from "./tidy/size.ts";
import { projectTree, treeOf } from "./tidy/source.ts";
import { wordRules } from "./tidy/words.ts";

/** The house style. Each violation is told with its place and with what to do about it. */
const rules: readonly Rule[] = [
  ...sizeRules,
  ...wordRules,
  ...ambientRules,
  ...layerRules,
  ...errorRules,
  ...documentRules,
];

const tree = projectTree(fileURLToPath(new URL("..", import.meta.url)));

const told = ({ instead, find }: Rule): string => {
  const lines = find(tree).map(({ path, line, what }) => `${path}:${line}: ${what}`);
  return lines.length === 0 ? "" : `${lines.join("\n")}\n${instead}`;
};

describe("in this project", () => {
  it.each(rules)("$name", (rule) => {
    expect(told(rule)).toBe("");
  });

  it("there is something to look at", () => {
    expect(tree.paths.filter((path) => path.startsWith("functions/")).length).toBeGreaterThan(20);
    expect(tree.paths).toContain("docs/RISKS.md");
  });
});

describe("the tester itself", () => {
  it.each(rules)("notices when it does not hold that $name", (rule) => {
    const cases = planted[rule.name] ?? [];
    expect(cases, "violations planted in test/tidy/planted.ts").not.toHaveLength(0);
    for (const files of cases) {
      expect(rule.find(treeOf(files)), JSON.stringify(files)).not.toHaveLength(0);
    }
  });

  it("leaves innocent look-alikes alone", () => {
    const found = rules.flatMap((rule) => rule.find(treeOf(innocent)));
    expect(found).toEqual([]);
  });

  it("plants nothing for a rule that is gone", () => {
    const names = rules.map(({ name }) => name);
    expect(Object.keys(planted).filter((name) => !names.includes(name))).toEqual([]);
  });

  it("tells the place of what it finds", () => {
    const text = "const before = 1;\n\nconst cast = before as any;\n";
    const found = rules.flatMap((rule) => rule.find(treeOf({ "drills/a.ts": text })));
    expect(found).toEqual([{ path: "drills/a.ts", line: 3, what: "any" }]);
  });
});
