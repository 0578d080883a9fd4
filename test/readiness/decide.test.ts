import { describe, expect, it } from "vitest";
import { covers, secondsUntil } from "../../functions/readiness/decide.ts";
import type { Facts } from "../../functions/readiness/facts.ts";
import {
  change,
  contact,
  day,
  facts,
  failing,
  homeWord,
  keptAt,
  known,
  now,
  position,
  primary,
  secondary,
  seen,
  settings,
  soon,
  standbyWord,
  traffic,
  words,
} from "./facts.ts";

describe("a region that could take over", () => {
  it("is ready when every check has seen what it wants to see", () => {
    expect(failing(seen({}))).toEqual([]);
    expect(seen({}).map(({ name }) => name)).toEqual([
      ...["replica", "lag", "size", "settings", "backups", "capacity", "image", "secrets"],
      ...["certificate", "traffic", "roles", "guards", "tables", "approvers", "proof"],
    ]);
  });

  it("is ready during a move of its lease, when no region says active", () => {
    const moving = { ...facts.lease, state: "moving" as const };
    expect(failing(seen({ lease: moving, ...change.footprint({ role: "renounced" }) }))).toEqual(
      [],
    );
  });

  it.each<[string, Partial<Facts>]>([
    ["its replica is larger than the primary", change.replica({ instanceClass: "db.r7g.4xlarge" })],
    ["an idle primary has written nothing but heartbeats", {}],
    [
      "an older copy of the backups is retained beside the one that follows",
      change.backups(
        { status: "retained", restorableAtMilliseconds: now - 30 * day },
        { status: "replicating", restorableAtMilliseconds: now - 60_000 },
      ),
    ],
    [
      "the last backups came almost an hour ago",
      change.backups({ status: "replicating", restorableAtMilliseconds: now - 3_540_000 }),
    ],
    ["maintenance is only offered", change.due(null, null)],
    ["maintenance is due in a week", change.due(now + 7 * day, null)],
    ["its window opens and nothing waits for it", change.replica(soon)],
    [
      "maintenance may happen only after the next window",
      {
        ...change.replica(soon),
        ...change.due(null, now + day),
      },
    ],
    [
      "the health checks use TLS",
      change.check({
        children: traffic.check.children.map((each) => ({ ...each, type: "HTTPS_STR_MATCH" })),
      }),
    ],
    [
      "resolvers keep the records for less time",
      change.records({ ...primary, ttlSeconds: 5 }, secondary),
    ],
  ])("stays ready when %s", (_what, changed) => {
    expect(failing(seen(changed))).toEqual([]);
  });
});

