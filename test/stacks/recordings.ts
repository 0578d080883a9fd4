import { createHash } from "node:crypto";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { beforeAll } from "vitest";
import type { Recording, Resource } from "../../deploy/recording.ts";
import { record } from "../../deploy/recording.ts";

const root = join(import.meta.dirname, "..", "..");

/** Whatever a recording depends on. */
const sources = [
  "sst.config.ts",
  "nightshift.config.ts",
  "bundle.config.ts",
  "stacks",
  "deploy",
  "shared",
];

const filesIn = (path: string): string[] =>
  statSync(path).isDirectory()
    ? readdirSync(path).flatMap((name) => filesIn(join(path, name)))
    : [path];

const fingerprint = (): string => {
  const hash = createHash("sha256");
  for (const path of sources.flatMap((name) => filesIn(join(root, name))).sort()) {
    hash.update(path).update(readFileSync(path));
  }
  return hash.digest("hex").slice(0, 16);
};

const known = new Map<string, Promise<Recording>>();

/**
 * What a stage deploys, recorded once for the sources as they are: every worker of a test run, and the
 * next run, find it in a file. Every caller gets a copy of its own, to break as it likes.
 */
export const recorded = async (stage: "production" | "personal"): Promise<Recording> => {
  const recording = known.get(stage) ?? load(stage);
  known.set(stage, recording);
  return structuredClone(await recording);
};

// Before the first test of a file, whose time is not meant for it.
beforeAll(async () => {
  for (const stage of ["production", "personal"] as const) await recorded(stage);
}, 240_000);

const load = async (stage: string): Promise<Recording> => {
  const folder = join(root, ".sst", "recorded");
  const file = join(folder, `kept-${stage}-${fingerprint()}.json`);
  mkdirSync(folder, { recursive: true });
  for (let second = 0; second < mostSeconds; second += 1) {
    const kept = readKept(file);
    if (kept) return kept;
    if (begins(`${file}.begun`)) break;
    // Another worker is at it, with all of a processor.
    await setTimeout(1000);
  }
  try {
    // Also when that one has died, or takes too long.
    const recording = await record({ root, stage });
    // Renamed into place, so that another worker never reads half of it.
    writeFileSync(`${file}.${process.pid}`, JSON.stringify(recording));
    renameSync(`${file}.${process.pid}`, file);
    return recording;
  } finally {
    rmSync(`${file}.begun`, { force: true });
  }
};

/** The longest that another worker is waited for, and by then it is taken for dead. */
const mostSeconds = 120;

/** Whether this worker is the first to make it. */
const begins = (mark: string): boolean => {
  try {
    writeFileSync(mark, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    // Gone by now, it has left a recording.
    const since = statSync(mark, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    return Date.now() - since > 1000 * mostSeconds;
  }
};

const readKept = (file: string): Recording | undefined => {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Recording;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
};

/** The resource of this name in the stacks. Throws when there is none, or more than one. */
export const the = (recording: Recording, name: string): Resource => {
  const found = recording.resources.filter((resource) => resource.name === name);
  const [only] = found;
  if (!only || found.length > 1) {
    throw new Error(`${recording.stage} has ${found.length} resources called ${name}`);
  }
  return only;
};

/** All resources of a kind, `aws:rds/instance:Instance`, in the order in which they were declared. */
export const every = (recording: Recording, type: string): Resource[] =>
  recording.resources.filter((resource) => resource.type === type);

/** Changes one resource of a copy: what a test does to see that a policy notices. */
export const broken = (
  recording: Recording,
  name: string,
  change: (resource: Resource) => void,
): Recording => {
  const copy = structuredClone(recording);
  change(the(copy, name));
  return copy;
};
