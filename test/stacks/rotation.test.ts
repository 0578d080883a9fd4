import { describe, expect, it } from "vitest";
import type { Resource } from "../../deploy/recording.ts";
import config from "../../nightshift.config.ts";
import { rotationSchema, usualOverlap } from "../../shared/config-rotation.ts";
import { every, recorded } from "./recordings.ts";

const { primary, standby } = config.regions;

const byName = (resources: Resource[], name: string): Resource => {
  const found = resources.find((each) => each.name === name);
  if (!found) throw new Error(`there is no ${name}`);
  return found;
};

describe.each(["production", "personal"] as const)("rotation in stage %s", (stage) => {
  it("begins at night in the home region, of what the operator's file names, at no deployment", async () => {
    const rotations = every(
      await recorded(stage),
      "aws:secretsmanager/secretRotation:SecretRotation",
    );
    const rules = rotations.map(({ name, inputs }) => [name, inputs.rotationRules]);
    const byHand = { automaticallyAfterDays: 1000 };
    expect(Object.fromEntries(rules)).toEqual({
      DatabaseSecretRotation: { scheduleExpression: "cron(0 2 5 * ? *)", duration: "4h" },
      // Without one it could not be rotated by hand either.
      OwnerSecretRotation: byHand,
      CacheSecretRotation: byHand,
      SigningKeysSecretRotation: byHand,
      EncryptionKeysSecretRotation: byHand,
    });
    for (const { inputs, region } of rotations) {
      expect(region).toBe(primary);
      expect(inputs.rotateImmediately).toBe(false);
      expect(inputs.rotationLambdaArn).toMatch(new RegExp(`:${primary}:.*-rotation$`));
    }
  });

  it("may be called by this account's Secrets Manager before it is switched on", async () => {
    const recording = await recorded(stage);
    const permissions = every(recording, "aws:lambda/permission:Permission").filter(
      ({ inputs }) => inputs.principal === "secretsmanager.amazonaws.com",
    );
    expect(permissions.map(({ region }) => region).sort()).toEqual([primary, standby].sort());
    for (const { inputs } of permissions) expect(inputs.sourceAccount).toMatch(/^\d{12}$/);
    const own = byName(permissions, "RotationInPrimaryBySecretsManager");
    const values = every(recording, "aws:secretsmanager/secretVersion:SecretVersion");
    for (const { name, dependencies } of every(
      recording,
      "aws:secretsmanager/secretRotation:SecretRotation",
    )) {
      expect(dependencies).toContain(own.urn);
      // Its test of the function finds no current version before.
      expect(dependencies).toContain(byName(values, name.replace(/Rotation$/, "Value")).urn);
    }
  });

  it("has an overlap that outlives its deadline, and the sessions after it, by two hours", async () => {
    const functions = every(await recorded(stage), "aws:lambda/function:Function");
    const overlaps = functions.filter(({ inputs }) => String(inputs.name).endsWith("-retirement"));
    expect(overlaps).toHaveLength(2);
    for (const { inputs } of overlaps) {
      const { executionTimeout } = inputs.durableConfig as { executionTimeout: number };
      expect(executionTimeout).toBe(
        usualOverlap.deadlineSeconds + usualOverlap.sessionSeconds + 7200,
      );
    }
  });
});

describe("a schedule in the operator's file", () => {
  it.each([
    ["a day that February lacks", { everyMonths: 1, day: 29, hour: 2 }],
    ["a window that would reach into the next day", { everyMonths: 1, day: 1, hour: 21 }],
    ["months that do not fit into a year", { everyMonths: 5, day: 1, hour: 2 }],
  ])("is refused with %s", (_what, database) => {
    expect(rotationSchema.safeParse({ schedules: { database } }).success).toBe(false);
  });

  it("has the owner's password changed on an earlier day than the application's", () => {
    const of = (day: number) => ({ everyMonths: 3, day, hour: 2 });
    const says = (owner: number, database: number) =>
      rotationSchema.safeParse({ schedules: { owner: of(owner), database: of(database) } }).success;
    expect([says(4, 5), says(5, 5), says(6, 5)]).toEqual([true, false, false]);
  });

  it("may say another night for one secret", () => {
    const database = { everyMonths: 2, day: 28, hour: 19 };
    expect(rotationSchema.safeParse({ schedules: { database } }).success).toBe(true);
  });
});
