import type { AlarmOptions, Metric } from "./options.ts";

export interface Verified {
  namespace: string;
  /** Whose alarms they are: restores are tested where users are not, and both regions say so. */
  region: string;
  /** Without a green restore test for so long the backups count as not verified. */
  overdueHours: number;
}

const hour = 3600;

const missed = (objective: string, how: string, of: Metric): AlarmOptions => ({
  name: `verification-${objective}`,
  says: `The last restore ${how} than \`verification.objectives\` allows, or was not measured.`,
  of,
  when: { below: 1 },
  periodSeconds: hour,
  during: [1, 1],
  silenceIs: "as before",
});

/** Alarms on backups that nobody has proven. Each metric is put by functions/{sweep,verification}/aws.ts. */
export const verificationAlarms = ({
  namespace,
  region,
  overdueHours,
}: Verified): AlarmOptions[] => {
  const metric = (name: string, statistic: Metric["statistic"]): Metric => ({
    namespace,
    name,
    dimensions: { Region: region },
    statistic,
  });
  return [
    {
      name: "verification-overdue",
      says: "No restore test has been green for too long, or nobody counts: /nightshift backups.",
      of: metric("HoursSinceBackupsVerified", "Maximum"),
      when: { above: overdueHours },
      periodSeconds: hour,
      // The sweep comes each hour; one that is a minute late leaves an hour empty.
      during: [2, 2],
      // It is put where users are as well, as 0: silence is a sweep that does not come.
      silenceIs: "wrong",
    },
    {
      name: "verification-red",
      says: "The last restore test was not green: its message and docs/evidence.md say which check.",
      of: metric("BackupsVerified", "Minimum"),
      when: { below: 1 },
      periodSeconds: hour,
      during: [1, 1],
      // It comes once a day, where users are not. That it stays away is told by the one above.
      silenceIs: "as before",
    },
    missed("rto", "took longer", metric("RestoreRtoMet", "Minimum")),
    missed("rpo", "lost more", metric("RestoreRpoMet", "Minimum")),
    {
      name: "settings-drift",
      says: "The regions' databases differ so that a rebuild would fail: the sweep's message says where.",
      of: metric("SettingsDrift", "Maximum"),
      when: { above: 0 },
      periodSeconds: hour,
      during: [1, 1],
      // An hour in which the two could not be compared mends nothing.
      silenceIs: "as before",
    },
    {
      name: "verification-copies-left",
      says: "Copies of the database were left behind by a restore test: each costs money and is data.",
      of: metric("LeftoverCopies", "Maximum"),
      when: { above: 0 },
      periodSeconds: hour,
      during: [1, 1],
      // `sweep-silent` is about that.
      silenceIs: "well",
    },
  ];
};
