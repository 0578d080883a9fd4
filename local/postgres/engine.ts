import type { Place } from "../network.ts";

/**
 * Where an instance answers. It belongs to the instance's id: it stays the same over reboots, promotion
 * and loss of the region, and whoever takes over the id takes over the address.
 */
export interface Address {
  host: string;
  port: number;
}

/** What a new instance is made of. `id` is unique in the whole cloud, not only in its region. */
export interface NewInstance {
  id: string;
  region: Place;
  masterUser: string;
  masterPassword: string;
  database: string;
}

/** How far a replica has come. Positions are written as PostgreSQL writes them: `0/3000148`. */
export interface ReplicaPosition {
  received: string;
  replayed: string;
}

/**
 * The databases under the modelled RDS: real PostgreSQL in a drill, a model of it in a simulation.
 * No method takes modelled time; RDS adds that. Calls for one instance are served in order.
 */
export interface DatabaseEngine {
  create(instance: NewInstance): Promise<Address>;
  /** A streaming replica of `source`, in its own region. */
  replicate(source: string, replica: { id: string; region: Place }): Promise<Address>;
  /** Resolves when the instance is out of recovery and takes writes. */
  promote(id: string): Promise<void>;
  /** Ends all sessions and starts again. */
  restart(id: string): Promise<void>;
  /** Power off: what was committed stays on the disk, nobody gets an answer. */
  kill(id: string): Promise<void>;
  /** After `kill`. */
  start(id: string): Promise<void>;
  remove(id: string): Promise<void>;
  /**
   * Gives a running instance another id, and with it another address; ends all sessions. Replicas go on
   * following it. The old id is free from the moment of the call.
   */
  rename(id: string, to: string): Promise<Address>;
  snapshot(id: string, snapshotId: string): Promise<void>;
  removeSnapshot(snapshotId: string): Promise<void>;
  restore(snapshotId: string, instance: Pick<NewInstance, "id" | "region">): Promise<Address>;
  /**
   * From now on whatever is committed on a running instance is kept, so that `restoreTo` can go back to any
   * moment since. Safe to repeat.
   */
  archive(id: string, archiveId: string): Promise<void>;
  /**
   * A new instance with every commit of the archived one until the modelled moment `at`, whether or not
   * that one is still there.
   */
  restoreTo(
    archiveId: string,
    at: number,
    instance: Pick<NewInstance, "id" | "region">,
  ): Promise<Address>;
  setMasterPassword(id: string, password: string): Promise<void>;
  /**
   * What can be measured of a running instance. An engine that works in the machine's time has no lag to
   * tell of in modelled seconds.
   */
  vitals?(id: string): Promise<{ connections: number; lagSeconds?: number }>;
  /** To be called whenever who may reach whom has changed: cuts what is no longer allowed. */
  reconsider(): void;
  /** Stops everything and removes every trace. Safe to call twice. */
  close(): Promise<void>;
}

/** What is kept does not reach the moment that was asked for. */
export class Unrestorable extends Error {
  constructor(archiveId: string, cause: unknown) {
    super(`${archiveId} could not be restored: ${cause}`, { cause });
    this.name = "Unrestorable";
  }
}
