import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import type { Place } from "../network.ts";
import { duration } from "./durations.ts";
import { compare, type Item, invalid, keyText } from "./dynamodb-value.ts";
import { AwsError, type Surroundings } from "./service.ts";

export interface TableDefinition {
  name: string;
  key: { hash: string; range?: string };
  /** Types of the key attributes; `S` where none is given. */
  keyTypes?: Record<string, "S" | "N" | "B">;
  /** `strong`: multi-Region strong consistency (MRSC); `eventual`: the ordinary global table. */
  consistency: "strong" | "eventual";
  /** Three regions for `strong`, as AWS demands; one region or more for `eventual`. */
  replicas: Place[];
  /** Name of the attribute with the expiry in seconds since 1970; not possible on `strong`. */
  timeToLive?: string;
}

interface Key {
  hash: string;
  range: string;
}

/** `item` is undefined after a delete: last-writer-wins needs the moment of it. */
interface Version {
  key: Key;
  item: Item | undefined;
  at: number;
  order: number;
}

interface Partition {
  versions: Map<string, Version>;
  /** By range key, kept until the next write. */
  sorted: Version[] | undefined;
}

interface Replica {
  region: Place;
  partitions: Map<string, Partition>;
  /** Writes that could not reach this region when they were due. */
  behind: { from: Place; version: Version }[];
}

/** One table as one region sees it. */
export interface View {
  definition: TableDefinition;
  get(key: Item, consistent: boolean): Item | undefined;
  /** Items of one partition by range key. */
  partition(hash: AttributeValue, consistent: boolean): Item[];
  /** All items in a stable order: by hash key, then by range key. */
  all(consistent: boolean): Item[];
  /** Throws when this region may not write now; then `change` decides on the newest item. */
  write(key: Item, change: (old: Item | undefined) => Item | undefined): void;
}

export interface StoreOptions {
  /**
   * Two regions that write one strong item within this time conflict, and the second one gets
   * ReplicatedWriteConflictException. AWS documents the error, not the window: an assumption.
   */
  writeConflictMilliseconds: number;
}

/** AWS deletes expired items "within a few days"; until then they can still be read. */
const expiryDelaySeconds = 48 * 3600;

export const keyOf = (definition: TableDefinition, from: Item): Item => {
  const key: Item = {};
  for (const name of keyNames(definition)) {
    const value = from[name];
    if (value) key[name] = value;
  }
  return key;
};

export const keyNames = ({ key }: TableDefinition): string[] =>
  key.range === undefined ? [key.hash] : [key.hash, key.range];

/** Refuses what cannot be a key of the table: `Key` must be exact, an item may hold more. */
export const checkKey = (definition: TableDefinition, item: Item, exact: boolean): void => {
  const names = keyNames(definition);
  if (exact && Object.keys(item).length !== names.length) {
    throw invalid("The provided key element does not match the schema");
  }
  for (const name of names) {
    const value = item[name];
    const type = definition.keyTypes?.[name] ?? "S";
    if (!value && !exact) {
      throw invalid(
        `One or more parameter values were invalid: Missing the key ${name} in the item`,
      );
    }
    if (value?.[type] === undefined) {
      if (exact) throw invalid("The provided key element does not match the schema");
      throw invalid(
        `One or more parameter values were invalid: Type mismatch for key ${name} expected: ${type}`,
      );
    }
    if (value.S === "") {
      throw invalid(
        "One or more parameter values are not valid. The AttributeValue for a key attribute " +
          `cannot contain an empty string value. Key: ${name}`,
      );
    }
  }
};

const emptyReplica = (region: Place): Replica => ({ region, partitions: new Map(), behind: [] });

const versionAt = (copy: Replica, key: Key): Version | undefined =>
  copy.partitions.get(key.hash)?.versions.get(key.range);

const keep = (copy: Replica, version: Version): void => {
  const { hash, range } = version.key;
  let partition = copy.partitions.get(hash);
  if (!partition) {
    partition = { versions: new Map(), sorted: undefined };
    copy.partitions.set(hash, partition);
  }
  const old = partition.versions.get(range);
  if (old && newer(old, version)) return;
  partition.versions.set(range, version);
  partition.sorted = undefined;
};

const newer = (a: Version, b: Version): boolean =>
  a.at !== b.at ? a.at > b.at : a.order > b.order;

/** All copies of one table, and how writes travel between them. */
export class TableStore {
  readonly definition: TableDefinition;
  readonly #surroundings: Surroundings;
  readonly #options: StoreOptions;
  readonly #replicas = new Map<Place, Replica>();
  /** What a majority has acknowledged; only a strong table has it. */
  readonly #truth = emptyReplica("majority");
  readonly #lastWriter = new Map<string, { region: Place; at: number }>();
  #order = 0;
  #lastAt = 0;

  constructor(definition: TableDefinition, surroundings: Surroundings, options: StoreOptions) {
    const { name, consistency, replicas, timeToLive } = definition;
    if (consistency === "strong" && (replicas.length !== 3 || timeToLive)) {
      throw new Error(`${name}: a strong table has exactly three replicas and no time to live`);
    }
    this.definition = definition;
    this.#surroundings = surroundings;
    this.#options = options;
    for (const region of replicas) this.#replicas.set(region, emptyReplica(region));
  }

