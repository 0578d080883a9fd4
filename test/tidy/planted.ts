type Files = Record<string, string>;

const lines = (count: number) => "  step();\n".repeat(count);
const slash = "/";
const handler = "export const assemble = 1;\nexport const handler = 2;\n";

/** Small trees that break one rule each, by the rule's name: they prove that the rule sees at all. */
export const planted: Record<string, readonly Files[]> = {
  "no line is longer than 110 columns": [{ "shared/a.ts": `const a = "${"x".repeat(110)}";\n` }],
  "no file is longer than 450 lines": [{ "local/a.ts": "export {};\n".repeat(451) }],
  "no function is longer than 69 lines": [
    { "local/a.ts": `const long = () => {\n${lines(68)}};\n` },
    { "local/a.ts": `function long() {\n${lines(68)}}\n` },
    { "local/a.ts": `const made = { async long() {\n${lines(68)}} };\n` },
    { "local/a.ts": `const made = (a: number) => ({\n${"  a,\n".repeat(68)}});\n` },
    { "test/a.test.ts": `it("is long", () => {\n${lines(68)}});\n` },
  ],
  "no handler.ts is longer than 30 lines": [
    { "functions/a/handler.ts": `${handler}${"\n".repeat(29)}` },
  ],
  "no file or folder is called utils, helpers, common, misc or index": [
    { "shared/utils.ts": "" },
    { "local/helpers/time.ts": "" },
    { "test/Common.ts": "" },
    { "functions/a/index.ts": "" },
  ],
  "no file hands on all of another, or nothing but others": [
    { "shared/a.ts": 'export * from "./b.ts";\n' },
    { "shared/a.ts": 'export { b } from "./b.ts";\nexport type { C } from "./c.ts";\n' },
  ],
  "no comment marks something as unfinished": [
    { "shared/a.ts": `const a = 1; // ${"TO"}DO: the other half\n` },
    { "shared/a.ts": `/**\n * ${"FIX"}ME\n */\nconst a = 1;\n` },
  ],
  "no comment silences the compiler, and the linter only with a reason": [
    { "shared/a.ts": `// @ts-${"ignore"}\nconst a: string = 1;\n` },
    { "shared/a.ts": `// biome-${"ignore"} lint/suspicious/noExplicitAny: sorry\nlet a;\n` },
  ],
  "nothing has the type any, and nothing is asserted to be there with !": [
    { "shared/a.ts": "const a = (b: any) => b;\n" },
    { "shared/a.ts": "const a = JSON.parse('1') as Record<string, any>;\n" },
    { "shared/a.ts": "const a = [1].at(0)!;\n" },
    { "local/time/install.ts": "const clean = 1;\n" },
  ],
  "no test replaces a module": [
    { "test/a.test.ts": 'vi.mock("../shared/clock.ts");\n' },
    { "test/a.test.ts": 'vi.doMock("node:fs", () => ({}));\n' },
    { "test/a.test.ts": 'vi.spyOn(console, "log");\n' },
  ],
  "no test is left out": [
    { "test/a.test.ts": 'it.skip("holds", () => undefined);\n' },
    { "test/a.test.ts": 'describe.only("a lease", () => undefined);\n' },
    { "test/a.test.ts": 'it.skip.each([1])("holds for %s", () => undefined);\n' },
    { "test/a.test.ts": 'it.todo("holds");\n' },
  ],
  "no test is named as a wish": [
    { "test/a.test.ts": 'it("should work", () => undefined);\n' },
    { "test/a.test.ts": 'it("tests the lease", () => undefined);\n' },
  ],
  "time and chance are read in shared/clock.ts, shared/random.ts and local/time only": [
    { "functions/a/a.ts": "const now = Date.now();\n" },
    { "functions/a/a.ts": "const now = () => globalThis.Date.now();\n" },
    { "functions/a/a.ts": "const now = new Date();\n" },
    { "shared/a.ts": "const read = Date.now;\n" },
    { "shared/a.ts": "const chance = Math.random();\n" },
    { "shared/a.ts": "const began = performance.now();\n" },
    { "shared/a.ts": "const limit = AbortSignal.timeout(5);\n" },
    { "shared/a.ts": 'import { randomUUID } from "node:crypto";\n' },
    { "shared/a.ts": "const id = crypto.randomUUID();\n" },
    { "local/aws/a.ts": "setTimeout(() => undefined, 5);\n" },
    { "local/aws/a.ts": 'import { setTimeout as sleep } from "node:timers/promises";\n' },
    { "drills/a.ts": "const began = process.hrtime.bigint();\n" },
    { "test/simulation/a.ts": "const chance = Math.random();\n" },
    // An allowance that nothing needs is one that the next reader will misuse.
    { "local/http.ts": "const clean = 1;\n" },
  ],
  "the environment is read in handler.ts only": [
    { "functions/a/aws.ts": "const region = process.env.AWS_REGION;\n" },
    { "shared/runtime.ts": "const all = { ...process.env };\n" },
  ],
  "imports go from jobs to shared/, and between Nightshift and local/ not at all": [
    { "functions/a/aws.ts": 'import type { Timeline } from "../../local/time/timeline.ts";\n' },
    { "shared/a.ts": 'import { world } from "../test/simulation/world.ts";\n' },
    { "shared/a.ts": 'import type { Plan } from "../functions/failover/decide.ts";\n' },
    { "local/a.ts": 'import type { Plan } from "../functions/failover/decide.ts";\n' },
    { "local/aws/a.ts": 'import { readLease } from "../../shared/lease.ts";\n' },
    { "functions/a/a.ts": 'import config from "../../nightshift.config.ts";\n' },
    { "functions/a/a.ts": 'import { watch } from "../guard/guard.ts";\n' },
    { "functions/a/a.ts": 'const later = () => import("../guard/guard.ts");\n' },
    { "drills/a.ts": 'import { tables } from "../test/tables.ts";\n' },
  ],
  "the AWS SDK is used in aws.ts, handler.ts and the shared stores only": [
    { "functions/a/a.ts": 'import { RDSClient } from "@aws-sdk/client-rds";\n' },
    { "functions/a/decide.ts": 'import * as rds from "@aws-sdk/client-rds";\n' },
    { "shared/a.ts": 'import { marshall } from "@aws-sdk/util-dynamodb";\n' },
  ],
  "decide.ts and states.ts are pure": [
    { "functions/a/decide.ts": "export const decide = async () => 1;\n" },
    { "functions/a/states.ts": "export async function decide() {}\n" },
    { "functions/a/decide.ts": 'import { readLease } from "../../shared/lease.ts";\n' },
    { "functions/a/decide.ts": 'import { systemClock } from "../../shared/clock.ts";\n' },
    { "functions/a/decide.ts": 'import { readFileSync } from "node:fs";\n' },
    { "functions/a/decide.ts": 'import "./aws.ts";\n' },
  ],
  "every job has handler.ts, <job>.ts, decide.ts and aws.ts": [
    { "functions/a/handler.ts": handler, "functions/a/a.ts": "", "functions/a/aws.ts": "" },
  ],
  "every handler.ts exports assemble and handler, and nothing else": [
    { "functions/a/handler.ts": "export const handler = () => 1;\n" },
    { "functions/a/handler.ts": `${handler}export const also = 1;\n` },
  ],
  "no catch is empty": [
    { "shared/a.ts": "try {\n  go();\n} catch {}\n" },
    { "drills/a.ts": "try {\n  go();\n} catch (error) {\n  // It does not matter.\n}\n" },
  ],
  "no catch only logs": [
    {
      "functions/a/a.ts": "try {\n  go();\n} catch (error) {\n  ports.log.warn('no', error);\n}\n",
    },
    { "local/a.ts": "try {\n  go();\n} catch (error) {\n  console.error(error);\n}\n" },
    { "local/a.ts": "try {\n  go();\n} catch (error) {\n  process.stderr.write(`no`);\n}\n" },
  ],
  "no rejection is dropped in what is shipped": [
    { "functions/a/a.ts": "const done = go().catch(() => undefined);\n" },
    { "shared/a.ts": "void go().catch(() => {});\n" },
  ],
  "no address of a host is written down that is not a public source": [
    { "docs/a.md": `Look at http:${slash}/build-7.internal:8080/.\n` },
    { "package-lock.json": `{ "resolved": "https:${slash}/mirror.corp/zod-1.0.0.tgz" }\n` },
  ],
  "no path of one machine is written down": [
    { "docs/a.md": `Run it in ${slash}home${slash}ana/nightshift.\n` },
    { "local/a.ts": `const folder = "${slash}tmp${slash}nightshift";\n` },
  ],
  "every link and path in a document leads to a file": [
    { "docs/a.md": "See [the risks](RISK.md).\n" },
    { "README.md": "It is in `shared/gone.ts`.\n" },
  ],
  "every proof that RISKS.md names exists under that name": [
    { "docs/RISKS.md": '- `test/a.test.ts`: "holds"\n' },
    { "docs/RISKS.md": '- `test/a.test.ts`: "is gone"\n', "test/a.test.ts": 'it("holds", f);\n' },
  ],
};

