import type { Runtime } from "../../../shared/runtime.ts";
import type { Plant } from "../world.ts";
import type { Scenario } from "./scenario.ts";
import { plain } from "./scenario.ts";
import { pausedWhilePeopleThink } from "./staged.ts";

/** A bug that somebody might write, put around the real handlers; no code of theirs knows of it. */
export interface PlantedBug {
  name: string;
  /** The line of docs/RISKS.md that has to notice. */
  risk: string;
  plant: Plant;
  /** The night in which it shows. */
  scenario: Partial<Scenario>;
}

interface Sent {
  body?: unknown;
  headers: Record<string, string>;
}
interface Handler {
  handle(request: Sent, options: unknown): Promise<unknown>;
}

const bodyOf = ({ body }: Sent): string =>
  typeof body === "string" ? body : new TextDecoder().decode(body as Uint8Array | undefined);

/** What a call of remediation is answered instead of what AWS says; null leaves it as it is. */
const answering =
  (instead: (body: string, target: string) => string | null, name = "remediation"): Plant =>
  (definition, runtime, assemble) => {
    if (definition.name !== name) return assemble(runtime);
    const aws: Runtime["aws"] = (bounds) => {
      const options = runtime.aws?.(bounds) ?? {};
      const real = options.requestHandler as Handler;
      const handle: Handler["handle"] = async (request, more) => {
        const target = request.headers["x-amz-target"] ?? "";
        const answer = instead(bodyOf(request), target);
        if (answer === null) return real.handle(request, more);
        const headers = { "content-type": request.headers["content-type"] ?? "" };
        return { response: { statusCode: 200, headers, body: new TextEncoder().encode(answer) } };
      };
      return { ...options, requestHandler: Object.assign(Object.create(real), { handle }) };
    };
    return assemble({ ...runtime, aws });
  };

/** As if there were no item of this name. */
const forgetting = (id: string): Plant =>
  answering((body, target) =>
    target.endsWith("GetItem") && body.includes(`"S":"${id}`) ? "{}" : null,
  );

/** Slack takes it, as far as the run can tell, and nobody ever reads it. */
const unheard: Plant = (definition, runtime, assemble) =>
  assemble(
    definition.name === "remediation"
      ? {
          ...runtime,
          fetch: async () => Response.json({ ok: true, channel: "C0NIGHTSHIFT", ts: "1.000001" }),
        }
      : runtime,
  );

const secretLogged: Plant = (definition, runtime, assemble) => {
  if (definition.name !== "database" || !runtime.connect) return assemble(runtime);
  const { connect } = runtime;
  return assemble({
    ...runtime,
    connect: (target) => {
      runtime.write(JSON.stringify({ message: "connecting", ...target }));
      return connect(target);
    },
  });
};

const moving: Scenario["meanwhile"] = [
  { afterSeconds: 60, deed: { is: "failover", forSeconds: 3600 } },
];

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: "does not read the switch",
    risk: "repairs that harm",
    plant: forgetting("pause"),
    scenario: pausedWhilePeopleThink,
  },
  {
    name: "does not see that a failover is under way",
    risk: "repairs that harm",
    // The lease as it is when nothing moves.
    plant: answering((body, target) =>
      target.endsWith("GetItem") && body.includes('"S":"lease"')
        ? '{"Item":{"id":{"S":"lease"},"epoch":{"N":"1"},"region":{"S":"eu-central-1"},' +
          '"state":{"S":"held"},"holder":{"S":"first"},"movedAtMilliseconds":{"N":"0"}}}'
        : null,
    ),
    scenario: { meanwhile: moving },
  },
  {
    name: "takes what it does out of no budget",
    risk: "repairs that harm",
    plant: answering((body, target) =>
      target.endsWith("UpdateItem") && body.includes('"S":"budget#') ? '{"Attributes":{}}' : null,
    ),
    scenario: {},
  },
  {
    name: "acts without the yes that it needs",
    risk: "repairs that harm",
    // The request looks granted as soon as it is asked for.
    plant: (definition, runtime, assemble) =>
      assemble(
        definition.name === "remediation"
          ? {
              ...runtime,
              config: {
                ...runtime.config,
                remediation: {
                  ...runtime.config.remediation,
                  playbooks: { "unhealthy-host": "automatic" },
                },
              },
            }
          : runtime,
      ),
    scenario: { rights: { ...plain.rights, "unhealthy-host": "ask" }, people: [] },
  },
  {
    name: "does not tell people that it needs them",
    risk: "half done",
    plant: unheard,
    scenario: { rights: { "unhealthy-host": "ask" }, people: [] },
  },
  {
    name: "logs the password of the database",
    risk: "strangers",
    plant: secretLogged,
    scenario: {
      troubles: [{ afterSeconds: 0, trouble: { is: "forgotten-sessions", count: 120 } }],
    },
  },
];
