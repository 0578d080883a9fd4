import { ensure } from "../../shared/ensure.ts";
import { sentence } from "../../shared/outcome.ts";
import type { DatabaseRequest } from "../database/decide.ts";
import { isOpen } from "../database/decide.ts";
import type { Ending, Work } from "./failover.ts";
import { permitted, planOf } from "./permitted.ts";
import type { Ports, Seen } from "./ports.ts";
import { blockersOf } from "./warnings.ts";

/**
 * The later steps of a move, looked at instead of done. It is over when everything would have been
 * permitted and possible, as far as that can be seen without changing anything; else people are told
 * what a move would fail at. A look that could not be made counts as one that failed.
 */
export const rehearse = async (work: Work): Promise<Ending> => {
  const { steps, clock, ports } = work;
  const { capacity } = planOf(work);
  const warmed = await ensure(steps, clock, {
    name: "capacity of the rehearsal",
    observe: ports.capacity,
    satisfied: ({ inService, maximum }) => inService >= Math.min(capacity, maximum),
    due: () => false,
    act: async () => undefined,
    within: { seconds: 300, everySeconds: 10 },
  });
  const seen = await steps.step("rehearse", async () => {
    const stopped = await permitted(work);
    return { stopped: stopped?.reason ?? null, checks: await lookAtAll(work) };
  });
  if (seen.stopped) return { on: "stopped", notes: [seen.stopped] };
  const last = warmed.is === "late" && warmed.last.known ? warmed.last.value.inService : "unknown";
  const started: Seen = {
    what: "capacity",
    ok: warmed.is === "ensured",
    detail: `${warmed.is === "ensured" ? warmed.seen.inService : last} of ${capacity} in service`,
  };
  // What fails first: it is what somebody has to read.
  const checks = [...seen.checks, started].sort((a, b) => Number(a.ok) - Number(b.ok));
  const notes = checks.map(({ what, ok, detail }) => `${ok ? "✓" : "✗"} ${what}: ${detail}`);
  return { on: checks.every(({ ok }) => ok) ? "rehearsed" : "found", notes, data: { checks } };
};

const lookAtAll = async (work: Work): Promise<Seen[]> => {
  const looks: [string, () => Promise<Seen[]>][] = [
    ["lease", () => lease(work)],
    ["guards", () => guards(work)],
    ["replica", () => replica(work)],
    ["database", () => database(work)],
    ["secrets", () => secrets(work)],
    ["settings", () => settings(work)],
    ["resolvers", () => work.ports.resolverAnswers()],
    ["health checks", () => work.ports.healthChecks()],
  ];
  const seen = await Promise.all(
    looks.map(([what, look]) =>
      look().catch((error: unknown): Seen[] => [
        { what, ok: false, detail: `could not be looked at: ${sentence(error)}` },
      ]),
    ),
  );
  return seen.flat();
};

/** That it can be read where it is, and is as the plan would claim it. */
const lease = async ({ ports, run }: Work): Promise<Seen[]> => {
  const { from, epoch } = planOf({ run });
  const now = await ports.readLease();
  const ok = now.region === from && now.state === "held" && now.epoch + 1 === epoch;
  return [{ what: "lease", ok, detail: `epoch ${now.epoch}, ${now.state} by ${now.region}` }];
};

/** Obeying the epoch that holds is what a guard does every minute. */
const guards = async ({ ports, run }: Work): Promise<Seen[]> => {
  const { from, to, epoch } = planOf({ run });
  const wanted = { [from]: "serve", [to]: "stand-by" };
  return Promise.all(
    [from, to].map(async (region): Promise<Seen> => {
      const what = `guard in ${region}`;
      try {
        const { decision, role } = await ports.obey(region, epoch - 1);
        const ok = decision === wanted[region];
        return { what, ok, detail: `means to ${decision}, and its region says ${role}` };
      } catch (error) {
        return { what, ok: false, detail: `does not answer: ${sentence(error)}` };
      }
    }),
  );
};

/** Promotable at this moment; what passes by itself is named, since a move would wait for it. */
const replica = async ({ ports, clock }: Work): Promise<Seen[]> => {
  const seen = await ports.replica();
  const { id, isReplica, replicating, status } = seen;
  const waits = blockersOf(seen, clock.now()).map((text) => ` ${text}`);
  const how = `${id} is ${status}, ${replicating ? "replicating" : "not replicating"}.`;
  const ok = isReplica && replicating && status === "available";
  return [{ what: "replica", ok, detail: `${how}${waits.join("")}` }];
};

/** Logins come with replication, so those of the replica are what the new primary begins with. */
const database = async ({ ports }: Work): Promise<Seen[]> => {
  const { lsn, recovery } = await ports.database({ do: "position" });
  const open = isOpen(await ports.database({ do: "logins" }));
  const state = `${recovery ? "a replica" : "no replica"} at ${lsn}`;
  const logins = open ? "the application's logins are open" : "logins are closed";
  return [{ what: "database", ok: recovery && open, detail: `${state}; ${logins}` }];
};

const secrets = ({ ports }: Work): Promise<Seen[]> =>
  Promise.all(
    ports.secretNames.map(async (name): Promise<Seen> => {
      const { present } = await ports.secret(name);
      return { what: `secret ${name}`, ok: present, detail: present ? "has a value" : "no value" };
    }),
  );

const settings = async ({ ports }: Work): Promise<Seen[]> => {
  const kept = await ports.keptSettings();
  const group = kept?.parameterGroup ?? "none";
  const detail = kept ? `kept, parameter group ${group}` : "never kept: a new primary gets none";
  return [{ what: "settings of the primary", ok: kept !== null, detail }];
};

const readOnly: readonly DatabaseRequest["do"][] = ["position", "logins"];

/**
 * The ports of a rehearsal. What a rehearsal must never do is not there, so that no row of the table and
 * no bug in an activity can lead to it: a claim, a fence, a promotion, a minimum that outlasts it, new
 * settings, re-pointed secrets, changed records, a statement that writes, a free name for the next move.
 */
export const harmless = (ports: Ports): Ports => {
  const never = (what: string) => async (): Promise<never> => {
    throw new Error(`a rehearsal never does this: ${what}`);
  };
  return {
    ...ports,
    claimLease: never("claim the lease"),
    returnLease: never("return the lease"),
    settleLease: never("settle the lease"),
    driveLease: never("drive the lease"),
    closeAttempt: never("close an attempt"),
    promote: never("promote"),
    setMinimum: never("raise the minimum"),
    applySettings: never("apply settings"),
    repoint: never("re-point a secret"),
    changeRecords: never("change records"),
    probePublicWrite: never("write through the public name"),
    obey: async (region, epoch) => {
      const { epoch: holds } = await ports.readLease();
      if (epoch !== holds) return never(`have epoch ${epoch} obeyed, while ${holds} holds`)();
      return ports.obey(region, epoch);
    },
    database: (request) =>
      readOnly.includes(request.do) ? ports.database(request) : never(request.do)(),
  };
};
