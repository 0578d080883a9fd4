import { beforeEach, describe, expect, it } from "vitest";
import { buttonBody, commandBody, signed } from "../../local/slack/signed.ts";
import config from "../../nightshift.config.ts";
import { approvals } from "../../shared/approval.ts";
import { writeContact } from "../../shared/contact.ts";
import { coordination } from "../../shared/coordination.ts";
import { claimLease, grantFirst, readLease, settleLease } from "../../shared/lease.ts";
import { actionIds } from "../../shared/message.ts";
import { pause } from "../../shared/pause.ts";
import { spoken, stage, startedAt } from "./stage.ts";

let door: Awaited<ReturnType<typeof stage>>;
const { primary } = config.regions;
const hash = "ab".repeat(32);

beforeEach(async () => {
  door = await stage();
  await grantFirst(coordination(door.runtime), primary, startedAt - 3_600_000);
});

const command = (user: string, text: string) =>
  signed(door.place.signingSecret, door.timeline.now(), commandBody(door.place, { user }, text));

const press = (user: string, says: "approve" | "reject", value = hash) =>
  door.send(
    signed(
      door.place.signingSecret,
      door.timeline.now(),
      buttonBody(
        door.place,
        { user },
        { ts: "1.000001", text: "", blocks: [] },
        { action_id: actionIds[says], value },
      ),
    ),
  );

const ask = (requester = "detection") =>
  approvals(coordination(door.runtime)).open({
    planHash: hash,
    run: "failover-2-1",
    requester,
    neededApprovals: 2,
    expiresAtMilliseconds: startedAt + 600_000,
    callbackId: "callback-1",
  });

const said = () => door.slack.messages().map(({ text }) => text);

describe("/nightshift status", () => {
  it("shows lease, contacts and pause switch", async () => {
    const table = coordination(door.runtime);
    await writeContact(table, {
      region: primary,
      contactAtMilliseconds: startedAt - 42_000,
      epoch: 1,
    });
    await pause(table, { by: "U0BEN", reason: "release", atMilliseconds: startedAt });
    const text = spoken(await door.send(command("U0ANA", "status")));
    expect(text).toContain(
      `*${primary}* may write (epoch 1, since 2026-11-22T02:00:00Z by deploy)`,
    );
    expect(text).toContain(`Guard of ${primary}: last contact 42 s ago, obeys epoch 1`);
    expect(text).toContain(`Guard of ${config.regions.standby}: never seen`);
    expect(text).toContain("paused by U0BEN: release");
  });

  it("says unknown within three seconds when the coordination table is silent", async () => {
    await door.send(command("U0ANA", "help"));
    for (const region of Object.values(config.regions).filter((name) => name !== "eu-west-1")) {
      door.faults.set(region, "cut");
    }
    const answer = await door.sendAndWait(command("U0ANA", "status"));
    const text = spoken(answer);
    expect(text).toContain("Lease: UNKNOWN");
    expect(text).toContain("The pause switch cannot be read, so it counts as on");
    expect(answer.tookSeconds).toBeLessThan(3);
  });
});

describe("/nightshift failover", () => {
  it("hands the wish over under the name of the next run, and does not wait for it", async () => {
    const text = spoken(await door.send(command("U0ANA", "failover region is dark")));
    expect(text).toContain("failover-2-1 is started");
    expect(door.lambda.invocations).toEqual([
      {
        name: "failover",
        region: config.regions.standby,
        execution: "failover-2-1",
        type: "Event",
        payload: {
          kind: "emergency",
          run: "failover-2-1",
          trigger: {
            by: "operator",
            who: "U0ANA",
            reason: "region is dark",
            sinceMilliseconds: startedAt,
            overrides: [],
          },
        },
      },
    ]);
  });

  it("passes on only overrides that are written out", async () => {
    await door.send(command("U0BEN", "failover accept:unknown-loss dark constructor"));
    expect(door.lambda.invocations[0]?.payload).toMatchObject({
      trigger: { overrides: ["unknown-loss"], reason: "dark constructor" },
    });
  });

  it("says that a run which somebody else has started may be another move", async () => {
    door.lambda.refuse("DurableExecutionAlreadyStartedException");
    const text = spoken(await door.send(command("U0ANA", "failover dark")));
    expect(text).toContain("failover-2-1 was asked for before, so nothing new was started");
  });

  it("says that it is not certain when Lambda fails", async () => {
    door.lambda.refuse("ServiceException");
    const text = spoken(await door.send(command("U0ANA", "failover dark")));
    expect(text).toContain("not certain");
    expect(door.lines.join()).toContain("order uncertain");
  });

  it("wants a reason", async () => {
    expect(spoken(await door.send(command("U0ANA", "failover")))).toContain("Say why");
    expect(door.lambda.invocations).toEqual([]);
  });

  it("is refused while a replay could not be told", async () => {
    await door.send(command("U0ANA", "help"));
    for (const region of Object.values(config.regions).filter((name) => name !== "eu-west-1")) {
      door.faults.set(region, "cut");
    }
    const text = spoken(await door.sendAndWait(command("U0ANA", "failover dark")));
    expect(text).toContain("Nothing was done");
    expect(door.lambda.invocations).toEqual([]);
  });
});

