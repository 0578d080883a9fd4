import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "..");

/** Every function that the stacks make. */
export const deployed = readdirSync(join(root, "stacks", "jobs"))
  .map((file) => file.replace(/\.ts$/, ""))
  .filter((name) => existsSync(join(root, "functions", name)));

/** What IAM calls otherwise. */
const called: Readonly<Record<string, string>> = {
  Invoke: "InvokeFunction",
  ListObjectsV2: "ListBucket",
};

/** The commands that a function's own files send, as IAM calls them. */
export const commandsOf = (job: string): string[] => {
  const folder = join(root, "functions", job);
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".ts"),
  );
  const names = files.flatMap((file) => {
    const text = readFileSync(join(folder, file), "utf8");
    // Two services may have a command of one name.
    const aliases = new Map<string, string>();
    for (const [, name = "", alias = ""] of text.matchAll(/(\w+)Command as (\w+)Command/g)) {
      aliases.set(alias, name);
    }
    const sent = [...text.matchAll(/new (\w+)Command\(/g)].map(([, name = ""]) => name);
    return sent.map((name) => aliases.get(name) ?? name);
  });
  return [...new Set(names.map((name) => called[name] ?? name))];
};
