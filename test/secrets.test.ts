import { describe, expect, it } from "vitest";
import { names } from "../drills/names.ts";
import { type Stage, type StageOptions, stage } from "./failover/stage.ts";

/** A value that nobody but Secrets Manager and its readers may ever see, and where it is from. */
interface Secret {
  name: string;
  value: string;
}

const isSecret = /password|token|signingSecret/i;

/** Every secret value of both regions, as Secrets Manager has it now. */
const secretsOf = async ({ cloud, platform }: Stage): Promise<Secret[]> => {
  const found: Secret[] = [];
  for (const { region } of [platform.home, platform.standby]) {
    for (const SecretId of Object.values(names.secrets)) {
      const { SecretString } = await cloud.ask<{ SecretString: string }>(
        "secrets-manager",
        "GetSecretValue",
        region,
        { SecretId },
      );
      for (const [field, value] of Object.entries(JSON.parse(SecretString))) {
        if (isSecret.test(field))
          found.push({ name: `${SecretId} ${field}`, value: String(value) });
      }
    }
  }
  return found;
};

/** A secret as it is, and as it would look in a header, a payload or a dump. */
const disguises = ({ value }: Secret): string[] => [
  value,
  Buffer.from(value).toString("hex"),
  // Without its last characters, which depend on what follows in a longer text.
  ...[0, 1, 2].map((before) =>
    Buffer.from(`${" ".repeat(before)}${value}`)
      .toString("base64")
      .slice(before === 0 ? 0 : 4, -4),
  ),
  encodeURIComponent(value),
];

/** Where in `places` any of the secrets can be read. */
const leaks = (places: Record<string, string>, secrets: Secret[]): string[] =>
  Object.entries(places).flatMap(([place, text]) =>
    secrets
      .filter((secret) => disguises(secret).some((shown) => text.includes(shown)))
      .map(({ name }) => `${name} in ${place}`),
  );

/** Blobs are read as the text that they carry, and Maps as what is in them. */
const written = (value: unknown): string =>
  JSON.stringify(value, (_key, field) => {
    if (field instanceof Map) return [...field.values()];
    return field instanceof Uint8Array ? Buffer.from(field).toString("utf8") : field;
  }) ?? "";

/** All that a run leaves behind for people, logs and later runs to read. */
const leftBy = async (at: Stage): Promise<Record<string, string>> => ({
  "the log": at.lines.join("\n"),
  "the journal": written(await at.journal()),
  "the coordination table": written(await at.items(names.coordination)),
  "the checkpoints": written(at.executions()),
  Slack: written(at.slack.messages()),
});

/** All calls of AWS but those of Secrets Manager, with what they asked and what they were told. */
const recorded = (calls: string[]): NonNullable<StageOptions["hooks"]> => {
  return () => ({
    observe: {
      after: ({ service, operation }, input, outcome) => {
        if (service === "secretsmanager") return;
        calls.push(`${operation} ${written(input)} ${written(outcome)}`);
      },
    },
  });
};

