import type { Freeze } from "../../shared/freeze.ts";
import type { EntryKind } from "../../shared/journal.ts";
import type { Refusal } from "../../shared/outcome.ts";
import type { Pause } from "../../shared/pause.ts";
import type { Flight, Marked, Taken } from "../../shared/rotation.ts";
import type { RotationMode, RotationRule } from "../../shared/rotation-order.ts";
import type { Described } from "./decide.ts";
import type { Kind, SecretValue, Tools } from "./kinds.ts";

/** A secret that this function may rotate, from the deployment. */
export interface Registered {
  name: string;
  kind: Kind;
  scope: string;
}

/** The world as rotation needs it. Every call is bounded in time; a failed one is in doubt. */
export interface Ports {
  /** How this function signs what it records. */
  name: string;
  region: string;
  now(): number;
  /** By name or ARN; undefined when it is none of ours. */
  registered(secret: string): Registered | undefined;
  describe(secret: string): Promise<Described>;
  /** Undefined when the version is not there or has no content. */
  read(secret: string, version: string): Promise<SecretValue | undefined>;
  /** False when the version is there with another content: somebody else was faster. */
  put(secret: string, version: string, value: SecretValue, label: string): Promise<boolean>;
  moveCurrent(secret: string, to: string, from: string): Promise<void>;
  dropPending(secret: string, version: string): Promise<void>;
  /** Asks Secrets Manager for a rotation; false when it goes on with an earlier one. */
  askForRotation(secret: string, token: string): Promise<boolean>;
  tools(about: Pick<Flight, "secret" | "token">, mark: (region: string) => Promise<Marked>): Tools;
  /** The version as the region has it that the secret is replicated from; undefined as with `read`. */
  readAtOrigin(secret: string, version: string): Promise<SecretValue | undefined>;
  readPause(): Promise<Pause>;
  readFreezes(): Promise<Freeze[]>;
  /** Where users are: the lease. */
  activeRegion(): Promise<string>;
  /** A repair that is at work in this region, by its name. */
  repairUnderWay(): Promise<string | null>;
  /** An incident of this region that is open, by its id: an alarm is up, or was just now. */
  openIncident(): Promise<string | null>;
  takeFlight(wanted: Pick<Flight, "scope" | "run" | "secret" | "token">): Promise<Taken>;
  readFlight(scope: string): Promise<Flight | undefined>;
  advanceFlight(
    flight: Pick<Flight, "scope" | "run">,
    phase: "overlap" | "ended",
  ): Promise<boolean>;
  markSent(flight: Pick<Flight, "scope" | "run" | "token">, region: string): Promise<Marked>;
  keepRule(run: string, rule: RotationRule): Promise<void>;
  /** Under what rule that run stands; the usual one when nobody has said otherwise. */
  readMode(run: string): Promise<RotationMode>;
  /** Keeps for both regions that the secret has a new value. */
  keepRotated(secret: string): Promise<void>;
  /** Holds repairs back for a while; refused while another rotation does. */
  hold(run: string, reason: string): Promise<Refusal | undefined>;
  letGo(run: string): Promise<void>;
  /** Starts execution `again` of whoever ends the overlap. Started twice it is one. */
  startRetirement(order: {
    run: string;
    secret: string;
    token: string;
    again: number;
  }): Promise<void>;
  /** How many executions have ended without it, by the journal of the run. */
  retirementsEnded(run: string): Promise<number>;
  record(
    run: string,
    line: { key: string; kind: EntryKind; text: string; data?: object },
  ): Promise<void>;
}
