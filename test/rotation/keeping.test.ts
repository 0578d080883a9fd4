import { describe, expect, it } from "vitest";
import type { Kept } from "../../functions/rotation/keeping.ts";
import { pause } from "../../shared/pause.ts";
import { primary, standby } from "../tables.ts";
import { modelled } from "./modelled.ts";
import { firstValues, names, token } from "./stage.ts";

type At = Awaited<ReturnType<typeof modelled>>;

const asKept = (told: unknown) => told as Kept;
const look = async (at: At) => asKept(await at.handle({ do: "keep" }));
const lookThere = async (at: At) => asKept(await at.inStandby({ do: "keep" }));

/** As a failover leaves it: the lease is there, and has settled. */
const failedOver = async (at: At) => {
  await at.timeline.run(
    at.table.write("lease", { set: { region: standby, epoch: 2, state: "held", holder: "f" } }),
  );
};

const described = (at: At, SecretId: string, region: string) =>
  at.secrets("DescribeSecret", { SecretId }, region);

const hour = 3_600_000;

describe("the hourly look at rotations", () => {
  it("finds nothing where all is well, and changes nothing", async () => {
    const at = await modelled();
    const before = described(at, names.database, primary);
    expect(await look(at)).toMatchObject({ stale: [], stuck: [], mended: [] });
    expect(described(at, names.database, primary)).toEqual(before);
  });

  it("leaves a region alone that has not the lease", async () => {
    const at = await modelled();
    expect(await lookThere(at)).toEqual({ stale: [], stuck: [], unrotated: [], mended: [] });
    expect(described(at, names.database, standby)).not.toHaveProperty("RotationEnabled");
  });

  it("gives what a failover has promoted a rotation in the new region, by the same schedule", async () => {
    const at = await modelled();
    await failedOver(at);
    const { mended } = await lookThere(at);
    expect(mended).toHaveLength(2);
    await at.timeline.advance(60_000);
    for (const name of [names.database, names.owner]) {
      const { RotationEnabled, RotationLambdaARN, RotationRules, PrimaryRegion } = described(
        at,
        name,
        standby,
      );
      expect([RotationEnabled, PrimaryRegion]).toEqual([true, undefined]);
      expect(RotationLambdaARN).toContain(`:${standby}:`);
      expect(RotationRules).toBeDefined();
      expect(at.opens(name)).toBe(true);
    }
    expect((await lookThere(at)).mended).toEqual([]);
    at.secrets("RotateSecret", { SecretId: names.database, ClientRequestToken: token(1) }, standby);
    await at.timeline.advance(hour);
    expect(at.value(names.database, "AWSCURRENT", standby).VersionId).toBe(token(1));
  });

  it("is held back by a pause, and says so", async () => {
    const at = await modelled();
    await failedOver(at);
    await at.timeline.run(
      pause(at.table, { by: "U0ANA", reason: "we look first", atMilliseconds: at.timeline.now() }),
    );
    const { mended, unrotated } = await lookThere(at);
    expect(mended).toEqual([]);
    expect(unrotated.join()).toContain(`${names.database} has no rotation in ${standby}: `);
  });

  it("says that a secret is older than its schedule allows", async () => {
    const monthly = { everyMonths: 1 as const, day: 1, hour: 2 };
    const at = await modelled({ schedules: { database: monthly } });
    await at.timeline.advance(20 * 24 * hour);
    expect((await look(at)).stale).toEqual([]);
    at.server.breakWith("ETIMEDOUT");
    await at.timeline.advance(14 * 24 * hour);
    expect((await look(at)).stale.join()).toContain(names.database);
    at.server.breakWith(undefined);
    const about = { secret: names.database, token: token(1), by: "U0ANA", reason: "it is old" };
    await at.handle({ do: "begin", ...about });
    await at.timeline.advance(hour);
    expect((await look(at)).stale).toEqual([]);
  });

  it("says after an hour that a rotation is stuck, and not before", async () => {
    const at = await modelled();
    at.server.breakWith("ETIMEDOUT");
    await at.rotated(names.database, token(1), 600);
    expect((await look(at)).stuck).toEqual([]);
    await at.timeline.advance(hour);
    expect((await look(at)).stuck.join()).toContain(`version ${token(1)} has AWSPENDING since`);
  });

  it("takes Slack's for waiting, since a person brings it, and says of no value nothing", async () => {
    const values = { ...firstValues(), [names.slack]: { signingSecret: "a".repeat(32) } };
    const at = await modelled({ values });
    await at.rotated(names.slack, token(1));
    await look(at);
    await at.timeline.advance(3 * hour);
    expect((await look(at)).stuck).toEqual([]);
  });
});
