/**
 * A fresh process that reads a copy in full as the function does, and says what that took of it, as one
 * line of JSON. It loads all that the function loads, because memory is what is asked about.
 */
import "../functions/verification/handler.ts";
import { checksOf } from "../functions/verification/checks/all.ts";
import type { CheckResult, Json } from "../functions/verification/checks.ts";
import { isMore } from "../functions/verification/checks.ts";
import { patientConnect } from "../shared/postgres.ts";
import type { DatabaseTarget } from "../shared/runtime.ts";

export interface ReadBy {
  result: CheckResult;
  seconds: number;
  turns: number;
  /** The longest that one turn went beyond its time: a function that is asked to stop has to. */
  mostOverrunSeconds: number;
  cursorBytes: number;
  processorSeconds: number;
  mostMemoryMegabytes: number;
}

const { target, name, turnSeconds } = JSON.parse(process.argv[2] ?? "{}") as {
  target: DatabaseTarget;
  name: string;
  turnSeconds: number;
};
const check = checksOf({ identity: "bench" }).find((each) => each.name === name);
if (!check) throw new Error(`there is no check ${name}`);

const now = () => performance.now();
const facts = {
  run: "verification-bench",
  region: "eu-west-1",
  sourceRegion: "eu-central-1",
  database: target.database,
  aim: "latest" as const,
  restoredToMilliseconds: 0,
  orderedAtMilliseconds: 0,
  maximumLossSeconds: 0,
  schemaRevision: null,
  before: [],
};

const began = now();
let cursor: Json = null;
let cursorBytes = 0;
let mostOverrunSeconds = 0;
for (let turns = 1; ; turns += 1) {
  const session = await patientConnect(target);
  const until = now() + turnSeconds * 1000;
  const told = await check.run(session, facts, { cursor, now, isOver: () => now() >= until });
  await session.end();
  mostOverrunSeconds = Math.max(mostOverrunSeconds, (now() - until) / 1000);
  if (isMore(told)) {
    const text = JSON.stringify(told.more);
    cursorBytes = Math.max(cursorBytes, text.length);
    cursor = JSON.parse(text) as Json;
    continue;
  }
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  const read: ReadBy = {
    result: told,
    seconds: (now() - began) / 1000,
    turns,
    mostOverrunSeconds,
    cursorBytes,
    processorSeconds: (userCPUTime + systemCPUTime) / 1e6,
    mostMemoryMegabytes: maxRSS / 1024,
  };
  process.stdout.write(JSON.stringify(read));
  break;
}
