import { judge } from "../../functions/readiness/decide.ts";
import type { Facts, Policy } from "../../functions/readiness/facts.ts";
import type { Fact } from "../../shared/outcome.ts";
import type { Check } from "../../shared/readiness.ts";

/** A Sunday, two hours before the maintenance window opens. */
export const now = Date.UTC(2026, 10, 22, 2, 0, 0);
export const lookedAt = now - 1000;
export const keptAt = now - 120_000;
export const day = 86_400_000;

export const known = <T>(source: string, value: T): Fact<T> => ({
  known: true,
  value,
  source,
  atMilliseconds: lookedAt,
});

export const policy: Policy = {
  here: "b",
  active: "a",
  home: "a",
  standby: "b",
  loadBalancers: { a: "lb.a.example", b: "lb.b.example" },
  domain: "app.example.com",
  ttlSeconds: 30,
  wantedCapacity: 3,
  standbyMinimum: 1,
  maximumLagSeconds: 60,
  heartbeatSeconds: 10,
  isolationSeconds: 180,
  isolationMarginSeconds: 90,
  approvals: 2,
  approvers: 3,
  approversWithoutSlack: 3,
  rehearsalDays: 90,
};

export const settings = {
  backupRetentionDays: 14,
  multiAz: true,
  deletionProtection: true,
  copyTagsToSnapshot: false,
  monitoringIntervalSeconds: 0,
  monitoringRole: null,
  parameterGroup: "platform-18",
};

const replica = {
  id: "platform-b",
  status: "available",
  isReplica: true,
  replicating: true,
  pending: [] as string[],
  maintenanceWindow: "sun:04:00-sun:04:30",
  instanceClass: "db.r7g.large",
  storageGigabytes: 100,
};

export const footprint = {
  region: "a",
  atMilliseconds: keptAt,
  database: { instanceClass: "db.r7g.large", storageGigabytes: 100 },
  databaseResource: "db-A",
  settings,
  image: "platform@sha256:1",
  secrets: { "platform/database": "v1" },
  role: "active" as const,
};

const launch = {
  template: "platform",
  version: "4",
  machineImage: "ami-1",
  machineImageState: "available",
  image: "platform@sha256:1",
  isImageHere: true,
};

export const certificate = {
  status: "ISSUED",
  domains: ["*.example.com"],
  expiresAtMilliseconds: now + 200 * day,
};

export const words = (host: string, says: string) => ({
  type: "HTTP_STR_MATCH",
  host,
  path: "/.well-known/nightshift/role",
  says,
  disabled: false,
});

const record = (region: string, failover: string, healthCheck: string | null) => ({
  region,
  failover,
  ttlSeconds: 30,
  values: [`lb.${region}.example`],
  healthCheck,
});

export const traffic = {
  records: [record("a", "PRIMARY", "moved"), record("b", "SECONDARY", null)],
  check: {
    type: "CALCULATED",
    inverted: true,
    disabled: false,
    threshold: 1,
    children: [words("lb.b.example", "active"), words("lb.a.example", "renounced")],
  },
};

export const contact = (region: string) => ({
  region,
  contactAtMilliseconds: now - 5000,
  epoch: 1,
  heartbeatAtMilliseconds: now - 5000,
});

export const position = (heartbeatAt: number) => ({
  recovery: true,
  lsn: "0/1000",
  heartbeat: {
    region: "a",
    epoch: 1,
    writtenAtMilliseconds: heartbeatAt,
    contactAtMilliseconds: heartbeatAt,
  },
});

export const facts: Facts = {
  lease: {
    epoch: 1,
    region: "a",
    state: "held",
    holder: "deploy",
    movedAtMilliseconds: 0,
    attempt: 1,
  },
  replica: known("RDS", replica),
  maintenance: known("RDS", []),
  position: known("database", position(now - 15_000)),
  contact: known("coordination table", contact("a")),
  ownContact: known("coordination table", contact("b")),
  settings: known("coordination table", settings),
  parameterGroup: known("RDS", true),
  backups: known("RDS", [{ status: "replicating", restorableAtMilliseconds: now - 300_000 }]),
  demand: known("coordination table", { region: "a", peakInstances: 5, atMilliseconds: keptAt }),
  capacity: known("Auto Scaling", { maximum: 8, desired: 1, inService: 1 }),
  launch: known("EC2", launch),
  secrets: known("Secrets Manager", { "platform/database": "v1" }),
  certificate: known("ACM", certificate),
  traffic: known("Route 53", traffic),
  role: known("load balancer", "renounced"),
  footprint: known("coordination table", footprint),
  coordination: known("coordination table", true),
  journal: known("journal", true),
  proof: known("coordination table", {
    region: "b",
    run: "failover-2-1",
    kind: "switchover",
    atMilliseconds: now - 30 * day,
  }),
};

export const seen = (change: Partial<Facts>, policies: Partial<Policy> = {}): Check[] =>
  judge({ ...facts, ...change }, { ...policy, ...policies }, now);

export const failing = (checks: Check[]) =>
  checks
    .filter(({ verdict }) => verdict !== "ready")
    .map(({ name, verdict }) => `${name} ${verdict}`);

export const change = {
  backups: (...copies: { status: string; restorableAtMilliseconds: number | null }[]) => ({
    backups: known("RDS", copies),
  }),
  replica: (part: Partial<typeof replica>) => ({ replica: known("RDS", { ...replica, ...part }) }),
  footprint: (part: object) => ({
    footprint: known("coordination table", { ...footprint, ...part }),
  }),
  launch: (part: Partial<Omit<typeof launch, "image">> & { image?: string | null }) => ({
    launch: known("EC2", { ...launch, ...part }),
  }),
  certificate: (part: Partial<typeof certificate>) => ({
    certificate: known("ACM", { ...certificate, ...part }),
  }),
  check: (part: object) => ({
    traffic: known("Route 53", { ...traffic, check: { ...traffic.check, ...part } }),
  }),
  records: (...records: (typeof traffic.records)[number][]) => ({
    traffic: known("Route 53", { ...traffic, records }),
  }),
  capacity: (maximum: number, inService: number) => ({
    capacity: known("Auto Scaling", { maximum, desired: 1, inService }),
  }),
  due: (applyAt: number | null, inWindowAfter: number | null) => ({
    maintenance: known("RDS", [
      {
        action: "os-upgrade",
        applyAtMilliseconds: applyAt,
        inWindowAfterMilliseconds: inWindowAfter,
      },
    ]),
  }),
};

export const [primary, secondary] = traffic.records as [
  (typeof traffic.records)[number],
  (typeof traffic.records)[number],
];
export const [standbyWord, homeWord] = traffic.check.children;
export const soon = { maintenanceWindow: "sun:02:30-sun:03:00" };
