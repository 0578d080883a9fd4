import type {
  EnterStandbyCommandInput,
  ExitStandbyCommandInput,
} from "@aws-sdk/client-auto-scaling";
import type { GroupState, InstanceState } from "./autoscaling-instances.ts";
import { duration } from "./durations.ts";
import type { Call, Surroundings } from "./service.ts";
import { AwsError } from "./service.ts";

interface Ports {
  groupOf(call: Call, name: string | undefined): GroupState;
  converge(group: GroupState, cause: string): void;
  record(group: GroupState, description: string, cause: string): () => void;
  register(group: GroupState, instanceId: string): void;
  deregister(group: GroupState, instanceId: string): void;
}

const invalid = (message: string) => new AwsError("ValidationError", message, { status: 400 });

const mostInstances = 20;

const membersOf = (
  group: GroupState,
  ids: string[] | undefined,
  wanted: InstanceState["lifecycle"],
): InstanceState[] => {
  if (!ids?.length) throw invalid("InstanceIds must not be empty.");
  if (ids.length > mostInstances) throw invalid(`At most ${mostInstances} instances at once.`);
  return ids.map((id) => {
    const instance = group.instances.get(id);
    if (!instance)
      throw invalid(`The instance ${id} is not part of Auto Scaling group ${group.name}.`);
    if (instance.lifecycle === wanted) return instance;
    throw invalid(
      `The instance ${id} is not in ${wanted}. It is in lifecycle state ${instance.lifecycle}.`,
    );
  });
};

/**
 * Standby takes instances out of service and keeps them, without health checks and apart from the
 * desired capacity: it is lowered by them, or replacements start. Leaving standby raises it again. With
 * an instance refresh they do not meet here: AWS makes a refresh wait for instances in standby. Sources:
 * API reference of EnterStandby and ExitStandby, "Temporarily remove instances from your Auto Scaling
 * group".
 */
export const standbyOperations = ({ timeline, random }: Surroundings, ports: Ports) => {
  const change = (
    group: GroupState,
    instance: InstanceState,
    [from, to]: [InstanceState["lifecycle"], InstanceState["lifecycle"]],
    then: () => void,
  ) => {
    instance.lifecycle = from;
    timeline.after(duration(random, "autoscaling.standby"), () => {
      const isThere = group.instances.get(instance.launched.id) === instance;
      if (!isThere || instance.lifecycle !== from) return;
      instance.lifecycle = to;
      then();
    });
  };
  return {
    EnterStandby: (input: EnterStandbyCommandInput, call: Call) => {
      const group = ports.groupOf(call, input.AutoScalingGroupName);
      const instances = membersOf(group, input.InstanceIds, "InService");
      const left = group.desired - instances.length;
      if (input.ShouldDecrementDesiredCapacity && left < group.minimum) {
        throw invalid(
          `AutoScalingGroup ${group.name} has min-size=${group.minimum}, ` +
            `max-size=${group.maximum}, and desired-size=${group.desired}. To place into standby ` +
            `${instances.length} instances, please update the AutoScalingGroup sizes appropriately.`,
        );
      }
      if (input.ShouldDecrementDesiredCapacity) group.desired = left;
      const Activities = instances.map((instance) => {
        const { id } = instance.launched;
        const cause = `instance ${id} was moved to standby in response to a user request`;
        const done = ports.record(group, `Moving EC2 instance to Standby: ${id}`, cause);
        ports.deregister(group, id);
        change(group, instance, ["EnteringStandby", "Standby"], done);
        return group.activities[0];
      });
      if (!input.ShouldDecrementDesiredCapacity) {
        ports.converge(group, "instances were moved to standby without a smaller desired capacity");
      }
      return { Activities };
    },
    ExitStandby: (input: ExitStandbyCommandInput, call: Call) => {
      const group = ports.groupOf(call, input.AutoScalingGroupName);
      const instances = membersOf(group, input.InstanceIds, "Standby");
      const wanted = group.desired + instances.length;
      if (wanted > group.maximum) {
        throw invalid(
          `AutoScalingGroup ${group.name} has min-size=${group.minimum}, ` +
            `max-size=${group.maximum}, and desired-size=${group.desired}. To place into service ` +
            `${instances.length} instances, please update the AutoScalingGroup sizes appropriately.`,
        );
      }
      group.desired = wanted;
      const Activities = instances.map((instance) => {
        const { id } = instance.launched;
        const cause = `instance ${id} was moved out of standby in response to a user request`;
        const done = ports.record(group, `Moving EC2 instance out of Standby: ${id}`, cause);
        change(group, instance, ["Pending", "InService"], () => {
          instance.inServiceAt = timeline.now();
          ports.register(group, id);
          done();
        });
        return group.activities[0];
      });
      return { Activities };
    },
  };
};
