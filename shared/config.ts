import * as z from "zod/mini";
import { count, matching, outside, type Problem, seconds, shown } from "./config-fields.ts";
import { rotationSchema } from "./config-rotation.ts";
import { quietContradictions, sizeBounds, sizes } from "./config-sizes.ts";
import { verification, verificationContradictions } from "./config-verification.ts";
import { regionPattern, strongConsistencySet } from "./regions.ts";

// The small half of zod: 18 KB in a bundle and 5 ms to import, where the whole is 450 KB and 35 ms.
// It brings no messages of its own, so that every refusal is worded in this file.

const region = matching(regionPattern, "an AWS region such as eu-central-1");
const domainName = matching(
  /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/,
  "a domain name in lower case such as app.example.com",
);
const resolver = matching(
  /^((\d{1,3}\.){3}\d{1,3}(:\d{1,5})?|\[[0-9a-f:]+\](:\d{1,5})?)$/,
  "an address such as 1.1.1.1, 127.0.0.1:5353 or [2606:4700:4700::1111]:53",
);

const certificate = matching(
  /^arn:aws(-[a-z]+)*:acm:[a-z0-9-]+:\d{12}:certificate\/[0-9a-f-]{36}$/,
  "the ARN of a certificate in that region",
);

const shareAllowed = "a share above 0, up to 0.5";
const fraction = z.number(shareAllowed).check(z.gt(0, shareAllowed), z.lte(0.5, shareAllowed));
const playbookName = matching(/^[a-z][a-z0-9-]*$/, "the name of a playbook: docs/playbooks.md");

const callerPattern =
  /^arn:aws(-[a-z]+)*:(iam::\d{12}:user\/[\w+=,.@/-]+|sts::\d{12}:assumed-role\/[\w+=,.@-]+\/[\w+=,.@-]+)$/;
const callerAllowed =
  "the ARN of an IAM user, or arn:aws:sts::<account>:assumed-role/<role>/<session>";

/** PostgreSQL cuts an application_name at 63 bytes. Compared without regard to case. */
const applicationNames = z
  .array(z.string().check(z.minLength(1), z.maxLength(63)))
  .check(z.minLength(1), z.maxLength(50));

const email = matching(/^[^@\s]+@[^@\s]+$/, "an e-mail address");
const emailsAllowed = "alerts.emails, one address or more: else nobody hears an alarm";

const operator = z.strictObject({
  user: matching(/^[UW][A-Z0-9]{2,}$/, "a Slack member id such as U012AB3CD"),
  name: z.string().check(z.minLength(1), z.maxLength(80)),
  email: z.optional(email),
  /**
   * Who this person is to AWS, for the command line without Slack: the ARN that GetCallerIdentity
   * gives, whole. No wildcards: whoever matches one is this person.
   */
  iam: z.optional(matching(callerPattern, callerAllowed)),
  may: z.array(z.enum(["request", "approve"])).check(z.minLength(1)),
});

