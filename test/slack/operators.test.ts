import { beforeEach, describe, expect, it } from "vitest";
import { operators } from "../../local/slack/operators.ts";
import { approvals, stateOf } from "../../shared/approval.ts";
import { coordination } from "../../shared/coordination.ts";
import { runMessage } from "../../shared/message.ts";
import { seededRandom } from "../../shared/random.ts";
import { stage, startedAt } from "./stage.ts";

let door: Awaited<ReturnType<typeof stage>>;
beforeEach(async () => {
  door = await stage();
});

const hash = "ab".repeat(32);
const view = {
  run: "failover-2-1",
  from: "eu-central-1",
  to: "eu-west-1",
  requester: "detection",
  reason: "dark",
  state: "Waiting for approval",
  plan: [],
  timeline: [],
  approval: {
    planHash: hash,
    neededApprovals: 2,
    approvedBy: [],
    expiresAtMilliseconds: startedAt + 600_000,
  },
};

const people = (send = door.send) =>
  operators({
    slack: door.slack,
    timeline: door.timeline,
    random: seededRandom(7),
    send: async (request) => {
      const answer = await send(request);
      return { status: answer.statusCode, body: answer.body ?? "" };
    },
    scripts: [
      { user: "U0ANA", says: "approve", thinksSeconds: [20, 40] },
      { user: "U0BEN", says: "approve", thinksSeconds: [30, 60] },
    ],
  });

const post = async () => {
  const body = { channel: door.place.channel, ...runMessage(view) };
  await door.slack.fetch("https://slack.com/api/chat.postMessage", {
    method: "POST",
    headers: { authorization: `Bearer ${door.place.botToken}` },
    body: JSON.stringify(body),
    signal: new AbortController().signal,
  });
};

describe("scripted operators", () => {
  it("think for a while, then two of them approve by signed buttons", async () => {
    const store = approvals(coordination(door.runtime));
    const { approval, ...rest } = view;
    await store.open({
      ...approval,
      run: rest.run,
      requester: rest.requester,
    });
    const crowd = people();
    await post();
    await door.timeline.advance(19_000);
    expect(crowd.presses()).toEqual([]);
    await door.timeline.advance(60_000);
    expect(crowd.presses().map(({ user, status }) => [user, status])).toEqual([
      ["U0ANA", 200],
      ["U0BEN", 200],
    ]);
    const item = await store.read(hash);
    expect(item && stateOf(item, door.timeline.now())).toBe("granted");
  });

  it("press again when nobody answers, but not for ever, and not once the buttons are gone", async () => {
    const crowd = people(() => Promise.reject(new Error("connection refused")));
    await post();
    await door.timeline.advance(600_000);
    expect(crowd.presses()).toHaveLength(12);
    expect(crowd.presses().every(({ status }) => status === 0)).toBe(true);
    crowd.stop();
  });

  it("press again when the front door hangs", async () => {
    const crowd = people(() => new Promise(() => undefined));
    await post();
    await door.timeline.advance(65_000);
    expect(crowd.presses().length).toBeGreaterThanOrEqual(2);
    expect(crowd.presses().every(({ status }) => status === 0)).toBe(true);
    crowd.stop();
  });

  it("give up when they are stopped", async () => {
    const crowd = people();
    await post();
    crowd.stop();
    await door.timeline.advance(600_000);
    expect(crowd.presses()).toEqual([]);
  });
});
