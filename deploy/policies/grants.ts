import type { Recording, Resource } from "../recording.ts";

/** One action on one resource that a role is allowed, or kept from. */
export interface Grant {
  /** The resource of the stacks that says so: `GuardInPrimaryMay`. */
  policy: string;
  /** `guard`, `schedules`: whose role it is. */
  holder: string;
  region: string;
  sid: string;
  effect: "Allow" | "Deny";
  action: string;
  resource: string;
  conditions: Record<string, Record<string, string | string[]>>;
}

interface Document {
  Statement: {
    Sid?: string;
    Effect: "Allow" | "Deny";
    Action?: string | string[];
    Resource?: string | string[];
    Condition?: Grant["conditions"];
  }[];
}

const list = <T>(value: T | T[] | undefined): T[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value];

/** Everything that the roles of a stage may do, action by action and resource by resource. */
export const grantsOf = ({ resources }: Recording): Grant[] =>
  resources.flatMap((resource) =>
    documentsOf(resource).flatMap(({ Statement }) =>
      list(Statement).flatMap((statement) =>
        list(statement.Action).flatMap((action) =>
          list(statement.Resource).map((each) => ({
            policy: resource.name,
            holder: holderOf(resource.name),
            region: resource.region ?? "",
            sid: statement.Sid ?? "",
            effect: statement.Effect,
            action,
            resource: each,
            conditions: statement.Condition ?? {},
          })),
        ),
      ),
    ),
  );

/** Policies of roles: those of a key, a queue or a bucket say who may come in, and are judged elsewhere. */
const documentsOf = ({ type, inputs }: Resource): Document[] => {
  switch (type) {
    case "aws:iam/rolePolicy:RolePolicy":
    case "aws:iam/policy:Policy":
      return [parsed(inputs.policy)];
    case "aws:iam/role:Role":
      return ((inputs.inlinePolicies ?? []) as { policy?: unknown }[]).map(({ policy }) =>
        parsed(policy),
      );
    default:
      return [];
  }
};

const parsed = (text: unknown): Document =>
  text === undefined ? { Statement: [] } : (JSON.parse(String(text)) as Document);

/** `GuardInPrimaryMay` and `GuardMayInPrimary` are what `guard` may. */
const holderOf = (name: string): string => {
  const before = name.replace(/(?:May)?In(?:Primary|Standby|Witness).*$|May$/, "");
  return `${before[0]?.toLowerCase()}${before.slice(1)}`;
};

/** `arn:aws:rds:eu-west-1:123456789012:db:x`, taken apart. */
export const arnOf = (arn: string): { service: string; region: string; rest: string } | null => {
  const [, service, region, , rest] = /^arn:[^:]*:([^:]*):([^:]*):([^:]*):(.*)$/.exec(arn) ?? [];
  return service !== undefined && region !== undefined && rest !== undefined
    ? { service, region, rest }
    : null;
};
