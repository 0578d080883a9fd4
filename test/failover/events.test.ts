import { describe, expect, it } from "vitest";
import type { State } from "../../functions/failover/states.ts";
import type { Observer } from "../../local/aws/endpoint.ts";
import { AwsError } from "../../local/aws/service.ts";
import { buttonOf } from "../../local/slack/operators.ts";
import {
  buttonBody,
  commandBody,
  type SignedHttpRequest,
  signed,
} from "../../local/slack/signed.ts";
import { brief, quick, type Stage, stage } from "./stage.ts";

/** What was sent in a night, as it was sent, so that it can be sent again. */
interface Sent {
  /** The alarm's event. */
  alarm?: string;
  /** The request that started the run. */
  start?: Record<string, unknown>;
  /** The wake-ups of the run. */
  wakeUps: Record<string, unknown>[];
}

type Moment = "before" | State;

interface Disturbance {
  what: string;
  /** Done at each moment of the night, the last of them long after the run has ended. */
  disturb?(at: Stage, sent: Sent, moment: Moment): Promise<void>;
  /** Who presses the buttons; scripted people when left out. */
  press?(at: Stage): Promise<void>;
  /** Lambda delivers every asynchronous event twice. */
  doubled?: true;
}

/** Moments at which a run can be met, from its question to its end. */
const moments = ["asking", "isolating", "promoted", "serving"] as const satisfies State[];

const recording = (sent: Sent): Observer => ({
  before: (call, input) => {
    const asked = input as Record<string, unknown>;
    if (call.operation === "SendDurableExecutionCallbackSuccess") sent.wakeUps.push(asked);
    if (call.operation === "Invoke" && asked.FunctionName === "failover") sent.start = asked;
  },
});

/** The loss of home, left by its own alarms; and what came of it, without what the clock decides. */
const night = async ({ disturb, press, doubled }: Partial<Disturbance>, sent: Sent) => {
  const at = await stage({
    policy: brief,
    people: press ? [] : quick,
    writesPerSecond: 1,
    hooks: () => ({
      observe: recording(sent),
      lambda: {
        duplicate: ({ name }, payload) => {
          if (name === "detection" && payload.includes("Alarm State Change")) sent.alarm = payload;
          return doubled === true;
        },
      },
    }),
  });
  if (doubled) {
    const late = { lateProbability: 0.5, lateMilliseconds: 45_000 };
    at.cloud.events.setDelivery({ duplicateProbability: 1, ...late });
  }
  await disturb?.(at, sent, "before");
  at.users.start();
  at.loseHome();
  await at.until("a run is started", () => at.executions().length > 0);
  for (const moment of moments) {
    await at.reaches(moment);
    await disturb?.(at, sent, moment);
    if (moment === "asking") await press?.(at);
  }
  const { outcome, approvedBy, promoteCalls, epoch } = await at.ended();
  // Long enough for guards, canaries and alarms to look again at what was sent late.
  await disturb?.(at, sent, "done");
  await at.timeline.advance(300_000);
  const result = { outcome, approvedBy: approvedBy.toSorted(), promoteCalls, epoch };
  const picture = { result, ...(await pictureOf(at)) };
  await at.leave();
  return picture;
};

/** The end of a night: all that must not differ. */
const pictureOf = async (at: Stage) => {
  const {
    movedAtMilliseconds: _moved,
    settledAtMilliseconds: _settled,
    ...lease
  } = await at.lease();
  const { standby } = at.platform;
  return {
    lease,
    runs: at.executions().map(({ name, status }) => `${name} ${status}`),
    promotions: at.promotions(),
    journal: (await at.journal()).map(({ key, kind, text, by, data }) =>
      timeless(`${key} | ${kind} | ${by} | ${text} | ${data?.on ?? ""} -> ${data?.to ?? ""}`),
    ),
    asked: (await at.requests()).map(({ usedBy, approvals }) => [usedBy, approvals.length]),
    told: at.slack.messages().filter(({ threadTs, onlyFor }) => !threadTs && !onlyFor).length,
    size: await at.sizeOf(standby.region),
    waysIn: at.waysIn(standby),
    servedBy: at.users.acknowledged.at(-1)?.region,
    bugs: at.bugs,
  };
};

/** Times, ages and positions in the log are drawn anew when anything else happens. */
const timeless = (text: string): string =>
  text.replaceAll(/[0-9A-F]+\/[0-9A-F]+/g, "LSN").replaceAll(/\d+/g, "#");

/** One more invocation: it has to be understood, since a refused one would show nothing. */
const invoke = async (at: Stage, region: string, name: string, payload: string): Promise<void> => {
  const asked = at.cloud.ask<{ FunctionError?: string; Payload?: Uint8Array }>(
    "lambda",
    "Invoke",
    region,
    { FunctionName: name, Payload: Buffer.from(payload) },
  );
  const { FunctionError, Payload } = await at.timeline.run(asked, 120_000);
  expect(FunctionError, Buffer.from(Payload ?? []).toString()).toBeUndefined();
};

type AlarmEvent = { time: string; detail: { state: { value: string; timestamp: string } } };

/** The alarm's event with another state, as of so many days ago. */
const aged = (alarm: string, days: number, value = "ALARM"): string => {
  const event = JSON.parse(alarm) as AlarmEvent;
  const at = (time: string) => new Date(Date.parse(time) - days * 86_400_000).toISOString();
  const state = { ...event.detail.state, value, timestamp: at(event.detail.state.timestamp) };
  return JSON.stringify({
    ...event,
    time: at(event.time),
    detail: { ...event.detail, state },
  });
};

