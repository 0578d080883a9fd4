import { isoSeconds } from "./clock.ts";
import type { Config } from "./config.ts";
import type { Coordination } from "./coordination.ts";

export type Answer = "yes" | "no" | "unknown";

/** How the last restore test in a region ended. */
export interface Verification {
  run: string;
  isVerified: boolean;
  code: string;
  /** The three questions, apart: `yes`, `no` or `unknown`, which is as red as `no`. */
  verdict: { landed: Answer; restorable: Answer; correct: Answer };
  /** Its place in the chain of evidence, `12:0f3a…`; null when there is none. */
  evidence: string | null;
  /** Where its page lies; null when it could not be written. */
  report: string | null;
  /** Seconds; null for what was not measured. */
  figures: Record<string, number | null>;
  /** When it ended, in milliseconds since 1970. */
  atMilliseconds: number;
}

const verificationId = (region: string) => `verification#${region}`;

/** An older one never replaces a newer one: a run may be resumed late. */
export const keepVerification = async (
  table: Coordination,
  region: string,
  verification: Verification,
): Promise<void> => {
  const { isVerified, atMilliseconds } = verification;
  await table.write(verificationId(region), {
    set: {
      last: verification,
      atMilliseconds,
      ...(isVerified ? { verifiedAtMilliseconds: atMilliseconds } : {}),
    },
    onlyIf: "attribute_not_exists(#atMilliseconds) OR #atMilliseconds <= :at",
    values: { at: atMilliseconds },
  });
};

export interface VerificationStanding {
  last: Verification | null;
  /** When one was green last; null when none ever was. */
  verifiedAtMilliseconds: number | null;
}

export const readVerification = async (
  table: Coordination,
  region: string,
): Promise<VerificationStanding> => {
  const item = await table.read(verificationId(region));
  const verifiedAt = item?.verifiedAtMilliseconds;
  return {
    last: (item?.last as Verification | undefined) ?? null,
    verifiedAtMilliseconds: verifiedAt === undefined ? null : Number(verifiedAt),
  };
};

export interface BackupsSeen extends VerificationStanding {
  /** Where backups are restored: the region that does not serve users. */
  region: string;
  now: number;
  overdueHours: number;
}

/** Without a green verdict for so long the backups count as not verified. */
export const overdueHoursOf = ({ verification }: Pick<Config, "verification">): number =>
  verification?.overdueHours ?? 26;

const hourMilliseconds = 3_600_000;

/** For people, whichever door they came through. The first line is the answer. */
export const backupsLines = (seen: BackupsSeen): string[] => {
  const { region, last, verifiedAtMilliseconds: at, now, overdueHours } = seen;
  if (!last) {
    return [
      `Backups NOT VERIFIED: nothing was ever restored in ${region}. Assume that there is no backup.`,
    ];
  }
  return [headline(at, now, overdueHours), ...lastLines(last, now)];
};

const headline = (at: number | null, now: number, overdueHours: number): string => {
  if (at === null) return "Backups NOT VERIFIED: no restore test was ever green.";
  const hours = (now - at) / hourMilliseconds;
  const since = `the last green restore test is ${ageText(now - at)} old (${isoSeconds(at)})`;
  if (hours > overdueHours) return `Backups NOT VERIFIED: overdue, ${since}.`;
  return `Backups verified: ${since}.`;
};

const lastLines = (last: Verification, now: number): string[] => {
  const { run, code, verdict, figures, evidence, report, atMilliseconds } = last;
  const { availableSeconds = null, warmSeconds = null, lossSeconds = null } = figures;
  const told = (value: number | null) =>
    value === null ? "not measured" : `${Math.round(value)} s`;
  return [
    `last run ${run}: ${last.isVerified ? "verified" : `RED (${code})`}, ` +
      `${ageText(now - atMilliseconds)} ago`,
    `landed ${verdict.landed}, restorable ${verdict.restorable}, correct ${verdict.correct}`,
    `available after ${told(availableSeconds)}, read in full after ${told(warmSeconds)}, ` +
      `loss ${told(lossSeconds)}`,
    `evidence: ${evidence ? `record ${evidence}` : "NONE was kept"}${report ? `, page ${report}` : ""}`,
  ];
};

const ageText = (milliseconds: number): string => {
  const minutes = Math.max(0, Math.floor(milliseconds / 60_000));
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`;
};
