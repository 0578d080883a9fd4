import { spawn } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { makePlatform } from "./platform.ts";
import type { Build } from "./rpc.ts";

/** What a stage would deploy, as SST's own components declare it to Pulumi. */
export interface Recording {
  stage: string;
  resources: Resource[];
  /** What SST would bundle for the functions. */
  builds: Build[];
  /** What `run` returned. */
  outputs: Record<string, unknown>;
}

export interface Resource {
  urn: string;
  /** `aws:rds/instance:Instance`. */
  type: string;
  name: string;
  /** Where it is made; null for what has no region. */
  region: string | null;
  parent: string;
  inputs: Record<string, unknown>;
  /** Pulumi refuses to delete it. */
  protect: boolean;
  /** It stays when it is taken out of the stage. */
  retain: boolean;
  ignoreChanges: string[];
  dependencies: string[];
}

export interface RecordOptions {
  root: string;
  stage: string;
  /** Another operator's file than `nightshift.config.ts`, to see what that would deploy. */
  config?: string;
}

/** A mistake in the operator's file or in the stacks, in the words of whoever found it. */
export class RecordingFailed extends Error {
  constructor(stage: string, said: string) {
    super(`stage ${stage} cannot be deployed:\n${said}`);
    this.name = "RecordingFailed";
  }
}

/** Runs the real `sst.config.ts` for a stage in a process of its own. No account, no network. */
export const record = async ({ root, stage, config }: RecordOptions): Promise<Recording> => {
  makePlatform(root);
  const folder = join(root, ".sst", "recorded");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${stage}-${process.pid}-${(count += 1)}.json`);
  const child = spawn(
    process.execPath,
    [
      "--disable-warning=ExperimentalWarning",
      join(import.meta.dirname, "record.ts"),
      JSON.stringify({ root, stage, config, file }),
    ],
    { cwd: root, stdio: ["ignore", "pipe", "pipe"] },
  );
  let said = "";
  child.stdout.on("data", (data) => (said += data));
  child.stderr.on("data", (data) => (said += data));
  const code = await new Promise((resolve) => child.on("close", resolve));
  if (code !== 0) throw new RecordingFailed(stage, said.trim());
  return JSON.parse(readFileSync(file, "utf8")) as Recording;
};

let count = 0;
