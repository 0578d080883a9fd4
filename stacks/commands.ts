import type { Output } from "@pulumi/pulumi";
import type { Region } from "./regions.ts";
import { named } from "./regions.ts";
import type { Stage } from "./stage.ts";

/** A document of Systems Manager, by its name and its ARN. */
export interface Command {
  name: string;
  arn: Output<string>;
}

/** What instances can be told to do, and nothing else: whoever may send these can run no other command. */
export interface Commands {
  inspect: Command;
  restart: Command;
}

/** Docker's templates stand in the same braces as a document's parameters, so they are put together here. */
const braces = "o='{''{' c='}''}'";

/** Lines that functions/remediation/machine-aws.ts reads. None of them shows a variable of the container. */
const inspect = [
  "set -eu",
  braces,
  "if ! docker inspect application >/dev/null 2>&1; then echo started; exit 0; fi",
  'docker inspect --format "started $o.State.StartedAt$c" application',
  'docker inspect --format "image $o.Config.Image$c" application',
  'docker stats --no-stream --format "uses $o.MemUsage$c $o.MemPerc$c, $o.PIDs$c processes" application',
  "journalctl --dmesg --since -24h --quiet --no-pager --grep 'oom-kill|Out of memory' | tail -n 10 || true",
];

/**
 * Two at once wait for each other, and whoever comes second finds another container and leaves it alone:
 * told twice, it is restarted once.
 */
const restart = [
  "set -eu",
  braces,
  "exec 9>/run/application.lock",
  "flock --timeout 120 9",
  'seen=$(docker inspect --format "$o.State.StartedAt$c" application)',
  "if [ \"$seen\" != '{{ startedAt }}' ]; then echo 'another container runs'; exit 0; fi",
  "systemctl restart application",
];

export const commands = (stage: Stage, region: Region): Commands => ({
  inspect: document(stage, region, "inspect-container", { runCommand: inspect }),
  restart: document(stage, region, "restart-container", {
    runCommand: restart,
    parameters: {
      // It stands in a script: nothing but the digits of a time is let in.
      startedAt: { type: "String", allowedPattern: "^[0-9TZ:.+-]{20,40}$" },
    },
  }),
});

/** Source: "Schemas, features, and examples" of SSM documents, schema 2.2. */
const document = (
  stage: Stage,
  region: Region,
  what: string,
  { runCommand, parameters = {} }: { runCommand: string[]; parameters?: object },
): Command => {
  const { provider } = region;
  const name = `${stage.prefix}-${what}`;
  const made = new aws.ssm.Document(
    named(what === "inspect-container" ? "InspectContainer" : "RestartContainer", region),
    {
      name,
      documentType: "Command",
      documentFormat: "JSON",
      targetType: "/AWS::EC2::Instance",
      content: JSON.stringify({
        schemaVersion: "2.2",
        description: "Sent by Nightshift to instances of the application",
        parameters,
        mainSteps: [
          {
            action: "aws:runShellScript",
            name: "run",
            inputs: { timeoutSeconds: "180", runCommand },
          },
        ],
      }),
    },
    { provider },
  );
  return { name, arn: made.arn };
};
