import type { DBSnapshot } from "@aws-sdk/client-rds";
import { expect } from "vitest";
import { type DatabaseAnswers, request } from "../../functions/database/decide.ts";
import type { Order } from "../../functions/retirement/decide.ts";
import { type Ports, type Result, retireOld } from "../../functions/retirement/retirement.ts";
import { idOf } from "../../functions/rotation/kinds/release.ts";
import { ringOf } from "../../functions/rotation/kinds/ring.ts";
import { rds } from "../../local/aws/rds.ts";
import type { Call, Service, Surroundings } from "../../local/aws/service.ts";
import { network } from "../../local/network.ts";
import { modelledEngine } from "../../local/postgres/modelled.ts";
import type { Timeline } from "../../local/time/timeline.ts";
import type { Config } from "../../shared/config.ts";
import { seededRandom } from "../../shared/random.ts";
import { rotationRun } from "../../shared/rotation.ts";
import type { LeftOn } from "../../shared/sealed.ts";
import type { Steps } from "../../shared/steps.ts";
import { clockOn } from "../clock.ts";
import { primary, standby } from "../tables.ts";
import { modelled } from "./modelled.ts";
import { firstRing } from "./sealing.ts";
import { firstValues, names, type SealedWorld, token } from "./stage.ts";

export const column = { table: "public.holders", column: "name" };
export const sealedConfig = (more: Partial<Config> = {}): SealedWorld["config"] => ({
  verification: { ciphertext: [{ ...column, format: "keyed-aes-256-gcm" }] },
  ...more,
});

/** Of config.sizes in a simulation, as the database is made here. */
export const retentionDays = 14;
const dayMilliseconds = 86_400_000;

/** A database of rows, each with the id of its key, and an application that seals them again when it may. */
const rowsOn = (timeline: Timeline) => {
  const rows: (string | null)[] = [];
  const state = { seals: "", permittedUntil: 0, isDeaf: false, permits: 0, isAway: false };
  const write = (): void => void rows.push(state.seals);
  const seal = (): void => {
    if (state.isDeaf || timeline.now() >= state.permittedUntil) return;
    const older = rows.flatMap((key, row) => (key !== null && key !== state.seals ? [row] : []));
    for (const row of older.slice(0, 10)) rows[row] = state.seals;
  };
  /** Ten rows in ten seconds, and one that a user adds each minute. */
  const begin = () => {
    const working = [timeline.every(60_000, write), timeline.every(10_000, seal)];
    return () => {
      for (const timer of working) timer.cancel();
    };
  };
  const ask = async (given: unknown): Promise<unknown> => {
    const question = request.parse(given);
    if (state.isAway) throw new Error("nothing answers");
    if (question.do === "reencrypt") {
      state.permittedUntil = timeline.now() + question.seconds * 1000;
      if (question.seconds > 0) state.permits += 1;
      return {};
    }
    if (question.do !== "sealed") throw new Error(`nobody asks for ${question.do} here`);
    const left: LeftOn = { ...column, keys: {}, unmarked: 0, more: false };
    for (const key of rows) {
      if (key === null) left.unmarked += 1;
      else if (key !== question.key) left.keys[key] = (left.keys[key] ?? 0) + 1;
    }
    return { left: [left] } satisfies DatabaseAnswers["sealed"];
  };
  return { rows, state, ask, begin };
};

export type Asking = (operation: string, input: object, region?: string) => Promise<unknown>;

/** RDS of both regions, with a primary and the copies of its backups. */
const backupsOn = async (timeline: Timeline) => {
  const regions = network();
  const random = seededRandom("backups");
  const engine = modelledEngine({ timeline, random, reachable: regions.reachable });
  const around: Surroundings = { timeline, random, network: regions, account: "123456789012" };
  const made = rds(around, engine);
  const instance = {
    DBInstanceClass: "db.t4g.medium",
    AllocatedStorage: 20,
    DBName: "ledger",
    MasterUsername: "platform_owner",
    MasterUserPassword: "of-the-owner-0123456789",
  };
  await made.establish(primary, {
    ...{ ...instance, DBInstanceIdentifier: "home", BackupRetentionPeriod: retentionDays },
  });
  made.establishBackupCopy(
    standby,
    { region: primary, id: "home" },
    { BackupRetentionPeriod: retentionDays },
  );
  const ask: Asking = async (operation, input, region = primary) => {
    const act = made.service.operations[operation] as unknown as (
      input: object,
      call: Call,
    ) => unknown;
    return act(input, { service: "rds", operation, region, from: region, account: "123456789012" });
  };
  const deleted = new Set<string>();
  const service: Service = {
    ...made.service,
    operations: {
      ...made.service.operations,
      DescribeDBSnapshots: async (input: object, { region }: Call) => {
        const found = (await ask("DescribeDBSnapshots", input, region)) as Listed;
        const isThere = ({ DBSnapshotIdentifier: id }: DBSnapshot) => !deleted.has(id ?? "");
        return { ...found, DBSnapshots: found.DBSnapshots.filter(isThere) };
      },
    },
  };
  return {
    service,
    ask,
    forget: (snapshot: string) => void deleted.add(snapshot),
    /** Without backups of its own. */
    putAside: (id: string) =>
      made.establish(primary, {
        ...{ ...instance, DBInstanceIdentifier: id, BackupRetentionPeriod: 0 },
      }),
  };
};

