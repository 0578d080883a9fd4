import { defineConfig } from "./shared/config.ts";

/** The one file that an operator edits. It is checked before anything is deployed or run. */
export default defineConfig({
  regions: {
    primary: "eu-central-1",
    standby: "eu-west-1",
    // Sees both from outside, and makes the third voice when the lease is decided.
    witness: "eu-west-2",
  },
  domain: { name: "app.example.com", zone: "example.com", ttlSeconds: 60 },
  application: {
    // What `docker push` has told: docs/DEPLOY.md.
    image: "sha256:4f0c9f7d2b6e81a34f0c9f7d2b6e81a34f0c9f7d2b6e81a34f0c9f7d2b6e81a3",
    port: 8080,
  },
  sizes: {
    application: {
      instanceType: "m7g.large",
      // Two in each of three zones, and at most ten.
      minimum: 6,
      desired: 6,
      maximum: 30,
      standbyMinimum: 3,
    },
    database: {
      instanceClass: "db.r7g.large",
      storageGigabytes: 100,
      maximumStorageGigabytes: 500,
      multiAz: true,
      backupRetentionDays: 30,
    },
    cache: { nodeType: "cache.m7g.large", nodes: 3 },
  },
  records: { logsToGlacierDays: 30, logsDays: 400, evidenceDays: 2555 },
  objectives: { rtoSeconds: 1800, rpoSeconds: 60 },
  failover: {
    // Nobody moves a bank's database without two people, until they say otherwise here.
    automatic: false,
    approvals: 2,
    approvalExpirySeconds: 1800,
    blockPeriodSeconds: 3600,
    isolationSeconds: 180,
    isolationMarginSeconds: 90,
    heartbeatSeconds: 10,
    maximumLagSeconds: 60,
    dns: "health-check",
    // `{id}` becomes a new id for every try.
    writeProbe: {
      path: "/transfers",
      body: '{"id":"probe-{id}","from":"probe-source","to":"probe-sink","amount":1}',
      expectedStatus: 201,
    },
    resolvers: ["1.1.1.1", "8.8.8.8", "9.9.9.9"],
  },
  // What alarms may set off. `shadow` only says what it would do: docs/playbooks.md.
  remediation: {
    actionsPerHour: 6,
    fleetShare: 0.34,
    playbooks: {
      "bad-deploy": "shadow",
      "cache-memory": "shadow",
      certificate: "shadow",
      "database-connections": "shadow",
      "database-failover": "shadow",
      "database-load": "shadow",
      "database-storage": "shadow",
      "error-rate": "shadow",
      "instance-memory": "shadow",
      latency: "shadow",
      "region-impaired": "shadow",
      "replica-lag": "shadow",
      "unhealthy-host": "shadow",
      "zone-impairment": "shadow",
    },
  },
  // Every alarm goes there as well, and so does what Slack could not be told.
  alerts: { emails: ["night@example.com"] },
  // By the clock, in UTC. What is not named is rotated when asked for, or after 1000 days.
  rotation: { schedules: { database: { everyMonths: 1, day: 5, hour: 2 } } },
  slack: {
    workspace: "T0NIGHTSHIFT",
    channel: "C0NIGHTSHIFT",
    // `iam` is who somebody is on the command line without Slack: docs/runbook/break-glass.md.
    operators: [
      {
        user: "U0ANA",
        name: "Ana Petrov",
        iam: "arn:aws:sts::123456789012:assumed-role/nightshift-operator/ana.petrov",
        may: ["request", "approve"],
      },
      {
        user: "U0BEN",
        name: "Ben Okafor",
        iam: "arn:aws:sts::123456789012:assumed-role/nightshift-operator/ben.okafor",
        may: ["request", "approve"],
      },
      {
        user: "U0CHIARA",
        name: "Chiara Rossi",
        iam: "arn:aws:sts::123456789012:assumed-role/nightshift-operator/chiara.rossi",
        may: ["approve"],
      },
    ],
  },
});
