import type {
  CommandInvocationStatus,
  GetCommandInvocationCommandInput,
  GetCommandInvocationCommandOutput,
  SendCommandCommandInput,
  SendCommandCommandOutput,
} from "@aws-sdk/client-ssm";
import type { Place } from "../network.ts";
import { duration } from "./durations.ts";
import { AwsError, type Call, type Service, type Surroundings } from "./service.ts";

export interface CommandRequest {
  region: Place;
  instanceId: string;
  parameters: Record<string, string[]>;
}

/** What a document does on one machine. Must settle; a rejection is a failed command. */
export type Document = (request: CommandRequest) => Promise<{ code: number; output: string }>;

export interface CommandPorts {
  /** Whether a machine is there and runs, and whether its agent fetches commands. */
  agent(region: Place, instanceId: string): "listens" | "deaf" | "absent";
}

interface Invocation {
  commandId: string;
  instanceId: string;
  document: string;
  comment: string | undefined;
  visibleAt: number;
  status: CommandInvocationStatus;
  details: string;
  code: number;
  output: string;
  startedAt: number | undefined;
  endedAt: number | undefined;
}

type Answer<T> = Omit<T, "$metadata">;

/** Default of TimeoutSeconds, until a command has been fetched. (API reference of SendCommand.) */
const usualDeliverySeconds = 3600;
const mostInstances = 50;
const keptInvocations = 1000;
/** `The first 24,000 characters` are answered. (API reference of GetCommandInvocation.) */
const outputCharacters = 24_000;

const refusal = (shape: string, message: string) => new AwsError(shape, message, { status: 400 });

/**
 * Systems Manager Run Command, as far as somebody has registered what a document does. Machines are named
 * by id: targets by tag, concurrency, S3 and notifications are not modelled.
 */
export const ssm = (surroundings: Surroundings, ports: CommandPorts) => {
  const documents = new Map<string, Document>();
  const invocations = new Map<string, Invocation>();
  const service: Service = {
    name: "ssm",
    operations: {
      SendCommand: (
        input: SendCommandCommandInput,
        call: Call,
      ): Answer<SendCommandCommandOutput> => {
        const { timeline, random } = surroundings;
        const document = documents.get(input.DocumentName ?? "");
        if (!document)
          throw refusal("InvalidDocument", "The specified SSM document doesn't exist.");
        const ids = targetsOf(input);
        for (const id of ids) {
          if (ports.agent(call.region, id) !== "absent") continue;
          throw refusal("InvalidInstanceId", `Instances [[${id}]] not in a valid state.`);
        }
        const commandId = random.id();
        for (const instanceId of ids) {
          const invocation = newInvocation(surroundings, commandId, instanceId, input);
          invocations.set(`${commandId} ${instanceId}`, invocation);
          const [oldest] = invocations.keys();
          if (invocations.size > keptInvocations && oldest) invocations.delete(oldest);
          const parameters = input.Parameters ?? {};
          deliver(
            surroundings,
            ports,
            invocation,
            input.TimeoutSeconds,
            () => document({ region: call.region, instanceId, parameters }),
            call.region,
          );
        }
        return {
          Command: {
            CommandId: commandId,
            DocumentName: input.DocumentName,
            Comment: input.Comment,
            InstanceIds: ids,
            Parameters: input.Parameters,
            RequestedDateTime: new Date(timeline.now()),
            Status: "Pending",
            StatusDetails: "Pending",
            TargetCount: ids.length,
            CompletedCount: 0,
            ErrorCount: 0,
          },
        };
      },
      GetCommandInvocation: (
        input: GetCommandInvocationCommandInput,
      ): Answer<GetCommandInvocationCommandOutput> => {
        const found = invocations.get(`${input.CommandId} ${input.InstanceId}`);
        // Right after SendCommand the service does not know of it yet: callers have to ask again.
        if (found && surroundings.timeline.now() >= found.visibleAt) return shown(found);
        throw refusal("InvocationDoesNotExist", "The command ID and managed node ID do not match.");
      },
    },
  };
  return {
    service,
    /** What `document` does from now on, in all regions. */
    register: (name: string, document: Document): void => void documents.set(name, document),
  };
};

const targetsOf = ({ InstanceIds: ids = [], Targets }: SendCommandCommandInput): string[] => {
  if (Targets?.length) {
    throw new AwsError("NotImplemented", "ssm: targets by tag are not modelled", { status: 501 });
  }
  if (ids.length === 0 || ids.length > mostInstances) {
    throw refusal("ValidationException", `Between 1 and ${mostInstances} InstanceIds are needed.`);
  }
  if (new Set(ids).size < ids.length) {
    throw refusal("DuplicateInstanceId", "You can't specify a managed node ID more than once.");
  }
  return ids;
};

const newInvocation = (
  { timeline, random }: Surroundings,
  commandId: string,
  instanceId: string,
  { DocumentName: document = "", Comment: comment }: SendCommandCommandInput,
): Invocation => ({
  commandId,
  instanceId,
  document,
  comment,
  visibleAt: timeline.now() + duration(random, "ssm.visible"),
  status: "Pending",
  details: "Pending",
  code: -1,
  output: "",
  startedAt: undefined,
  endedAt: undefined,
});

const deliver = (
  { timeline, random, network }: Surroundings,
  ports: CommandPorts,
  invocation: Invocation,
  timeoutSeconds: number | undefined,
  run: () => ReturnType<Document>,
  region: Place,
): void => {
  const { instanceId } = invocation;
  const until = timeline.now() + (timeoutSeconds ?? usualDeliverySeconds) * 1000;
  const end = (status: CommandInvocationStatus, details: string) =>
    Object.assign(invocation, { status, details, endedAt: timeline.now() });
  const attempt = async (): Promise<void> => {
    const fetches =
      network.state(region) !== "dead" && ports.agent(region, instanceId) === "listens";
    if (!fetches) {
      if (timeline.now() >= until) end("TimedOut", "Delivery Timed Out");
      else timeline.after(duration(random, "ssm.delivery"), attempt);
      return;
    }
    Object.assign(invocation, { status: "InProgress", details: "InProgress" });
    invocation.startedAt = timeline.now();
    try {
      const { code, output } = await run();
      Object.assign(invocation, { code, output });
      end(code === 0 ? "Success" : "Failed", code === 0 ? "Success" : "Failed");
    } catch (error) {
      invocation.code = 1;
      invocation.output = error instanceof Error ? error.message : String(error);
      end("Failed", "Failed");
    }
  };
  timeline.after(duration(random, "ssm.delivery"), attempt);
};

const moment = (milliseconds: number | undefined): string =>
  milliseconds === undefined ? "" : new Date(milliseconds).toISOString();

const shown = (invocation: Invocation): Answer<GetCommandInvocationCommandOutput> => {
  const { code, output, startedAt, endedAt } = invocation;
  return {
    CommandId: invocation.commandId,
    InstanceId: invocation.instanceId,
    DocumentName: invocation.document,
    Comment: invocation.comment ?? "",
    Status: invocation.status,
    StatusDetails: invocation.details,
    ResponseCode: code,
    ExecutionStartDateTime: moment(startedAt),
    ExecutionEndDateTime: moment(endedAt),
    StandardOutputContent: code === 0 ? output.slice(0, outputCharacters) : "",
    StandardErrorContent: code > 0 ? output.slice(0, outputCharacters) : "",
  };
};
