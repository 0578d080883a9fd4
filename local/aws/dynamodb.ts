import type {
  AttributeValue,
  DeleteItemCommandInput,
  DeleteItemCommandOutput,
  DescribeTableCommandInput,
  GetItemCommandInput,
  GetItemCommandOutput,
  PutItemCommandInput,
  PutItemCommandOutput,
  QueryCommandInput,
  QueryCommandOutput,
  ScanCommandInput,
  ScanCommandOutput,
  TableDescription,
  TransactWriteItemsCommandInput,
  UpdateItemCommandInput,
  UpdateItemCommandOutput,
} from "@aws-sdk/client-dynamodb";
import type { Place } from "../network.ts";
import { checkPlaceholders, holds, projected, type Scope, updated } from "./dynamodb-evaluate.ts";
import {
  parseCondition,
  parseFilter,
  parseKeyCondition,
  parseProjection,
  parseUpdate,
  type Update,
} from "./dynamodb-expression.ts";
import { page, partitionAsked } from "./dynamodb-pages.ts";
import {
  checkKey,
  keyNames,
  keyOf,
  type TableDefinition,
  TableStore,
  type View,
} from "./dynamodb-store.ts";
import { type Item, invalid, notModelled } from "./dynamodb-value.ts";
import { AwsError, type Call, type Service, type Surroundings } from "./service.ts";

export type { TableDefinition } from "./dynamodb-store.ts";

/** An answer as the SDK's output type has it, without what the SDK itself adds. */
type Answer<T> = Omit<T, "$metadata">;

interface Placeholders {
  ExpressionAttributeNames?: Record<string, string> | undefined;
  ExpressionAttributeValues?: Record<string, AttributeValue> | undefined;
}

interface ConditionalWrite extends Placeholders {
  ConditionExpression?: string | undefined;
  ReturnValuesOnConditionCheckFailure?: string | undefined;
}

export interface DynamoDbOptions {
  /** The most items a page of Query or Scan evaluates; real pages end at 1 MB. */
  pageItems?: number;
  /** See StoreOptions. */
  writeConflictMilliseconds?: number;
}

const legacy = ["Expected", "AttributeUpdates", "KeyConditions", "QueryFilter", "ScanFilter"];
const legacyToo = ["AttributesToGet", "ConditionalOperator"];

const refuseLegacy = (input: object): void => {
  for (const name of [...legacy, ...legacyToo]) {
    if ((input as Record<string, unknown>)[name] !== undefined) throw notModelled(name);
  }
};

const scope = (item: Item | undefined, input: Placeholders): Scope => ({
  item: item ?? {},
  names: input.ExpressionAttributeNames ?? {},
  values: input.ExpressionAttributeValues ?? {},
});

const requireCondition = (input: ConditionalWrite, old: Item | undefined): void => {
  if (input.ConditionExpression === undefined) return;
  if (holds(parseCondition(input.ConditionExpression).tree, scope(old, input))) return;
  const show = input.ReturnValuesOnConditionCheckFailure === "ALL_OLD" && old;
  throw new AwsError("ConditionalCheckFailedException", "The conditional request failed", {
    status: 400,
    fields: show ? { Item: old } : {},
  });
};

const checkWrite = (input: ConditionalWrite, update?: string): void => {
  refuseLegacy(input);
  const condition =
    input.ConditionExpression === undefined ? undefined : parseCondition(input.ConditionExpression);
  checkPlaceholders(
    [condition, update === undefined ? undefined : parseUpdate(update)],
    input.ExpressionAttributeNames,
    input.ExpressionAttributeValues,
  );
};

/** The attributes at the top of an item that an update touches. */
const touched = (update: Update, input: Placeholders): string[] =>
  [...update.set, ...update.add, ...update.delete]
    .map(({ path }) => path)
    .concat(update.remove)
    .map(([first]) => input.ExpressionAttributeNames?.[String(first)] ?? String(first));

const pick = (item: Item | undefined, names: string[]): Item => {
  const picked: Item = {};
  for (const name of names) {
    const value = item?.[name];
    if (value) picked[name] = value;
  }
  return picked;
};

const returned = (
  wanted: string | undefined,
  old: Item | undefined,
  next: Item,
  names: () => string[],
): { Attributes?: Item } => {
  if (wanted === "ALL_NEW") return { Attributes: next };
  if (wanted === "ALL_OLD") return old ? { Attributes: old } : {};
  if (wanted === "UPDATED_NEW") return { Attributes: pick(next, names()) };
  if (wanted === "UPDATED_OLD") return old ? { Attributes: pick(old, names()) } : {};
  return {};
};

