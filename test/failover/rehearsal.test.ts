import { describe, expect, it } from "vitest";
import type { Observer } from "../../local/aws/endpoint.ts";
import { pause } from "../../shared/pause.ts";
import { readProof } from "../../shared/proof.ts";
import { brief, entering, expectUntouched, type Stage, stage } from "./stage.ts";

interface Look {
  what: string;
  ok: boolean;
}

const looks = async (at: Stage): Promise<Look[]> =>
  (await at.journal()).flatMap(({ data }) => (data?.checks as Look[] | undefined) ?? []);

const proofOf = (at: Stage) => at.timeline.run(readProof(at.table, at.platform.standby.region));

/** Calls that change anything, by the function that makes them, except what a beat of a guard writes. */
const changes = () => {
  const made: string[] = [];
  const observe: Observer = {
    after: ({ service, operation, from }, input, outcome) => {
      const isRead = /^(Describe|Get|List|Query|Scan|Poll|Lookup)/.test(operation);
      if (outcome.kind === "answered" && !isRead) {
        made.push(`${from} ${service} ${operation} ${JSON.stringify(input)}`);
      }
    },
  };
  return { made, hooks: () => ({ observe }) };
};

describe("a rehearsal", () => {
  it("looks at every later step, takes the warming back and keeps the proof", async () => {
    const at = await stage({ policy: brief });
    const run = await at.request("U0CHIARA", "rehearsal");
    expect(run).toMatch(/^rehearsal-2-\d+$/);
    await at.reaches("asking");
    expect(await at.desired()).toBe(2);
    const result = await at.ended();
    expect(result).toMatchObject({ outcome: "done", kind: "rehearsal", epoch: null });
    expect((await looks(at)).filter(({ ok }) => !ok)).toEqual([]);
    expect((await looks(at)).map(({ what }) => what)).toEqual(
      expect.arrayContaining([
        ...["lease", "guard in eu-central-1", "guard in eu-west-1", "replica", "database"],
        ...["settings of the primary", "resolver 192.0.2.53", "record of the home region"],
        "capacity",
      ]),
    );
    expect(result.notes.at(-1)).toBe("Undone: eu-west-1 is back at 1 instances.");
    expect(await proofOf(at)).toMatchObject({ run, kind: "rehearsal" });
    await expectUntouched(at);
    const text = JSON.stringify(at.slack.messages());
    expect(text).toContain("✓ Rehearsal of a failover eu-central-1 → eu-west-1");
    expect(text).toContain("Rehearsed: a move would have worked");
    expect(text).not.toContain("users are served by the new region");
  });

  it("changes the instances, its own records and nothing else", async () => {
    const { made, hooks } = changes();
    const at = await stage({ policy: brief, hooks });
    const before = made.length;
    await at.request("U0CHIARA", "rehearsal");
    await at.ended();
    const since = made.slice(before).filter((call) => call.startsWith("eu-west-1"));
    const operations = new Set(since.map((call) => call.split(" ").slice(1, 3).join(" ")));
    const isOwn = (call: string) =>
      !call.includes("UpdateItem") || /"(approval|proof|contact|nonces)#/.test(call);
    expect(since.filter((call) => !isOwn(call))).toEqual([]);
    for (const never of ["PromoteReadReplica", "ModifyDBInstance", "ModifyRule", "PutSecretValue"])
      expect([...operations].join(" ")).not.toContain(never);
    expect(operations).toContain("autoscaling SetDesiredCapacity");
  });

  it.each<[string, (at: Stage) => unknown, RegExp]>([
    [
      "the replica does not replicate",
      ({ cloud, platform }) =>
        cloud.databases.startBackup("eu-west-1", platform.standby.databaseId),
      /✗ replica: .* is backing-up.*the promotion will wait/,
    ],
    [
      "the health checks cannot be read",
      ({ regions }) => regions.silenceControlPlanes(true),
      /✗ health checks: could not be looked at/,
    ],
    [
      "the guard of home does not answer",
      ({ faults }) =>
        faults.add({ match: { operation: "Invoke", region: "eu-central-1" }, kind: "error" }),
      /✗ guard in eu-central-1: does not answer/,
    ],
  ])("asks for a human and keeps no proof when %s", async (_what, breakIt, said) => {
    const ground: { at?: Stage } = {};
    const hooks = () => ({
      observe: entering("rehearsing", () => ground.at && void breakIt(ground.at)),
    });
    const at = await stage({ policy: brief, hooks });
    ground.at = at;
    await at.request("U0CHIARA", "rehearsal");
    const result = await at.ended();
    expect(result.outcome).toBe("needs-human");
    expect(result.notes.join(" ")).toMatch(said);
    expect(result.notes.at(-1)).toBe("Undone: eu-west-1 is back at 1 instances.");
    expect(await proofOf(at)).toBeNull();
    expect(at.promotions()).toBe(0);
  });

  it("stops when Nightshift is paused, and says what it left", async () => {
    const ground: { at?: Stage } = {};
    const hooks = () => ({
      observe: entering("asking", () => {
        const { timeline, table } = ground.at as Stage;
        const atMilliseconds = Math.floor(timeline.now());
        void pause(table, { by: "U0BEN", reason: "a deploy", atMilliseconds });
      }),
    });
    const at = await stage({ policy: brief, hooks });
    ground.at = at;
    await at.request("U0CHIARA", "rehearsal");
    const result = await at.ended();
    expect(result.outcome).toBe("aborted");
    expect(result.notes.join(" ")).toMatch(
      /paused by U0BEN.*Left: eu-west-1 still has the capacity/,
    );
    expect(await proofOf(at)).toBeNull();
  });

  it("does not stand in the way of a move that is needed while it asks", async () => {
    const at = await stage({ policy: brief, people: [] });
    await at.request("U0CHIARA", "rehearsal");
    await at.reaches("asking");
    at.loseHome();
    expect(await at.request()).toBe("failover-2-1");
    await at.until("both ask", async () => (await at.requests()).length === 2);
    const real = (await at.requests()).find(({ run }) => run === "failover-2-1");
    for (const user of ["U0ANA", "U0BEN"]) await at.answer(real?.planHash ?? "", user);
    expect(await at.ended()).toMatchObject({ outcome: "done", run: "failover-2-1", epoch: 2 });
    expect(at.promotions()).toBe(1);
    expect(await at.lease()).toMatchObject({ epoch: 2, state: "held", holder: "failover-2-1" });
    const [rehearsal] = at.executions();
    const ended = await at.timeline.run(
      at.cloud.functions.finished(rehearsal?.arn ?? ""),
      7_200_000,
    );
    const { outcome, notes } = JSON.parse(ended.result ?? "{}");
    expect(outcome).toBe("aborted");
    // The region that serves users now is not cooled down by it.
    expect(notes.join(" ")).toContain("Left: eu-west-1 stays as it is: the lease of epoch 2");
    expect(await at.desired()).toBe(2);
  });

  it("takes no approval of a move for its own, nor the other way round", async () => {
    const at = await stage({ policy: brief, people: [] });
    await at.request("U0CHIARA", "rehearsal");
    await at.reaches("asking");
    await at.request();
    await at.until("both ask", async () => (await at.requests()).length === 2);
    const hashes = (await at.requests()).map(({ planHash }) => planHash);
    expect(new Set(hashes).size).toBe(2);
  });
});
