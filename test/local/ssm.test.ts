import {
  GetCommandInvocationCommand,
  InvalidDocument,
  InvocationDoesNotExist,
  SendCommandCommand,
  SSMClient,
} from "@aws-sdk/client-ssm";
import { describe, expect, it } from "vitest";
import { endpoint } from "../../local/aws/endpoint.ts";
import { ssm } from "../../local/aws/ssm.ts";
import { frugal, inProcess } from "../../local/aws/transport.ts";
import { account, around, asking, failure, home } from "./asking.ts";

const DocumentName = "AWS-RunShellScript";
const listening = "i-listens";

const systems = () => {
  const { timeline, faults, surroundings } = around();
  const deaf = new Set<string>();
  const ran: string[] = [];
  const commands = ssm(surroundings, {
    agent: (_, id) => {
      if (deaf.has(id)) return "deaf";
      return id.startsWith("i-l") ? "listens" : "absent";
    },
  });
  commands.register(DocumentName, async ({ instanceId, parameters }) => {
    const command = parameters.commands?.[0] ?? "";
    ran.push(`${instanceId}: ${command}`);
    await timeline.sleep(20_000);
    if (command === "crash") throw new Error("the container runtime does not answer");
    return command === "false" ? { code: 2, output: "no" } : { code: 0, output: "three lines" };
  });
  const ask = asking(commands.service);
  const send = (command: string, more: object = {}) =>
    (
      ask("SendCommand", {
        DocumentName,
        InstanceIds: [listening],
        Parameters: { commands: [command] },
        ...more,
      }).Command as { CommandId: string }
    ).CommandId;
  const look = (CommandId: string, InstanceId = listening) =>
    ask("GetCommandInvocation", { CommandId, InstanceId });
  return { timeline, faults, surroundings, commands, deaf, ran, send, look, ask };
};

describe("a command on a machine", () => {
  it("is not known at first, then runs, and tells what came out", async () => {
    const { timeline, send, look, ran } = systems();
    const id = send("docker stats");
    expect(failure(() => look(id)).name).toBe("InvocationDoesNotExist");
    await timeline.advance(6000);
    expect(look(id)).toMatchObject({ Status: "InProgress", StandardOutputContent: "" });
    await timeline.advance(20_000);
    expect(look(id)).toMatchObject({
      Status: "Success",
      ResponseCode: 0,
      StandardOutputContent: "three lines",
      DocumentName,
    });
    expect(ran).toEqual([`${listening}: docker stats`]);
  });

  it.each([
    ["false", 2, "no"],
    ["crash", 1, "the container runtime does not answer"],
  ])("that ends badly (%s) is Failed", async (command, code, words) => {
    const { timeline, send, look } = systems();
    const id = send(command);
    await timeline.advance(30_000);
    expect(look(id)).toMatchObject({
      Status: "Failed",
      ResponseCode: code,
      StandardErrorContent: words,
    });
  });

  it("stays pending while the agent is deaf, and times out", async () => {
    const { timeline, send, look, deaf, ran } = systems();
    deaf.add(listening);
    const id = send("true", { TimeoutSeconds: 60 });
    await timeline.advance(30_000);
    expect(look(id)).toMatchObject({ Status: "Pending" });
    await timeline.advance(60_000);
    expect(look(id)).toMatchObject({ Status: "TimedOut", StatusDetails: "Delivery Timed Out" });
    deaf.clear();
    await timeline.advance(60_000);
    expect(ran).toEqual([]);
  });

  it("is refused for documents and machines that are not there, and for a machine named twice", () => {
    const { send } = systems();
    expect(failure(() => send("a", { DocumentName: "None" })).name).toBe("InvalidDocument");
    expect(failure(() => send("a", { InstanceIds: ["i-none"] })).name).toBe("InvalidInstanceId");
    const twice = { InstanceIds: [listening, listening] };
    expect(failure(() => send("a", twice)).name).toBe("DuplicateInstanceId");
    expect(failure(() => send("a", { Targets: [{ Key: "tag:x" }] })).status).toBe(501);
  });
});

it("is understood by the SDK's own client, errors included", async () => {
  const { timeline, surroundings, commands } = systems();
  const aws = endpoint(surroundings, [commands.service]);
  await aws.ready();
  const client = new SSMClient({
    ...frugal,
    region: home,
    credentials: async () => ({ accessKeyId: `AKIA${account}`, secretAccessKey: "secret" }),
    maxAttempts: 1,
    requestHandler: inProcess(aws, home, timeline),
  });
  const input = { DocumentName, InstanceIds: [listening], Parameters: { commands: ["true"] } };
  const { Command } = await client.send(new SendCommandCommand(input));
  const CommandId = Command?.CommandId ?? "";
  const look = () =>
    client
      .send(new GetCommandInvocationCommand({ CommandId, InstanceId: listening }))
      .catch((error: unknown) => error);
  expect(await look()).toBeInstanceOf(InvocationDoesNotExist);
  await timeline.advance(30_000);
  expect(await look()).toMatchObject({ Status: "Success" });
  const unknown = new SendCommandCommand({ ...input, DocumentName: "None" });
  const refused = await client.send(unknown).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(InvalidDocument);
});
