import type { Policy, Violation } from "../policies.ts";
import { hourlyOf } from "../prices.ts";
import type { Recording, Resource } from "../recording.ts";
import { listOf, present, resourcesOf, unlike } from "./resources.ts";

const instances = (recording: Recording): { primary: Resource[]; replicas: Resource[] } => {
  const all = resourcesOf(recording, "rds/instance");
  return {
    primary: all.filter(({ inputs }) => inputs.replicateSourceDb === undefined),
    replicas: all.filter(({ inputs }) => inputs.replicateSourceDb !== undefined),
  };
};

const pair = (recording: Recording): Violation[] => {
  const { primary, replicas } = instances(recording);
  const [home] = primary;
  const standby = replicas.find(({ name }) => name === "PostgresInStandby");
  if (!home || !standby || primary.length > 1) {
    return [{ resource: "PostgresInPrimary", problem: "there is not one primary and its replica" }];
  }
  const arn = `arn:aws:rds:${home.region}:`;
  return [
    ...unlike(standby, {
      instanceClass: home.inputs.instanceClass,
      parameterGroupName: home.inputs.parameterGroupName,
      storageType: home.inputs.storageType,
      maxAllocatedStorage: home.inputs.maxAllocatedStorage,
      monitoringRoleArn: home.inputs.monitoringRoleArn,
      caCertIdentifier: home.inputs.caCertIdentifier,
      // RDS promotes nothing that is just being backed up.
      backupRetentionPeriod: 0,
    }),
    ...(String(standby.inputs.replicateSourceDb).startsWith(arn)
      ? []
      : [{ resource: standby.name, problem: `does not replicate a database of ${home.region}` }]),
    ...(standby.region === home.region
      ? [{ resource: standby.name, problem: "is in the primary's region" }]
      : []),
  ];
};

/** Managed passwords block replicas: "Password management with Amazon RDS and Secrets Manager". */
const passwords = (recording: Recording): Violation[] =>
  resourcesOf(recording, "rds/instance")
    .filter(({ inputs }) => inputs.manageMasterUserPassword !== undefined)
    .map(({ name }) => ({ resource: name, problem: "RDS would keep its password to itself" }));

/** Names and values that AWS looks at when it is too late: engines, families, log types, windows. */
const spelling = (recording: Recording): Violation[] => {
  const { primary } = instances(recording);
  return [
    ...primary.flatMap((one) => unlike(one, { engine: "postgres", engineVersion: "17" })),
    ...resourcesOf(recording, "rds/parameterGroup").flatMap((one) =>
      unlike(one, { family: "postgres17" }),
    ),
    ...resourcesOf(recording, "rds/instance").flatMap(({ name, inputs }) => [
      ...(hourlyOf(String(inputs.instanceClass)) === undefined
        ? [{ resource: name, problem: `${inputs.instanceClass} is no class with a known price` }]
        : []),
      ...((inputs.enabledCloudwatchLogsExports ?? []) as string[])
        .filter((log) => !["postgresql", "upgrade"].includes(log))
        .map((log) => ({ resource: name, problem: `PostgreSQL has no log ${log}` })),
      ...windowsOf(name, inputs),
    ]),
    ...resourcesOf(recording, "elasticache/replicationGroup").flatMap((one) => [
      ...unlike(one, { engine: "valkey", parameterGroupName: "default.valkey8" }),
      ...(hourlyOf(String(one.inputs.nodeType)) === undefined
        ? [{ resource: one.name, problem: `${one.inputs.nodeType} is no type with a known price` }]
        : []),
    ]),
  ];
};

const minutesOf = (clock: string): number => {
  const [hours = 0, minutes = 0] = clock.split(":").map(Number);
  return hours * 60 + minutes;
};