describe("what makes a region not ready", () => {
  it.each<[string, string, Partial<Facts>, RegExp]>([
    ["replica", "it is no replica", change.replica({ isReplica: false }), /rebuild redundancy/],
    ["replica", "it is backing up", change.replica({ status: "backing-up" }), /cannot be promoted/],
    ["replica", "it is modified", change.replica({ status: "modifying" }), /is modifying/],
    ["replica", "it does not replicate", change.replica({ replicating: false }), /not replicate/],
    ["replica", "changes wait", change.replica({ pending: ["EngineVersion"] }), /EngineVersion/],
    ["replica", "maintenance is due in half an hour", change.due(now + 1_800_000, null), /is due/],
    [
      "replica",
      "maintenance waits for a window that opens in half an hour",
      {
        ...change.replica(soon),
        ...change.due(null, now - day),
      },
      /os-upgrade in the window/,
    ],
    [
      "lag",
      "the replica misses 70 s of heartbeats",
      {
        position: known("database", position(now - 75_000)),
      },
      /70 s behind/,
    ],
    [
      "size",
      "its class is smaller",
      change.replica({ instanceClass: "db.r7g.medium" }),
      /same class/,
    ],
    [
      "size",
      "its class is of another family",
      change.replica({ instanceClass: "db.t4g.2xlarge" }),
      /same class/,
    ],
    ["size", "its storage is smaller", change.replica({ storageGigabytes: 99 }), /99 GiB/],
    [
      "settings",
      "none were ever kept",
      { settings: known("coordination table", null) },
      /No settings/,
    ],
    [
      "settings",
      "its parameter group is missing",
      { parameterGroup: known("RDS", false) },
      /platform-18/,
    ],
    [
      "settings",
      "the database has others by now",
      change.footprint({
        settings: { ...settings, backupRetentionDays: 30 },
      }),
      /backupRetentionDays/,
    ],
    ["backups", "none are copied to it", change.backups(), /start their replication/],
    [
      "backups",
      "their replication was stopped",
      change.backups({ status: "retained", restorableAtMilliseconds: now - 60_000 }),
      /are retained, not replicating/,
    ],
    [
      "backups",
      "the first snapshot is still on its way",
      change.backups({ status: "pending", restorableAtMilliseconds: null }),
      /are pending/,
    ],
    [
      "backups",
      "nothing has come for more than an hour",
      change.backups({ status: "replicating", restorableAtMilliseconds: now - 3_660_000 }),
      /end 61 min ago/,
    ],
    ["capacity", "its maximum is below yesterday's peak", change.capacity(4, 1), /needed 5/],
    [
      "capacity",
      "its maximum is below the wanted number",
      {
        ...change.capacity(2, 1),
        demand: known("coordination table", {
          region: "a",
          peakInstances: 1,
          atMilliseconds: keptAt,
        }),
      },
      /needed 3/,
    ],
    ["capacity", "its standby instance is gone", change.capacity(8, 0), /0 of 1/],
    [
      "image",
      "its machine image is gone",
      change.launch({ machineImageState: "missing" }),
      /ami-1/,
    ],
    [
      "image",
      "its registry lacks the container",
      change.launch({ isImageHere: false }),
      /registry/,
    ],
    [
      "image",
      "it would start another container",
      change.launch({ image: "platform@sha256:0" }),
      /deploy the same/,
    ],
    [
      "secrets",
      "one is missing",
      {
        secrets: known("Secrets Manager", { "platform/database": null }),
      },
      /is not in b/,
    ],
    [
      "secrets",
      "one is at an older version",
      {
        secrets: known("Secrets Manager", { "platform/database": "v0" }),
      },
      /another version/,
    ],
    [
      "secrets",
      "the active region lacks one",
      change.footprint({ secrets: {} }),
      /another version/,
    ],
    ["certificate", "there is no listener for TLS", { certificate: known("ACM", null) }, /TLS/],
    [
      "certificate",
      "it is not issued",
      change.certificate({ status: "PENDING_VALIDATION" }),
      /ISSUED/,
    ],
    [
      "certificate",
      "it is for another name",
      change.certificate({ domains: ["example.com"] }),
      /app\.example/,
    ],
    [
      "certificate",
      "it ends in 20 days",
      change.certificate({
        expiresAtMilliseconds: now + 20.5 * day,
      }),
      /20 days/,
    ],
    ["traffic", "the PRIMARY record is gone", change.records(secondary), /no PRIMARY/],
    [
      "traffic",
      "the records are swapped",
      change.records({ ...primary, region: "b", values: ["lb.b.example"] }, secondary),
      /PRIMARY record does not name a/,
    ],
    [
      "traffic",
      "the SECONDARY record names the home region",
      change.records(primary, {
        ...secondary,
        values: ["lb.a.example"],
      }),
      /SECONDARY record does not name b/,
    ],
    [
      "traffic",
      "resolvers keep a record for 300 s",
      change.records({ ...primary, ttlSeconds: 300 }, secondary),
      /300 s/,
    ],
    [
      "traffic",
      "the SECONDARY record may be skipped",
      change.records(primary, {
        ...secondary,
        healthCheck: "own",
      }),
      /SECONDARY record has a health check/,
    ],
    [
      "traffic",
      "PRIMARY has no health check",
      {
        traffic: known("Route 53", { ...traffic, check: null }),
      },
      /has no health check/,
    ],
    ["traffic", "the check is not inverted", change.check({ inverted: false }), /inverted/],
    ["traffic", "both words are needed", change.check({ threshold: 2 }), /one of two/],
    ["traffic", "the check is disabled", change.check({ disabled: true }), /never turns/],
    [
      "traffic",
      "nobody listens to the standby",
      change.check({ children: [homeWord] }),
      /b says active/,
    ],
    [
      "traffic",
      "nobody listens to home",
      change.check({
        children: [standbyWord, words("lb.a.example", "active")],
      }),
      /a says renounced/,
    ],
    [
      "traffic",
      "a third word counts as well",
      change.check({
        children: [...traffic.check.children, words("lb.c.example", "active")],
      }),
      /3 checks/,
    ],
    ["roles", "it says active itself", { role: known("load balancer", "active") }, /guard running/],
    [
      "roles",
      "the active region says renounced",
      change.footprint({ role: "renounced" }),
      /holds the lease/,
    ],
    [
      "guards",
      "the other guard is silent",
      {
        contact: known("coordination table", {
          ...contact("a"),
          contactAtMilliseconds: now - 200_000,
        }),
      },
      /guard of a is silent for 200 s/,
    ],
    [
      "guards",
      "its own guard was never heard of",
      {
        ownContact: known("coordination table", null),
      },
      /b was never heard of/,
    ],
    [
      "proof",
      "nobody has ever moved there",
      { proof: known("coordination table", null) },
      /rehearse/,
    ],
    [
      "proof",
      "the last rehearsal is 91 days old",
      {
        proof: known("coordination table", {
          region: "b",
          run: "rehearsal-1",
          kind: "rehearsal",
          atMilliseconds: now - 91.5 * day,
        }),
      },
      /more than 90/,
    ],
  ])("%s: %s", (name, _what, changed, detail) => {
    const checks = seen(changed);
    expect(failing(checks)).toEqual([`${name} not-ready`]);
    expect(checks.find((each) => each.name === name)?.detail).toMatch(detail);
  });

  it("approvers: too few operators, or too few without Slack", () => {
    expect(failing(seen({}, { approvers: 1 }))).toEqual(["approvers not-ready"]);
    expect(failing(seen({}, { approversWithoutSlack: 1 }))).toEqual(["approvers not-ready"]);
  });
});

describe("a weekly window in UTC", () => {
  it.each([
    ["sun:04:00-sun:04:30", 2 * 3600],
    ["sun:01:30-sun:02:30", 0],
    ["sun:02:00-sun:02:30", 0],
    ["sun:01:00-sun:02:00", 7 * 86_400 - 3600],
    ["sat:23:30-sun:02:30", 0],
    ["mon:02:00-mon:02:30", 86_400],
    ["whenever", Number.POSITIVE_INFINITY],
  ])("%s opens in %i s", (window, seconds) => {
    expect(secondsUntil(window, now)).toBe(seconds);
  });
});

describe("a certificate's name", () => {
  it.each([
    ["app.example.com", true],
    ["APP.example.com", true],
    ["*.example.com", true],
    ["example.com", false],
    ["*.com", false],
    ["*.app.example.com", false],
  ])("%s covers app.example.com: %s", (pattern, is) => {
    expect(covers(pattern, "app.example.com")).toBe(is);
  });
});
