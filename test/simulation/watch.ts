import { names } from "../../drills/names.ts";
import type { GuardReport } from "../../functions/guard/guard.ts";
import type { Outcome } from "../../local/aws/endpoint.ts";
import type { Call } from "../../local/aws/service.ts";
import type { InvocationMoment } from "../../local/lambda/dispatch.ts";
import { DatabaseError } from "../../local/postgres/session.ts";
import { type Contact, contactId } from "../../shared/contact.ts";
import { type Lease, leaseId } from "../../shared/lease.ts";
import { unmarshalled } from "./evidence.ts";
import type { HookTools, World } from "./world.ts";
import { config } from "./world.ts";

/** One call of PromoteReadReplica, with what was known of the old region just before it. */
export interface PromoteCall {
  atMilliseconds: number;
  outcome: string;
  contact: Contact | undefined;
  lease: Lease | undefined;
  /** Commits of the application on the old database that the replica did not have. */
  missing: number;
}

/** What can only be seen while it happens. */
export interface Notes {
  promoteCalls: PromoteCall[];
  promotedAt: { engineId: string; atMilliseconds: number }[];
  /** Each state of the lease after a write of it. */
  leases: { atMilliseconds: number; epoch: number; region: string; state: string }[];
  /** How often each observer has reported that it sees nobody who serves, or no home region. */
  lostReports: Map<string, number>;
  /** Moments in which both regions called themselves active and both databases took writes. */
  bothActive: number[];
  /** How the guard of the home region decided while its region did not hold the lease any more. */
  selfFences: { atMilliseconds: number; epoch: number | null; layers: number }[];
  /** When the replica was seen to be backing up by the run that wanted to promote it. */
  backingUpSeen: number;
  /** Events that `detection` was invoked for. */
  detections: number;
}

/** Writes the trace and takes the notes of one run. */
export const watch = (tools: HookTools) => {
  const trace: string[] = [];
  const startedAt = tools.now();
  let world: World | undefined;
  let claimed = false;
  const waiting: (() => void)[] = [];
  const notes: Notes = {
    promoteCalls: [],
    promotedAt: [],
    leases: [],
    lostReports: new Map(),
    bothActive: [],
    selfFences: [],
    backingUpSeen: 0,
    detections: 0,
  };
  const write = (text: string) => void trace.push(`${Math.round(tools.now() - startedAt)} ${text}`);
  return {
    trace,
    notes,
    write,
    onClaim: (act: () => void) => void waiting.push(act),
    /** From here on notes are taken; before it the world is only being built. */
    attach: (built: World) => {
      world = built;
      built.slack.onMessage(({ ts, updates, text, onlyFor, threadTs }) => {
        const kind = onlyFor ?? (threadTs ? "thread" : "message");
        write(`slack ${kind} ${ts} v${updates}: ${text.slice(0, 120).replaceAll("\n", " / ")}`);
      });
    },
    beforeCall: async (call: Call) => {
      if (!world || call.operation !== "PromoteReadReplica") return;
      const contact = (await itemOf(world, contactId(config.regions.primary))) as never;
      const lease = (await itemOf(world, leaseId)) as never;
      const atMilliseconds = tools.now();
      const missing = missingOn(world);
      notes.promoteCalls.push({ atMilliseconds, outcome: "none", contact, lease, missing });
    },
    afterCall: async (call: Call, input: unknown, outcome: Outcome) => {
      const shown = shownOutcome(outcome);
      write(`${call.from}>${call.region} ${call.service}.${call.operation} ${shown}`);
      if (world) await noteCall(world, notes, tools.now(), call, input, outcome);
      if (!claimed && notes.leases.some(({ state }) => state === "moving")) {
        claimed = true;
        for (const act of waiting.splice(0)) act();
      }
    },
    onInvocation: ({ phase, definition, requestId, outcome }: InvocationMoment) => {
      const who = `${definition.name}@${definition.region} ${requestId.slice(0, 8)}`;
      write(phase === "begun" ? `begin ${who}` : `end ${who} ${endingOf(outcome)}`);
      if (!world) return;
      if (phase === "begun" && definition.name === "detection") notes.detections += 1;
      if (phase !== "ended") return;
      noteGuard(notes, tools.now(), definition, outcome);
      noteBothActive(world, notes, tools.now());
    },
    onPromoted: (engineId: string) => {
      write(`promoted ${engineId}`);
      notes.promotedAt.push({ engineId, atMilliseconds: tools.now() });
      if (world) noteBothActive(world, notes, tools.now());
    },
  };
};

