import { marshall } from "@aws-sdk/util-dynamodb";
import { expect, it } from "vitest";
import { names } from "../../drills/names.ts";
import type { Observer } from "../../local/aws/endpoint.ts";
import type { FaultKind } from "../../local/aws/faults.ts";
import type { Call } from "../../local/aws/service.ts";
import { copyOf } from "../../shared/copy.ts";
import { verify } from "../../shared/journal.ts";
import { labelOf } from "../remediation/disturbed.ts";
import type { HookTools } from "../simulation/world.ts";
import { quarantine, raised, type Stage } from "./stage.ts";
import { productionOf, withStranger } from "./strangers.ts";

const minute = 60_000;
const ours = (caller: string) => caller.startsWith("function/sweep/") || caller.includes("/sweep/");

interface Watch {
  labels: Set<string>;
  /** The call before or after which the process dies, once. */
  kill: { label: string; phase: "before" | "after" } | undefined;
  fault: string | undefined;
  hits: number;
  /** Everything in RDS that the sweep has asked to be changed. */
  changed: Set<string>;
}

const hooksOf = (watch: Watch) => (tools: HookTools) => {
  const die = (phase: "before" | "after", call: Call, input: unknown, caller = "") => {
    if (!ours(caller)) return undefined;
    const label = labelOf(call, input, caller);
    watch.labels.add(label);
    if (watch.kill?.phase !== phase || watch.kill.label !== label) return undefined;
    const requestId = tools.requestOf(caller);
    if (requestId === undefined) return undefined;
    watch.kill = undefined;
    watch.hits += 1;
    tools.kill(requestId);
    return "silence" as const;
  };
  const observe: Observer = {
    before: async (call, input, caller) => {
      const { DBInstanceIdentifier: id } = input as { DBInstanceIdentifier?: string };
      const isChange = call.service === "rds" && !/^(Describe|List)/.test(call.operation);
      if (ours(caller ?? "") && isChange && id) watch.changed.add(id);
      return die("before", call, input, caller);
    },
    after: async (call, input, _outcome, caller) => die("after", call, input, caller),
  };
  return { observe };
};

/** One round; what it answered is not asked for, since it may be dead. */
const round = async (at: Stage): Promise<void> => {
  const { cloud, timeline, standby } = at;
  const input = { FunctionName: "sweep", Payload: Buffer.from("{}") };
  await timeline.run(
    cloud.ask("lambda", "Invoke", standby.region, input).catch(() => undefined),
    60 * minute,
  );
  await timeline.advance(10 * minute);
};

/** A run that dies for good with its copy there. */
const abandon = async (at: Stage, run: string): Promise<void> => {
  const { cloud, timeline, standby } = at;
  await at.start({ run });
  await timeline.advance(10 * minute);
  const execution = at.executions().at(-1);
  const input = { DurableExecutionArn: execution?.arn };
  await timeline.run(cloud.ask("lambda", "StopDurableExecution", standby.region, input));
  await timeline.advance(15 * minute);
};

/** In turn, so that calls meet both: no effect, and an effect that nobody is told of. */
const kinds: FaultKind[] = ["error", "timeout-after"];

/** Nothing is due, so that the only copies are those which were left. */
const verifiedJustNow = async ({ cloud, standby, timeline }: Stage): Promise<void> => {
  const atMilliseconds = timeline.now() + 30 * 86_400_000;
  await cloud.ask("dynamodb", "PutItem", standby.region, {
    TableName: names.coordination,
    Item: marshall({
      ...{ id: `verification#${standby.region}`, atMilliseconds, last: { atMilliseconds } },
      verifiedAtMilliseconds: atMilliseconds,
    }),
  });
};

/** The calls of the label that is set fail for as long as it is. */
const arm = (at: Stage, watch: Watch): void => {
  for (const kind of kinds) {
    at.faults.add({
      kind,
      match: {
        asks: (call, input, caller = "") => {
          if (!ours(caller) || labelOf(call, input, caller) !== watch.fault) return false;
          if (kinds[watch.hits % kinds.length] !== kind) return false;
          watch.hits += 1;
          return true;
        },
      },
    });
  }
};

it("takes what is left away in the end and touches nothing else, whatever fails or dies", async () => {
  const watch: Watch = {
    labels: new Set(),
    kill: undefined,
    fault: undefined,
    hits: 0,
    changed: new Set(),
  };
  const at = await raised({ seed: "sweep", hooks: hooksOf(watch) });
  try {
    arm(at, watch);
    let number = 0;
    const abandoned = async () => {
      number += 1;
      await abandon(at, `verification-left-${number}`);
    };
    await abandoned();
    await verifiedJustNow(at);
    const stranger = await withStranger(at);
    const copies = async () =>
      (await at.copies()).filter(({ DBInstanceIdentifier: id }) => id !== stranger);
    const before = await productionOf(at);
    await round(at);
    const labels = [...watch.labels].filter((label) => !label.includes("lambda.Invoke"));
    expect(labels.length).toBeGreaterThan(8);
    let struck = 0;
    for (const label of labels) {
      for (const blow of ["fault", "before", "after"] as const) {
        if ((await copies()).length === 0) await abandoned();
        const hits = watch.hits;
        if (blow === "fault") watch.fault = label;
        else watch.kill = { label, phase: blow };
        await round(at);
        watch.fault = undefined;
        watch.kill = undefined;
        struck += watch.hits > hits ? 1 : 0;
        expect(await productionOf(at)).toBe(before);
      }
    }
    // Some are made once only, such as the note of settings that have changed.
    expect(struck).toBeGreaterThan(2.5 * labels.length);
    await round(at);
    expect(await copies()).toEqual([]);
    expect(await at.copies()).toHaveLength(1);
    expect(at.bugs).toEqual([]);
    const left = Array.from({ length: number }, (_, index) => `verification-left-${index + 1}`);
    const own = left.map((run) => copyOf(quarantine.prefix, run));
    expect([...watch.changed].filter((id) => !own.includes(id))).toEqual([]);
    const runs = Map.groupBy(await at.journal(), ({ run }) => run);
    for (const [run, entries] of runs) expect(verify(entries).ok, run).toBe(true);
  } finally {
    await at.close();
  }
}, 120_000);
