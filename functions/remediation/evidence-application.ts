/** One minute of a load balancer's own count. */
export interface TrafficMinute {
  atMilliseconds: number;
  requests: number;
  /** Answers with a 5xx, of the application and of the load balancer. */
  errors: number;
}

/** One zone over the last minutes, by what its targets answered. */
export interface ZoneSeen {
  zone: string;
  requests: number;
  errors: number;
  /** The least and the most of the last minutes; null when nobody has measured it. */
  healthy: number | null;
  unhealthy: number | null;
}

/** Requests of a region, and whose the errors among them are. */
export interface TrafficSeen {
  /** What is called the last minutes. */
  minutes: number;
  requests: number;
  /** 5xx that the application answered. */
  application: number;
  /** 5xx that the load balancer answered in its place. */
  balancer: number;
  /** The load balancer's, by code: 502 a broken answer, 503 nobody to ask, 504 no answer in time. */
  codes: { code: string; count: number }[];
  zones: ZoneSeen[];
  /** The last hour, oldest first; a minute without requests is left out. */
  history: TrafficMinute[];
}

/** Targets whose answers differ from those of the others, though they pass their health checks. */
export interface AnomaliesSeen {
  ids: string[];
  /** How many the load balancer compares. */
  compared: number;
}

export interface RefreshDetail {
  id: string;
  status: string;
  reason: string;
  startedAtMilliseconds: number;
  endedAtMilliseconds: number | null;
  percent: number;
  /** The version it goes to; null when none was named, and then it cannot be rolled back. */
  toVersion: string | null;
  /** Auto Scaling itself rolls it back when one of its alarms rings. */
  rollsBackItself: boolean;
  alarms: string[];
}

/** What the group is started from, and what a deploy is making of it. */
export interface ReleaseSeen {
  group: string;
  /** A number, or `$Latest`, to which nothing can be rolled back. */
  version: string;
  refresh: RefreshDetail | null;
  instances: { id: string; zone: string; lifecycle: string; version: string }[];
}

/** What is the most that the region has carried, for whoever wants to carry it with less. */
export interface CapacitySeen {
  hours: number;
  peakPerMinute: number;
  /** Mean of the group in its busiest five minutes; null when nobody has measured it. */
  peakCpuPercent: number | null;
  /** Nothing of the load balancer can be shifted without it. */
  balancerArn: string;
}

export interface HostMemory {
  id: string;
  zone: string;
  version: string;
  /** The highest of the last minutes; null when its agent has told nothing. */
  percent: number | null;
}

/** Memory of each instance, as its agent tells it. */
export interface MemorySeen {
  /** The alarm's bound. */
  boundPercent: number;
  hosts: HostMemory[];
}

/** What Docker and the kernel say on the one instance that is short of memory. */
export interface ContainerSeen {
  instance: string;
  /** Docker's own text, to its last digit; null while there is no container. */
  startedAt: string | null;
  lines: string[];
}

/** A deed of the last day, by anybody. */
export interface DeedSeen {
  by: string;
  /** Its name in the menu, where it was one of it. */
  deed?: string;
  resource: string;
  atMilliseconds: number;
}

/** The looks of this file, by name. */
export interface ApplicationLooks {
  traffic: TrafficSeen;
  anomalies: AnomaliesSeen;
  release: ReleaseSeen;
  capacity: CapacitySeen;
  memory: MemorySeen;
  /** Null when not exactly one instance is short of memory: then nobody's container is looked into. */
  container: ContainerSeen | null;
  /** What was done to this region's resources within the last day. */
  deeds: DeedSeen[];
}
