import { describe, expect, it } from "vitest";
import { secretsmanager } from "../../local/aws/secretsmanager.ts";
import { around, asking, failure, home, standby } from "./asking.ts";

const SecretId = "platform/database";

const cloud = () => {
  const { timeline, faults, surroundings } = around();
  const ask = asking(secretsmanager(surroundings).service);
  const value = (region = home, extra = {}) =>
    ask("GetSecretValue", { SecretId, ...extra }, region).SecretString;
  const status = () =>
    (ask("DescribeSecret", { SecretId }).ReplicationStatus as { Status: string }[])[0]?.Status;
  ask("CreateSecret", {
    Name: SecretId,
    SecretString: "first",
    ClientRequestToken: "v1",
    AddReplicaRegions: [{ Region: standby }],
  });
  return { timeline, faults, ask, value, status };
};

const put = (token: string, SecretString: string, VersionStages?: string[]) => ({
  SecretId,
  SecretString,
  ClientRequestToken: token,
  VersionStages,
});

describe("versions", () => {
  it("moves AWSPREVIOUS to the version that loses AWSCURRENT", () => {
    const { ask, value } = cloud();
    ask("PutSecretValue", put("v2", "second"));
    expect(value()).toBe("second");
    expect(value(home, { VersionStage: "AWSPREVIOUS" })).toBe("first");
    ask("PutSecretValue", put("v3", "third", ["AWSPENDING"]));
    expect(value()).toBe("second");
    const move = { SecretId, VersionStage: "AWSCURRENT", MoveToVersionId: "v3" };
    expect(failure(() => ask("UpdateSecretVersionStage", move)).name).toBe(
      "InvalidParameterException",
    );
    ask("UpdateSecretVersionStage", { ...move, RemoveFromVersionId: "v2" });
    expect(ask("DescribeSecret", { SecretId }).VersionIdsToStages).toEqual({
      v2: ["AWSPREVIOUS"],
      v3: ["AWSPENDING", "AWSCURRENT"],
    });
  });

  it("takes the same token twice with the same value, and refuses another value", () => {
    const { ask } = cloud();
    ask("PutSecretValue", put("v2", "second"));
    expect(ask("PutSecretValue", put("v2", "second")).VersionId).toBe("v2");
    expect(failure(() => ask("PutSecretValue", put("v2", "other"))).name).toBe(
      "ResourceExistsException",
    );
  });

  it("says what it cannot find", () => {
    const { ask, value } = cloud();
    expect(failure(() => value(home, { VersionStage: "AWSPENDING" })).message).toContain(
      "staging label: AWSPENDING",
    );
    expect(failure(() => ask("GetSecretValue", { SecretId: "nothing" })).name).toBe(
      "ResourceNotFoundException",
    );
  });

  it("is found by ARN with and without the random characters", () => {
    const { ask } = cloud();
    const arn = String(ask("DescribeSecret", { SecretId }).ARN);
    expect(ask("GetSecretValue", { SecretId: arn }).Name).toBe(SecretId);
    expect(ask("GetSecretValue", { SecretId: arn.slice(0, -7) }).Name).toBe(SecretId);
  });
});

