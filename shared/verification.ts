import type { Coordination } from "./coordination.ts";

/** How the last restore test in a region ended. */
export interface Verification {
  run: string;
  isVerified: boolean;
  code: string;
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