const schema = z.strictObject({
  regions: z.strictObject({ primary: region, standby: region, witness: region }),
  domain: z.strictObject({
    name: domainName,
    zone: domainName,
    /** Resolvers keep an answer that long, so it is part of every recovery time. */
    ttlSeconds: seconds(1, 300),
    /** Certificates that exist already; made and validated by the zone when left out. */
    certificates: z.optional(z.strictObject({ primary: certificate, standby: certificate })),
  }),
  application: z.strictObject({
    /** What every region runs: the digest that pushing an image into the registry has told. */
    image: matching(/^sha256:[0-9a-f]{64}$/, "a digest: sha256: and 64 characters of 0-9 and a-f"),
    port: count(1024, 65_535),
  }),
  sizes,
  records: z.strictObject({
    /** Access logs go to Glacier after so long, and away after that. */
    logsToGlacierDays: count(1, 3650),
    logsDays: count(2, 3650),
    /** Nobody can delete evidence sooner, not even the account's owner. */
    evidenceDays: count(1, 3650),
  }),
  objectives: z.strictObject({
    /** From the loss of the region until users are served again. */
    rtoSeconds: seconds(60, 86_400),
    /** The newest acknowledged writes that may be lost, as seconds of writing. */
    rpoSeconds: seconds(0, 86_400),
    /** A move that was neither made nor rehearsed for so long is no proof any more; 90 when left out. */
    rehearsalDays: z.optional(count(1, 365)),
  }),
  failover: z.strictObject({
    /** Whether a lost region may be left without a human's approval. */
    automatic: z.boolean(),
    approvals: z.literal([1, 2]),
    approvalExpirySeconds: seconds(60, 3600),
    /** No second failover sooner than this after one, unless a human acknowledges it. */
    blockPeriodSeconds: seconds(0, 604_800),
    /** A region whose guard has reached no replica of the lease for so long fences itself. */
    isolationSeconds: seconds(30, 3600),
    /** Waited on top before promotion: covers clocks that differ and a guard that runs late. */
    isolationMarginSeconds: seconds(5, 600),
    /** The guard runs each minute and writes this often within it. */
    heartbeatSeconds: z.literal([1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60]),
    /** More replica lag than this is `over` and asks for a distinct yes to the loss. */
    maximumLagSeconds: seconds(0, 86_400),
    dns: z.enum(["health-check", "change-records"]),
    /** A real write through the public name, which proves the whole path after the move. */
    writeProbe: z.strictObject({
      path: matching(/^\/[^\s]*$/, "a path that begins with /"),
      body: z.string().check(z.maxLength(4096)),
      expectedStatus: count(200, 299),
    }),
    /** Asked for the public name; more than one, since one may hold an old answer. */
    resolvers: z.array(resolver).check(z.minLength(1), z.maxLength(8)),
  }),
  /**
   * Which of the application's database sessions may be ended, by how their application_name begins.
   * Migrations, dumps and people's consoles are spared anyway: functions/database/decide.ts.
   */
  sessions: z.optional(
    z.strictObject({
      neverEnd: z.optional(applicationNames),
      /** When given, no other session is ended. */
      onlyEnd: z.optional(applicationNames),
      /** Silent for so long, an open transaction counts as forgotten; 300 when left out. */
      forgottenSeconds: z.optional(seconds(30, 86_400)),
    }),
  ),
  /** Repairs that an alarm sets off. Without it every playbook is in shadow. */
  remediation: z.optional(
    z.strictObject({
      /** In any hour and region, by all playbooks together; 6 when left out. */
      actionsPerHour: z.optional(count(1, 20)),
      /** Of a group's instances no more are replaced in any hour, and one at least; 0.34 when left out. */
      fleetShare: z.optional(fraction),
      /** `shadow` says what it would do, and is what a playbook does that is not named here. */
      playbooks: z.record(playbookName, z.enum(["off", "shadow", "ask", "automatic"])),
    }),
  ),
  rotation: rotationSchema,
  verification: z.optional(verification),
  /** Who hears of every alarm by e-mail, beside Slack; each address has to confirm it once. */
  alerts: z.strictObject(
    { emails: z.array(email, emailsAllowed).check(z.minLength(1, emailsAllowed), z.maxLength(10)) },
    emailsAllowed,
  ),
  slack: z.strictObject({
    workspace: matching(/^T[A-Z0-9]{2,}$/, "a Slack workspace id such as T012AB3CD"),
    /** Only where the workspace belongs to an Enterprise organisation. */
    enterprise: z.optional(matching(/^E[A-Z0-9]{2,}$/, "a Slack organisation id: E012AB3CD")),
    channel: matching(/^[CG][A-Z0-9]{2,}$/, "a Slack channel id such as C012AB3CD"),
    operators: z.array(operator).check(z.minLength(1), z.maxLength(100)),
  }),
});

/** `nightshift.config.ts`, checked. */
export type Config = z.infer<typeof schema>;
export type Operator = Config["slack"]["operators"][number];
export type Region = string;

/** Thrown once for a whole file, so that all of it can be put right in one go. */
export class ConfigError extends Error {
  readonly problems: readonly Problem[];
  constructor(problems: readonly Problem[]) {
    const lines = problems.map(
      ({ path, given, allowed }) => `  ${path}: given ${given}; allowed: ${allowed}`,
    );
    super(`nightshift.config.ts is refused:\n${lines.join("\n")}`);
    this.name = "ConfigError";
    this.problems = problems;
  }
}

/** Checks the operator's file. Throws a ConfigError that names every wrong field. */
export const defineConfig = (input: Config): Config => {
  const parsed = schema.safeParse(input);
  const problems = parsed.success
    ? contradictions(parsed.data)
    : parsed.error.issues.flatMap((issue) => problemsOf(issue, input));
  if (problems.length > 0) throw new ConfigError(problems);
  return parsed.data as Config;
};

type Issue = z.core.$ZodIssue;

const problemsOf = (issue: Issue, input: unknown): Problem[] => {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: pathText([...issue.path, key]),
      given: "a field of that name",
      allowed: "no such field: check its spelling",
    }));
  }
  const given = issue.path.reduce<unknown>(
    (value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key],
    input,
  );
  return [{ path: pathText(issue.path), given: shown(given), allowed: allowedBy(issue) }];
};