/** The table in a region, or ResourceNotFoundException. */
type Find = (table: string | undefined, region: Place) => View;

const getItem =
  (find: Find) =>
  (input: GetItemCommandInput, call: Call): Answer<GetItemCommandOutput> => {
    refuseLegacy(input);
    const table = find(input.TableName, call.region);
    const key = input.Key ?? {};
    checkKey(table.definition, key, true);
    const projection =
      input.ProjectionExpression === undefined
        ? undefined
        : parseProjection(input.ProjectionExpression);
    checkPlaceholders([projection], input.ExpressionAttributeNames, undefined);
    const item = table.get(key, input.ConsistentRead === true);
    if (!item) return {};
    return { Item: projection ? projected(projection.tree, scope(item, input)) : item };
  };

const putItem =
  (find: Find) =>
  (input: PutItemCommandInput, call: Call): Answer<PutItemCommandOutput> => {
    const table = find(input.TableName, call.region);
    const item = input.Item ?? {};
    checkKey(table.definition, item, false);
    checkWrite(input);
    let before: Item | undefined;
    table.write(item, (old) => {
      requireCondition(input, old);
      before = old;
      return item;
    });
    return input.ReturnValues === "ALL_OLD" && before ? { Attributes: before } : {};
  };

const deleteItem =
  (find: Find) =>
  (input: DeleteItemCommandInput, call: Call): Answer<DeleteItemCommandOutput> => {
    const table = find(input.TableName, call.region);
    const key = input.Key ?? {};
    checkKey(table.definition, key, true);
    checkWrite(input);
    let before: Item | undefined;
    table.write(key, (old) => {
      requireCondition(input, old);
      before = old;
      return undefined;
    });
    return input.ReturnValues === "ALL_OLD" && before ? { Attributes: before } : {};
  };

const updateItem =
  (find: Find) =>
  (input: UpdateItemCommandInput, call: Call): Answer<UpdateItemCommandOutput> => {
    const table = find(input.TableName, call.region);
    const key = input.Key ?? {};
    checkKey(table.definition, key, true);
    checkWrite(input, input.UpdateExpression);
    const update =
      input.UpdateExpression === undefined ? undefined : parseUpdate(input.UpdateExpression).tree;
    const names = () => (update ? touched(update, input) : []);
    const changedKey = names().find((name) => keyNames(table.definition).includes(name));
    if (changedKey) {
      throw invalid(
        "One or more parameter values were invalid: " +
          `Cannot update attribute ${changedKey}. This attribute is part of the key`,
      );
    }
    let [before, after]: [Item | undefined, Item] = [undefined, key];
    table.write(key, (old) => {
      requireCondition(input, old);
      before = old;
      after = update ? updated(update, scope(old ?? key, input)) : (old ?? key);
      return after;
    });
    return returned(input.ReturnValues, before, after, names);
  };

const select = (
  input: QueryCommandInput | ScanCommandInput,
  table: View,
  items: Item[],
  backward: boolean,
  pageItems: number,
): Answer<QueryCommandOutput> => {
  const filter =
    input.FilterExpression === undefined ? undefined : parseFilter(input.FilterExpression);
  const projection =
    input.ProjectionExpression === undefined
      ? undefined
      : parseProjection(input.ProjectionExpression);
  const keyCondition = "KeyConditionExpression" in input ? input.KeyConditionExpression : undefined;
  const used = [filter, projection, keyCondition ? parseKeyCondition(keyCondition) : undefined];
  checkPlaceholders(used, input.ExpressionAttributeNames, input.ExpressionAttributeValues);
  const limit = Math.min(input.Limit ?? pageItems, pageItems);
  const { taken, last } = page(table.definition, items, input.ExclusiveStartKey, limit, backward);
  const kept = filter ? taken.filter((item) => holds(filter.tree, scope(item, input))) : taken;
  const shown = projection
    ? kept.map((item) => projected(projection.tree, scope(item, input)))
    : kept;
  return {
    ...(input.Select === "COUNT" ? {} : { Items: shown }),
    Count: kept.length,
    ScannedCount: taken.length,
    ...(last ? { LastEvaluatedKey: keyOf(table.definition, last) } : {}),
  };
};

