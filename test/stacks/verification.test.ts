import { describe, expect, it } from "vitest";
import { grantsOf } from "../../deploy/policies/grants.ts";
import config from "../../nightshift.config.ts";
import { copyOf, copyPattern } from "../../shared/copy.ts";
import { every, recorded, the } from "./recordings.ts";

const { primary, standby } = config.regions;

const linkOf = async (name: string, link: string): Promise<Record<string, unknown>> => {
  const { inputs } = the(await recorded("production"), name);
  const { variables } = inputs.environment as { variables: Record<string, string> };
  return JSON.parse(variables[`SST_RESOURCE_${link}`] ?? "null");
};

describe.each([
  ["Primary", primary],
  ["Standby", standby],
])("restore tests in the %s region", (role, region) => {
  it("write evidence into their own region's bucket, under records/ and reports/ only", async () => {
    const writes = grantsOf(await recorded("production")).filter(
      ({ policy, action }) => policy === `VerificationIn${role}May` && action === "s3:PutObject",
    );
    const { bucket } = await linkOf(`VerificationIn${role}Function`, "Evidence");
    expect(bucket).toContain(region);
    expect(writes.map(({ resource }) => resource)).toEqual([
      `arn:aws:s3:::${bucket}/records/*`,
      `arn:aws:s3:::${bucket}/reports/*`,
    ]);
  });

  it("sign with the same key as the other region, by its own half", async () => {
    const { key } = await linkOf(`VerificationIn${role}Function`, "Evidence");
    expect(key).toMatch(new RegExp(`^arn:aws:kms:${region}:\\d{12}:key/mrk-`));
    const other = await linkOf(
      `VerificationIn${role === "Primary" ? "Standby" : "Primary"}Function`,
      "Evidence",
    );
    expect(String(key).split("/")[1]).toBe(String(other.key).split("/")[1]);
  });

  it("may change and delete what is called like a copy, and no database of production", async () => {
    const recording = await recorded("production");
    const { prefix } = await linkOf(`SweepIn${role}Function`, "Swept");
    const changes = grantsOf(recording).filter(
      ({ holder, action, region: where }) =>
        where === region &&
        /^(verification|sweep)$/.test(holder) &&
        /^rds:(Modify|Delete|AddTags|RemoveTags)/.test(action),
    );
    expect(new Set(changes.map(({ resource }) => resource))).toEqual(
      new Set([`arn:aws:rds:${region}:123456789012:db:${prefix}-verify-*`]),
    );
    expect(copyOf(String(prefix), "verification-1")).toMatch(
      new RegExp(`^${prefix}-verify-[^*]+$`),
    );
    const production = every(recording, "aws:rds/instance:Instance").map(({ inputs }) =>
      String(inputs.identifier),
    );
    expect(production.filter((id) => copyPattern(String(prefix)).test(id))).toEqual([]);
    expect(production.filter((id) => id.startsWith(`${prefix}-verify-`))).toEqual([]);
  });

  it("are swept up after only where the mark is, also by IAM", async () => {
    const [removal] = grantsOf(await recorded("production")).filter(
      ({ policy, action }) => policy === `SweepIn${role}May` && action === "rds:DeleteDBInstance",
    );
    expect(removal?.conditions).toEqual({
      Null: { "aws:ResourceTag/nightshift:verification": "false" },
    });
  });

  it("put copies where no route leads out, into a group of their own", async () => {
    const recording = await recorded("production");
    const { subnetGroup, securityGroup } = await linkOf(
      `VerificationIn${role}Function`,
      "Verified",
    );
    const { inputs } = the(recording, `CopySubnetsIn${role}`);
    expect(inputs.name).toBe(subnetGroup);
    expect(inputs.subnetIds).toEqual(the(recording, `DatabaseSubnetsIn${role}`).inputs.subnetIds);
    expect(securityGroup).toBe(`CopyGroupIn${role}-id`);
  });
});
