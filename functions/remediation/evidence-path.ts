/** How a rule of a security group lets somebody through: by the other group, by addresses, or not at all. */
export type Opening = "by-group" | "by-address" | "missing";

/** One step of the way that a request takes, as it is deployed: who talks to whom, and on which port. */
export interface Hop {
  from: string;
  fromGroup: string;
  to: string;
  toGroup: string;
  port: number;
}

/** Both halves of a step: a security group has to let it out, and the other one to let it in. */
export interface HopSeen extends Hop {
  goesOut: Opening;
  comesIn: Opening;
}

/** What a guard has closed on purpose, and where the lease is. */
export interface FenceSeen {
  region: string;
  isHere: boolean;
  state: "held" | "moving";
  /** The guard has told that it has closed the application's way to the database. */
  isClosed: boolean;
}

/** From the load balancer to the instances, and from them to the database and the cache. */
export interface PathSeen {
  hops: HopSeen[];
  /** Why it is not known, when neither lease nor guard could be asked. */
  fence: FenceSeen | { why: string };
}