const door = async (at: Stage, { method, headers, body }: SignedHttpRequest): Promise<number> => {
  const url = at.cloud.functions.functionUrl(at.platform.standby.region, "slack");
  const request = { method, target: "/", headers, body: Buffer.from(body) };
  return (await at.timeline.run(url.request(request), 60_000)).status;
};

const pressOf = (at: Stage, user: string): SignedHttpRequest => {
  const message = at.slack.messages().find((each) => buttonOf(each, "approve"));
  const button = message && buttonOf(message, "approve");
  if (!message || !button) throw new Error("nobody is asked for anything");
  const { action_id, value } = button;
  const body = buttonBody(at.slack.place, { user }, message, { action_id, value });
  return signed(at.slack.place.signingSecret, at.timeline.now(), body);
};

const detecting = (at: Stage, alarm: string) =>
  invoke(at, at.platform.standby.region, "detection", alarm);

const disturbances: Disturbance[] = [
  {
    what: "the alarm's event comes again and again, and once more when all is over",
    disturb: async (at, { alarm = "" }, moment) => {
      if (moment === "before") return;
      await detecting(at, alarm);
      await detecting(at, alarm);
    },
  },
  {
    what: "yesterday's event of the alarm comes while all is well, during the run and after it",
    disturb: (at, { alarm = "" }) => detecting(at, aged(alarm, 1)),
  },
  {
    what: "the event that the alarm is OK again comes out of its order",
    disturb: (at, { alarm = "" }) => detecting(at, aged(alarm, 0, "OK")),
  },
  {
    what: "the guard's schedule fires twice more, and a word of the old epoch is late",
    disturb: async (at) => {
      const { standby } = at.platform;
      for (let time = 1; time <= 2; time += 1) {
        await invoke(at, standby.region, "guard", '{"do":"watch"}');
      }
      await invoke(at, standby.region, "guard", '{"do":"obey","epoch":1}');
    },
  },
  {
    what: "canaries and detection run again beside their schedule",
    disturb: async (at) => {
      const { standby, config } = at.platform;
      await invoke(at, standby.region, "canary", "{}");
      await invoke(at, config.regions.witness, "canary", "{}");
      await invoke(at, standby.region, "detection", '{"do":"recheck"}');
    },
  },
  {
    what: "the run's own start is repeated under its name, after its end as well",
    disturb: async (at, { start }, moment) => {
      if (moment === "before" || !start) return;
      await at.cloud.ask("lambda", "Invoke", at.platform.standby.region, start);
      await at.timeline.advance(1000);
    },
  },
  {
    what: "every wake-up of the run is delivered again, at once and late",
    disturb: async (at, { wakeUps }, moment) => {
      if (moment === "before") return;
      for (const wakeUp of wakeUps) await wakeAgain(at, wakeUp);
    },
  },
  {
    what: "every press of a button is sent three times, and one that is replayed",
    press: async (at) => {
      for (const user of ["U0ANA", "U0BEN"]) {
        const first = pressOf(at, user);
        expect(await door(at, first)).toBe(200);
        expect(await door(at, first), "a replay").toBe(401);
        await at.timeline.advance(1000);
        // Nobody can press any more when the second answer has been enough.
        if (at.slack.messages().some((each) => buttonOf(each, "approve"))) {
          expect(await door(at, pressOf(at, user))).toBe(200);
        }
      }
    },
  },
  {
    what: "an operator asks for the same failover in Slack while it goes on",
    disturb: async (at, _sent, moment) => {
      if (moment === "before" || moment === "done") return;
      const body = commandBody(at.slack.place, { user: "U0ANA" }, "failover it is gone");
      expect(await door(at, signed(at.slack.place.signingSecret, at.timeline.now(), body))).toBe(
        200,
      );
    },
  },
  {
    what: "Lambda and EventBridge deliver every event twice, late and out of order",
    doubled: true,
  },
];

/** Nobody waits on it any more: then there is nobody to wake. */
const wakeAgain = async (at: Stage, wakeUp: Record<string, unknown>): Promise<void> => {
  const { region } = at.platform.standby;
  try {
    await at.cloud.ask("lambda", "SendDurableExecutionCallbackSuccess", region, wakeUp);
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
  }
};

const sent: Sent = { wakeUps: [] };
const undisturbed = await night({}, sent);

describe("a failover that is told of the same things twice, late or out of order", () => {
  it("is known as it goes undisturbed: done, once, with users served", () => {
    expect(undisturbed).toMatchObject({
      result: { outcome: "done", approvedBy: ["U0ANA", "U0BEN"], promoteCalls: 1, epoch: 2 },
      runs: ["failover-2-1 SUCCEEDED"],
      promotions: 1,
      bugs: [],
    });
    expect(undisturbed.journal.length).toBeGreaterThan(12);
    expect(sent.wakeUps.length).toBeGreaterThan(0);
    expect(sent.alarm).toContain("Alarm State Change");
  });

  it.each(disturbances)("ends as if it had been told once: $what", async (disturbance) => {
    const again: Sent = { ...sent, wakeUps: [...sent.wakeUps] };
    expect(await night(disturbance, again)).toEqual(undisturbed);
  });

  it("would look different if something had been changed: paused while users come over", async () => {
    const disturb: Disturbance["disturb"] = async (at, _sent, moment) => {
      if (moment === "serving") await at.timeline.run(at.people.command("U0BEN", "pause look"));
    };
    expect(await night({ disturb }, { wakeUps: [] })).not.toEqual(undisturbed);
  });
});
