import type { AlarmRule } from "./alarm-rules.ts";
import { onAlarm } from "./alarm-rules.ts";
import type { Job } from "./job.ts";
import type { Watch } from "./observers.ts";
import type { Stage } from "./stage.ts";

/** By the function that it sets off: the name of its rule in AWS. */
export const ruleNames = ({ prefix }: Stage): Readonly<Record<string, string>> => ({
  detection: `${prefix}-region-lost`,
  triage: `${prefix}-alarms`,
});

const rule = (stage: Stage, job: Job, rest: Omit<AlarmRule, "name">): void => {
  const name = ruleNames(stage)[job.job];
  if (!name) throw new Error(`no alarm sets ${job.job} off`);
  onAlarm(job, { name, ...rest });
};

/** Sets detection off at the moment at which the composite alarm begins, in the region of both. */
export const regionLost = (stage: Stage, { composite }: Watch, detection: Job): void =>
  rule(stage, detection, {
    title: "RegionLost",
    description: `The alarm ${composite} begins`,
    alarmName: composite,
  });

/** Sets triage off at the moment at which any alarm of the stage begins, in the region of both. */
export const anyAlarm = (stage: Stage, triage: Job): void =>
  rule(stage, triage, {
    title: "AnyAlarm",
    description: `An alarm of ${stage.prefix} begins`,
    alarmName: { prefix: `${stage.prefix}-` },
  });
