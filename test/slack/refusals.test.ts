import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { buttonBody, commandBody, signed } from "../../local/slack/signed.ts";
import { requestLimitBytes } from "../../shared/slack.ts";
import { spoken, stage, startedAt } from "./stage.ts";

const ana = { user: "U0ANA" };
const secretWord = "wordThatNobodyMayLog";
let door: Awaited<ReturnType<typeof stage>>;

beforeAll(async () => {
  door = await stage();
});
beforeEach(() => {
  door = { ...door };
  door.lines.length = 0;
});

const status = () => commandBody(door.place, ana, `status ${secretWord}`);
const sign = (body: string, at = startedAt, secret = door.place.signingSecret) =>
  signed(secret, at, body);
const button = (person: { user: string; workspace?: string }, more = {}) =>
  buttonBody(
    door.place,
    person,
    { ts: "1.000001", text: secretWord, blocks: [] },
    { action_id: "nightshift-approve", value: "a".repeat(64) },
    more,
  );

describe("a request that Slack did not send, or not now", () => {
  const headersWithout = (name: string) => {
    const request = sign(status());
    const headers = { ...request.headers };
    delete headers[name];
    return { ...request, headers };
  };

  it("is refused without a signature or without a timestamp", async () => {
    const unsigned = await door.send(headersWithout("x-slack-signature"));
    const undated = await door.send(headersWithout("x-slack-request-timestamp"));
    expect([unsigned.statusCode, undated.statusCode]).toEqual([401, 401]);
    expect(door.lines.join()).toContain("not-signed");
  });

  it("is refused when it is signed with another secret", async () => {
    const answer = await door.send(sign(status(), startedAt, "another-secret-of-somebody"));
    expect(answer).toEqual({ statusCode: 401 });
    expect(door.lines.join()).toContain("wrong-signature");
  });

  it("is refused when one letter of its body was changed", async () => {
    const request = sign(status());
    const answer = await door.send({ ...request, body: request.body.replace("U0ANA", "U0BEN") });
    expect(answer.statusCode).toBe(401);
  });

  it("is refused 301 seconds early or late, and taken at 299", async () => {
    const at = (seconds: number) => door.send(sign(status(), startedAt + seconds * 1000));
    expect((await at(-301)).statusCode).toBe(401);
    expect((await at(301)).statusCode).toBe(401);
    expect(door.lines.join()).toContain("out-of-window");
    expect((await at(-299)).statusCode).toBe(200);
    expect((await at(299)).statusCode).toBe(200);
  });

  it("is refused when it is replayed, also by an attacker who is first to be slow", async () => {
    const request = sign(commandBody(door.place, ana, "help once"));
    expect((await door.send(request)).statusCode).toBe(200);
    expect((await door.send(request)).statusCode).toBe(401);
    expect(door.lines.join()).toContain("replayed");
  });

  it("lets one of two simultaneous copies through", async () => {
    const request = sign(commandBody(door.place, ana, "help twice"));
    const answers = await Promise.all([door.send(request), door.send(request)]);
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([200, 401]);
  });

  it("is refused above the size limit before its signature is computed", async () => {
    const answer = await door.send(sign(`text=${secretWord.repeat(requestLimitBytes / 10)}`));
    expect(answer.statusCode).toBe(413);
  });

  it.each([
    ["x-slack-signature", "v1=00"],
    ["x-slack-signature", `v0=${"A".repeat(64)}`],
    ["x-slack-signature", `v0=${"0".repeat(63)}`],
    ["x-slack-request-timestamp", "now"],
    ["x-slack-request-timestamp", "1e9"],
    ["x-slack-request-timestamp", "-1795000000"],
  ])("is refused with the header %s: %s", async (name, value) => {
    const request = sign(status());
    const answer = await door.send({ ...request, headers: { ...request.headers, [name]: value } });
    expect(answer.statusCode).toBe(401);
    expect(door.lines.join()).toContain("malformed-signature");
  });
});

describe("a signed request that makes no sense", () => {
  it.each([
    ["no form", `{"text":"${secretWord}"}`],
    ["a form without the fields of a command", `text=${secretWord}`],
    ["a payload that is no JSON", `payload=${secretWord}`],
    ["a payload of another kind", 'payload={"type":"view_submission"}'],
    ["nothing", ""],
  ])("is refused as malformed: %s", async (_what, body) => {
    expect((await door.send(sign(body, startedAt + body.length))).statusCode).toBe(400);
    expect(door.lines.join()).toContain("malformed");
  });
});

describe("a person who has no business here", () => {
  it("is told why when not an operator", async () => {
    const answer = await door.send(sign(commandBody(door.place, { user: "U0EVE" }, "status")));
    expect(spoken(answer)).toContain("not an operator");
  });

  it("is refused from a foreign workspace, by command and by button", async () => {
    const eve = { user: "U0ANA", workspace: "T0FOREIGN" };
    const command = await door.send(sign(commandBody(door.place, eve, "status")));
    expect(spoken(command)).toContain("does not serve this workspace");
    expect((await door.send(sign(button(eve)))).statusCode).toBe(403);
    expect(door.slack.messages()).toEqual([]);
  });

  it("is refused as a bot", async () => {
    const body = commandBody(door.place, ana, "failover now", { bot_id: "B0BOT" });
    expect(spoken(await door.send(sign(body)))).toContain("people only");
    const slackbot = commandBody(door.place, { user: "USLACKBOT" }, "status");
    expect(spoken(await door.send(sign(slackbot)))).toContain("people only");
  });

  it("is refused from an organisation that the configuration does not name", async () => {
    const inOther = commandBody(door.place, ana, "status", { enterprise_id: "E0OTHER" });
    expect(spoken(await door.send(sign(inOther)))).toContain("organisation");
    const everywhere = commandBody(door.place, ana, "status", { is_enterprise_install: "true" });
    expect(spoken(await door.send(sign(everywhere)))).toContain("organisation");
  });

  it("may not request a failover with the right to approve only", async () => {
    const body = commandBody(door.place, { user: "U0CHIARA" }, "failover because");
    expect(spoken(await door.send(sign(body)))).toContain("not one who may ask for failover");
    expect(door.lambda.invocations).toEqual([]);
  });

  it("cannot approve from another channel", async () => {
    await door.send(sign(button(ana, { channel: { id: "C0OTHER" } })));
    expect(door.slack.messages().at(-1)?.text).toContain("operators' channel");
    expect(door.slack.messages().at(-1)?.onlyFor).toBe("U0ANA");
  });
});

it("logs nothing of any body and no secret", async () => {
  const { signingSecret, botToken } = door.place;
  const good = sign(status(), startedAt + 5000);
  await door.send(good);
  await door.send(good);
  await door.send(sign(`payload=${secretWord}`));
  await door.send(sign(status(), startedAt, "another-secret-of-somebody"));
  await door.send(sign(commandBody(door.place, { user: "U0EVE" }, secretWord)));
  expect(door.lines.length).toBeGreaterThanOrEqual(5);
  const log = door.lines.join("\n");
  for (const hidden of [secretWord, signingSecret, botToken, "v0=", good.body]) {
    expect(log).not.toContain(hidden);
  }
});