describe("the secrets of the platform during a failover", () => {
  const run = async (disturb: (at: Stage) => void | Promise<void>) => {
    const calls: string[] = [];
    const at = await stage({ hooks: recorded(calls) });
    const secrets = await secretsOf(at);
    await disturb(at);
    at.users.start();
    at.loseHome();
    await at.until("a run is started", () => at.executions().length > 0);
    const { outcome } = await at.ended();
    at.regions.set(at.platform.home.region, "up");
    await at.timeline.advance(240_000);
    const places: Record<string, string> = {
      ...(await leftBy(at)),
      "a call of AWS": calls.join("\n"),
    };
    return { at, outcome, places, secrets: [...secrets, ...(await secretsOf(at))] };
  };

  it("are found in Secrets Manager by this test, so that it knows what to look for", async () => {
    const at = await stage();
    const found = (await secretsOf(at)).map(({ name }) => name);
    expect(new Set(found)).toEqual(
      new Set([
        "platform/database password",
        "platform/nightshift password",
        "slack signingSecret",
        "slack botToken",
      ]),
    );
  });

  it("reach no log, journal, table, checkpoint, message or call of a run that goes well", async () => {
    const { outcome, places, secrets } = await run(() => undefined);
    expect(outcome).toBe("done");
    for (const [place, text] of Object.entries(places)) {
      expect(text.length, place).toBeGreaterThan(200);
    }
    expect(leaks(places, secrets)).toEqual([]);
  });

  it("reach none of them when calls fail, and errors tell what they were about", async () => {
    const { outcome, places, secrets } = await run((at) => {
      at.faults.add({ match: { operation: "PutSecretValue" }, kind: "error", times: 4 });
      at.faults.add({ match: { operation: "GetSecretValue" }, kind: "throttle", probability: 0.3 });
      at.faults.add({ match: { service: "lambda" }, kind: "error", probability: 0.1 });
      at.faults.add({ match: { service: "dynamodb" }, kind: "timeout-after", probability: 0.05 });
    });
    expect(outcome).toBe("done");
    expect(leaks(places, secrets)).toEqual([]);
  });

  it("reach none of them when the database refuses the login that it is given", async () => {
    const { places, secrets, outcome } = await run(async ({ cloud, platform }) => {
      const SecretId = names.secrets.nightshift;
      const value = { username: names.nightshiftLogin, password: "a-wrong-planted-password" };
      const { region } = platform.standby;
      await cloud.ask("secrets-manager", "StopReplicationToReplica", region, { SecretId });
      await cloud.ask("secrets-manager", "PutSecretValue", region, {
        SecretId,
        SecretString: JSON.stringify(value),
        ClientRequestToken: "0".repeat(32),
      });
    });
    // What the replica holds cannot be known without a login, and that forbids the move.
    expect(outcome).toBe("aborted");
    expect(secrets.map(({ value }) => value)).toContain("a-wrong-planted-password");
    expect(places["the journal"]).toContain("password authentication failed");
    expect(leaks(places, secrets)).toEqual([]);
  });

  it("are not in the log when a stranger sends a signed body that holds one", async () => {
    const at = await stage();
    const secrets = await secretsOf(at);
    const [secret] = secrets;
    const answer = at.people.command("U0STRANGER", `failover ${secret?.value} it is gone`);
    await at.timeline.run(answer);
    expect(at.lines.join("\n")).toContain("request refused");
    expect(leaks(await leftBy(at), secrets)).toEqual([]);
  });
});

describe("the search for secrets", () => {
  const secret = { name: "planted", value: "cf1e5b0a-planted/secret+value" };
  const { value } = secret;

  it.each([
    ["as it is", `{"password":"${value}"}`],
    ["in a URL", `postgres://app:${encodeURIComponent(value)}@host`],
    ["in hexadecimal", Buffer.from(value).toString("hex")],
    ["in base64", Buffer.from(value).toString("base64")],
    ["in base64 of something longer", Buffer.from(`{"p":"${value}"}`).toString("base64")],
    ["in base64, moved by one", Buffer.from(`xxxx${value}`).toString("base64")],
    ["in base64, moved by two", Buffer.from(`xxxxx${value}x`).toString("base64")],
  ])("finds one %s", (_how, text) => {
    expect(leaks({ "a place": `before ${text} after` }, [secret])).toEqual(["planted in a place"]);
  });

  it("finds nothing where nothing is", () => {
    expect(leaks({ "a place": "cf1e5b0a-planted" }, [secret])).toEqual([]);
  });

  it("finds one in every place that a run writes to", async () => {
    const calls: string[] = [];
    const at = await stage({ hooks: recorded(calls) });
    at.loseHome();
    const run = await at.request();
    await at.reaches("asking");
    at.lines.push(JSON.stringify({ message: value }));
    const [execution] = at.executions();
    const id = "leak";
    execution?.operations.set(id, {
      Id: id,
      Type: "STEP",
      Status: "SUCCEEDED",
      StartTimestamp: new Date(),
      StepDetails: { Attempt: 1, Result: JSON.stringify(value) },
    });
    const { region } = at.platform.standby;
    const put = (TableName: string, Item: object) =>
      at.cloud.ask("dynamodb", "PutItem", region, { TableName, Item });
    await put(names.coordination, { id: { S: "leak" }, text: { S: value } });
    await put(names.journal, { run: { S: run }, sequence: { N: "999" }, text: { S: value } });
    const message = { channel: at.slack.place.channel, text: value };
    await at.slack.fetch("https://slack.com/api/chat.postMessage", {
      method: "POST",
      headers: { authorization: `Bearer ${at.slack.place.botToken}` },
      body: JSON.stringify(message),
      signal: new AbortController().signal,
    });
    expect(leaks(await leftBy(at), [secret])).toEqual([
      "planted in the log",
      "planted in the journal",
      "planted in the coordination table",
      "planted in the checkpoints",
      "planted in Slack",
    ]);
  });
});
