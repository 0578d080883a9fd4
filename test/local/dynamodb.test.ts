import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dynamodb, type TableDefinition } from "../../local/aws/dynamodb.ts";
import { around, asking, failure, home, standby, witness } from "./asking.ts";

const lease: TableDefinition = {
  name: "coordination",
  key: { hash: "pk" },
  consistency: "strong",
  replicas: [home, standby, witness],
};
const journal: TableDefinition = {
  name: "journal",
  key: { hash: "pk", range: "sk" },
  keyTypes: { sk: "N" },
  consistency: "eventual",
  replicas: [home, standby],
  timeToLive: "expires",
};

const cloud = (options = {}) => {
  const { timeline, faults, surroundings } = around();
  const { service } = dynamodb(surroundings, [lease, journal], options);
  return { timeline, faults, ask: asking(service) };
};

const Key = { pk: { S: "lease" } };

describe("conditional writes", () => {
  it("lets only one of two claims of the same epoch win", () => {
    const { ask } = cloud();
    ask("PutItem", { TableName: "coordination", Item: { ...Key, epoch: { N: "1" } } });
    const claim = (owner: string) => () =>
      ask("UpdateItem", {
        TableName: "coordination",
        Key,
        UpdateExpression: "SET epoch = epoch + :one, #owner = :owner",
        ConditionExpression: "epoch = :seen",
        ExpressionAttributeNames: { "#owner": "owner" },
        ExpressionAttributeValues: {
          ":one": { N: "1" },
          ":seen": { N: "1" },
          ":owner": { S: owner },
        },
        ReturnValues: "ALL_NEW",
        ReturnValuesOnConditionCheckFailure: "ALL_OLD",
      });
    expect(claim("first")()).toEqual({
      Attributes: { ...Key, epoch: { N: "2" }, owner: { S: "first" } },
    });
    expect(failure(claim("second"))).toMatchObject({
      name: "ConditionalCheckFailedException",
      message: "The conditional request failed",
      fields: { Item: { epoch: { N: "2" }, owner: { S: "first" } } },
    });
  });

  it.each([
    ["attribute_not_exists(pk)", false],
    ["attribute_exists(pk) AND NOT n > :four", true],
    ["n BETWEEN :one AND :four", true],
    ["n IN (:one, :four)", false],
    ["begins_with(city, :lo) OR n = :one", true],
    ["contains(tags, :red) AND size(tags) = :two", true],
    ["(n = :one OR n = :two) AND absent <> :one", true],
    ["absent < :one", false],
    ["nested.things[1].deep = :red", true],
    ["attribute_type(n, :lo)", false],
    ["not n = :one", true],
  ])("evaluates %s to %s", (condition, holds) => {
    const { ask } = cloud();
    const Item = {
      ...Key,
      n: { N: "2" },
      city: { S: "london" },
      tags: { SS: ["red", "blue"] },
      nested: { M: { things: { L: [{ NULL: true }, { M: { deep: { S: "red" } } }] } } },
    };
    ask("PutItem", { TableName: "coordination", Item });
    const values: Record<string, object> = {
      ":one": { N: "1" },
      ":two": { N: "2.0" },
      ":four": { N: "4" },
      ":lo": { S: "lo" },
      ":red": { S: "red" },
    };
    const used = Object.entries(values).filter(([name]) => condition.includes(name));
    const { name } = failure(() =>
      ask("DeleteItem", {
        TableName: "coordination",
        Key,
        ConditionExpression: condition,
        ...(used.length > 0 && { ExpressionAttributeValues: Object.fromEntries(used) }),
      }),
    );
    expect(name).toBe(holds ? "nothing was refused" : "ConditionalCheckFailedException");
  });
});

