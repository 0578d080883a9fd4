import { unmarshall } from "@aws-sdk/util-dynamodb";
import { Client } from "pg";
import type { Approval } from "../shared/approval.ts";
import type { Entry } from "../shared/journal.ts";
import type { Lease } from "../shared/lease.ts";
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

/** The request for approval that was used by `run`. */
export const approvalOf = (world: DrillWorld, run: string): Approval | undefined =>
  coordinationItems(world).find(({ usedBy }) => usedBy === run) as unknown as Approval | undefined;

/**
 * Ids of all transfers in one database, read past every fence and proxy: a judge must not depend on
 * what is judged.
 */
export const transfersIn = async (world: DrillWorld, engineId: string): Promise<Set<string>> => {
  const { host, port, user, password, database } = world.engine.administration(engineId);
  const client = new Client({ host, port, user, password, database });
  await client.connect();
  try {
    const { rows } = await client.query<{ id: string }>("select id from transfers");
    return new Set(rows.map(({ id }) => id));
  } finally {
    await client.end();
  }
};

/** Whether every account's entries still sum to zero over the whole ledger. */
export const ledgerSum = async (world: DrillWorld, engineId: string): Promise<number> => {
  const { host, port, user, password, database } = world.engine.administration(engineId);
  const client = new Client({ host, port, user, password, database });
  await client.connect();
  try {
    const { rows } = await client.query(
      "select coalesce(sum(amount), 0)::float8 as sum from entries",
    );
    return Number(rows[0]?.sum);
  } finally {
    await client.end();
  }
};
