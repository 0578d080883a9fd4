/** The region's cache as ElastiCache describes it. */
export interface CacheSeen {
  id: string;
  status: string;
  nodeType: string;
  nodes: string[];
  /** `maxmemory-policy` of its parameter group; null when the group does not say. */
  policy: string | null;
}

export interface CacheNodeSeen {
  id: string;
  /** The highest of the last minutes; null when nobody has measured it. */
  memoryPercent: number | null;
  /** The lowest of the hours before. */
  memoryPercentBefore: number | null;
  /** In the last minutes, in all. */
  evictions: number;
  enginePercent: number | null;
  connections: number | null;
  /** The most in the hours before. */
  connectionsBefore: number | null;
}

export interface CacheLoadSeen {
  minutes: number;
  minutesBefore: number;
  nodes: CacheNodeSeen[];
}

/** What ACM asks for to be sure of a name. */
export interface ProofSeen {
  domain: string;
  /** `DNS`, `EMAIL` or `HTTP`. */
  method: string;
  isValidated: boolean;
  /** The record that ACM asks for; null where it asks for none. */
  record: { name: string; value: string } | null;
}

export interface CertificateSeen {
  arn: string;
  /** `AMAZON_ISSUED`, `IMPORTED` or `PRIVATE`. */
  type: string;
  status: string;
  endsAtMilliseconds: number | null;
  /** How many things of AWS's use it: one that nothing uses is not renewed. */
  uses: number;
  renewal: { status: string; reason: string | null } | null;
  proofs: ProofSeen[];
}

/** What stands in our zone under a name that ACM wants to see. */
export interface ProofRecordSeen {
  name: string;
  wanted: string;
  /** False for a name that belongs to another zone. */
  isOurs: boolean;
  /** A plain CNAME; null when there is nothing under the name. */
  found: { value: string; ttlSeconds: number } | null;
  /** What else is under the name, in words; null when nothing is. */
  obstacle: string | null;
}

export interface ProofRecordsSeen {
  zone: string;
  records: ProofRecordSeen[];
}

/** What can be seen of the cache and of the certificate. */
export interface EdgeLooks {
  cache: CacheSeen;
  cacheLoad: CacheLoadSeen;
  certificate: CertificateSeen;
  proofRecords: ProofRecordsSeen;
}
