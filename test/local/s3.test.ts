import { expect, it } from "vitest";
import { s3 } from "../../local/aws/s3.ts";
import { around, asking, failure, home, standby } from "./asking.ts";

const cloud = () => {
  const { timeline, surroundings } = around();
  const { service, createBucket } = s3(surroundings);
  createBucket("plain", home);
  createBucket("evidence", home, { objectLock: true });
  return { timeline, ask: asking(service) };
};

const text = (answer: Record<string, unknown>) => Buffer.from(answer.Body as Uint8Array).toString();

it("gives back what was put, and lists it page by page", () => {
  const { ask } = cloud();
  for (const Key of ["b/2", "a/1", "b/1"]) ask("PutObject", { Bucket: "plain", Key, Body: Key });
  expect(text(ask("GetObject", { Bucket: "plain", Key: "a/1" }))).toBe("a/1");
  const first = ask("ListObjectsV2", { Bucket: "plain", Prefix: "b/", MaxKeys: 1 });
  expect(first).toMatchObject({ IsTruncated: true, Contents: [{ Key: "b/1", Size: 3 }] });
  const ContinuationToken = first.NextContinuationToken;
  expect(ask("ListObjectsV2", { Bucket: "plain", Prefix: "b/", ContinuationToken })).toMatchObject({
    IsTruncated: false,
    Contents: [{ Key: "b/2" }],
  });
});

it("does not overwrite where the writer asked for a new object", () => {
  const { ask } = cloud();
  const input = { Bucket: "plain", Key: "once", Body: "1", IfNoneMatch: "*" };
  ask("PutObject", input);
  expect(failure(() => ask("PutObject", input))).toMatchObject({
    name: "PreconditionFailed",
    status: 412,
  });
});

it("keeps locked evidence until its date, behind a delete marker or not", async () => {
  const { ask, timeline } = cloud();
  const object = { Bucket: "evidence", Key: "report" };
  const { VersionId } = ask("PutObject", {
    ...object,
    Body: "what happened",
    ObjectLockMode: "COMPLIANCE",
    ObjectLockRetainUntilDate: new Date(timeline.now() + 3600_000),
  });
  ask("DeleteObject", object);
  expect(failure(() => ask("GetObject", object)).name).toBe("NoSuchKey");
  expect(failure(() => ask("HeadObject", object)).name).toBe("NotFound");
  const remove = () =>
    ask("DeleteObject", { ...object, VersionId, BypassGovernanceRetention: true });
  expect(failure(remove)).toMatchObject({ name: "AccessDenied", status: 403 });
  expect(text(ask("GetObject", { ...object, VersionId }))).toBe("what happened");
  await timeline.advance(3600_001);
  expect(failure(remove).name).toBe("nothing was refused");
});

it("refuses a lock where the bucket has none, and a bucket of another region", () => {
  const { ask } = cloud();
  const locked = {
    Bucket: "plain",
    Key: "k",
    ObjectLockMode: "COMPLIANCE",
    ObjectLockRetainUntilDate: new Date(),
  };
  expect(failure(() => ask("PutObject", locked)).name).toBe("InvalidRequest");
  expect(failure(() => ask("ListObjectsV2", { Bucket: "plain" }, standby)).status).toBe(301);
  expect(failure(() => ask("ListObjectsV2", { Bucket: "absent" })).name).toBe("NoSuchBucket");
});
