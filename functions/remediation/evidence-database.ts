import type { Pause } from "../../shared/pause.ts";
import type { DatabaseAnswers } from "../database/decide.ts";
import type { LossStatement } from "../failover/decide.ts";

/** One measure: over the last minutes, and over the hour before them; null where nothing was measured. */
export interface Level {
  now: number | null;
  before: number | null;
}

/** What CloudWatch has of the region's database. */
export interface DatabaseLoadSeen {
  minutes: number;
  cpuPercent: Level;
  freeMemoryBytes: Level;
  swapBytes: Level;
  connections: Level;
  readsPerSecond: Level;
  writesPerSecond: Level;
  /** Reads and writes that wait for the volume. */
  queueDepth: Level;
  /** As RDS measures it: up to five minutes on a source in which nothing happens. Null on a primary. */
  replicaLagSeconds: Level;
}

/** What goes on inside, as the database function saw it. Each part may be unknown by itself. */
export type ActivitySeen = DatabaseAnswers["examine"];

/** Which region may write, and whether that is this one. */
export interface LeaseSeen {
  isHere: boolean;
  region: string;
  state: "held" | "moving";
  holder: string;
}

/** Whether the database takes connections and writes, as the region's guard and this very look see it. */
export interface WritesSeen {
  /** `no-answer`: nothing listens, or it says nothing. The others were answered by PostgreSQL itself. */
  reach: "answers" | "no-answer" | "no-room" | "login-refused";
  /** What was said instead of an answer; empty when it answers. */
  why: string;
  /** Null when it does not answer. */
  isReplica: boolean | null;
  /** Since the newest heartbeat that the guard has seen committed; null when there never was one. */
  heartbeatSeconds: number | null;
  /** Since the guard last told of itself: only a guard that still tells is a witness. */
  guardSeconds: number | null;
  /** Layers of a fence that the guard has closed, by name. */
  fence: string[];
}

/** The replica of this region, and what would be lost if it were promoted now. */
export interface StandbySeen {
  id: string;
  status: string;
  isReplica: boolean;
  /** RDS's word for the replication, such as `replicating` or `error`, and its reason. */
  replication: { status: string; message: string } | null;
  /** As a failover would state it. */
  loss: LossStatement;
  limitSeconds: number;
  /** Since the guard of the source's region last told of itself; null when it never has. */
  sourceGuardSeconds: number | null;
}

/** What CloudWatch of the source's own region has of it. */
export interface SourceSeen {
  region: string;
  id: string;
  cpuPercent: Level;
  /** Log that is kept for the slot that is furthest behind. */
  slotLagBytes: Level;
  /** All log that is kept on the volume. */
  logBytes: Level;
  writesPerSecond: Level;
}

/** What is being done about a region that observers say is lost. */
export interface LostRegionSeen {
  lease: {
    region: string;
    state: "held" | "moving";
    holder: string;
    settledSeconds: number | null;
  };
  pause: Pause;
  /** The failover that detection proposed last for that region, and for which change of the alarm. */
  proposal: { key: string; run: string } | null;
  /** Its newest line; null when it has not written, or nothing was proposed. */
  run: { ended: boolean; text: string; atMilliseconds: number } | null;
}

/** The looks of this file, by name. */
export interface DatabaseLooks {
  databaseLoad: DatabaseLoadSeen;
  activity: ActivitySeen;
  /** What takes its time and who blocks whom. Unknown at proofs: it is for people, before a deed. */
  statements: ActivitySeen;
  lease: LeaseSeen;
  writes: WritesSeen;
  standby: StandbySeen;
  source: SourceSeen;
  lostRegion: LostRegionSeen;
}
