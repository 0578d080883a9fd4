import {
  ConditionalCheckFailedException,
  type DynamoDBClient,
  PutItemCommand,
  QueryCommand,
} from "@aws-sdk/client-dynamodb";
import { marshall, unmarshall } from "@aws-sdk/util-dynamodb";
import { canonical, sha256 } from "./canonical.ts";
import { withoutSecrets } from "./log.ts";

export type EntryKind = "saw" | "decided" | "asked" | "did" | "refused" | "failed";

/** One line of the record of a run. Chained: each carries the hash of the one before. */
export interface Entry {
  run: string;
  /** 1, 2, 3, … within the run. */
  sequence: number;
  /** Names what is recorded within the run, so that a repeated step records it once. */
  key: string;
  atMilliseconds: number;
  kind: EntryKind;
  /** A sentence for people. */
  text: string;
  /** Who did or said it: a person, or the function. */
  by: string;
  data?: Record<string, unknown>;
  /** The hash of entry `sequence - 1`; 64 zeros for the first. */
  previous: string;
  /** SHA-256 over the canonical JSON of all of the above. */
  hash: string;
}

export type Line = Omit<Entry, "run" | "sequence" | "previous" | "hash">;

/** Where entries are kept. `put` never replaces an entry. */
export interface JournalStore {
  put(entry: Entry): Promise<"written" | "taken">;
  /** In order of `sequence`, at most `limit`, after `afterSequence`. */
  list(run: string, afterSequence: number, limit: number): Promise<Entry[]>;
}

export interface Journal {
  /** Appends once per `key`: an entry with the same key, already there, is given back as it is. */
  append(run: string, line: Line): Promise<Entry>;
  read(run: string): Promise<Entry[]>;
}

/** Far above any run: a failover writes about 60. */
export const entryLimit = 2000;

const firstPrevious = "0".repeat(64);
const attempts = 8;

/**
 * Two writers of one run are possible (a duplicated invocation), so an append may have to retry. Within
 * this process appends take turns, so that they do not compete with each other as well.
 */
export const journal = (store: JournalStore): Journal => {
  const known = new Map<string, Entry[]>();
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = last.then(work, work);
    last = result;
    return result;
  };
  const refresh = async (run: string): Promise<Entry[]> => {
    const entries = known.get(run) ?? [];
    entries.push(...(await store.list(run, entries.length, entryLimit + 1 - entries.length)));
    if (entries.length > entryLimit) throw new Error(`${run} has over ${entryLimit} entries`);
    known.set(run, entries);
    return entries;
  };
  const append = async (run: string, line: Line): Promise<Entry> => {
    let entries = known.get(run) ?? (await refresh(run));
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const same = entries.find(({ key }) => key === line.key);
      if (same) return same;
      const entry = sealed(run, entries.at(-1), line);
      if ((await store.put(entry)) === "written") {
        entries.push(entry);
        return entry;
      }
      entries = await refresh(run);
    }
    throw new Error(`${run}: ${attempts} other writers were faster; "${line.key}" is not recorded`);
  };
  return {
    append: (run, line) => inTurn(() => append(run, line)),
    read: (run) => inTurn(async () => [...(await refresh(run))]),
  };
};

const sealed = (run: string, last: Entry | undefined, line: Line): Entry => {
  const { data, ...plain } = withoutSecrets(line) as Line;
  const body = {
    run,
    sequence: (last?.sequence ?? 0) + 1,
    ...plain,
    // Through JSON, so that what is hashed is what the table gives back.
    ...(data === undefined ? {} : { data: JSON.parse(JSON.stringify(data)) }),
    previous: last?.hash ?? firstPrevious,
  };
  return { ...body, hash: hashOf(body) };
};

const hashOf = (entry: Omit<Entry, "hash">): string => sha256(canonical(entry));

export type Verdict = { ok: true; head: string } | { ok: false; brokenAt: number; why: string };

/**
 * Whether the entries of one run are all there, unchanged and in order. `head` is the hash that the
 * last entry is known to have (from a report, or the evidence bucket): without it, entries missing
 * at the very end cannot be noticed.
 */
export const verify = (entries: readonly Entry[], head?: string): Verdict => {
  let previous = firstPrevious;
  for (const [index, entry] of entries.entries()) {
    const expected = index + 1;
    const broken = (why: string): Verdict => ({ ok: false, brokenAt: expected, why });
    if (entry.run !== entries[0]?.run) return broken(`it belongs to another run, ${entry.run}`);
    if (entry.sequence > expected) return broken(`entry ${expected} is missing`);
    if (entry.sequence < expected) return broken(`entry ${entry.sequence} is out of order`);
    const { hash, ...body } = entry;
    if (hashOf(body) !== hash) return broken(`entry ${expected} was changed`);
    if (entry.previous !== previous) {
      return broken(`entry ${expected} does not follow from the one before it`);
    }
    previous = hash;
  }
  if (head !== undefined && head !== previous) {
    return { ok: false, brokenAt: entries.length + 1, why: "entries are missing at the end" };
  }
  return { ok: true, head: previous };
};

/**
 * The journal's table: an ordinary global table, hash key `run`, range key `sequence`. One run is
 * written in one region only, so its reads there are strongly consistent.
 */
export const dynamodbJournal = (client: DynamoDBClient, tableName: string): JournalStore => ({
  put: async (entry) => {
    try {
      await client.send(
        new PutItemCommand({
          TableName: tableName,
          Item: marshall(entry, { removeUndefinedValues: true }),
          ConditionExpression: "attribute_not_exists(#run)",
          ExpressionAttributeNames: { "#run": "run" },
        }),
      );
      return "written";
    } catch (error) {
      // Also when our own first try was written and only its answer lost: the caller then finds it.
      if (error instanceof ConditionalCheckFailedException) return "taken";
      throw error;
    }
  },
  list: async (run, afterSequence, limit) => {
    const entries: Entry[] = [];
    let from: Record<string, unknown> | undefined;
    do {
      const page = await client.send(
        new QueryCommand({
          TableName: tableName,
          KeyConditionExpression: "#run = :run AND #sequence > :after",
          ExpressionAttributeNames: { "#run": "run", "#sequence": "sequence" },
          ExpressionAttributeValues: marshall({ ":run": run, ":after": afterSequence }),
          ConsistentRead: true,
          Limit: limit - entries.length,
          ...(from ? { ExclusiveStartKey: marshall(from) } : {}),
        }),
      );
      entries.push(...(page.Items ?? []).map((item) => unmarshall(item) as Entry));
      from = page.LastEvaluatedKey && unmarshall(page.LastEvaluatedKey);
    } while (from && entries.length < limit);
    return entries;
  },
});