const pathText = (path: readonly PropertyKey[]): string =>
  path.length === 0
    ? "(the whole file)"
    : path
        .map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`))
        .join("")
        .replace(/^\./, "");

const allowedBy = (issue: Issue): string => {
  if (issue.message !== "Invalid input") return issue.message;
  switch (issue.code) {
    case "invalid_type":
      return typeNames[issue.expected] ?? issue.expected;
    case "invalid_value":
      return issue.values.map((value) => JSON.stringify(value)).join(", ");
    case "too_small":
      return `${issue.minimum} or more${unit(issue.origin)}`;
    case "too_big":
      return `${issue.maximum} or less${unit(issue.origin)}`;
    default:
      return issue.code;
  }
};

const typeNames: Record<string, string> = {
  int: "a whole number",
  number: "a number",
  string: "text",
  boolean: "true or false",
  array: "a list",
  object: "an object",
};

const unit = (origin: string): string =>
  origin === "string" ? " characters" : origin === "array" ? " entries" : "";

/** What no single field shows. Only asked once every field by itself is right. */
const contradictions = (config: Config): Problem[] => [
  ...regionContradictions(config.regions),
  ...domainContradictions(config),
  ...outside(sizeBounds(config)),
  ...quietContradictions(config.sizes),
  ...failoverContradictions(config),
  ...operatorContradictions(config),
  ...verificationContradictions(config),
];

const regionContradictions = (regions: Config["regions"]): Problem[] => {
  const problems: Problem[] = [];
  const set = strongConsistencySet(regions.primary);
  if (set.length === 0) {
    problems.push({
      path: "regions.primary",
      given: shown(regions.primary),
      allowed: "a region with DynamoDB multi-Region strong consistency (shared/regions.ts)",
    });
  }
  for (const role of ["standby", "witness"] as const) {
    const others = role === "standby" ? [regions.primary] : [regions.primary, regions.standby];
    const choices = set.filter((name) => !others.includes(name));
    if (set.length > 0 && !choices.includes(regions[role])) {
      const allowed = `${choices.join(", ")} (another region of the set of ${regions.primary})`;
      problems.push({ path: `regions.${role}`, given: shown(regions[role]), allowed });
    }
  }
  return problems;
};

const domainContradictions = ({ domain, regions }: Config): Problem[] => {
  const problems: Problem[] = [];
  const { name, zone, certificates } = domain;
  // A CNAME cannot stand at the apex of a zone, and the public name is one.
  if (!name.endsWith(`.${zone}`)) {
    problems.push({
      path: "domain.name",
      given: shown(name),
      allowed: `a name that ends in .${zone} (domain.zone)`,
    });
  }
  for (const role of ["primary", "standby"] as const) {
    const given = certificates?.[role];
    if (given === undefined || given.split(":")[3] === regions[role]) continue;
    const allowed = `a certificate in ${regions[role]} (regions.${role})`;
    problems.push({ path: `domain.certificates.${role}`, given: shown(given), allowed });
  }
  return problems;
};

const failoverContradictions = ({ failover, objectives }: Config): Problem[] =>
  outside([
    [
      "failover.isolationSeconds",
      failover.isolationSeconds,
      Math.max(30, 2 * failover.heartbeatSeconds),
      Math.max(30, objectives.rtoSeconds - failover.isolationMarginSeconds - 1),
      "two heartbeats or more, and with the margin less than objectives.rtoSeconds",
    ],
    [
      "failover.maximumLagSeconds",
      failover.maximumLagSeconds,
      failover.heartbeatSeconds,
      Infinity,
      "one heartbeat or more: nothing finer is ever measured",
    ],
  ]);

const operatorContradictions = ({ slack, failover }: Config): Problem[] => {
  const problems: Problem[] = [];
  const users = slack.operators.map(({ user }) => user);
  users.forEach((user, index) => {
    if (users.indexOf(user) === index) return;
    const path = `slack.operators[${index}].user`;
    const allowed = "a person once: two yeses need two people";
    problems.push({ path, given: shown(user), allowed });
  });
  const callers = slack.operators.map(({ iam }) => iam);
  callers.forEach((iam, index) => {
    if (iam === undefined || callers.indexOf(iam) === index) return;
    const path = `slack.operators[${index}].iam`;
    const allowed = "an identity once: two yeses need two people";
    problems.push({ path, given: shown(iam), allowed });
  });
  const approvers = users.filter((_, index) => slack.operators[index]?.may.includes("approve"));
  const requestersAmongThem = slack.operators.some(
    ({ may }) => may.includes("approve") && may.includes("request"),
  );
  const needed = failover.approvals + (requestersAmongThem ? 1 : 0);
  if (new Set(approvers).size < needed) {
    problems.push({
      path: "slack.operators",
      given: `${new Set(approvers).size} who may approve`,
      allowed:
        `${needed} or more (failover.approvals is ${failover.approvals}` +
        `${requestersAmongThem ? ", and who requests cannot approve" : ""})`,
    });
  }
  return problems;
};
