import { describe, expect, it } from "vitest";
import { render } from "../../local/slack/render.ts";
import { slackStandIn } from "../../local/slack/slack.ts";
import { virtualTimeline } from "../../local/time/virtual.ts";
import type { RunView } from "../../shared/message.ts";
import { escalation, runMessage } from "../../shared/message.ts";
import type { Fetch } from "../../shared/slack.ts";
import { slackChannel, verifySlackRequest } from "../../shared/slack.ts";
import { clockOn } from "../clock.ts";

const startedAt = Date.UTC(2026, 10, 22, 3, 0, 0);
const place = {
  workspace: "T0NIGHTSHIFT",
  channel: "C0NIGHTSHIFT",
  botToken: "a-bot-token",
  signingSecret: "a-signing-secret",
};

const setting = (fetch?: Fetch, token = place.botToken) => {
  const timeline = virtualTimeline(startedAt);
  const slack = slackStandIn(timeline, place);
  const channel = slackChannel({
    fetch: fetch ?? slack.fetch,
    clock: clockOn(timeline),
    channel: place.channel,
    token: () => Promise.resolve(token),
    timeoutSeconds: 3,
    attempts: 2,
  });
  return { timeline, slack, channel };
};

const view: RunView = {
  run: "failover-2-1",
  from: "eu-central-1",
  to: "eu-west-1",
  requester: "region-lost-eu-central-1",
  reason: "two observers see <!channel> nothing of it",
  state: "Waiting for approval",
  plan: ["bring eu-west-1 to 3 instances", "promote ledger-replica, once"],
  lastSafeAbort: "the promotion of the replica",
  loss: { verdict: "unknown", objectiveSeconds: 60, why: "the replica did not answer" },
  approval: {
    planHash: "ab".repeat(32),
    neededApprovals: 2,
    approvedBy: ["U0ANA"],
    expiresAtMilliseconds: startedAt + 600_000,
  },
  timeline: Array.from({ length: 20 }, (_, index) => ({
    atMilliseconds: startedAt + index * 1000,
    text: `event ${index} ${"long ".repeat(20)}`,
  })),
};

describe("the run's message", () => {
  it("is accepted by Slack at its longest, and updated in place", async () => {
    const { slack, channel, timeline } = setting();
    const long = { ...view, reason: "x".repeat(9000), plan: Array(50).fill("y".repeat(300)) };
    const posted = await timeline.run(channel.post(runMessage(long)));
    expect(posted).toMatchObject({ delivered: true, channel: place.channel });
    const ts = posted.delivered ? posted.ts : "";
    expect(await timeline.run(channel.update(ts, runMessage(view)))).toEqual({ delivered: true });
    expect(slack.messages()).toHaveLength(1);
    expect(slack.messages()[0]?.updates).toBe(1);
  });

  it("never shows an unknown loss as a number, and says what approving means", () => {
    const lines = render(runMessage(view)).join("\n");
    expect(lines).toContain("Possible loss: UNKNOWN");
    expect(lines).toContain("To approve is to accept any");
  });

  it("cuts no warning off, however many there are", () => {
    const plan = Array.from(
      { length: 20 },
      (_, index) => `mind: warning ${index} ${"x".repeat(250)}`,
    );
    const text = JSON.stringify(runMessage({ ...view, plan }));
    for (const [index] of plan.entries()) expect(text).toContain(`mind: warning ${index} `);
    expect(text).toContain("Can be undone until");
    for (const block of runMessage({ ...view, plan }).blocks) {
      expect(JSON.stringify(block).length).toBeLessThan(3200);
    }
    const longer = Array(60).fill("x".repeat(250));
    expect(JSON.stringify(runMessage({ ...view, plan: longer }))).toMatch(
      /\d+ more: see the journal/,
    );
  });

  it("cannot be made to ping a channel by what somebody typed", () => {
    const text = JSON.stringify(runMessage(view));
    expect(text).toContain("&lt;!channel&gt;");
    expect(text).not.toContain("<!channel>");
  });

  it("has buttons only while it asks", () => {
    const { approval: _approval, ...decided } = view;
    expect(JSON.stringify(runMessage(view))).toContain("nightshift-approve");
    expect(JSON.stringify(runMessage(decided))).not.toContain('"type":"button"');
  });

  it("can be read in 100 columns", () => {
    const lines = render(runMessage(view));
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);
    expect(lines.join("\n")).toContain("[ Approve ]  [ Reject ]");
    expect(lines.join("\n")).toContain("two observers see <!channel> nothing of it");
  });

  it("calls people by name when a human is needed", () => {
    expect(escalation("failover-2-1", ["U0ANA"], "promotion is late").text).toBe(
      "▲ <@U0ANA> failover-2-1 needs a human: promotion is late",
    );
  });
});