describe("updates", () => {
  it("sets, removes, adds and deletes from the item as it was before", () => {
    const { ask } = cloud();
    ask("PutItem", {
      TableName: "coordination",
      Item: {
        ...Key,
        a: { N: "1" },
        l: { L: [{ S: "x" }, { S: "y" }, { S: "z" }] },
        s: { SS: ["p"] },
      },
    });
    const answer = ask("UpdateItem", {
      TableName: "coordination",
      Key,
      UpdateExpression:
        "SET b = a, a = :two, c = if_not_exists(c, :two) - :one, m = list_append(l, l) " +
        "REMOVE l[0], l[1] ADD n :one, s :more DELETE t :more",
      ExpressionAttributeValues: { ":one": { N: "1" }, ":two": { N: "2" }, ":more": { SS: ["q"] } },
      ReturnValues: "ALL_NEW",
    });
    expect(answer.Attributes).toEqual({
      ...Key,
      a: { N: "2" },
      b: { N: "1" },
      c: { N: "1" },
      l: { L: [{ S: "z" }] },
      m: { L: ["x", "y", "z", "x", "y", "z"].map((S) => ({ S })) },
      n: { N: "1" },
      s: { SS: ["p", "q"] },
    });
  });

  it.each([
    ["SET region = :v", "reserved keyword: region"],
    ["SET a = :w", "not defined; attribute value: :w"],
    ["SET c = :v, a = b", "refers to an attribute that does not exist"],
    ["SET a = :v, a.b = :v", "Two document paths overlap"],
    ["SET pk = :v", "This attribute is part of the key"],
    ["SET a :v", "Syntax error"],
    ["REMOVE a", "unused in expressions: keys: {:v}"],
  ])("refuses %s as DynamoDB does", (UpdateExpression, why) => {
    const { ask } = cloud();
    const refused = failure(() =>
      ask("UpdateItem", {
        TableName: "coordination",
        Key,
        UpdateExpression,
        ExpressionAttributeValues: { ":v": { S: "v" } },
      }),
    );
    expect(refused.name).toBe("ValidationException");
    expect(refused.message).toContain(why);
  });
});

describe("pages", () => {
  const fill = (ask: ReturnType<typeof cloud>["ask"], count: number) => {
    for (let n = 1; n <= count; n += 1) {
      const Item = { pk: { S: "run" }, sk: { N: String(n) }, even: { BOOL: n % 2 === 0 } };
      ask("PutItem", { TableName: "journal", Item });
    }
  };
  const query = (extra: object) => ({
    TableName: "journal",
    KeyConditionExpression: "pk = :run AND sk BETWEEN :from AND :to",
    ExpressionAttributeValues: { ":run": { S: "run" }, ":from": { N: "2" }, ":to": { N: "11" } },
    ...extra,
  });

  it("reads a partition in numeric order, page by page, in both directions", () => {
    const { ask } = cloud({ pageItems: 4 });
    fill(ask, 12);
    for (const ScanIndexForward of [true, false]) {
      const seen: string[] = [];
      let ExclusiveStartKey: unknown;
      do {
        const answer = ask("Query", query({ ScanIndexForward, ExclusiveStartKey }));
        seen.push(...(answer.Items as { sk: { N: string } }[]).map((item) => item.sk.N));
        ExclusiveStartKey = answer.LastEvaluatedKey;
      } while (ExclusiveStartKey);
      const expected = ["2", "3", "4", "5", "6", "7", "8", "9", "10", "11"];
      expect(seen).toEqual(ScanIndexForward ? expected : expected.toReversed());
    }
  });

  it("applies Limit before the filter, and names a last key although nothing follows", () => {
    const { ask } = cloud();
    fill(ask, 2);
    const answer = ask("Scan", {
      TableName: "journal",
      FilterExpression: "even = :true",
      ProjectionExpression: "sk",
      ExpressionAttributeValues: { ":true": { BOOL: true } },
      Limit: 2,
    });
    expect(answer).toEqual({
      Items: [{ sk: { N: "2" } }],
      Count: 1,
      ScannedCount: 2,
      LastEvaluatedKey: { pk: { S: "run" }, sk: { N: "2" } },
    });
  });
});

describe("a strong table", () => {
  const put = (n: string) => ({ TableName: "coordination", Item: { ...Key, n: { N: n } } });
  const read = (ConsistentRead: boolean) => ({ TableName: "coordination", Key, ConsistentRead });

  it("gives the newest value in every region", () => {
    const { ask } = cloud();
    ask("PutItem", put("7"), home);
    expect(ask("GetItem", read(true), witness).Item).toMatchObject({ n: { N: "7" } });
  });

  it("lets a cut-off region neither write nor read consistently, and the majority go on", async () => {
    const { ask, faults, timeline } = cloud();
    ask("PutItem", put("1"), home);
    await timeline.advance(1000);
    faults.set(home, "cut");
    expect(failure(() => ask("GetItem", read(true), home)).name).toBe("InternalServerError");
    expect(failure(() => ask("PutItem", put("2"), home)).status).toBe(500);
    ask("PutItem", put("3"), standby);
    expect(ask("GetItem", read(true), witness).Item).toMatchObject({ n: { N: "3" } });
    expect(ask("GetItem", read(false), home).Item).toMatchObject({ n: { N: "1" } });
    faults.set(home, "up");
    expect(ask("GetItem", read(false), home).Item).toMatchObject({ n: { N: "3" } });
  });

  it("refuses a write while another region is writing the same item", async () => {
    const { ask, timeline } = cloud();
    ask("PutItem", put("1"), home);
    expect(failure(() => ask("PutItem", put("2"), standby)).name).toBe(
      "ReplicatedWriteConflictException",
    );
    await timeline.advance(50);
    ask("PutItem", put("2"), standby);
  });

  it("has no transactions", () => {
    const { ask } = cloud();
    const TransactItems = [{ Put: put("1") }];
    expect(failure(() => ask("TransactWriteItems", { TransactItems })).name).toBe(
      "ValidationException",
    );
  });

  it("says that it is strong, and where its other replicas are", () => {
    const { ask } = cloud();
    expect(ask("DescribeTable", { TableName: "coordination" }, standby).Table).toMatchObject({
      TableStatus: "ACTIVE",
      MultiRegionConsistency: "STRONG",
      Replicas: [
        { RegionName: home, ReplicaStatus: "ACTIVE" },
        { RegionName: witness, ReplicaStatus: "ACTIVE" },
      ],
    });
  });
});

