import { describe, expect, it } from "vitest";
import type { ServiceEvent } from "../../local/aws/alarms.ts";
import { secretsmanager } from "../../local/aws/secretsmanager.ts";
import { around, asking, failure, home, standby } from "./asking.ts";

const SecretId = "platform/database";
const RotationLambdaARN = `arn:aws:lambda:${home}:123456789012:function:rotation`;
const token = (letter: string) => letter.repeat(32);

interface Step {
  Step: string;
  ClientRequestToken: string;
}

/** A secret, and a function that rotates it as long as `act` does not say otherwise. */
const cloud = (act: (step: Step, calls: number) => boolean | undefined = () => undefined) => {
  const { timeline, surroundings } = around();
  const steps: string[] = [];
  const events: string[] = [];
  const { service } = secretsmanager(surroundings, {
    emit: (_region, { detail }: ServiceEvent) => void events.push(String(detail.eventName)),
    invoke: async (_region, _arn, event) => {
      const step = event as Step;
      steps.push(step.Step);
      const told = act(step, steps.length);
      if (told !== undefined) return told;
      perform(step);
      return true;
    },
  });
  const ask = asking(service);
  const described = () => ask("DescribeSecret", { SecretId });
  const perform = ({ Step, ClientRequestToken }: Step) => {
    const stages = described().VersionIdsToStages as Record<string, string[]>;
    const of = (stage: string) => Object.keys(stages).find((id) => stages[id]?.includes(stage));
    if (Step === "createSecret") {
      const VersionStages = ["AWSPENDING"];
      const SecretString = `made for ${ClientRequestToken}`;
      ask("PutSecretValue", { SecretId, ClientRequestToken, SecretString, VersionStages });
    }
    if (Step !== "finishSecret" || of("AWSCURRENT") === ClientRequestToken) return;
    const MoveToVersionId = ClientRequestToken;
    const move = { SecretId, VersionStage: "AWSCURRENT", MoveToVersionId };
    ask("UpdateSecretVersionStage", { ...move, RemoveFromVersionId: of("AWSCURRENT") });
  };
  const first = { SecretString: "first", ClientRequestToken: token("1") };
  ask("CreateSecret", { Name: SecretId, ...first, AddReplicaRegions: [{ Region: standby }] });
  const rotate = (ClientRequestToken: string, more = {}) =>
    ask("RotateSecret", { SecretId, ClientRequestToken, RotationLambdaARN, ...more });
  const value = (more = {}) => ask("GetSecretValue", { SecretId, ...more }).SecretString;
  return { timeline, ask, rotate, described, value, steps, events };
};

const allSteps = ["createSecret", "setSecret", "testSecret", "finishSecret"];

