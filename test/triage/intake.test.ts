import { describe, expect, it } from "vitest";
import { type TriagePorts, triage } from "../../functions/triage/triage.ts";
import anomaly from "../events/alarm-anomaly.json" with { type: "json" };
import composite from "../events/alarm-composite.json" with { type: "json" };
import math from "../events/alarm-math.json" with { type: "json" };
import metric from "../events/alarm-metric.json" with { type: "json" };

interface Event {
  region: string;
  detail: { alarmName: string; state: { value: string; actionsSuppressedBy?: string } };
}

/** The documented event, as one of our own alarms of this region would have it. */
const ours = ({ detail, ...rest }: Event) => {
  const { actionsSuppressedBy: _, ...state } = detail.state;
  return {
    ...{ ...rest, region: "eu-central-1" },
    detail: { ...detail, alarmName: "nightshift-latency", state },
  };
};

/** A region in which nothing rings by the time somebody looks. */
const quiet = () => {
  const at = Date.UTC(2026, 10, 22, 3, 30);
  const asked: string[] = [];
  const ports: Partial<TriagePorts> = {
    clock: { now: () => at, sleep: async () => undefined } as TriagePorts["clock"],
    region: "eu-central-1",
    prefix: "nightshift",
    covers: [],
    ringing: async () => {
      asked.push("ringing");
      return { alarms: [], isCut: false };
    },
    isDeploying: async () => false,
    readPause: async () => ({ is: "running" }),
    readLook: async () => 0,
    claimLook: async (_seen, now) => ({ isOurs: true, lookedAtMilliseconds: now }),
    readIncident: async () => null,
    log: () => undefined,
  };
  return { ports: ports as TriagePorts, asked };
};

describe("the event of an alarm", () => {
  it.each<[kind: string, event: Event]>([
    ["of one metric", metric],
    ["of metric math", math],
    ["of an anomaly", anomaly],
    ["of a composite", composite],
  ])("%s has somebody look at all alarms of its region", async (_kind, event) => {
    const { ports, asked } = quiet();
    expect(await triage(ports, ours(event))).toMatchObject({ is: "looked" });
    expect(asked).toEqual(["ringing"]);
  });

  it("of a composite that is suppressed has nobody look", async () => {
    const { ports, asked } = quiet();
    const { state } = composite.detail;
    const suppressed = ours(composite);
    Object.assign(suppressed.detail.state, { actionsSuppressedBy: state.actionsSuppressedBy });
    expect(await triage(ports, suppressed)).toMatchObject({ is: "ignored" });
    expect(asked).toEqual([]);
  });

  it("that is not as documented is an error of the function, which its own alarm sees", async () => {
    const { ports } = quiet();
    const { resources: _, ...without } = ours(anomaly) as Event & { resources?: string[] };
    await expect(triage(ports, without)).rejects.toThrow("not an alarm event as documented");
  });
});
