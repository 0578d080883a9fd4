import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { internet } from "../local/network.ts";
import { namesForOperators } from "./names.ts";
import type { Recorder } from "./recorder.ts";
import { accessKeyOf, type DrillWorld } from "./world.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const modelledDate = fileURLToPath(new URL("./modelled-date.ts", import.meta.url));

/** What the command line said, as its `--json` has it. */
export interface Said {
  ok: boolean;
  /** Of the object that it printed. */
  data: Record<string, unknown>;
  text: string;
}

/**
 * An operator at the command line of the runbook: a process of its own on the internet, with nothing but
 * the person's AWS credentials. Neither Slack nor us-east-1 is in the way.
 */
export const commandLine =
  (world: Pick<DrillWorld, "endpoints" | "timeline">, seen: Recorder, user: string) =>
  async (...words: string[]): Promise<Said> => {
    const { code, out, err } = await run(world, user, words);
    const ok = code === 0;
    const text = `npm run ops -- ${words.join(" ")}`;
    const [last = ""] = out.trim().split("\n").slice(-1);
    const data = last.startsWith("{") ? (JSON.parse(last) as Record<string, unknown>) : {};
    if (code === 2 || (!ok && data.ok === undefined)) throw new Error(`${text}: ${err || out}`);
    seen.see(`operator ${user}`, ok ? "message" : "refused", `${text}${ok ? "" : whyNot(data)}`);
    return { ok, data, text };
  };

const whyNot = ({ refused, failed }: Record<string, unknown>): string =>
  `: ${(refused as { reason?: string } | undefined)?.reason ?? String(failed ?? "not done")}`;

const run = (
  { endpoints, timeline }: Pick<DrillWorld, "endpoints" | "timeline">,
  user: string,
  words: readonly string[],
): Promise<{ code: number | null; out: string; err: string }> =>
  new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [
        "--disable-warning=ExperimentalWarning",
        "--import",
        modelledDate,
        "ops/main.ts",
        ...words,
        "--json",
      ],
      {
        cwd: root,
        stdio: ["ignore", "pipe", "pipe"],
        // Nothing of the environment of whoever runs the drill: no credentials, no proxies.
        env: {
          AWS_CONFIG_FILE: "/dev/null",
          AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
          AWS_EC2_METADATA_DISABLED: "true",
          AWS_ENDPOINT_URL: endpoints.get(internet) ?? "",
          AWS_ACCESS_KEY_ID: accessKeyOf(user),
          AWS_SECRET_ACCESS_KEY: "local",
          ...namesForOperators,
          DRILL_TIME: JSON.stringify(timeline.scale()),
        },
      },
    );
    let [out, err] = ["", ""];
    child.stdout.on("data", (data) => {
      out += data;
    });
    child.stderr.on("data", (data) => {
      err += data;
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, out, err }));
  });