const shownOutcome = (outcome: Outcome): string => {
  if (outcome.kind === "answered") return "answered";
  if (outcome.kind === "refused") return `refused ${outcome.error.name}`;
  return outcome.effect ? "silent after its effect" : "silent";
};

const endingOf = (outcome: InvocationMoment["outcome"]): string => {
  if (outcome?.kind !== "failed") return outcome?.kind ?? "";
  return `failed ${outcome.error.errorType}: ${outcome.error.errorMessage.slice(0, 200)}`;
};

const noteCall = async (
  world: World,
  notes: Notes,
  atMilliseconds: number,
  { operation, from }: Call,
  input: unknown,
  outcome: Outcome,
): Promise<void> => {
  const asked = input as Record<string, unknown>;
  if (operation === "PromoteReadReplica") {
    const last = notes.promoteCalls.findLast((call) => call.outcome === "none");
    if (last) last.outcome = shownOutcome(outcome);
  }
  if (operation === "UpdateItem" && (asked.Key as { id?: { S?: string } })?.id?.S === leaseId) {
    const lease = await itemOf(world, leaseId);
    if (lease) {
      const { epoch, region, state } = lease as unknown as Lease;
      notes.leases.push({ atMilliseconds, epoch, region, state });
    }
  }
  if (operation === "PutMetricData" && lostIn(asked.MetricData)) {
    notes.lostReports.set(from, (notes.lostReports.get(from) ?? 0) + 1);
  }
  if (operation === "DescribeDBInstances" && outcome.kind === "answered") {
    const [instance] = outcome.output.DBInstances as { DBInstanceStatus?: string }[];
    if (instance?.DBInstanceStatus === "backing-up") notes.backingUpSeen += 1;
  }
};

const lostIn = (data: unknown): boolean =>
  (data as { MetricName?: string; Value?: number; Dimensions?: { Value?: string }[] }[]).some(
    ({ MetricName, Value, Dimensions }) =>
      Value === 0 &&
      (MetricName === "SomebodyActive" ||
        (MetricName === "RegionReachable" &&
          Dimensions?.some((dimension) => dimension.Value === config.regions.primary))),
  );

const missingOn = ({ engine, platform }: World): number => {
  const has = new Set(engine.history(platform.standby.engineId).map(({ key }) => key));
  const isApplications = (user: string) => (names.roles as readonly string[]).includes(user);
  return engine
    .history(platform.home.engineId)
    .filter(({ user, key }) => key !== undefined && isApplications(user) && !has.has(key)).length;
};

/** Read past endpoint and faults, as it stands in the region that is never lost here. */
const itemOf = async (world: World, id: string) => {
  const { Item } = await world.cloud.ask<{ Item?: Record<string, unknown> }>(
    "dynamodb",
    "GetItem",
    config.regions.standby,
    { TableName: names.coordination, Key: { id: { S: id } }, ConsistentRead: true },
  );
  return Item && unmarshalled(Item);
};

const noteGuard = (
  notes: Notes,
  atMilliseconds: number,
  definition: InvocationMoment["definition"],
  outcome: InvocationMoment["outcome"],
) => {
  if (definition.name !== "guard" || definition.region !== config.regions.primary) return;
  if (outcome?.kind !== "returned") return;
  const { decision, epoch, fence } = outcome.payload as GuardReport;
  const layers = fence?.length ?? 0;
  if (decision === "fence") notes.selfFences.push({ atMilliseconds, epoch, layers });
};

/** Databases first: that both take writes is rare, and asking the load balancers costs more. */
const noteBothActive = (world: World, notes: Notes, atMilliseconds: number) => {
  const { home, standby } = world.platform;
  if (![home, standby].every((site) => takesWrites(world, site))) return;
  void Promise.all([saysActive(world, home), saysActive(world, standby)]).then((active) => {
    if (active.every(Boolean)) notes.bothActive.push(atMilliseconds);
  });
};

type Site = World["platform"]["home"];

/** What the listener's rule answers at this moment in its own region; false when the region is dead. */
const saysActive = ({ cloud }: World, { loadBalancerName, region }: Site): Promise<boolean> =>
  cloud.balancers
    .serve(loadBalancerName, { method: "GET", path: "/.well-known/nightshift/role" }, region)
    .then(
      ({ body }) => String(body) === "active",
      () => false,
    );

/** Whether the application could write through a new session. */
const takesWrites = ({ engine }: World, { engineId, region }: Site): boolean => {
  const [user] = names.roles;
  const session = engine.session(engineId, { user, from: region });
  if (session instanceof DatabaseError) return false;
  const takes = !session.recovery() && session.role(user)?.readOnlyByDefault !== true;
  session.end();
  return takes;
};
