import { copyLine, copyOf } from "../../../shared/copy.ts";
import { quarantine } from "../../verification/stage.ts";
import { nobody } from "../../verification/strangers.ts";
import { answering } from "../answering.ts";
import type { Plant } from "../world.ts";
import type { Scenario } from "./scenario.ts";

/** A bug that somebody might write, put around the real handlers; no code of theirs knows of it. */
export interface PlantedBug {
  name: string;
  risk: "false-green" | "leftovers" | "strangers" | "half-done";
  plant: Plant;
  /** The night in which it shows. */
  scenario: Partial<Scenario>;
}

const copy = { S: copyOf(quarantine.prefix, nobody) };
const entry = { run: { S: nobody }, key: { S: copyLine }, data: { M: { copy } } };

/** What a connection is made with, written down for whoever looks for a fault. */
const targetLogged: Plant = (definition, runtime, assemble) => {
  const { connect } = runtime;
  if (definition.name !== "verification" || !connect) return assemble(runtime);
  return assemble({
    ...runtime,
    connect: (target) => {
      runtime.write(JSON.stringify({ message: "connecting", ...target }));
      return connect(target);
    },
  });
};

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: "takes evidence for kept that nobody has kept",
    risk: "false-green",
    plant: answering("verification", (_body, _target, { method, path = "" }) =>
      method === "PUT" && path.includes("/records/") ? "" : null,
    ),
    scenario: {},
  },
  {
    name: "believes a mark without the journal",
    risk: "leftovers",
    plant: answering("sweep", (body, target) =>
      target.endsWith("Query") && body.includes(nobody)
        ? JSON.stringify({ Items: [entry], Count: 1, ScannedCount: 1 })
        : null,
    ),
    scenario: { hasStranger: true },
  },
  {
    name: "writes the password of a copy into its log",
    risk: "strangers",
    plant: targetLogged,
    scenario: {},
  },
];