/** Looks like a violation and is none, rule by rule in the order above. */
export const innocent: Files = {
  "shared/a.ts": [
    'import type { Client } from "@aws-sdk/client-rds";',
    'import { createHash } from "node:crypto";',
    "// An index of todos, fixed: see https://docs.aws.amazon.com/rds.",
    'export { createHash as digest } from "node:crypto";',
    "export const at = (milliseconds: number) => new Date(milliseconds);",
    "export const text = 'setTimeout(Date.now()) // TODO: as any';",
    // The template of another program, not one of this.
    "export const pattern = /Math.random()|catch {}/;",
    "export const has = (a: { timeout(): number }, any: Client) => [a.timeout(), any];",
    "export const value = (go: () => number) => {",
    "  try {",
    "    return go();",
    "  } catch (error) {",
    "    console.error(error);",
    "    throw error;",
    "  }",
    "};",
    "",
  ].join("\n"),
  "functions/a/handler.ts": handler,
  "functions/a/a.ts": 'import { isOpen } from "../database/decide.ts";\nexport default isOpen;\n',
  "functions/a/aws.ts": 'import { RDSClient } from "@aws-sdk/client-rds";\nnew RDSClient();\n',
  "functions/a/decide.ts": 'import { isoSeconds } from "../../shared/clock.ts";\nisoSeconds(1);\n',
  "local/a.ts": 'socket.setTimeout(5);\nimport { systemRandom } from "../shared/random.ts";\n',
  "test/a.test.ts": `describe("a lease", () => {\n${'  it("holds", go);\n'.repeat(80)}});\n`,
  "docs/a.md": "[b](../shared/a.ts#L1) runs on http://127.0.0.1:80/, of `shared/a.ts`.\n",
};
