import {
  ConditionalCheckFailedException,
  DynamoDBClient,
  GetItemCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import { marshall, unmarshall } from "@aws-sdk/util-dynamodb";
import { type CallBounds, clientOptions, perRegion } from "./clients.ts";
import type { Runtime } from "./runtime.ts";
import { linked, regionOf } from "./runtime.ts";

export type Item = Record<string, unknown> & { id: string };

/** A write of one item: attributes to set, and the condition under which it may happen. */
export interface Write {
  set: Record<string, unknown>;
  /** Attributes to take away. */
  remove?: string[];
  /** A DynamoDB condition over `#name` and `:value`; without one the write always happens. */
  onlyIf?: string;
  /** Values of the condition, by name without the colon. */
  values?: Record<string, unknown>;
}

/** The item as it stands after the write, or, when the condition did not hold, as it stands. */
export type Written = { written: true; item: Item } | { written: false; item: Item | undefined };

/**
 * The strongly consistent table that all regions share (DynamoDB global table with multi-Region
 * strong consistency). Single-item conditional writes only: such tables have no transactions and no
 * TTL. Every call tries this region's replica first and then the others, because any replica that
 * reaches a majority can answer. Throws when none answers: the caller is isolated.
 */
export interface Coordination {
  read(id: string): Promise<Item | undefined>;
  write(id: string, write: Write): Promise<Written>;
}

/**
 * All three replicas together stay near 12 s in the worst case, because a guard that is cut off has to
 * know it long before its isolation time is over. Two tries each, since throttling passes at once.
 */
const brief: CallBounds = { attempts: 2, connectSeconds: 1, answerSeconds: 2 };

export const coordination = (runtime: Runtime): Coordination => {
  const { name } = linked<{ name: string }>(runtime, "CoordinationTable");
  const client = perRegion((region) => new DynamoDBClient(clientOptions(runtime, region, brief)));
  const { primary, standby, witness } = runtime.config.regions;
  const here = regionOf(runtime);
  const order = [here, ...[primary, standby, witness].filter((region) => region !== here)];

  const anywhere = async <T>(call: (client: DynamoDBClient) => Promise<T>): Promise<T> => {
    const failures: unknown[] = [];
    for (const region of order) {
      try {
        return await call(client(region));
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) throw error;
        failures.push(error);
      }
    }
    throw new AggregateError(failures, `no replica of ${name} answered in ${order.join(", ")}`);
  };

  return {
    read: async (id) => {
      const command = { TableName: name, Key: marshall({ id }), ConsistentRead: true };
      const { Item } = await anywhere((one) => one.send(new GetItemCommand(command)));
      return Item ? (unmarshall(Item) as Item) : undefined;
    },
    write: async (id, write) => {
      try {
        const command = new UpdateItemCommand({ TableName: name, ...expression(id, write) });
        const { Attributes } = await anywhere((one) => one.send(command));
        return { written: true, item: unmarshall(Attributes ?? {}) as Item };
      } catch (error) {
        if (!(error instanceof ConditionalCheckFailedException)) throw error;
        return { written: false, item: error.Item && (unmarshall(error.Item) as Item) };
      }
    },
  };
};

const expression = (id: string, write: Write) => {
  const names: Record<string, string> = {};
  const values: Record<string, unknown> = {};
  const name = (attribute: string) => {
    names[`#${attribute}`] = attribute;
    return `#${attribute}`;
  };
  const sets = Object.entries(write.set).map(([attribute, value]) => {
    values[`:set_${attribute}`] = value;
    return `${name(attribute)} = :set_${attribute}`;
  });
  for (const [key, value] of Object.entries(write.values ?? {})) values[`:${key}`] = value;
  for (const [, used] of (write.onlyIf ?? "").matchAll(/#(\w+)/g)) if (used) name(used);
  const removes = write.remove?.map(name) ?? [];
  return {
    Key: marshall({ id }),
    UpdateExpression: [
      `SET ${sets.join(", ")}`,
      removes.length > 0 ? `REMOVE ${removes.join(", ")}` : "",
    ]
      .join(" ")
      .trim(),
    ExpressionAttributeNames: names,
    ExpressionAttributeValues: marshall(values, { removeUndefinedValues: true }),
    ...(write.onlyIf ? { ConditionExpression: write.onlyIf } : {}),
    ReturnValues: "ALL_NEW" as const,
    ReturnValuesOnConditionCheckFailure: "ALL_OLD" as const,
  };
};