describe("the buttons", () => {
  it("count two different people and then wake the run", async () => {
    await ask();
    await press("U0ANA", "approve");
    expect(door.lambda.callbacks).toEqual([]);
    await press("U0BEN", "approve");
    expect(door.lambda.callbacks).toEqual(["callback-1"]);
    expect(door.lambda.wokenIn).toEqual([config.regions.standby]);
    expect(said()).toEqual(["<@U0ANA> approved: 1 of 2.", "<@U0BEN> approved: 2 of 2."]);
    expect(door.slack.messages().every(({ threadTs }) => threadTs === "1.000001")).toBe(true);
  });

  it("wake the run of a failback at home, where it waits", async () => {
    const table = coordination(door.runtime);
    const to = {
      region: config.regions.standby,
      holder: "failover-2-1",
      nowMilliseconds: startedAt,
    };
    await claimLease(table, await readLease(table), to);
    await settleLease(table, 2, "failover-2-1");
    await ask();
    await press("U0ANA", "approve");
    await press("U0BEN", "approve");
    expect(door.lambda.wokenIn).toEqual([primary]);
  });

  it("do not count the same person twice", async () => {
    await ask();
    await press("U0ANA", "approve");
    await door.timeline.advance(2000);
    await press("U0ANA", "approve");
    expect(door.lambda.callbacks).toEqual([]);
    expect(said().at(-1)).toBe("Your answer was recorded before.");
  });

  it("do not let the requester approve, and tell only them", async () => {
    await ask("U0ANA");
    await press("U0ANA", "approve");
    expect(said()).toEqual(["You asked for this, so somebody else has to approve it."]);
    expect(door.slack.messages()[0]?.onlyFor).toBe("U0ANA");
  });

  it("end the wait at once on a rejection, which is final", async () => {
    await ask();
    await press("U0CHIARA", "reject");
    expect(door.lambda.callbacks).toEqual(["callback-1"]);
    await press("U0ANA", "approve");
    expect(said().at(-1)).toContain("Already rejected by U0CHIARA");
  });

  it("record the answer although the run waits no more and Slack is silent", async () => {
    await ask();
    await press("U0ANA", "approve");
    door.lambda.refuse("CallbackTimeoutException");
    door.slack.silence(true);
    const pressed = signed(
      door.place.signingSecret,
      startedAt,
      buttonBody(
        door.place,
        { user: "U0BEN" },
        { ts: "1.000001", text: "", blocks: [] },
        { action_id: actionIds.approve, value: hash },
      ),
    );
    const answer = await door.sendAndWait(pressed);
    expect(answer.statusCode).toBe(200);
    expect(answer.tookSeconds).toBeLessThan(3);
    const approval = await approvals(coordination(door.runtime)).read(hash);
    expect(approval?.approvals.map(({ user }) => user)).toEqual(["U0ANA", "U0BEN"]);
    expect(door.lines.join()).toContain('"result":"gone"');
  });

  it("refuse a plan that nobody has asked about", async () => {
    await press("U0ANA", "approve", "cd".repeat(32));
    expect(said()[0]).toContain("no such request");
  });
});

it("keeps at most four items of signatures, however long it runs", async () => {
  for (let minutes = 0; minutes < 60; minutes += 5) {
    await door.send(command("U0ANA", "help"));
    await door.timeline.advance(300_000);
  }
  const table = coordination(door.runtime);
  const slots = await Promise.all([0, 1, 2, 3].map((slot) => table.read(`nonces#${slot}`)));
  expect(slots.every((item) => Object.keys(item?.seen as object).length === 1)).toBe(true);
});
