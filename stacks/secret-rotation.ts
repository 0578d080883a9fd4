import type { RotationSchedule, ScheduledSecret } from "../shared/config-rotation.ts";
import { scheduledSecrets } from "../shared/config-rotation.ts";
import { titled } from "./alarm.ts";
import type { Rotation } from "./jobs/rotation.ts";
import type { Platform } from "./platform.ts";
import type { Stage } from "./stage.ts";

/** Somewhere in these hours Secrets Manager begins; they may not reach into the next day. */
const window = "4h";

/**
 * Has Secrets Manager rotate by the clock what the operator's file names, where the secrets are made. A
 * replica takes no rotation of its own: after a failover the promoted one gets it over there, and a
 * deployment leaves both as they are.
 * Source: "Rotate AWS Secrets Manager secrets", "Schedule expressions in Secrets Manager rotation".
 */
export const rotated = (
  stage: Stage,
  { home }: Platform,
  { rotation, mayCall }: Rotation,
): void => {
  const schedules: Partial<Record<ScheduledSecret, RotationSchedule>> =
    stage.config.rotation?.schedules ?? {};
  for (const name of scheduledSecrets) {
    const schedule = schedules[name];
    if (!schedule) continue;
    new aws.secretsmanager.SecretRotation(
      `${titled(name)}SecretRotation`,
      {
        secretId: home.secrets[name].arn,
        rotationLambdaArn: rotation.target,
        // A deployment is no time for a new password: the first one comes on the first night.
        rotateImmediately: false,
        rotationRules: { scheduleExpression: cronOf(schedule), duration: window },
      },
      {
        provider: home.region.provider,
        ignoreChanges: ["rotationLambdaArn", "rotationRules"],
        // Secrets Manager tries the function out at once, and refuses one that it may not call.
        dependsOn: [mayCall],
      },
    );
  }
};

/** In UTC, by months that are named one by one. */
const cronOf = ({ everyMonths, day, hour }: RotationSchedule): string => {
  const months = Array.from({ length: 12 / everyMonths }, (_, index) => 1 + index * everyMonths);
  return `cron(0 ${hour} ${day} ${everyMonths === 1 ? "*" : months.join(",")} ? *)`;
};
