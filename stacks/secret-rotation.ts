import type { RotationSchedule, ScheduledSecret } from "../shared/config-rotation.ts";
import { scheduledSecrets } from "../shared/config-rotation.ts";
import {
  longestRotationDays,
  rotationCron,
  rotationWindowHours,
} from "../shared/rotation-schedule.ts";
import { titled } from "./alarm.ts";
import type { Rotation } from "./jobs/rotation.ts";
import type { Platform } from "./platform.ts";
import type { Stage } from "./stage.ts";

/**
 * Has Secrets Manager rotate by the clock what the operator's file names, where the secrets are made, and
 * has it know by which function the others are rotated. Slack's has no value yet: docs/DEPLOY.md. A
 * replica takes no rotation of its own: after a failover the promoted one gets it over there, and a
 * deployment leaves both as they are.
 * Source: "Rotate AWS Secrets Manager secrets", "Schedule expressions in Secrets Manager rotation".
 */
export const rotated = (
  stage: Stage,
  { home, firstValues }: Platform,
  { rotation, mayCall }: Rotation,
): void => {
  const schedules: Partial<Record<ScheduledSecret, RotationSchedule>> =
    stage.config.rotation?.schedules ?? {};
  for (const name of scheduledSecrets) {
    const schedule = schedules[name];
    new aws.secretsmanager.SecretRotation(
      `${titled(name)}SecretRotation`,
      {
        // Not before it has a value: Secrets Manager tests the function at once, with a version that it
        // makes for that, and the function finds no current one beside it.
        secretId: firstValues[name],
        rotationLambdaArn: rotation.target,
        // A deployment is no time for a new password: the first one comes on the first night.
        rotateImmediately: false,
        rotationRules: schedule
          ? { scheduleExpression: rotationCron(schedule), duration: `${rotationWindowHours}h` }
          : { automaticallyAfterDays: longestRotationDays },
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
