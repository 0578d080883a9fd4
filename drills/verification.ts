import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Recorder } from "./recorder.ts";
import { acts } from "./verification-acts.ts";
import { verificationChecks } from "./verification-checks.ts";
import { type CourseOptions, conductVerification, hurry } from "./verification-course.ts";
import { gatherVerification, type VerificationFindings } from "./verification-findings.ts";
import { type VerificationReport, writeRecords, writeVerification } from "./verification-report.ts";
import type { DrillWorld } from "./world.ts";

/** Backups under load: restored and looked into, and every trouble told as what it is. */
export const verification = {
  name: "verification",
  about: "backups are restored apart from production and looked into; planted damage is found",
  /** Modelled seconds in a real one, when nobody says otherwise: it waits for uploads of the log. */
  speed: 20,
  acts: acts.length,
};

const modelled =
  "All times are modelled: those of AWS are drawn from the ranges in local/aws/durations.ts, and what RDS " +
  `does is shown ${hurry} times as fast as modelled. What PostgreSQL itself takes, such as the reading ` +
  "of all rows, is this machine's time as many times longer as the speed says.";

/** Plays the acts, verifies the evidence with the auditor's own command, and writes the report. */
export const drillVerification = async (
  world: DrillWorld,
  seen: Recorder,
  options: CourseOptions & { speed: number; directory: string },
): Promise<VerificationReport> => {
  const findings = await gatherVerification(await conductVerification(world, seen, options));
  const evidence = await audited(findings, options.directory);
  const { firstAt, rows, lost, samples, scene, records } = findings;
  const since = <Thing extends { atMilliseconds: number }>({ atMilliseconds, ...rest }: Thing) => ({
    ...rest,
    atSeconds: (atMilliseconds - firstAt) / 1000,
  });
  const { primary: home, standby, witness } = world.config.regions;
  const { acknowledged, failed } = scene.world.users.report();
  const report = {
    scenario: verification.name,
    seed: options.seed,
    speed: options.speed,
    beganAt: firstAt,
    regions: { home, standby, witness },
    rows,
    acknowledged,
    lost: lost.length,
    failed,
    objectives: findings.objectives,
    evidence,
    checks: verificationChecks(findings, evidence),
    events: seen.moments.toSorted((a, b) => a.atMilliseconds - b.atMilliseconds).map(since),
    throughput: samples.map(since),
    modelled,
  };
  return writeVerification(report, records, options.directory);
};

const root = fileURLToPath(new URL("..", import.meta.url));
const auditSeconds = 60;

/** As somebody who does not trust Nightshift does it: files, a public key, and a program of its own. */
const audited = async (
  { files, records, scene }: VerificationFindings,
  directory: string,
): Promise<VerificationReport["evidence"]> => {
  const { folder, key } = await writeRecords(directory, files, scene.ground.publicKey);
  const last = records.at(-1);
  const head = last ? `${last.sequence}:${last.hash.slice(0, 16)}` : "none";
  const given = [join(root, "ops/evidence.ts"), folder, "--key", key, "--head", head];
  const timeout = auditSeconds * 1000;
  const { promise, resolve } = Promise.withResolvers<{ ok: boolean; says: string }>();
  execFile(process.execPath, given, { timeout }, (error, stdout, stderr) => {
    const says = `${stdout}${stderr}`.trim().split("\n").join(" ");
    resolve({ ok: error === null, says: says || String(error) });
  });
  return { ...(await promise), records: records.length, head };
};
