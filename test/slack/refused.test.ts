import { beforeEach, describe, expect, it } from "vitest";
import { buttonBody, signed } from "../../local/slack/signed.ts";
import config from "../../nightshift.config.ts";
import { approvals } from "../../shared/approval.ts";
import { coordination } from "../../shared/coordination.ts";
import { journal, verify } from "../../shared/journal.ts";
import { claimLease, grantFirst, readLease, settleLease } from "../../shared/lease.ts";
import { actionIds } from "../../shared/message.ts";
import { isRefusedAnswer, refusedAnswersLimit } from "../../shared/refused-answer.ts";
import { stage, startedAt } from "./stage.ts";

let door: Awaited<ReturnType<typeof stage>>;
const { primary, standby } = config.regions;
const run = "failover-2-1";
const hash = "ab".repeat(32);
const begin = {
  key: "begin",
  kind: "saw" as const,
  atMilliseconds: startedAt,
  text: "U0ANA: dark",
};

const bookIn = (region: string) => journal(door.journalIn(region));
const kept = async (region = standby) => (await bookIn(region).read(run)).filter(isRefusedAnswer);

beforeEach(async () => {
  door = await stage();
  const table = coordination(door.runtime);
  await grantFirst(table, primary, startedAt - 3_600_000);
  await bookIn(standby).append(run, { ...begin, by: `failover in ${standby}` });
  await approvals(table).open({
    planHash: hash,
    run,
    requester: "U0ANA",
    neededApprovals: 2,
    expiresAtMilliseconds: startedAt + 600_000,
  });
});

const press = (user: string, says: "approve" | "reject" = "approve", more = {}, value = hash) => {
  const button = { action_id: actionIds[says], value };
  const message = { ts: "1.000001", text: "", blocks: [] };
  const body = buttonBody(door.place, { user, ...more }, message, button);
  return door.send(signed(door.place.signingSecret, door.timeline.now(), body));
};

describe("an answer that does not count", () => {
  it("of the one who asked is in the journal of the run, and the chain holds", async () => {
    await press("U0ANA");
    const [entry] = await kept();
    expect(entry).toMatchObject({
      by: "U0ANA",
      kind: "refused",
      text: expect.stringContaining("You asked for this, so somebody else has to approve it."),
      data: { user: "U0ANA", says: "approve", planHash: hash, code: "own-request" },
    });
    // The run's own process still thinks that it has written the last line.
    await bookIn(standby).append(run, { ...begin, key: "later", by: `failover in ${standby}` });
    expect(verify(await bookIn(standby).read(run))).toMatchObject({ ok: true });
  });

  it("of a stranger, of somebody from elsewhere and after its time are kept as well", async () => {
    await press("U0EVE");
    await press("U0BEN", "approve", { workspace: "T0FOREIGN" });
    await door.timeline.advance(600_001);
    await press("U0BEN", "reject");
    expect((await kept()).map(({ by, data }) => [by, data?.says, data?.code])).toEqual([
      ["U0EVE", "approve", "unknown-user"],
      ["U0BEN of T0FOREIGN", "approve", "foreign-workspace"],
      ["U0BEN", "reject", "expired"],
    ]);
  });

  it("is kept once a minute for each person, and never more often than the limit in all", async () => {
    for (const _press of [1, 2, 3]) {
      await door.timeline.advance(1000);
      await press("U0ANA");
    }
    expect(await kept()).toHaveLength(1);
    for (let minute = 0; minute < refusedAnswersLimit + 3; minute += 1) {
      await door.timeline.advance(60_000);
      await press("U0ANA");
    }
    expect(await kept()).toHaveLength(refusedAnswersLimit);
    expect(door.lines.join()).toContain("has 50 refused answers already");
  });

  it("is kept where the run has written, also when the lease is there by now", async () => {
    const table = coordination(door.runtime);
    const moved = { region: standby, holder: run, nowMilliseconds: startedAt };
    await claimLease(table, await readLease(table), moved);
    await settleLease(table, 2, run, startedAt);
    await press("U0ANA");
    expect(await kept(standby)).toHaveLength(1);
  });

  it("is not written into the journal of a region that the run does not write in", async () => {
    const other = "failover-7-1";
    const table = coordination(door.runtime);
    const later = { requester: "U0ANA", neededApprovals: 2 };
    const planHash = "cd".repeat(32);
    const expiresAtMilliseconds = startedAt + 600_000;
    await approvals(table).open({ ...later, planHash, run: other, expiresAtMilliseconds });
    await bookIn(standby).append(other, { ...begin, by: `failover in ${primary}` });
    await press("U0ANA", "approve", {}, planHash);
    expect((await bookIn(standby).read(other)).filter(isRefusedAnswer)).toEqual([]);
    expect(door.lines.join()).toContain("does not write its journal in");
  });

  it("is refused in time when the journal is silent, and that is logged", async () => {
    door.silence("refused answer");
    const at = door.timeline.now();
    const button = { action_id: actionIds.approve, value: hash };
    const message = { ts: "1.000001", text: "", blocks: [] };
    const body = buttonBody(door.place, { user: "U0ANA" }, message, button);
    const answer = await door.sendAndWait(signed(door.place.signingSecret, at, body));
    expect(answer).toMatchObject({ statusCode: 200 });
    expect(answer.tookSeconds).toBeLessThan(3);
    expect(door.slack.messages().at(-1)?.text).toContain("You asked for this");
    expect(door.lines.join()).toContain("refused answer not recorded");
  });
});