  /** `undefined` where the table has no replica. */
  view(region: Place): View | undefined {
    const copy = this.#replicas.get(region);
    if (!copy) return undefined;
    return {
      definition: this.definition,
      get: (key, consistent) =>
        this.#live(versionAt(this.#readable(copy, consistent), this.#key(key))),
      partition: (hash, consistent) =>
        this.#items(this.#readable(copy, consistent).partitions.get(keyText(hash))),
      all: (consistent) => {
        const { partitions } = this.#readable(copy, consistent);
        return [...partitions.keys()].sort().flatMap((hash) => this.#items(partitions.get(hash)));
      },
      write: (item, change) => this.#write(copy, this.#key(item), change),
    };
  }

  #key(item: Item): Key {
    const { key } = this.definition;
    const [hash, range] = [item[key.hash], key.range ? item[key.range] : undefined];
    return { hash: hash ? keyText(hash) : "", range: range ? keyText(range) : "" };
  }

  #live(version: Version | undefined): Item | undefined {
    const item = version?.item;
    const { timeToLive } = this.definition;
    if (!item || timeToLive === undefined) return item;
    const expiry = Number(item[timeToLive]?.N ?? Number.NaN);
    return expiry + expiryDelaySeconds < this.#surroundings.timeline.now() / 1000
      ? undefined
      : item;
  }

  #items(partition: Partition | undefined): Item[] {
    const items: Item[] = [];
    for (const version of partition ? this.#sorted(partition) : []) {
      const item = this.#live(version);
      if (item) items.push(item);
    }
    return items;
  }

  #sorted(partition: Partition): Version[] {
    const { range } = this.definition.key;
    const rangeOf = (version: Version) => (range ? version.item?.[range] : undefined);
    return (partition.sorted ??= [...partition.versions.values()]
      .filter((version) => version.item)
      .sort((a, b) => {
        const [x, y] = [rangeOf(a), rangeOf(b)];
        return (x && y && compare(x, y)) || 0;
      }));
  }

  #hasMajority(region: Place): boolean {
    let reached = 0;
    for (const other of this.#replicas.keys()) {
      if (this.#surroundings.network.reachable(region, other)) reached += 1;
    }
    return reached * 2 > this.#replicas.size;
  }

  #requireMajority(region: Place): void {
    if (this.#hasMajority(region)) return;
    throw new AwsError("InternalServerError", "Internal server error", { status: 500 });
  }

  #readable(copy: Replica, consistent: boolean): Replica {
    this.#catchUp(copy);
    if (this.definition.consistency === "eventual" || !consistent) return copy;
    this.#requireMajority(copy.region);
    return this.#truth;
  }

  /** Applies what had to wait, now that the way is open. */
  #catchUp(copy: Replica): void {
    if (copy.behind.length === 0) return;
    const strong = this.definition.consistency === "strong";
    const open = strong ? this.#hasMajority(copy.region) : undefined;
    copy.behind = copy.behind.filter(({ from, version }) => {
      if (!(open ?? this.#surroundings.network.reachable(from, copy.region))) return true;
      keep(copy, version);
      return false;
    });
  }

  #write(copy: Replica, key: Key, change: (old: Item | undefined) => Item | undefined): void {
    if (this.definition.consistency === "strong") {
      this.#requireMajority(copy.region);
      this.#refuseConflict(copy.region, key);
    }
    const old = this.#live(versionAt(this.#readable(copy, true), key));
    const item = change(old);
    if (item === undefined && old === undefined) return;
    this.#order += 1;
    // The machine's clock may be set back; a later write must still win over an earlier one.
    this.#lastAt = Math.max(this.#lastAt, this.#surroundings.timeline.now());
    const version = { key, item, at: this.#lastAt, order: this.#order };
    if (this.definition.consistency === "strong") this.#spreadStrong(copy, version);
    else this.#spreadEventual(copy, version);
  }

  #refuseConflict(region: Place, key: Key): void {
    const last = this.#lastWriter.get(`${key.hash}\u0000${key.range}`);
    if (!last || last.region === region) return;
    const age = this.#surroundings.timeline.now() - last.at;
    if (age >= this.#options.writeConflictMilliseconds) return;
    throw new AwsError(
      "ReplicatedWriteConflictException",
      "One or more items in this request are being modified by a request in another Region.",
      { status: 400 },
    );
  }

  #spreadStrong(copy: Replica, version: Version): void {
    const { hash, range } = version.key;
    this.#lastWriter.set(`${hash}\u0000${range}`, { region: copy.region, at: version.at });
    keep(this.#truth, version);
    for (const other of this.#replicas.values()) this.#arrive(copy.region, other, version);
  }

  #spreadEventual(copy: Replica, version: Version): void {
    const { timeline, random } = this.#surroundings;
    keep(copy, version);
    for (const other of this.#replicas.values()) {
      if (other === copy) continue;
      const delay = duration(random, "dynamodb.replication");
      timeline.after(delay, () => this.#arrive(copy.region, other, version));
    }
  }

  /** What cannot arrive waits without a timer: the next reader of that copy catches it up. */
  #arrive(from: Place, to: Replica, version: Version): void {
    if (this.#surroundings.network.reachable(from, to.region)) keep(to, version);
    else to.behind.push({ from, version });
  }
}
