import { expect, it } from "vitest";
import type { Observer } from "../../local/aws/endpoint.ts";
import metric from "../events/alarm-metric.json" with { type: "json" };
import { stage } from "../remediation/stage.ts";

/** Events of alarms that rang so long ago, all at once, half a minute after somebody has looked. */
const looksFor = async (ageSeconds: number, events: number): Promise<number> => {
  let looks = 0;
  const observe: Observer = {
    after: async ({ operation }, _input, _outcome, trace) => {
      if (trace?.includes("/triage/") && operation === "DescribeAlarms") looks += 1;
      return undefined;
    },
  };
  const at = await stage({ instances: 2, hooks: () => ({ observe }) });
  await at.timeline.advance(60_000 - (at.timeline.now() % 60_000) + 30_000);
  looks = 0;
  const timestamp = new Date(at.timeline.now() - ageSeconds * 1000).toISOString();
  for (let index = 0; index < events; index += 1) {
    const { state } = metric.detail;
    const detail = { ...metric.detail, alarmName: "nightshift-latency" };
    await at.cloud.ask("lambda", "Invoke", at.region, {
      FunctionName: "triage",
      InvocationType: "Event",
      Payload: Buffer.from(
        JSON.stringify({
          ...{ ...metric, region: at.region },
          detail: { ...detail, state: { ...state, value: "ALARM", timestamp } },
        }),
      ),
    });
  }
  await at.timeline.advance(25_000);
  return looks;
};

it("looks for no event that has waited in a queue while others have looked", async () => {
  expect(await looksFor(120, 50)).toBe(0);
});

it("looks for events that are new, also when one of them is tried again", async () => {
  expect(await looksFor(5, 50)).toBeGreaterThan(0);
});
