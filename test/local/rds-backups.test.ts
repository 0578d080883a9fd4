import { describe, expect, it } from "vitest";
import { rds } from "../../local/aws/rds.ts";
import type { Call } from "../../local/aws/service.ts";
import { network } from "../../local/network.ts";
import { modelledEngine } from "../../local/postgres/modelled.ts";
import { virtualTimeline } from "../../local/time/virtual.ts";
import { seededRandom } from "../../shared/random.ts";

const [home, standby] = ["eu-west-1", "eu-central-1"];
const minute = 60_000;
const start = Date.parse("2026-03-01T02:00:00Z");

interface Backup {
  Status: string;
  Region: string;
  DBInstanceIdentifier: string;
  RestoreWindow: { LatestTime?: Date };
}

interface Answer {
  DBInstanceAutomatedBackup: Backup;
  DBInstanceAutomatedBackups: Backup[];
}

/** One database with backups, on virtual time. */
const platform = async (retention = 7) => {
  const timeline = virtualTimeline(start);
  const net = network();
  const random = seededRandom(1);
  const engine = modelledEngine({ timeline, random, reachable: net.reachable });
  const service = rds({ timeline, random, network: net, account: "111122223333" }, engine);
  const call = (region: string, operation: string, input: object): Answer => {
    const act = service.service.operations[operation];
    if (!act) throw new Error(`no operation ${operation}`);
    const from: Call = { service: "rds", operation, region, from: region, account: "1" };
    return act(input as never, from) as Answer;
  };
  const { DBInstanceArn: SourceDBInstanceArn, DbiResourceId } = await service.establish(home, {
    DBInstanceIdentifier: "ledger",
    DBInstanceClass: "db.m6g.large",
    MasterUsername: "master",
    MasterUserPassword: "secret",
    BackupRetentionPeriod: retention,
  });
  const order = (verb: "Start" | "Stop", region = standby) =>
    call(region, `${verb}DBInstanceAutomatedBackupsReplication`, { SourceDBInstanceArn });
  const describe = (region = standby) =>
    call(region, "DescribeDBInstanceAutomatedBackups", { DbiResourceId })
      .DBInstanceAutomatedBackups;
  /** How old what could be restored is, in minutes. */
  const age = (): number => {
    const at = describe()[0]?.RestoreWindow.LatestTime?.getTime() ?? Number.NaN;
    return (timeline.now() - at) / minute;
  };
  const setRegion = async (region: string, state: "up" | "dead" | "cut") => {
    net.set(region, state);
    await service.onRegionChange(region, state);
  };
  return { timeline, call, order, describe, age, setRegion };
};

const refused = (act: () => unknown, name: string) =>
  expect(act).toThrow(expect.objectContaining({ name }));

describe("automated backups in another region", () => {
  it("are pending until the first snapshot is there, and follow from then on", async () => {
    const { timeline, order, describe, age } = await platform();
    expect(order("Start").DBInstanceAutomatedBackup).toMatchObject({
      Status: "pending",
      Region: home,
      RestoreWindow: {},
    });
    await timeline.advance(31 * minute);
    expect(describe()).toMatchObject([{ Status: "replicating", DBInstanceIdentifier: "ledger" }]);
    await timeline.advance(100 * minute);
    expect(age()).toBeLessThanOrEqual(5);
  });

  it("stand still while their region or the source's does not answer, and catch up", async () => {
    const { timeline, order, age, setRegion } = await platform();
    order("Start");
    await timeline.advance(60 * minute);
    await setRegion(home, "dead");
    await timeline.advance(40 * minute);
    expect(age()).toBeGreaterThanOrEqual(40);
    await setRegion(home, "up");
    await timeline.advance(10 * minute);
    expect(age()).toBeLessThanOrEqual(5);
    await setRegion(standby, "cut");
    await timeline.advance(20 * minute);
    expect(age()).toBeGreaterThanOrEqual(20);
  });

  it("are retained as they are once their replication is stopped, beside new ones", async () => {
    const { timeline, order, describe } = await platform();
    order("Start");
    await timeline.advance(60 * minute);
    order("Stop");
    await timeline.advance(60 * minute);
    order("Start");
    expect(describe().map(({ Status }) => Status)).toEqual(["retained", "pending"]);
    refused(() => order("Start"), "InvalidDBInstanceAutomatedBackupStateFault");
  });

  it("are refused of a database that keeps none, in its own region, or across a cut", async () => {
    const without = await platform(0);
    refused(() => without.order("Start"), "InvalidDBInstanceStateFault");
    refused(() => without.describe(), "DBInstanceAutomatedBackupNotFoundFault");
    const { order, describe, setRegion } = await platform();
    refused(() => order("Start", home), "InvalidParameterCombination");
    refused(() => order("Stop"), "InvalidDBInstanceStateFault");
    await setRegion(home, "cut");
    refused(() => order("Start"), "InternalFailure");
    expect(describe(home)).toMatchObject([{ Status: "active", Region: home }]);
  });
});
