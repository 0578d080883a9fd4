import { beforeEach, expect, it } from "vitest";
import { commandBody, signed } from "../../local/slack/signed.ts";
import config from "../../nightshift.config.ts";
import { coordination } from "../../shared/coordination.ts";
import { grantFirst } from "../../shared/lease.ts";
import { pause } from "../../shared/pause.ts";
import { advanceFlight, takeFlight } from "../../shared/rotation.ts";
import { declareUpheaval } from "../../shared/upheaval.ts";
import { spoken, stage, startedAt } from "./stage.ts";

let door: Awaited<ReturnType<typeof stage>>;
const table = () => coordination(door.runtime);
const { primary } = config.regions;

beforeEach(async () => {
  door = await stage();
  await grantFirst(table(), primary, startedAt - 7_200_000);
});

const rotations = async (): Promise<string> => {
  await door.timeline.advance(1000);
  const body = commandBody(door.place, { user: "U0ANA" }, "rotations");
  return spoken(await door.send(signed(door.place.signingSecret, door.timeline.now(), body)));
};

const flight = {
  scope: "database",
  run: "rotation-platform-database-1f0c9a2b",
  secret: "platform/database",
  token: "version-1".padEnd(32, "-"),
};

it("says that nothing was ever rotated, and that nothing forbids it", async () => {
  const text = await rotations();
  expect(text).toContain("nothing forbids the next rotation");
  expect(text).toContain("database: never rotated");
});

it("shows an overlap until it has ended", async () => {
  const untilMilliseconds = startedAt + 1_800_000;
  await takeFlight(table(), { ...flight, untilMilliseconds }, startedAt);
  expect(await rotations()).toContain("database: gets a new value since");
  await advanceFlight(table(), flight, "overlap");
  expect(await rotations()).toMatch(/old and new are both valid since .*platform\/database/);
  await advanceFlight(table(), flight, "ended");
  expect(await rotations()).toContain("the last rotation has ended");
});

it("says what forbids a rotation: the pause switch, or a deploy", async () => {
  await declareUpheaval(table(), {
    region: primary,
    kind: "deploy",
    by: "release",
    reason: "version 12",
    sinceMilliseconds: startedAt,
    untilMilliseconds: startedAt + 3_600_000,
  });
  expect(await rotations()).toContain("deploy by release: version 12");
  await pause(table(), { by: "U0BEN", reason: "we look first", atMilliseconds: startedAt + 1 });
  expect(await rotations()).toContain("we look first");
});