/** RDS refuses a backup window that meets the maintenance window on any day, and shorter than 30 min. */
const windowsOf = (resource: string, inputs: Record<string, unknown>): Violation[] => {
  const backup = /^(\d\d:\d\d)-(\d\d:\d\d)$/.exec(String(inputs.backupWindow ?? ""));
  const upkeep = /^[a-z]{3}:(\d\d:\d\d)-[a-z]{3}:(\d\d:\d\d)$/.exec(
    String(inputs.maintenanceWindow ?? ""),
  );
  const problems: string[] = [];
  if (inputs.backupWindow !== undefined && !backup) problems.push("backupWindow is no window");
  if (inputs.maintenanceWindow !== undefined && !upkeep) problems.push("maintenanceWindow is none");
  const spans = [backup, upkeep].flatMap((window) =>
    window ? [[minutesOf(window[1] ?? ""), minutesOf(window[2] ?? "")] as const] : [],
  );
  if (spans.some(([from, to]) => to - from < 30)) problems.push("a window is shorter than 30 min");
  const [first, second] = spans;
  if (first && second && first[0] < second[1] && second[0] < first[1]) {
    problems.push("it would be maintained while it is backed up");
  }
  return problems.map((problem) => ({ resource, problem }));
};

/** What a replica that is gone, a client that hangs, or a login in clear text must not be able to do. */
const parameters: Readonly<Record<string, string>> = {
  "rds.force_ssl": "1",
  max_slot_wal_keep_size: "51200",
  idle_in_transaction_session_timeout: "60000",
  shared_preload_libraries: "pg_stat_statements",
  password_encryption: "scram-sha-256",
};

/** Statements hold values, and a value in a log is a leak. */
const telling = ["log_statement", "log_min_duration_statement", "log_parameter_max_length"];

const parameterGroups = (recording: Recording): Violation[] =>
  resourcesOf(recording, "rds/parameterGroup").flatMap((group) => {
    const given = new Map(
      listOf(group.inputs.parameters).map(({ name, value }) => [String(name), value]),
    );
    return [
      ...Object.entries(parameters)
        .filter(([name, value]) => given.get(name) !== value)
        .map(([name, value]) => ({ resource: group.name, problem: `${name} is not ${value}` })),
      ...telling
        .filter((name) => given.has(name))
        .map((name) => ({ resource: group.name, problem: `${name} would log values` })),
    ];
  });

const ready: Policy = {
  name: "the database can be replicated, promoted and restored",
  check: (recording) => [
    ...present(recording, {
      "rds/instance": 2,
      "rds/instanceAutomatedBackupsReplication": 1,
      "rds/parameterGroup": 2,
    }),
    ...pair(recording),
    ...passwords(recording),
    ...spelling(recording),
    ...parameterGroups(recording),
    ...instances(recording).primary.flatMap((one) =>
      Number(one.inputs.backupRetentionPeriod) >= 1
        ? []
        : [{ resource: one.name, problem: "has no backups, so nothing can replicate it" }],
    ),
    ...resourcesOf(recording, "rds/instance").flatMap((one) =>
      one.name.includes("Reader") ? [] : unlike(one, { monitoringInterval: [30, 60] }),
    ),
  ],
};

/** Nobody but Secrets Manager is told a secret, and its state. */
const secretInputs = new Set(["password", "authToken", "secretString"]);

const noSecrets: Policy = {
  name: "no secret stands in user data, in a variable or in a tag",
  check: ({ resources }) =>
    resources
      .filter(({ type }) => type.startsWith("aws:"))
      .flatMap(({ name, inputs }) => {
        const open = Object.entries(inputs).filter(([field]) => !secretInputs.has(field));
        const text = JSON.stringify(Object.fromEntries(open.map(decoded)));
        // What the recorder gives out for everything that is drawn at random.
        return text.includes("(random)") ? [{ resource: name, problem: "tells a secret" }] : [];
      }),
};

const decoded = ([field, value]: [string, unknown]): [string, unknown] =>
  field === "userData" ? [field, Buffer.from(String(value), "base64").toString()] : [field, value];

export const databasePolicies: readonly Policy[] = [ready, noSecrets];