describe("a rotation", () => {
  it("asks the function four times with one token, whose version is there before and empty", async () => {
    let seen: unknown;
    const at = cloud(({ Step }) => {
      if (Step !== "createSecret") return undefined;
      const { VersionIdsToStages } = at.described();
      const read = failure(() => at.value({ VersionStage: "AWSPENDING" }));
      seen ??= { VersionIdsToStages, read: read.name };
      return undefined;
    });
    at.rotate(token("2"));
    await at.timeline.advance(60_000);
    expect(seen).toEqual({
      VersionIdsToStages: { [token("1")]: ["AWSCURRENT"], [token("2")]: ["AWSPENDING"] },
      read: "ResourceNotFoundException",
    });
    expect(at.steps).toEqual(allSteps);
    expect(at.events).toEqual(["RotationStarted", "RotationSucceeded"]);
    expect(at.value()).toBe(`made for ${token("2")}`);
    expect(at.value({ VersionStage: "AWSPREVIOUS" })).toBe("first");
    expect(at.described()).toMatchObject({ RotationEnabled: true, RotationLambdaARN });
    expect(at.described().LastRotatedDate).toBeInstanceOf(Date);
    expect(at.ask("GetSecretValue", { SecretId }, standby).SecretString).toBe(at.value());
  });

  it("begins from the start with the same token when a step fails", async () => {
    const at = cloud((_step, calls) => (calls === 3 ? false : undefined));
    at.rotate(token("2"));
    await at.timeline.advance(600_000);
    expect(at.steps).toEqual([...allSteps.slice(0, 3), ...allSteps]);
    expect(at.events).toEqual(["RotationStarted", "RotationSucceeded"]);
  });

  it("that failed for good leaves an empty version, and the next request goes on with it", async () => {
    let isBroken = true;
    const at = cloud(() => (isBroken ? false : undefined));
    at.rotate(token("2"));
    await at.timeline.advance(3_600_000);
    expect(at.events).toEqual(["RotationStarted", "RotationFailed"]);
    expect(at.described().VersionIdsToStages).toMatchObject({ [token("2")]: ["AWSPENDING"] });
    isBroken = false;
    expect(failure(() => at.rotate(token("3")))).toMatchObject({
      name: "InvalidRequestException",
      message: "A previous rotation isn't complete. That rotation will be reattempted.",
    });
    await at.timeline.advance(60_000);
    expect(at.value()).toBe(`made for ${token("2")}`);
    at.rotate(token("3"));
    await at.timeline.advance(60_000);
    expect(at.value()).toBe(`made for ${token("3")}`);
  });

  it("is one when the request is repeated because its answer was lost", async () => {
    const at = cloud();
    at.rotate(token("2"));
    at.rotate(token("2"));
    await at.timeline.advance(60_000);
    at.rotate(token("2"));
    await at.timeline.advance(60_000);
    expect(at.steps).toEqual(allSteps);
  });

  it("is abandoned when somebody puts in a value by hand", async () => {
    const at = cloud(({ Step }) => {
      if (Step !== "setSecret") return undefined;
      const by = { ClientRequestToken: token("9"), SecretString: "by hand" };
      at.ask("PutSecretValue", { SecretId, ...by });
      return true;
    });
    at.rotate(token("2"));
    await at.timeline.advance(7_200_000);
    expect(at.events).toEqual(["RotationStarted", "RotationAbandoned", "RotationFailed"]);
    expect(at.value()).toBe("by hand");
  });

  it("that is cancelled goes no further, and its label stays where it was", async () => {
    const at = cloud(({ Step }) => {
      if (Step === "setSecret") at.ask("CancelRotateSecret", { SecretId });
      return undefined;
    });
    at.rotate(token("2"));
    await at.timeline.advance(3_600_000);
    expect(at.steps).toEqual(allSteps.slice(0, 2));
    expect(at.described()).toMatchObject({
      RotationEnabled: false,
      VersionIdsToStages: { [token("2")]: ["AWSPENDING"] },
    });
    expect(at.described()).not.toHaveProperty("NextRotationDate");
  });

  it("is refused for a replica and for a secret without a function", () => {
    const at = cloud();
    const ClientRequestToken = token("2");
    const bare = failure(() => at.ask("RotateSecret", { SecretId, ClientRequestToken }));
    expect(bare.name).toBe("InvalidRequestException");
    const other = { SecretId, ClientRequestToken, RotationLambdaARN };
    expect(failure(() => at.ask("RotateSecret", other, standby)).name).toMatch(/^(Res|Inv)/);
  });
});

describe("a schedule", () => {
  it("rotates in its window, and says until when", async () => {
    const at = cloud();
    const RotationRules = { ScheduleExpression: "cron(0 3 * * ? *)", Duration: "2h" };
    at.rotate(token("2"), { RotationRules, RotateImmediately: false });
    await at.timeline.advance(1000);
    expect(at.steps).toEqual(["testSecret"]);
    expect(at.described()).toMatchObject({
      RotationRules,
      NextRotationDate: new Date("2026-01-01T05:00:00Z"),
      VersionIdsToStages: { [token("1")]: ["AWSCURRENT"] },
    });
    expect(at.described().VersionIdsToStages).not.toHaveProperty(token("2"));
    await at.timeline.advance(3 * 3_600_000 - 2000);
    expect(at.steps).toEqual(["testSecret"]);
    await at.timeline.advance(2 * 3_600_000 + 1000);
    expect(at.steps).toEqual(["testSecret", ...allSteps]);
    expect(at.described().NextRotationDate).toEqual(new Date("2026-01-02T05:00:00Z"));
  });
});
