import { describe, expect, it } from "vitest";
import { cachingResolver } from "../../local/dns/resolver.ts";
import type { HttpResponse } from "../../local/http.ts";
import { timedOut } from "../../local/http.ts";
import type { AcknowledgedWrite } from "../../local/load/generator.ts";
import { loadGenerator, throughName } from "../../local/load/generator.ts";
import { reconcile } from "../../local/load/reconcile.ts";
import { virtualTimeline } from "../../local/time/virtual.ts";
import { seededRandom } from "../../shared/random.ts";

const [oldRegion, newRegion] = ["eu-west-1", "eu-central-1"];
const accounts = ["account-1", "account-2", "account-3"];
const created = (region: string): HttpResponse => ({
  status: 201,
  headers: { "x-served-by": `${region}/i-1` },
  body: "",
});

describe("the load", () => {
  it("remembers every acknowledged write, counts failures and finds the longest outage", async () => {
    const timeline = virtualTimeline(0);
    let answer = () => Promise.resolve(created(oldRegion));
    const sent: unknown[] = [];
    const load = loadGenerator(
      {
        timeline,
        random: seededRandom(1),
        send: (request) => {
          sent.push(JSON.parse(request.body ?? ""));
          return answer();
        },
      },
      { perSecond: 2, accounts },
    );
    load.start();
    await timeline.advance(10_000);
    answer = () => Promise.reject(timedOut("home"));
    await timeline.advance(20_000);
    answer = () => Promise.resolve({ status: 503, headers: {}, body: "" });
    await timeline.advance(5000);
    answer = () => Promise.resolve(created(newRegion));
    await timeline.advance(10_000);
    await timeline.run(load.stop());
    expect(load.report()).toMatchObject({
      sent: 90,
      acknowledged: 40,
      failed: 50,
      failures: { ETIMEDOUT: 40, "503": 10 },
      held: 0,
      longestOutage: { from: 10_000, to: 35_500, seconds: 25.5 },
    });
    expect(load.acknowledged[0]).toEqual({
      id: "t-1",
      sentAt: 500,
      acknowledgedAt: 500,
      region: oldRegion,
      instanceId: "i-1",
    });
    expect(new Set(load.acknowledged.map(({ id }) => id)).size).toBe(40);
    for (const transfer of sent as { from: string; to: string; amount: number }[]) {
      expect(transfer.from).not.toBe(transfer.to);
      expect(transfer.amount).toBeGreaterThan(0);
    }
  });

  it("holds back when too many wait, and waits for the rest at the end", async () => {
    const timeline = virtualTimeline(0);
    const load = loadGenerator(
      {
        timeline,
        random: seededRandom(1),
        send: async () => {
          await timeline.sleep(60_000);
          return created(oldRegion);
        },
      },
      { perSecond: 1, accounts, waiting: 5 },
    );
    load.start();
    await timeline.advance(20_000);
    expect(load.report()).toMatchObject({ sent: 5, held: 15, acknowledged: 0 });
    await timeline.run(load.stop());
    expect(load.report()).toMatchObject({ acknowledged: 5, endedAt: 20_000 });
  });

  it("follows the name only when its cached address has expired", async () => {
    let now = 0;
    let address: string | undefined = "127.0.1.10";
    const resolver = cachingResolver({
      now: () => now,
      ask: async () => ({ addresses: address ? [address] : [], ttlSeconds: 30 }),
    });
    const went: string[] = [];
    const send = throughName("app.example.com", {
      resolver,
      send: async (to, request) => {
        went.push(`${to} ${request.headers?.host}`);
        return created(oldRegion);
      },
    });
    const request = { method: "GET", path: "/" } as const;
    await send(request);
    address = "127.0.2.10";
    await send(request);
    now = 30_000;
    await send(request);
    expect(went).toEqual([
      "127.0.1.10 app.example.com",
      "127.0.1.10 app.example.com",
      "127.0.2.10 app.example.com",
    ]);
    address = undefined;
    now = 60_000;
    await expect(send(request)).rejects.toMatchObject({ code: "ENOTFOUND" });
  });
});

/** One write per second and region, acknowledged at the given modelled second. */
const write = (second: number, region: string): AcknowledgedWrite => ({
  id: `${region}-${second}`,
  sentAt: second * 1000,
  acknowledgedAt: second * 1000,
  region,
  instanceId: "i-1",
});
const range = (from: number, to: number, region: string) =>
  Array.from({ length: to - from + 1 }, (_, index) => write(from + index, region));
const idsOf = (writes: AcknowledgedWrite[]) => new Set(writes.map(({ id }) => id));

describe("reconciling", () => {
  const before = range(1, 100, oldRegion);
  const after = range(400, 500, newRegion);
  const evidence = {
    oldRegion,
    newRegion,
    incidentAt: 100_000,
    promotedAt: 390_000,
    loadEndedAt: 500_000,
  };

  it("counts nothing lost when the promoted database holds every acknowledged write", () => {
    const acknowledged = [...before, ...after];
    expect(
      reconcile({ ...evidence, acknowledged, held: { surviving: idsOf(acknowledged) } }),
    ).toEqual({
      acknowledged: 201,
      lost: [],
      splitBrain: [],
      recoverable: 0,
      rpoSeconds: 0,
      rtoSeconds: 300,
    });
  });

  it("measures the data loss from the oldest lost write to the incident", () => {
    const surviving = idsOf([...before.slice(0, 97), ...after]);
    const held = { surviving, old: idsOf(before) };
    const found = reconcile({ ...evidence, acknowledged: [...before, ...after], held });
    expect(found.lost.map(({ id }) => id)).toEqual([
      "eu-west-1-98",
      "eu-west-1-99",
      "eu-west-1-100",
    ]);
    expect(found).toMatchObject({ rpoSeconds: 2, recoverable: 3, splitBrain: [] });
  });

  it("measures it to the last lost write when the old region went on serving", () => {
    const late = range(101, 160, oldRegion);
    const held = { surviving: idsOf([...before, ...after]) };
    const acknowledged = [...before, ...late, ...after];
    expect(reconcile({ ...evidence, acknowledged, held })).toMatchObject({ rpoSeconds: 59 });
  });

  it("calls an acknowledgement of the old region after the promotion a split brain", () => {
    const wrong = write(395, oldRegion);
    const acknowledged = [...before, wrong, ...after];
    const everything = idsOf(acknowledged);
    const found = reconcile({ ...evidence, acknowledged, held: { surviving: everything } });
    expect(found.splitBrain).toEqual([wrong]);
    expect(found.lost).toEqual([]);
    const { promotedAt: _, ...never } = evidence;
    const held = { surviving: everything };
    expect(reconcile({ ...never, acknowledged, held }).splitBrain).toEqual([]);
  });

  it("takes a recovery only when it lasts, and by the new region", () => {
    const flash = range(200, 205, newRegion);
    const acknowledged = [...before, ...flash, ...after];
    const held = { surviving: idsOf(acknowledged) };
    expect(reconcile({ ...evidence, acknowledged, held }).rtoSeconds).toBe(300);
    const stopped = [...before, ...flash];
    expect(reconcile({ ...evidence, acknowledged: stopped, held }).rtoSeconds).toBeUndefined();
    const back = [...before, ...range(400, 500, oldRegion)];
    expect(reconcile({ ...evidence, acknowledged: back, held }).rtoSeconds).toBeUndefined();
  });
});
