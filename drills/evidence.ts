import { unmarshall } from "@aws-sdk/util-dynamodb";
import { Client, type QueryResultRow } from "pg";
import type { Execution } from "../local/lambda/store.ts";
import { type Approval, approvalId, stateOf } from "../shared/approval.ts";
import { type Contact, contactId, type FenceLayer } from "../shared/contact.ts";
import type { Entry } from "../shared/journal.ts";
import type { Lease } from "../shared/lease.ts";
import { type Readiness, readinessId, type Verdict, verdictOf } from "../shared/readiness.ts";
import { names } from "./names.ts";
import type { DrillWorld } from "./world.ts";

/** The journal of a run as the standby region's table has it, in order. */
export const journalOf = (world: DrillWorld, run: string): Entry[] =>
  world.cloud.tables
    .items(names.journal, world.platform.standby.region)
    .map((item) => unmarshall(item as never) as Entry)
    .filter((entry) => entry.run === run)
    .sort((a, b) => a.sequence - b.sequence);

const coordinationItems = (world: DrillWorld): Record<string, unknown>[] =>
  world.cloud.tables
    .items(names.coordination, world.platform.standby.region)
    .map((item) => unmarshall(item as never));

export const leaseOf = (world: DrillWorld): Lease | undefined =>
  coordinationItems(world).find(({ id }) => id === "lease") as unknown as Lease | undefined;

/** What the guard of a region that was left reported last, when it has obeyed the present epoch. */
export const reportedFence = (world: DrillWorld, region: string): FenceLayer[] | undefined => {
  const id = contactId(region);
  const contact = coordinationItems(world).find((item) => item.id === id) as Contact | undefined;
  return contact && contact.epoch === leaseOf(world)?.epoch ? contact.fence : undefined;
};

/** What a region last found out about itself. */
export const readinessOf = (world: DrillWorld, region: string): Verdict => {
  const kept = coordinationItems(world).find(({ id }) => id === readinessId(region));
  return verdictOf((kept as unknown as Readiness | undefined) ?? null, world.timeline.now());
};

/** The request for approval that was used by `run`. */
export const approvalOf = (world: DrillWorld, run: string): Approval | undefined =>
  coordinationItems(world).find(({ usedBy }) => usedBy === run) as unknown as Approval | undefined;

/** The request that waits for answers, if there is one. */
export const openRequest = (world: DrillWorld): Approval | undefined =>
  coordinationItems(world)
    .filter(({ id }) => String(id).startsWith(approvalId("")))
    .map((item) => item as unknown as Approval)
    .find((approval) => stateOf(approval, world.timeline.now()) === "waiting");

/** The durable executions of the moves that lead to `region`, oldest first. */
export const failoverRuns = (world: DrillWorld, region: string): Execution[] =>
  runsIn(world, region, "failover-");

/** The durable executions in `region` of runs whose names begin so, oldest first. */
export const runsIn = ({ cloud }: DrillWorld, region: string, prefix: string): Execution[] =>
  cloud.functions.executions(region, "failover").filter(({ name }) => name.startsWith(prefix));

/**
 * Rows of one database, read past every fence and proxy: a judge must not depend on what is judged.
 */
export const queryDatabase = async <Row extends QueryResultRow>(
  world: DrillWorld,
  engineId: string,
  text: string,
  values: unknown[] = [],
): Promise<Row[]> => {
  const { host, port, user, password, database } = world.engine.administration(engineId);
  const client = new Client({ host, port, user, password, database });
  await client.connect();
  try {
    return (await client.query<Row>(text, values)).rows;
  } finally {
    await client.end();
  }
};

/** Ids of all transfers in one database. */
export const transfersIn = async (world: DrillWorld, engineId: string): Promise<Set<string>> => {
  const rows = await queryDatabase<{ id: string }>(world, engineId, "select id from transfers");
  return new Set(rows.map(({ id }) => id));
};

/** The sum of all entries over the whole ledger: 0 when it balances. */
export const ledgerSum = async (world: DrillWorld, engineId: string): Promise<number> => {
  const [row] = await queryDatabase<{ sum: number }>(
    world,
    engineId,
    "select coalesce(sum(amount), 0)::float8 as sum from entries",
  );
  return row?.sum ?? Number.NaN;
};
