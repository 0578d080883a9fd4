import { answering } from "../answering.ts";
import type { Plant } from "../world.ts";
import type { Scenario } from "./scenario.ts";
import { plain } from "./scenario.ts";
import { justMoved, pausedWhilePeopleThink } from "./staged.ts";

/** A bug that somebody might write, put around the real handlers; no code of theirs knows of it. */
export interface PlantedBug {
  name: string;
  /** The line of docs/RISKS.md that has to notice. */
  risk: string;
  plant: Plant;
  /** The night in which it shows. */
  scenario: Partial<Scenario>;
}

/** What a call of remediation is answered instead of what AWS says. */
const answered = (instead: (body: string, target: string) => string | null, name = "remediation") =>
  answering(name, instead);

/** As if there were no item of this name. */
const forgetting = (id: string): Plant =>
  answered((body, target) =>
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

/** The lease as it is when nothing moves, and never has. */
const neverMoved = answered((body, target) =>
  target.endsWith("GetItem") && body.includes('"S":"lease"')
    ? '{"Item":{"id":{"S":"lease"},"epoch":{"N":"1"},"region":{"S":"eu-central-1"},' +
      '"state":{"S":"held"},"holder":{"S":"first"},"movedAtMilliseconds":{"N":"0"}}}'
    : null,
);

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
    plant: neverMoved,
    scenario: { meanwhile: moving },
  },
  {
    name: "acts unasked upon what its own failover may have caused",
    risk: "repairs that harm",
    plant: neverMoved,
    scenario: justMoved,
  },
  {
    name: "takes what it does out of no budget",
    risk: "repairs that harm",
    plant: answered((body, target) =>
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
