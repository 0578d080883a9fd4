import { describe, expect, it } from "vitest";
import { keyIn, names } from "../../drills/names.ts";
import type { HookTools } from "../simulation/world.ts";
import { expectRebuilt, quarantined, stage } from "./rebuild-stage.ts";

interface Heard {
  operation: string;
  region: string;
  input: Record<string, unknown>;
}

/** What the run asks for that changes something, from the first request for approval on. */
const listening = () => {
  const heard: Heard[] = [];
  const hooks = (_tools: HookTools) => ({
    observe: {
      before: (
        { operation, region }: { operation: string; region: string },
        input: unknown,
        trace?: string,
      ) => {
        if (trace?.includes("/failover/") && !/^(Describe|Get|List)/.test(operation)) {
          heard.push({ operation, region, input: input as Record<string, unknown> });
        }
        return undefined;
      },
    },
  });
  const of = (operation: string) => heard.filter((each) => each.operation === operation);
  return { hooks, heard, of };
};

const start = "StartDBInstanceAutomatedBackupsReplication";

describe("what a new replica gets that RDS does not give it", () => {
  it("is its region's parameters, in force by one restart before anybody stands on it", async () => {
    const { hooks, heard } = listening();
    const at = await stage(hooks);
    await at.lostAndBack();
    heard.length = 0;
    await expectRebuilt(at, await at.rebuild());
    const changes = heard.filter(
      ({ operation, input }) =>
        operation === "RebootDBInstance" || input.DBParameterGroupName !== undefined,
    );
    const { region, databaseId: DBInstanceIdentifier } = at.home;
    const given = { DBInstanceIdentifier, DBParameterGroupName: names.parameterGroup };
    expect(changes).toMatchObject([
      { operation: "ModifyDBInstance", region, input: given },
      { operation: "RebootDBInstance", region, input: { DBInstanceIdentifier } },
    ]);
  });

  it("is copies of the new primary's backups, with the key of the region they are in", async () => {
    const { hooks, of } = listening();
    const at = await stage(hooks);
    await at.lostAndBack();
    await expectRebuilt(at, await at.rebuild());
    const { home, standby } = at;
    const SourceDBInstanceArn = `arn:aws:rds:${standby.region}:${names.account}:db:${standby.databaseId}`;
    expect(of(start)).toMatchObject([
      { region: home.region, input: { SourceDBInstanceArn, KmsKeyId: keyIn(home.region, "data") } },
    ]);
    // The old primary's are left alone: they may be the only backups of what only it has.
    const old = await at.backups(standby.region, { region: home.region, databaseId: quarantined });
    expect(old).toMatchObject([{ Status: "replicating" }]);
  });

  it("is secrets that are encrypted with the key of their region", async () => {
    const { hooks, of } = listening();
    const at = await stage(hooks);
    await at.lostAndBack();
    await expectRebuilt(at, await at.rebuild());
    const AddReplicaRegions = [
      { Region: at.home.region, KmsKeyId: keyIn(at.home.region, "secrets") },
    ];
    const { application, nightshift, slack } = names.secrets;
    expect(of("ReplicateSecretToRegions")).toMatchObject(
      [application, nightshift, slack].map((SecretId) => ({
        input: { SecretId, AddReplicaRegions },
      })),
    );
  });

  it("is in the plan that people approve", async () => {
    const at = await stage();
    await at.lostAndBack();
    await at.rebuild();
    const asked = (await at.journal("rebuild-2-1")).find(({ key }) => key === "asked");
    const plan = ((asked?.data?.plan ?? []) as string[]).join("\n");
    expect(plan).toContain(`parameter group ${names.parameterGroup}, and restart it once`);
    expect(plan).toContain(`copy the backups of the database in ${at.standby.region}`);
  });
});

describe("a rebuild that cannot give the replica all of it", () => {
  it.each([
    [start, /backups of eu-west-1 are not copied to eu-central-1/],
    ["RebootDBInstance", /does not run with platform-postgres18 yet/],
  ])("still ends with a standby region, and says what is left: %s", async (operation, note) => {
    const at = await stage();
    await at.lostAndBack();
    const heal = at.faults.add({ match: { operation }, kind: "error" });
    const result = await at.rebuild();
    expect(result.outcome).toBe("done");
    expect(result.notes.join(" ")).toMatch(note);
    expect(await at.guard(at.home.region)).toMatchObject({ decision: "stand-by" });
    heal();
    // Ordered again, it does what is missing and nothing else.
    const again = await at.rebuild("rebuild-2-2");
    await expectRebuilt(at, again);
    expect(again.notes.filter((each) => /not copied|does not run/.test(each))).toEqual([]);
  });

  it("never restarts what is no replica", async () => {
    const { hooks, of } = listening();
    const at = await stage(hooks);
    // The region that is active is asked for as if it were the other one's standby.
    const result = await at.run<{ outcome: string }>(at.standby.region, {
      kind: "rebuild",
      run: "rebuild-1-1",
    });
    expect(result.outcome).toBe("aborted");
    expect(of("RebootDBInstance")).toEqual([]);
  });
});