describe("Slack in trouble", () => {
  it("delays a message by its time limit and never throws", async () => {
    const { slack, channel, timeline } = setting();
    slack.silence(true);
    const posted = await timeline.run(channel.post(runMessage(view)));
    expect(posted).toEqual({
      delivered: false,
      because: "chat.postMessage: Error: no answer within 3 s",
    });
    expect(timeline.now() - startedAt).toBe(3000);
  });

  const answering = (...answers: { status: number; body: string; retryAfter?: string }[]) => {
    const calls: string[] = [];
    const fetch: Fetch = async (url) => {
      calls.push(url);
      const answer = answers[calls.length - 1];
      if (!answer) throw new TypeError("fetch failed");
      return {
        status: answer.status,
        headers: { get: () => answer.retryAfter ?? null },
        text: async () => answer.body,
      };
    };
    return { fetch, calls };
  };
  const good = { status: 200, body: '{"ok":true,"ts":"1.2","channel":"C0NIGHTSHIFT"}' };

  it("posts again after a rate limit, since Slack has not done it", async () => {
    const { fetch, calls } = answering({ status: 429, body: "", retryAfter: "1" }, good);
    const { channel, timeline } = setting(fetch);
    const posted = await timeline.run(channel.post(runMessage(view)));
    expect(posted.delivered).toBe(true);
    expect(calls).toHaveLength(2);
    expect(timeline.now() - startedAt).toBe(1000);
  });

  it("does not wait out a long rate limit", async () => {
    const { fetch, calls } = answering({ status: 429, body: "", retryAfter: "60" }, good);
    const { channel, timeline } = setting(fetch);
    expect((await timeline.run(channel.post(runMessage(view)))).delivered).toBe(false);
    expect(calls).toHaveLength(1);
  });

  it("repeats an update whose answer was lost, and never a post, which would show twice", async () => {
    const { fetch, calls } = answering({ status: 502, body: "<html>" }, good);
    const { channel, timeline } = setting(fetch);
    expect(await timeline.run(channel.update("1.2", runMessage(view)))).toEqual({
      delivered: true,
    });
    const lost = answering({ status: 502, body: "<html>" }, good);
    const other = setting(lost.fetch);
    expect((await other.timeline.run(other.channel.post(runMessage(view)))).delivered).toBe(false);
    expect([calls.length, lost.calls.length]).toEqual([2, 1]);
  });

  it("tells Slack's own reason, and not the token", async () => {
    const { channel, timeline } = setting(undefined, "revoked-token");
    const posted = await timeline.run(channel.thread("1.2", "hello"));
    expect(posted).toEqual({ delivered: false, because: "chat.postMessage: invalid_auth" });
  });

  it("is reached over HTTP by other processes, and leaves nothing behind", async () => {
    const { slack } = setting();
    const { url, close } = await slack.listen();
    const call = (init = {}) =>
      fetch(`${url}/chat.postMessage`, {
        method: "POST",
        headers: { authorization: `Bearer ${place.botToken}` },
        body: JSON.stringify({ channel: place.channel, text: "hello" }),
        ...init,
      });
    expect(await (await call()).json()).toMatchObject({ ok: true, channel: place.channel });
    slack.silence(true);
    const hung = call();
    await expect(Promise.race([hung, new Promise((_, no) => setTimeout(no, 50))])).rejects.toBe(
      undefined,
    );
    await close();
    await expect(hung).rejects.toThrow("fetch failed");
    await expect(call()).rejects.toThrow("fetch failed");
  });
});

describe("the signature", () => {
  it("is the one of Slack's own example", () => {
    const rawBody = Buffer.from(
      "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V" +
        "&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=" +
        "&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F" +
        "96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
    );
    const headers = {
      "x-slack-request-timestamp": "1531420618",
      "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    };
    const secret = "8f742231b10e8888abcd99yyyzzz85a5";
    const request = { rawBody, headers };
    expect(verifySlackRequest(request, secret, 1_531_420_618_000)).toMatchObject({ ok: true });
    expect(verifySlackRequest(request, secret, Date.now())).toMatchObject({
      refused: "out-of-window",
    });
    expect(verifySlackRequest(request, "", 1_531_420_618_000)).toEqual({
      ok: false,
      refused: "no-signing-secret",
    });
  });
});
