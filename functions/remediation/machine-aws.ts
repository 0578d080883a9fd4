import {
  GetCommandInvocationCommand,
  InvocationDoesNotExist,
  SendCommandCommand,
  SSMClient,
} from "@aws-sdk/client-ssm";
import { clientOptions, near } from "../../shared/clients.ts";
import type { Runtime } from "../../shared/runtime.ts";
import type { RemediatedLink } from "./aws.ts";
import type { ContainerSeen } from "./evidence-application.ts";

/** An agent fetches a command within seconds, and what it reads takes one or two. */
const answerSeconds = 20;
const pauseSeconds = 1;
/** No agent fetches it later than that, when the answer would be about another time. */
const deliverySeconds = 30;
const lineLimit = 20;
const lineLength = 200;

/** `started 2026-11-22T03:00:00.123456789Z`, or `started` alone while there is no container. */
const startedLine = /^started(?: (\S+))?$/m;

/**
 * Two documents of the stack's own, whose commands are fixed: nothing else can be run on an instance.
 * What they say is in `stacks/commands.ts`.
 */
export const commandsOn = (runtime: Runtime, region: string, { commands }: RemediatedLink) => {
  const client = new SSMClient(clientOptions(runtime, region));
  // A command has no token of its own: sent again by the SDK it would be another one.
  const once = new SSMClient(clientOptions(runtime, region, { ...near, attempts: 1 }));
  const send = async (document: string, instance: string, parameters: Record<string, string[]>) => {
    const { Command } = await once.send(
      new SendCommandCommand({
        DocumentName: document,
        InstanceIds: [instance],
        Parameters: parameters,
        TimeoutSeconds: deliverySeconds,
      }),
    );
    if (!Command?.CommandId) throw new Error("Systems Manager gives the command no id");
    return Command.CommandId;
  };
  const named = () => {
    if (!commands) throw new Error("the commands for instances are not linked to this function");
    return commands;
  };
  return {
    inspect: async (instance: string): Promise<ContainerSeen> => {
      const output = await answerOf(runtime, client, instance, () =>
        send(named().inspect, instance, {}),
      );
      const started = startedLine.exec(output);
      if (!started) throw new Error(`${instance} does not say when its container was started`);
      return {
        instance,
        startedAt: started[1] ?? null,
        lines: output
          .split("\n")
          .filter((line) => line.trim() !== "" && !startedLine.test(line))
          .slice(0, lineLimit)
          .map((line) => line.slice(0, lineLength)),
      };
    },
    /** Does nothing where the container is another one by then. */
    restart: async (instance: string, startedAt: string): Promise<void> => {
      await send(named().restart, instance, { startedAt: [startedAt] });
    },
  };
};

const isUnknownYet = (error: unknown): boolean => error instanceof InvocationDoesNotExist;

/** What a command has printed. Throws when it failed, or has not ended in time. */
const answerOf = async (
  { clock }: Runtime,
  client: SSMClient,
  InstanceId: string,
  send: () => Promise<string>,
): Promise<string> => {
  const CommandId = await send();
  const until = clock.now() + answerSeconds * 1000;
  for (;;) {
    await clock.sleep(pauseSeconds * 1000);
    const seen = await client
      .send(new GetCommandInvocationCommand({ CommandId, InstanceId }))
      .catch((error: unknown) => {
        // Right after it was sent the service does not know it yet: API reference of the operation.
        if (isUnknownYet(error)) return null;
        throw error;
      });
    if (seen?.Status === "Success") return seen.StandardOutputContent ?? "";
    const isOpen = seen === null || /^(Pending|InProgress|Delayed)$/.test(seen.Status ?? "");
    if (!isOpen) throw new Error(`the command on ${InstanceId} is ${seen?.StatusDetails}`);
    if (clock.now() >= until) throw new Error(`${InstanceId} does not answer its commands`);
  }
};
