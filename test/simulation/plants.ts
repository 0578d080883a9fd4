import type { Config } from "../../shared/config.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { type Kind, planned, type Scenario } from "./scenario.ts";
import type { Plant } from "./world.ts";

/** A bug that somebody might write, put around the real handlers; no code of theirs knows of it. */
export interface PlantedBug {
  name: string;
  /** The line of docs/RISKS.md that has to notice. */
  risk: string;
  plant: Plant;
  /** Shows only where nothing else is wrong. */
  calm?: true;
  /** In which stories it is looked for; region losses when left out. */
  kind?: Kind;
  /** The story in which it is looked for, when it shows in few. */
  scenario?: Partial<Scenario>;
}

type Policy = Config["failover"];

/** Lets one function live by another policy than the rest. */
const policyOf =
  (name: string, change: Partial<Policy>): Plant =>
  (definition, runtime, assemble) =>
    definition.name === name
      ? assemble({
          ...runtime,
          config: { ...runtime.config, failover: { ...runtime.config.failover, ...change } },
        })
      : assemble(runtime);

interface Sent {
  body?: unknown;
  headers: Record<string, string>;
}
interface Handler {
  handle(request: Sent, options: unknown): Promise<unknown>;
}

/** Lets calls of one function that fit be answered as done, and not be done. */
const pretending =
  (name: string, fits: (request: Sent) => boolean, answer: string): Plant =>
  (definition, runtime, assemble) => {
    if (definition.name !== name) return assemble(runtime);
    const aws: Runtime["aws"] = (bounds) => {
      const options = runtime.aws?.(bounds) ?? {};
      const real = options.requestHandler as Handler;
      const handle: Handler["handle"] = async (request, more) => {
        if (!fits(request)) return real.handle(request, more);
        const headers = { "content-type": request.headers["content-type"] ?? "" };
        return { response: { statusCode: 200, headers, body: new TextEncoder().encode(answer) } };
      };
      return { ...options, requestHandler: Object.assign(Object.create(real), { handle }) };
    };
    return assemble({ ...runtime, aws });
  };

const bodyOf = ({ body }: Sent): string =>
  typeof body === "string" ? body : new TextDecoder().decode(body as Uint8Array | undefined);

/** The database function answers one request as if all roles were closed, and does nothing. */
const withoutRequest = (name: string, what: string): Plant => {
  const roles = [{ role: "app_a", canLogin: false, sessions: 0 }];
  const answer = JSON.stringify({ roles, ended: 0, lsn: "0/1" });
  return pretending(name, (request) => bodyOf(request).includes(`{"do":"${what}"`), answer);
};

const passwordLogged: Plant = (definition, runtime, assemble) => {
  const { connect } = runtime;
  if (definition.name !== "database" || !connect) return assemble(runtime);
  return assemble({
    ...runtime,
    connect: (target) => {
      runtime.write(JSON.stringify({ message: "connecting", ...target }));
      return connect(target);
    },
  });
};

type Answering = (event: unknown, context: unknown) => Promise<Record<string, unknown>>;

/** Lets the report of a guard be another than it was. */
const reporting =
  (change: Record<string, unknown>): Plant =>
  (definition, runtime, assemble) => {
    const handler = assemble(runtime) as Answering;
    if (definition.name !== "guard") return handler;
    return async (event: unknown, context: unknown) => ({
      ...(await handler(event, context)),
      ...change,
    });
  };

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: "promotes without waiting for the old region to have fenced itself",
    risk: "two writers",
    plant: policyOf("failover", { isolationSeconds: 0, isolationMarginSeconds: 0 }),
  },
  {
    name: "has a guard that never fences an isolated region",
    risk: "two writers",
    plant: policyOf("guard", { isolationSeconds: 1e9 }),
  },
  {
    name: "goes on without the approval of anybody",
    risk: "failing over without need",
    plant: policyOf("failover", { automatic: true }),
  },
  {
    name: "is content with one operator",
    risk: "failing over without need",
    plant: policyOf("failover", { approvals: 1 }),
  },
  {
    name: "loses the loss statement on its way to the journal",
    risk: "silent data loss",
    plant: pretending("failover", (request) => bodyOf(request).includes('"S":"loss"'), "{}"),
  },
  {
    name: "forgets to mark the lease as held",
    risk: "not failing over with need",
    plant: pretending(
      "failover",
      (request) => bodyOf(request).includes("#epoch = :epoch AND #holder = :holder"),
      '{"Attributes":{"id":{"S":"lease"},"epoch":{"N":"2"},"state":{"S":"held"}}}',
    ),
    calm: true,
  },
  {
    name: "takes a replica for drained that has not replayed the end of the log",
    risk: "silent data loss",
    plant: reporting({ fencedLsn: "0/1" }),
    kind: "switchover",
  },
  {
    name: "does not open the region again that has its lease back",
    risk: "half done",
    plant: withoutRequest("guard", "liftFence"),
    kind: "switchover",
  },
  {
    name: "closes nothing in a planned move and says that it did",
    risk: "two writers",
    plant: withoutRequest("guard", "fence"),
    // Users stay where they are for as long as they can.
    scenario: { ...planned, checksStuck: true },
  },
  { name: "logs the database password", risk: "strangers", plant: passwordLogged },
];
