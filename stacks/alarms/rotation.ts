import type { AlarmOptions } from "./options.ts";

export interface Rotated {
  namespace: string;
  /** Whose alarms they are: secrets are rotated where the lease is, and both regions say so. */
  region: string;
}

const hour = 3600;

/**
 * Alarms on secrets that grow old. The sweep of each region puts the metrics each hour, as 0 where the
 * lease is not, and puts none when the rotation function does not answer: functions/sweep/sweep.ts.
 */
export const rotationAlarms = ({ namespace, region }: Rotated): AlarmOptions[] => {
  const counted = (name: string, metric: string, says: string): AlarmOptions => ({
    name,
    says,
    of: { namespace, name: metric, dimensions: { Region: region }, statistic: "Maximum" },
    when: { above: 0 },
    periodSeconds: hour,
    // The sweep comes each hour; one that is a minute late leaves an hour empty.
    during: [2, 2],
    // Whoever counts them is gone: a secret may be as old as it likes then.
    silenceIs: "wrong",
  });
  return [
    counted(
      "rotation-stale",
      "StaleSecrets",
      "A secret is older than its schedule allows, or nobody counts: /nightshift rotations.",
    ),
    counted(
      "rotation-stuck",
      "StuckRotations",
      "A rotation has stood still for an hour, or nobody counts: /nightshift rotations.",
    ),
    counted(
      "rotation-missing",
      "UnrotatedSecrets",
      "A secret has no rotation where users are, or nobody counts: docs/DEPLOY.md, Rotating secrets.",
    ),
  ];
};
