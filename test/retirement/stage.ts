import { names } from "../../drills/names.ts";
import type { Order } from "../../functions/retirement/decide.ts";
import type { Asked, Result, Told } from "../../functions/retirement/retirement.ts";
import { nothingToPromote } from "../../functions/retirement/retirement.ts";
import { readFreezes } from "../../shared/freeze.ts";
import { config, type Hooks, type HookTools, type World, world } from "../simulation/world.ts";

export const { primary, standby } = config.regions;

export const order: Order = {
  run: "rotation-platform-database-1f0c9a2b",
  secret: "platform/database",
  token: "t",
};

export interface Wanted {
  hooks?(tools: HookTools): Hooks;
  /** What a region's rotation function says; that it is done, when left out. */
  told?(region: string, asked: Asked): Told | undefined;
}

const links = {
  CoordinationTable: { name: names.coordination },
  JournalTable: { name: names.journal },
  SlackSecret: { arn: names.secrets.slack },
  Retired: { rotation: "rotation", database: "database", autoScalingGroup: names.group },
};

const environment = Object.fromEntries(
  Object.entries(links).map(([name, value]) => [`SST_RESOURCE_${name}`, JSON.stringify(value)]),
);

/**
 * The durable function that ends an overlap on the local AWS, with real fleets, databases and tables. Only
 * what the rotation function answers is given.
 */
export const stage = async ({ hooks, told }: Wanted = {}) => {
  const happened: string[] = [];
  const built = await world({
    seed: "retirement",
    scripts: [],
    ...(hooks ? { hooks } : {}),
    plant: ({ name, region }, runtime, usual) => {
      if (name !== "rotation") return usual(runtime);
      return async ({ do: asked }: { do: Asked }): Promise<Told> => {
        const answer = told?.(region, asked);
        happened.push(`${asked} in ${region}`);
        if (answer) return answer;
        return asked === "promote" ? { did: nothingToPromote } : { did: "done", idle: "app_b" };
      };
    },
  });
  const { cloud, timeline } = built;
  for (const region of [primary, standby]) {
    const entry = "functions/rotation/handler.ts";
    cloud.functions.define({ name: "rotation", region, entry, timeoutSeconds: 900, environment });
  }
  cloud.functions.define({
    name: "retirement",
    region: primary,
    entry: "functions/retirement/handler.ts",
    timeoutSeconds: 300,
    durable: { executionTimeoutSeconds: 26 * 3600 },
    environment,
  });
  await timeline.advance(600_000);
  return { ...built, happened, ...acting(built) };
};

const acting = ({ cloud, timeline, table, slack }: World) => ({
  start: (change: Partial<Order> = {}) => {
    const asked = { ...order, ...change };
    const execution = asked.again ? `${asked.run}-again-${asked.again}` : asked.run;
    return timeline.run(
      cloud.ask("lambda", "Invoke", primary, {
        FunctionName: "retirement",
        InvocationType: "Event",
        DurableExecutionName: execution,
        Payload: Buffer.from(JSON.stringify(asked)),
      }),
    );
  },
  ended: async (): Promise<Result> => {
    const run = cloud.functions.executions(primary, "retirement").at(-1);
    if (!run) throw new Error("nothing was started");
    const end = await timeline.run(cloud.functions.finished(run.arn), 30 * 3_600_000);
    if (end.status !== "SUCCEEDED" || end.result === undefined) {
      throw new Error(`${end.name} is ${end.status}: ${end.error?.ErrorMessage}`);
    }
    return JSON.parse(end.result) as Result;
  },
  /** What still holds repairs back. */
  held: () =>
    timeline.run(
      Promise.all(
        [primary, standby].map((region) =>
          readFreezes(table, region, timeline.now(), async () => true),
        ),
      ),
    ),
  pages: (): string[] => slack.messages().map(({ text }) => String(text)),
});
