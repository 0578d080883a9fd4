import type { Call, Service, Surroundings } from "../../local/aws/service.ts";
import { network } from "../../local/network.ts";
import { virtualTimeline } from "../../local/time/virtual.ts";
import { seededRandom } from "../../shared/random.ts";

export const home = "eu-west-1";
export const standby = "eu-central-1";
export const witness = "eu-west-3";
export const account = "123456789012";

/** Surroundings of a service on virtual time, from midnight, with the faults to play with. */
export const around = (seed = 1) => {
  const timeline = virtualTimeline(Date.UTC(2026, 0, 1));
  const faults = network();
  const surroundings: Surroundings = {
    timeline,
    random: seededRandom(seed),
    network: faults,
    account,
  };
  return { timeline, faults, surroundings };
};

/** Calls operations directly, as the endpoint does after it has decoded a request. */
export const asking =
  (service: Service) =>
  (operation: string, input: object, region = home): Record<string, unknown> => {
    const call: Call = { service: service.name, operation, region, from: region, account };
    const act = service.operations[operation];
    if (!act) throw new Error(`${service.name} has no ${operation}`);
    return act(input as never, call) as Record<string, unknown>;
  };

/** What an AwsError says, or that there was none. */
export const failure = (act: () => unknown) => {
  try {
    act();
  } catch (error) {
    const { name, message, fields, status } = error as Error & Record<string, unknown>;
    return { name, message, fields, status };
  }
  return { name: "nothing was refused" };
};
