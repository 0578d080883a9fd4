import type { CallMade } from "../../deploy/policies/permissions.ts";
import { whereOf } from "../../deploy/policies/permissions.ts";
import { names } from "../../drills/names.ts";
import type { Observer } from "../../local/aws/endpoint.ts";
import type { Call } from "../../local/aws/service.ts";

/** Services whose calls are signed under another name than IAM's. */
const prefixes: Record<string, string> = { monitoring: "cloudwatch" };
/** ARNs of buckets and their objects name no region: the bucket's own name does. */
const withoutRegion = new Set(["s3"]);
/** Operations that IAM calls otherwise. */
const actions: Record<string, string> = {
  "lambda:Invoke": "lambda:InvokeFunction",
  "s3:ListObjectsV2": "s3:ListBucket",
};

const actionOf = ({ service, operation }: Call): string => {
  const action = `${prefixes[service] ?? service}:${operation}`;
  return actions[action] ?? action;
};

const secretKinds: Record<string, string> = {
  [names.secrets.application]: "secret database",
  [names.secrets.nightshift]: "secret nightshift",
  [names.secrets.slack]: "secret slack",
  // Compared like the application's: see `likeDatabase` of the comparison.
  [names.cacheSecret]: "secret database",
  [names.rotated.owner]: "secret database",
  [names.rotated.signing]: "secret database",
  [names.rotated.encryption]: "secret database",
};

const tableKinds: Record<string, string> = {
  [names.coordination]: "table coordination",
  [names.journal]: "table journal",
};

const has = (text: unknown, part: string): boolean => String(text).includes(part);

/** What a call is about, in the words that `aboutOf` in the comparison finds for an ARN. */
const subjectOf = (
  { service, operation }: Call,
  input: Record<string, unknown>,
  opened: ReadonlyMap<string, string>,
): string => {
  switch (service) {
    case "dynamodb":
      return tableKinds[String(input.TableName)] ?? `table ${input.TableName}`;
    case "lambda":
      if (operation === "ListDurableExecutionsByFunction") return `function ${input.FunctionName}`;
      if (operation !== "Invoke") return `execution ${opened.get(String(input.CallbackId))}`;
      // A durable function is deployed under an alias, and asked for by it.
      return `${input.DurableExecutionName ? "alias" : "function"} ${input.FunctionName}`;
    case "secretsmanager": {
      const id = String(input.SecretId);
      return Object.entries(secretKinds).find(([name]) => id.includes(name))?.[1] ?? id;
    }
    case "rds": {
      if (operation === "DescribeDBParameterGroups") return "parameter group";
      if (operation.includes("DBInstanceAutomatedBackups")) return "backups";
      if (operation === "DescribeEvents") return "*";
      if (operation === "DescribeDBParameters") return "parameter group";
      const id =
        input.TargetDBInstanceIdentifier ??
        input.DBInstanceIdentifier ??
        input.ResourceName ??
        input.ResourceIdentifier;
      if (has(id, "-verify-")) return "database copied";
      return has(id, "-quarantine-") ? "database quarantined" : "database";
    }
    case "route53":
      return operation.startsWith("GetHealthCheck") ? "health check" : "zone";
    case "elasticache":
      return cacheKinds[operation] ?? "*";
    case "acm":
      return "certificate";
    case "ssm":
      if (operation !== "SendCommand") return "*";
      return has(input.DocumentName, "restart") ? "document restart" : "document inspect";
    case "ecr":
      return "repository";
    case "s3":
      return input.Key ? `evidence ${String(input.Key).split("/")[0]}` : "evidence bucket";
    case "kms":
      return operation === "Sign" ? "evidence key" : "key";
    default:
      return changed[operation] ?? "*";
  }
};

const cacheKinds: Record<string, string> = {
  DescribeReplicationGroups: "cache replicationgroup",
  ModifyReplicationGroup: "cache replicationgroup",
  DescribeCacheClusters: "cache cluster",
  DescribeCacheParameters: "cache parametergroup",
};

const changed: Record<string, string> = {
  UpdateAutoScalingGroup: "group",
  SetDesiredCapacity: "group",
  TerminateInstanceInAutoScalingGroup: "group",
  RollbackInstanceRefresh: "group",
  StartInstanceRefresh: "group",
  ListAlarmMuteRules: "mute rules",
  ModifyRule: "role rule",
  AuthorizeSecurityGroupIngress: "security group",
  RevokeSecurityGroupIngress: "security group",
};

/** What a call takes besides, by what it asks for. Source: "Actions … for Amazon RDS", ModifyDBInstance. */
const besides = (call: CallMade, input: Record<string, unknown>): CallMade[] => {
  // A command is of its document, and of the instance that it is sent to.
  if (call.action === "ssm:SendCommand") return [{ ...call, about: "instance" }];
  if (call.action !== "rds:ModifyDBInstance" || input.DBParameterGroupName === undefined) return [];
  const group = { ...call, about: "parameter group" };
  // A primary's settings are applied as a whole, and the local one is not monitored. Over there instances
  // are given parameters, and nothing is monitored anew.
  const role = { ...call, action: "iam:PassRole", where: "nowhere" as const, about: "role" };
  return call.where === "here" ? [group, role] : [group];
};

/** Listens to a world, and keeps every kind of call once. */
export const listener = (witness: string) => {
  const made = new Map<string, CallMade>();
  /** Which job waits by which callback: it writes the callback's id where others find it. */
  const opened = new Map<string, string>();
  const observe: Observer = {
    before: (call, input, trace) => {
      // `eu-west-1/failover/3`: the execution environment that the call comes from.
      const [from, job] = trace?.split("/") ?? [];
      if (!from || !job) return;
      const asked = (input ?? {}) as Record<string, unknown>;
      for (const { S } of Object.values(asked.ExpressionAttributeValues ?? {}) as {
        S?: string;
      }[]) {
        // Whoever answers writes it once more.
        if (S !== undefined && !opened.has(S)) opened.set(S, job);
      }
      const each: CallMade = {
        job,
        action: actionOf(call),
        where: withoutRegion.has(call.service) ? "nowhere" : whereOf(from, call.region, witness),
        about: subjectOf(call, asked, opened),
      };
      for (const one of [each, ...besides(each, asked)])
        made.set(Object.values(one).join(" "), one);
    },
  };
  return { observe, made: () => [...made.values()] };
};
