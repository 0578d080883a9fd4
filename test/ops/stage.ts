import { names, namesForOperators } from "../../drills/names.ts";
import { frugal, inProcess } from "../../local/aws/transport.ts";
import { internet, type Place } from "../../local/network.ts";
import { opsArguments } from "../../ops/arguments.ts";
import { station } from "../../ops/aws.ts";
import { operate, type Told } from "../../ops/operations.ts";
import type { Config } from "../../shared/config.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { systemWeb } from "../../shared/web.ts";
import { clockOn } from "../clock.ts";
import { config, type World } from "../simulation/world.ts";

/** On the local AWS everybody is a session of one role, named after the place they call from. */
const callerAt = (place: Place) => `arn:aws:sts::${names.account}:assumed-role/local/${place}`;

/** The operator's file with one person's identity being that of whoever calls. */
const mappedTo = (user: string): Config => ({
  ...config,
  slack: {
    ...config.slack,
    operators: config.slack.operators.map((person) =>
      person.user === user ? { ...person, iam: callerAt(internet) } : person,
    ),
  },
});

/** As they are called on the local AWS; a deployment's names are made from its stage. */
const functions = { verification: "verification", rotation: "rotation" };

type Ground = Pick<World, "cloud" | "timeline" | "random">;

/** Somebody at a command line on the internet. Time passes until they have their answer. */
export const person =
  ({ cloud, timeline, random }: Ground, user: string, credentials = true) =>
  (line: string): Promise<Told> => {
    const runtime: Runtime = {
      environment: credentials
        ? { AWS_ACCESS_KEY_ID: "AKIDLOCAL", AWS_SECRET_ACCESS_KEY: "local" }
        : {},
      clock: clockOn(timeline),
      random,
      web: systemWeb,
      config: mappedTo(user),
      write: () => undefined,
      aws: ({ answerSeconds }) => ({
        ...frugal,
        requestHandler: inProcess(cloud.endpoint, internet, timeline, {
          requestTimeoutMilliseconds: answerSeconds * 1000,
          // Where their policy is deployed, though they sit in no region.
          trace: `${config.regions.standby}/operators/${user}`,
        }),
      }),
    };
    const given = opsArguments(line.split(" "), namesForOperators);
    if (given === "help") throw new Error("help is for people");
    const work = station(runtime, { ...given.names, ...functions }).then((at) =>
      operate(at, given.command),
    );
    return timeline.run(work, 120_000);
  };