describe("an eventual table", () => {
  const put = (text: string) => ({
    TableName: "journal",
    Item: { pk: { S: "run" }, sk: { N: "1" }, text: { S: text } },
  });
  const get = { TableName: "journal", Key: { pk: { S: "run" }, sk: { N: "1" } } };

  it("shows a write in the other region within a second, not at once", async () => {
    const { ask, timeline } = cloud();
    ask("PutItem", put("saw"), home);
    expect(ask("GetItem", get, standby).Item).toBeUndefined();
    await timeline.advance(1100);
    expect(ask("GetItem", get, standby).Item).toMatchObject({ text: { S: "saw" } });
  });

  it("keeps what had arrived before a region died, and brings the rest when it is back", async () => {
    const { ask, timeline, faults } = cloud();
    ask("PutItem", put("arrives"), home);
    await timeline.advance(2000);
    ask("PutItem", put("too late"), home);
    faults.set(home, "dead");
    await timeline.advance(60_000);
    expect(ask("GetItem", get, standby).Item).toMatchObject({ text: { S: "arrives" } });
    faults.set(home, "up");
    expect(ask("GetItem", get, standby).Item).toMatchObject({ text: { S: "too late" } });
  });

  it("lets the last writer win in both regions", async () => {
    const { ask, timeline } = cloud();
    ask("PutItem", put("first"), home);
    await timeline.advance(10);
    ask("PutItem", put("last"), standby);
    await timeline.advance(2000);
    for (const region of [home, standby]) {
      expect(ask("GetItem", get, region).Item).toMatchObject({ text: { S: "last" } });
    }
  });

  it("still shows an expired item for a while, as AWS does", async () => {
    const { ask, timeline } = cloud();
    const seconds = Math.floor(timeline.now() / 1000);
    const { Item } = put("old");
    ask("PutItem", { TableName: "journal", Item: { ...Item, expires: { N: String(seconds) } } });
    await timeline.advance(3600_000);
    expect(ask("GetItem", get).Item).toBeDefined();
    await timeline.advance(72 * 3600_000);
    expect(ask("GetItem", get).Item).toBeUndefined();
  });

  it("is unknown in a region without a replica", () => {
    const { ask } = cloud();
    expect(failure(() => ask("GetItem", get, witness)).name).toBe("ResourceNotFoundException");
  });
});

const regions = [home, standby];
const step = fc.record({
  region: fc.constantFrom(...regions),
  act: fc.constantFrom("put", "put", "delete", "cut", "dead", "up"),
  pause: fc.integer({ min: 0, max: 3000 }),
});

it("brings all copies to one value after any faults, once they are over", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const { ask, timeline, faults } = cloud();
      const key = { pk: { S: "run" }, sk: { N: "1" } };
      for (const [n, { region, act, pause }] of steps.entries()) {
        const Item = { ...key, n: { N: String(n) } };
        if (act === "put") ask("PutItem", { TableName: "journal", Item }, region);
        else if (act === "delete") ask("DeleteItem", { TableName: "journal", Key: key }, region);
        else faults.set(region, act as "cut" | "dead" | "up");
        await timeline.advance(pause);
      }
      for (const region of regions) faults.set(region, "up");
      await timeline.advance(2000);
      const [here, there] = regions.map((region) => ask("Scan", { TableName: "journal" }, region));
      expect(here).toEqual(there);
    }),
    { numRuns: 100, seed: 7 },
  );
});
