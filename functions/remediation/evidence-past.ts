/** How an alarm has behaved of late, by CloudWatch's own history of it. */
export interface HistorySeen {
  hours: number;
  /** Changes of its state, whatever they were. */
  changes: number;
  /** When it went into ALARM, oldest first; bounded, the newest are kept. */
  rangAtMilliseconds: number[];
  /** How often it went into ALARM, also where the list above is cut. */
  rang: number;
  /** There was more than was read: it rang at least so often. */
  isCut: boolean;
  /** It comes and goes: what is seen at one moment says little. */
  flaps: boolean;
}

/** What was changed, by kind: each is looked for in another place. */
export type ChangeKind =
  | "deploy"
  | "database-rotation"
  | "cache-rotation"
  | "key-rotation"
  | "failover"
  | "database-failover"
  | "database-event"
  | "repair"
  | "order";

/** One thing that Nightshift, people or RDS have changed in this region. */
export interface ChangeSeen {
  what: ChangeKind;
  /** A run, a refresh, or a person. */
  by: string;
  /** What it was, to be put behind the name of `by`. */
  text: string;
  sinceMilliseconds: number;
  /** When it was over; null while it is under way. */
  untilMilliseconds: number | null;
}

export interface ChangesSeen {
  minutes: number;
  /** Newest first, bounded. */
  changes: ChangeSeen[];
  /** Where nobody could look: which kinds it is about, and why. */
  unread: { kinds: ChangeKind[]; why: string }[];
}

/** The looks that every run takes, whatever its playbook asks for. */
export interface PastLooks {
  history: HistorySeen;
  changes: ChangesSeen;
}
