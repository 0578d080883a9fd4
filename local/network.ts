/** A region's name, or `internet` for users, operators, health checkers and resolvers. */
export type Place = string;

export const internet: Place = "internet";

/**
 * - `up`: well.
 * - `dead`: its processes are gone and its endpoints never answer.
 * - `cut`: everything in it runs and sees itself, but nothing passes its border to other regions.
 */
export type RegionState = "up" | "dead" | "cut";

/** Who can reach whom. The one place where region faults are kept; services ask, never remember. */
export interface Network {
  state(region: Place): RegionState;
  /** Whether a packet from `from` reaches `to`. A place that is not dead always reaches itself. */
  reachable(from: Place, to: Place): boolean;
  /** Whether the control planes homed in us-east-1 (Route 53 changes, IAM) answer. */
  controlPlanesSilent(): boolean;
}

export interface NetworkFaults extends Network {
  set(region: Place, state: RegionState, options?: { usersReachIt?: boolean }): void;
  silenceControlPlanes(silent: boolean): void;
  /** Called after every change, so that what runs in a region can be killed or brought back. */
  onChange(listener: (region: Place, state: RegionState) => void): void;
}

export const network = (): NetworkFaults => {
  const states = new Map<Place, { state: RegionState; usersReachIt: boolean }>();
  const listeners: ((region: Place, state: RegionState) => void)[] = [];
  let silent = false;
  const state = (region: Place): RegionState => states.get(region)?.state ?? "up";
  const passes = (region: Place, other: Place): boolean => {
    if (state(region) === "up") return true;
    if (state(region) === "dead") return false;
    return other === internet && states.get(region)?.usersReachIt === true;
  };
  return {
    state,
    reachable: (from, to) => {
      if (state(from) === "dead" || state(to) === "dead") return false;
      return from === to || (passes(from, to) && passes(to, from));
    },
    controlPlanesSilent: () => silent,
    set: (region, next, options) => {
      states.set(region, { state: next, usersReachIt: options?.usersReachIt ?? false });
      for (const listener of listeners) listener(region, next);
    },
    silenceControlPlanes: (next) => void (silent = next),
    onChange: (listener) => void listeners.push(listener),
  };
};