const query =
  (find: Find, pageItems: number) =>
  (input: QueryCommandInput, call: Call): Answer<QueryCommandOutput> => {
    refuseLegacy(input);
    const table = find(input.TableName, call.region);
    refuseIndex(input.IndexName);
    if (input.KeyConditionExpression === undefined) {
      throw invalid(
        "Either the KeyConditions or KeyConditionExpression parameter must be specified",
      );
    }
    const { tree } = parseKeyCondition(input.KeyConditionExpression);
    const { hash, matches } = partitionAsked(table.definition, tree, scope(undefined, input));
    const found = table.partition(hash, input.ConsistentRead === true).filter(matches);
    return select(input, table, found, input.ScanIndexForward === false, pageItems);
  };

const scan =
  (find: Find, pageItems: number) =>
  (input: ScanCommandInput, call: Call): Answer<ScanCommandOutput> => {
    refuseLegacy(input);
    const table = find(input.TableName, call.region);
    refuseIndex(input.IndexName);
    if ((input.TotalSegments ?? 1) > 1) throw notModelled("a parallel Scan");
    return select(input, table, table.all(input.ConsistentRead === true), false, pageItems);
  };

const transactWriteItems =
  (find: Find) =>
  (input: TransactWriteItemsCommandInput, call: Call): never => {
    for (const action of input.TransactItems ?? []) {
      const one = action.Put ?? action.Update ?? action.Delete ?? action.ConditionCheck;
      if (find(one?.TableName, call.region).definition.consistency === "strong") {
        throw invalid("Transactions are not supported on global tables with strong consistency");
      }
    }
    throw notModelled("TransactWriteItems");
  };

const refuseIndex = (name: string | undefined): void => {
  if (name !== undefined) throw invalid(`The table does not have the specified index: ${name}`);
};

/**
 * DynamoDB global tables. A strong table has one value everywhere; a region reads it consistently
 * and writes it only while it reaches a majority of the three replicas. An eventual table has a
 * copy in each region; writes travel within a second, the last writer of an item wins.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html
 */
export const dynamodb = (
  surroundings: Surroundings,
  definitions: TableDefinition[],
  options: DynamoDbOptions = {},
) => {
  const { pageItems = 5000, writeConflictMilliseconds = 20 } = options;
  const views = new Map<string, View>();
  for (const definition of definitions) {
    const store = new TableStore(definition, surroundings, { writeConflictMilliseconds });
    for (const region of definition.replicas) {
      const view = store.view(region);
      if (view) views.set(`${region}/${definition.name}`, view);
    }
  }
  const created = new Date(surroundings.timeline.now());
  const find: Find = (asked, region) => {
    const name = asked?.startsWith("arn:") ? asked.split("/")[1] : asked;
    const view = views.get(`${region}/${name}`);
    if (view) return view;
    throw new AwsError("ResourceNotFoundException", "Requested resource not found", {
      status: 400,
    });
  };
  const service: Service = {
    name: "dynamodb",
    operations: {
      DeleteItem: deleteItem(find),
      DescribeTable: (input: DescribeTableCommandInput, call: Call) => ({
        Table: described(find(input.TableName, call.region).definition, call, created),
      }),
      GetItem: getItem(find),
      PutItem: putItem(find),
      Query: query(find, pageItems),
      Scan: scan(find, pageItems),
      TransactWriteItems: transactWriteItems(find),
      UpdateItem: updateItem(find),
    },
  };
  return {
    service,
    /** What `region` would answer now to an eventually consistent Scan; for tests and reports. */
    items: (table: string, region: Place): Item[] => find(table, region).all(false),
  };
};

const described = (definition: TableDefinition, call: Call, created: Date): TableDescription => ({
  TableName: definition.name,
  TableArn: `arn:aws:dynamodb:${call.region}:${call.account}:table/${definition.name}`,
  TableStatus: "ACTIVE",
  CreationDateTime: created,
  KeySchema: keyNames(definition).map((AttributeName, index) => ({
    AttributeName,
    KeyType: index === 0 ? ("HASH" as const) : ("RANGE" as const),
  })),
  AttributeDefinitions: keyNames(definition).map((AttributeName) => ({
    AttributeName,
    AttributeType: definition.keyTypes?.[AttributeName] ?? "S",
  })),
  BillingModeSummary: { BillingMode: "PAY_PER_REQUEST" },
  GlobalTableVersion: "2019.11.21",
  MultiRegionConsistency: definition.consistency === "strong" ? "STRONG" : "EVENTUAL",
  Replicas: definition.replicas
    .filter((region) => region !== call.region)
    .map((RegionName) => ({ RegionName, ReplicaStatus: "ACTIVE" as const })),
});
