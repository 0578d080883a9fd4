import { beforeEach, expect, it } from "vitest";
import { request } from "../../functions/verification/request.ts";
import { commandBody, signed } from "../../local/slack/signed.ts";
import config from "../../nightshift.config.ts";
import { coordination } from "../../shared/coordination.ts";
import { grantFirst } from "../../shared/lease.ts";
import { keepVerification } from "../../shared/verification.ts";
import { spoken, stage, startedAt } from "./stage.ts";

let door: Awaited<ReturnType<typeof stage>>;
const table = () => coordination(door.runtime);
const { primary, standby } = config.regions;
const hour = 3_600_000;

beforeEach(async () => {
  door = await stage();
  door.runtime.environment.SST_RESOURCE_VerificationFunction = '{"name":"verification"}';
  await grantFirst(table(), primary, startedAt - 2 * hour);
});

const say = async (text: string, user = "U0ANA"): Promise<string> => {
  await door.timeline.advance(1000);
  const body = commandBody(door.place, { user }, text);
  return spoken(await door.send(signed(door.place.signingSecret, door.timeline.now(), body)));
};

const ended = (hoursAgo: number, isVerified: boolean) =>
  keepVerification(table(), standby, {
    run: "verification-eu-west-1-2026-11-22t03",
    isVerified,
    code: isVerified ? "verified" : "not-correct",
    verdict: { landed: "yes", restorable: "yes", correct: isVerified ? "yes" : "no" },
    evidence: "12:0f3a55aa66bb77cc",
    report: "https://example.com/page",
    figures: { availableSeconds: 600, warmSeconds: 900, lossSeconds: null },
    atMilliseconds: startedAt - hoursAgo * hour,
  });

it("says that nothing was ever restored, as the bad news that it is", async () => {
  expect(await say("backups")).toContain("NOT VERIFIED: nothing was ever restored in eu-west-1");
});

it("shows the three verdicts, what was measured, the record and its page", async () => {
  await ended(5, true);
  const text = await say("backups");
  expect(text).toMatch(/^Backups verified: the last green restore test is 5 h old/);
  expect(text).toContain("landed yes, restorable yes, correct yes");
  expect(text).toContain("available after 600 s, read in full after 900 s, loss not measured");
  expect(text).toContain("record 12:0f3a55aa66bb77cc, page https://example.com/page");
});

it("says overdue when the last green one is too old, however the last one ended", async () => {
  await ended(40, true);
  await ended(1, false);
  const text = await say("backups");
  expect(text).toMatch(/^Backups NOT VERIFIED: overdue, .* 40 h old/);
  expect(text).toContain("RED (not-correct), 60 min ago");
});

it.each([
  ["verify-backup", { is: "latest" }],
  ["verify-backup random", { is: "random" }],
  ["verify-backup snapshot", { is: "snapshot" }],
  ["verify-backup 2026-11-20T03:00:00Z", { is: "at", atMilliseconds: Date.UTC(2026, 10, 20, 3) }],
])("starts %s in the region that does not serve users, once in a minute", async (text, age) => {
  expect(await say(text)).toContain(`is started in ${standby}`);
  expect(await say(text)).toContain("was asked for before");
  const [started, ...more] = door.lambda.invocations;
  expect(more).toEqual([]);
  expect(started).toMatchObject({ name: "verification", region: standby, type: "Event" });
  const asked = request.parse(started?.payload);
  expect(asked).toMatchObject({ age, by: "U0ANA", run: started?.execution });
});

it("starts nothing for words that it does not know, and for who may not ask", async () => {
  expect(await say("verify-backup yesterday")).toContain("/nightshift verify-backup");
  expect(await say("verify-backup", "U0CHIARA")).toContain("not one who may ask");
  expect(door.lambda.invocations).toEqual([]);
});
