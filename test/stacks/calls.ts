import type { CallMade } from "../../deploy/policies/permissions.ts";
import { whereOf } from "../../deploy/policies/permissions.ts";
import { names } from "../../drills/names.ts";
import type { Observer } from "../../local/aws/endpoint.ts";
import type { Call } from "../../local/aws/service.ts";

/** Services whose calls are signed under another name than IAM's. */
const prefixes: Record<string, string> = { monitoring: "cloudwatch" };
/** Operations that IAM calls otherwise. */
const actions: Record<string, string> = { "lambda:Invoke": "lambda:InvokeFunction" };

const actionOf = ({ service, operation }: Call): string => {
  const action = `${prefixes[service] ?? service}:${operation}`;
  return actions[action] ?? action;
};

const secretKinds: Record<string, string> = {
  [names.secrets.application]: "secret database",
  [names.secrets.nightshift]: "secret nightshift",
  [names.secrets.slack]: "secret slack",
};

const tableKinds: Record<string, string> = {
  [names.coordination]: "table coordination",
  [names.journal]: "table journal",
};

const has = (text: unknown, part: string): boolean => String(text).includes(part);

/** What a call is about, in the words that `aboutOf` in the comparison finds for an ARN. */
const subjectOf = ({ service, operation }: Call, input: Record<string, unknown>): string => {
  switch (service) {
    case "dynamodb":
      return tableKinds[String(input.TableName)] ?? `table ${input.TableName}`;
    case "lambda":
      if (operation === "ListDurableExecutionsByFunction") return `function ${input.FunctionName}`;
      if (operation !== "Invoke") return "execution failover";
      // A durable function is deployed under an alias, and asked for by it.
      return `${input.DurableExecutionName ? "alias" : "function"} ${input.FunctionName}`;
    case "secretsmanager": {
      const id = String(input.SecretId);
      return Object.entries(secretKinds).find(([name]) => id.includes(name))?.[1] ?? id;
    }
    case "rds": {
      if (operation === "DescribeDBParameterGroups") return "parameter group";
      if (operation.includes("DBInstanceAutomatedBackups")) return "backups";
      const id = input.DBInstanceIdentifier ?? input.ResourceName ?? input.ResourceIdentifier;
      return has(id, "-quarantine-") ? "database quarantined" : "database";
    }
    case "route53":
      return operation.startsWith("GetHealthCheck") ? "health check" : "zone";
    case "acm":
      return "certificate";
    case "ecr":
      return "repository";
    default:
      return changed[operation] ?? "*";
  }
};

const changed: Record<string, string> = {
  UpdateAutoScalingGroup: "group",
  SetDesiredCapacity: "group",
  ModifyRule: "role rule",
  AuthorizeSecurityGroupIngress: "security group",
  RevokeSecurityGroupIngress: "security group",
};

/** Listens to a world, and keeps every kind of call once. */
export const listener = (witness: string) => {
  const made = new Map<string, CallMade>();
  const observe: Observer = {
    before: (call, input, trace) => {
      // `eu-west-1/failover/3`: the execution environment that the call comes from.
      const [from, job] = trace?.split("/") ?? [];
      if (!from || !job) return;
      const each: CallMade = {
        job,
        action: actionOf(call),
        where: whereOf(from, call.region, witness),
        about: subjectOf(call, (input ?? {}) as Record<string, unknown>),
      };
      made.set(Object.values(each).join(" "), each);
    },
  };
  return { observe, made: () => [...made.values()] };
};