interface Listed {
  DBSnapshots: DBSnapshot[];
}

/** Steps whose results are kept, of a run that is killed at one of them and begun again. */
export const keptSteps = (timeline: Timeline) => {
  const results: unknown[] = [];
  const life = (blow?: { number: number; phase: "before" | "after" }) => {
    let [number, dies] = [0, (): void => undefined];
    const died = new Promise<"died">((resolve) => {
      dies = () => resolve("died");
    });
    const never = <T>(): Promise<T> => {
      dies();
      return new Promise<T>(() => undefined);
    };
    const kept = async <T>(act: () => Promise<T>): Promise<T> => {
      const index = number++;
      if (index in results) return results[index] as T;
      if (blow?.number === index && blow.phase === "before") return never();
      const result = await act();
      if (blow?.number === index) return never();
      results[index] = result === undefined ? undefined : JSON.parse(JSON.stringify(result));
      return results[index] as T;
    };
    const steps: Steps = {
      step: (_name, act) => kept(act),
      rest: (_name, seconds) => kept(() => timeline.sleep(seconds * 1000)),
      awaken: () => Promise.reject(new Error("nobody is waited for")),
    };
    return { steps, died };
  };
  return { life, count: () => results.length, results };
};

/** The encryption ring with rows, backups and a fleet, in virtual time. */
export const ringWorld = async () => {
  const made: {
    rows?: ReturnType<typeof rowsOn>;
    backups?: Awaited<ReturnType<typeof backupsOn>>;
  } = {};
  const at = await modelled({
    values: { ...firstValues(), [names.encryption]: firstRing() },
    sealed: async (timeline) => {
      made.rows = rowsOn(timeline);
      made.backups = await backupsOn(timeline);
      return { config: sealedConfig(), ask: made.rows.ask, rds: made.backups.service };
    },
  });
  const { rows: database, backups } = made;
  if (!database || !backups) throw new Error("there is no database");
  const ring = () => ringOf(at.value(names.encryption));
  const id = (name: string): string => {
    const key = ring().keys[name];
    if (!key) throw new Error(`no key ${name}`);
    return idOf(key);
  };
  /** As instances are started: with what is current then. */
  const replaced = (): void => {
    database.state.seals = id(ring().primary);
  };
  replaced();
  for (let row = 0; row < 40; row += 1) database.rows.push(database.state.seals);
  let stop = database.begin();
  const pages: string[] = [];
  /** Which question of the overlap gets no answer, from 1. */
  const lost: Lost = { call: null, when: "before", asked: 0 };
  return {
    lost,
    ...at,
    database,
    backups,
    ring,
    id,
    pages,
    /** A rotation up to the move of the label. */
    begun: async (number: number): Promise<Order> => {
      await at.rotated(names.encryption, token(number), 600);
      expect(at.failures).toEqual([]);
      const secret = names.encryption;
      return { run: rotationRun(secret, token(number)), secret, token: token(number) };
    },
    /** The end of its overlap, by an execution that may be killed at one of its checkpoints. */
    ended: async (
      order: Order,
      kept = keptSteps(at.timeline),
      blow?: { number: number; phase: "before" | "after" },
    ): Promise<Result | "died"> => {
      const { steps, died } = kept.life(blow);
      const ports = portsOf(at, { replaced, pages, lost });
      const running = Promise.race([retireOld(steps, ports, order), died]);
      return at.timeline.run(running, 4 * dayMilliseconds);
    },
    /** Days in which nobody uses it: each minute of them would be played. */
    days: async (days: number) => {
      stop();
      await at.timeline.advance(days * dayMilliseconds);
      stop = database.begin();
    },
  };
};

type At = Awaited<ReturnType<typeof modelled>>;

const fleetMilliseconds = 300_000;

interface Lost {
  call: number | null;
  /** Whether the question was not even heard. */
  when: "before" | "after";
  asked: number;
}

interface Given {
  replaced(): void;
  pages: string[];
  lost: Lost;
}

const portsOf = (at: At, { replaced, pages, lost }: Given): Ports => {
  const { timeline, meanwhile } = at;
  const since = new Map<string, number>();
  return {
    clock: clockOn(timeline),
    regions: [primary, standby],
    policy: { holdSeconds: 600, deadlineSeconds: 86_400 },
    ask: async (region, question, { secret, token: version }) => {
      lost.asked += 1;
      const isLost = lost.asked === lost.call;
      if (isLost && lost.when === "before") throw new Error("nothing answers");
      const asked = { do: question, secret, token: version };
      const ask = region === primary ? meanwhile.handle : meanwhile.inStandby;
      const told = await ask(asked);
      if (isLost) throw new Error("the answer was lost");
      return told;
    },
    sessions: async () => 0,
    fleet: async (region, from) => {
      const begun = since.get(region);
      if (begun === undefined || begun < from) return { status: null };
      return { status: timeline.now() - begun >= fleetMilliseconds ? "done" : "under-way" };
    },
    replaceFleet: async (region) => {
      since.set(region, timeline.now());
      if (region === primary) timeline.after(fleetMilliseconds - 1000, replaced);
    },
    hold: async () => undefined,
    letGo: async () => undefined,
    record: async (run, line) => {
      await at.append(run, line);
    },
    page: async (_run, text) => void pages.push(text),
  };
};
