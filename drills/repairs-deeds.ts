import type { DeedName } from "../functions/remediation/actions.ts";
import type { Scene } from "./repairs-scene.ts";

/** A call that changes the platform, as the AWS endpoint heard it: nobody's word for it. */
export interface Heard {
  deed: DeedName;
  /** What it was done to. */
  target: string;
  atMilliseconds: number;
}

export interface Deeds {
  heard: Heard[];
  stop(): void;
}

type Input = Record<string, unknown>;

/** Every call of the menu of deeds in the scene's region, whoever makes it. */
export const deedsHeard = ({ seen, world, region }: Scene): Deeds => {
  const heard: Heard[] = [];
  const stop = seen.intercept((call, input) => {
    if (call.region !== region) return;
    const found = deedOf(`${call.service}.${call.operation}`, input as Input);
    if (found) heard.push({ ...found, atMilliseconds: world.timeline.now() });
  });
  return { heard, stop };
};

const deedOf = (operation: string, input: Input): Omit<Heard, "atMilliseconds"> | undefined => {
  switch (operation) {
    case "autoscaling.TerminateInstanceInAutoScalingGroup":
      return { deed: "replace-instance", target: String(input.InstanceId) };
    case "autoscaling.SetDesiredCapacity":
      return { deed: "grow-group", target: String(input.AutoScalingGroupName) };
    case "autoscaling.RollbackInstanceRefresh":
      return { deed: "rollback-refresh", target: String(input.AutoScalingGroupName) };
    case "rds.ModifyDBInstance":
      return { deed: "grow-storage", target: String(input.DBInstanceIdentifier) };
    case "lambda.Invoke":
      return sessionsEnded(input);
    default:
      return undefined;
  }
};

const sessionsEnded = ({ FunctionName, Payload }: Input) => {
  if (FunctionName !== "database" || !(Payload instanceof Uint8Array)) return undefined;
  const asked = JSON.parse(Buffer.from(Payload).toString()) as { do?: string };
  return asked.do === "endSessions"
    ? { deed: "end-sessions" as const, target: "sessions" }
    : undefined;
};
