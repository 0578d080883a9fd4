import type {
  RefreshPreferences,
  StartInstanceRefreshCommandInput,
} from "@aws-sdk/client-auto-scaling";
import type { Blueprint, ScalingPorts } from "./autoscaling-instances.ts";
import { AwsError } from "./service.ts";

/** What ends an instance refresh before its time, or keeps it going after its last instance. */
export interface Watched {
  alarms: string[];
  rollsBack: boolean;
  bakeSeconds: number;
  /** As DescribeInstanceRefreshes answers it: what was not asked for is left out. */
  shown: RefreshPreferences;
}

export const watchedOf = ({ Preferences = {} }: StartInstanceRefreshCommandInput): Watched => {
  const { AlarmSpecification, AutoRollback, BakeTime } = Preferences;
  const { MaxHealthyPercentage, SkipMatching, StandbyInstances } = Preferences;
  return {
    alarms: AlarmSpecification?.Alarms ?? [],
    rollsBack: AutoRollback ?? false,
    bakeSeconds: BakeTime ?? 0,
    shown: Object.fromEntries(
      Object.entries({
        AlarmSpecification,
        AutoRollback,
        BakeTime,
        MaxHealthyPercentage,
        SkipMatching,
        StandbyInstances,
      }).filter(([, value]) => value !== undefined),
    ),
  };
};

interface From {
  launchData: NonNullable<ScalingPorts["machines"]>["launchData"] | undefined;
  alarmState: ScalingPorts["alarmState"];
}

type Group = Blueprint & { region: string };

/**
 * What a rollback goes back to has to be fixed: a desired configuration was given, and the group's own
 * version is a number whose image is named by its id. Source: "Undo changes with a manual or auto
 * rollback" in the Auto Scaling user guide.
 */
export const whyNoRollback = (
  { region, launchTemplate, templateVersion }: Group,
  isDesired: boolean,
  { launchData }: Pick<From, "launchData">,
): string | undefined => {
  if (!isDesired) return "no desired configuration was specified for it";
  if (templateVersion.startsWith("$")) {
    return `the Auto Scaling group uses the launch template's ${templateVersion} version`;
  }
  return launchData?.(region, launchTemplate, templateVersion)?.ImageId?.startsWith("resolve:ssm:")
    ? "the launch template names its image by a parameter"
    : undefined;
};

const invalid = (message: string) => new AwsError("ValidationError", message, { status: 400 });

/**
 * What StartInstanceRefresh refuses. The words about AutoRollback without a desired configuration are
 * AWS's (hashicorp/terraform-provider-aws#29830); of the others only the rule is published, and that an
 * alarm has to exist is an assumption. Bounds: API references of RefreshPreferences and AlarmSpecification.
 */
export const checkRefresh = (
  input: StartInstanceRefreshCommandInput,
  group: Group,
  from: From,
): void => {
  refuseUnmodelled(input);
  const { AutoRollback, AlarmSpecification, BakeTime = 0 } = input.Preferences ?? {};
  const isDesired = input.DesiredConfiguration?.LaunchTemplate !== undefined;
  if (AutoRollback && !isDesired) {
    throw invalid(
      "The AutoRollback parameter cannot be set to true when the DesiredConfiguration parameter is " +
        "empty. Set AutoRollback to false or specify a desired configuration and try again.",
    );
  }
  const why = AutoRollback ? whyNoRollback(group, isDesired, from) : undefined;
  if (why) throw invalid(`The AutoRollback parameter cannot be set to true: ${why}.`);
  if (BakeTime < 0 || BakeTime > 172_800) throw invalid("BakeTime must be from 0 to 172800.");
  const alarms = AlarmSpecification?.Alarms ?? [];
  if (alarms.length > 10) throw invalid("You can specify up to 10 alarms.");
  const missing = alarms.filter((name) => from.alarmState?.(group.region, name) === undefined);
  if (missing.length > 0) throw invalid(`These alarms do not exist: ${missing.join(", ")}`);
};

const modelledPreferences: readonly string[] = [
  "MinHealthyPercentage",
  "MaxHealthyPercentage",
  "InstanceWarmup",
  "SkipMatching",
  "AutoRollback",
  "BakeTime",
  "AlarmSpecification",
  "StandbyInstances",
];

const refuseUnmodelled = ({
  Strategy,
  DesiredConfiguration,
  Preferences = {},
}: StartInstanceRefreshCommandInput) => {
  const given = Object.entries(Preferences).filter(([, value]) => value !== undefined);
  const other = given.map(([name]) => name).find((name) => !modelledPreferences.includes(name));
  const unmodelled =
    (Strategy === "ReplaceRootVolume" ? Strategy : other) ??
    (DesiredConfiguration?.MixedInstancesPolicy ? "MixedInstancesPolicy" : undefined) ??
    // Who is put aside stays there: here nobody waits for them, nor takes them away.
    (/^(Wait|Terminate)$/.test(Preferences.StandbyInstances ?? "")
      ? "StandbyInstances"
      : undefined);
  if (!unmodelled) return;
  const message = `auto-scaling: an instance refresh with ${unmodelled} is not modelled`;
  throw new AwsError("NotImplemented", message, { status: 501 });
};