describe("replicas", () => {
  it("follow after a while and refuse changes", async () => {
    const { ask, timeline, value, status } = cloud();
    expect(status()).toBe("InProgress");
    expect(failure(() => value(standby)).name).toBe("ResourceNotFoundException");
    await timeline.advance(60_000);
    expect([status(), value(standby)]).toEqual(["InSync", "first"]);
    expect(failure(() => ask("PutSecretValue", put("v2", "second"), standby))).toMatchObject({
      name: "InvalidParameterException",
      message: expect.stringContaining("Operation not permitted on a replica secret"),
    });
    expect(ask("DescribeSecret", { SecretId }, standby).PrimaryRegion).toBe(home);
  });

  it("stay behind while their region is cut off, and catch up when it is back", async () => {
    const { ask, timeline, faults, value, status } = cloud();
    await timeline.advance(60_000);
    faults.set(home, "cut");
    ask("PutSecretValue", put("v2", "second"));
    await timeline.advance(60_000);
    expect([status(), value(standby)]).toEqual(["Failed", "first"]);
    faults.set(home, "up");
    expect([status(), value(standby)]).toEqual(["InSync", "second"]);
  });

  it("become secrets of their own without their dead primary, and are not overwritten later", async () => {
    const { ask, timeline, faults, value } = cloud();
    await timeline.advance(60_000);
    faults.set(home, "dead");
    ask("StopReplicationToReplica", { SecretId }, standby);
    ask("PutSecretValue", put("v2", "points to the new primary"), standby);
    faults.set(home, "up");
    ask("PutSecretValue", put("v9", "the old region writes again"));
    await timeline.advance(60_000);
    expect(value(standby)).toBe("points to the new primary");
    expect(ask("DescribeSecret", { SecretId }).ReplicationStatus).toBeUndefined();
  });

  const lostAndBack = async () => {
    const built = cloud();
    const { ask, timeline, faults } = built;
    await timeline.advance(60_000);
    faults.set(home, "dead");
    ask("StopReplicationToReplica", { SecretId }, standby);
    ask("PutSecretValue", put("v2", "points to the new primary"), standby);
    faults.set(home, "up");
    await timeline.advance(60_000);
    const back = (extra = {}) =>
      ask(
        "ReplicateSecretToRegions",
        { SecretId, AddReplicaRegions: [{ Region: home }], ...extra },
        standby,
      );
    const backStatus = () => ask("DescribeSecret", { SecretId }, standby).ReplicationStatus;
    return { ...built, back, backStatus };
  };

  it("fail where the old primary still has the name, which believes in its lost replica", async () => {
    const { ask, timeline, value, back, backStatus } = await lostAndBack();
    expect(ask("DescribeSecret", { SecretId }).ReplicationStatus).toEqual([
      { Region: standby, Status: "InSync" },
    ]);
    back();
    await timeline.advance(60_000);
    expect(backStatus()).toEqual([
      {
        Region: home,
        Status: "Failed",
        StatusMessage: `Replication failed: Secret name ${SecretId} already exists in region ${home}.`,
      },
    ]);
    expect(value()).toBe("first");
  });

  it("go back over the old primary when that may be overwritten, and follow from then on", async () => {
    const { ask, timeline, value, back, backStatus } = await lostAndBack();
    back();
    await timeline.advance(60_000);
    back({ ForceOverwriteReplicaSecret: true });
    back({ ForceOverwriteReplicaSecret: true });
    await timeline.advance(60_000);
    expect(backStatus()).toEqual([{ Region: home, Status: "InSync" }]);
    // Asked for once more when it is there: an answer was lost.
    back({ ForceOverwriteReplicaSecret: true });
    await timeline.advance(60_000);
    expect(backStatus()).toEqual([{ Region: home, Status: "InSync" }]);
    expect(ask("DescribeSecret", { SecretId })).toMatchObject({ PrimaryRegion: standby });
    expect(ask("DescribeSecret", { SecretId })).not.toHaveProperty("ReplicationStatus");
    expect(failure(() => ask("PutSecretValue", put("v9", "no"))).name).toBe(
      "InvalidParameterException",
    );
    ask("PutSecretValue", put("v3", "rotated"), standby);
    await timeline.advance(60_000);
    expect([value(), value(standby)]).toEqual(["rotated", "rotated"]);
    expect(ask("DescribeSecret", { SecretId }).VersionIdsToStages).toEqual(
      ask("DescribeSecret", { SecretId }, standby).VersionIdsToStages,
    );
  });

  it("are overwritten once: made standalone again, they stay what they are", async () => {
    const { ask, timeline, value, faults, back } = await lostAndBack();
    back({ ForceOverwriteReplicaSecret: true });
    await timeline.advance(60_000);
    faults.set(standby, "dead");
    ask("StopReplicationToReplica", { SecretId });
    ask("PutSecretValue", put("v3", "home again"));
    faults.set(standby, "up");
    ask("PutSecretValue", put("v4", "late"), standby);
    await timeline.advance(60_000);
    expect(value()).toBe("home again");
  });

  it("do not hear of what their old primary was about to send when it was overwritten", async () => {
    const { ask, timeline, value, back } = await lostAndBack();
    ask("PutSecretValue", put("v9", "the old region writes again"));
    back({ ForceOverwriteReplicaSecret: true });
    await timeline.advance(60_000);
    expect([value(), value(standby)]).toEqual([
      "points to the new primary",
      "points to the new primary",
    ]);
  });
});
