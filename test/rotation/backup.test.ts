import { Client } from "pg";
import { expect, it } from "vitest";
import { ringOf } from "../../functions/rotation/kinds/ring.ts";
import { realEngine } from "../../local/postgres/real.ts";
import { scaledTimeline } from "../../local/time/scaled.ts";
import { postgresConnect } from "../../shared/postgres.ts";
import { systemRandom } from "../../shared/random.ts";
import { firstRing, opened, type Row, seal } from "./sealing.ts";
import { names, passwords, type Stage, stage, token } from "./stage.ts";

const database = "ledger";
const count = 60;
const batch = 20;

const moment = () => new Promise<void>((resolve) => setTimeout(resolve, 5));

const loggedIn = async (address: { host: string; port: number }) => {
  const owner = { ...address, user: "platform_owner", password: passwords.owner, database };
  const client = new Client(owner);
  client.on("error", () => undefined);
  await client.connect();
  return client;
};

const values = ({ key, nonce, sealed, tag }: Row) => [key, nonce, sealed, tag];

const textsOf = async (client: Client, at: Stage): Promise<string[]> => {
  const { rows } = await client.query<Row>("select key, nonce, sealed, tag from notes order by id");
  return rows.map((row) => opened(ringOf(at.value(names.encryption)), row));
};

/** As an application moves its rows to the newest key: a few at a time, from wherever it is. */
const sealedAgain = async (client: Client, at: Stage): Promise<void> => {
  const ring = ringOf(at.value(names.encryption));
  for (;;) {
    const older = "select * from notes where key <> $1 order by id limit $2";
    const { rows } = await client.query<Row & { id: number }>(older, [ring.primary, batch]);
    if (rows.length === 0) return;
    for (const { id, ...row } of rows) {
      const again = values(seal(ring, opened(ring, row)));
      const update = "update notes set key = $2, nonce = $3, sealed = $4, tag = $5 where id = $1";
      await client.query(update, [id, ...again]);
    }
  }
};

/** The whole rotation of the ring, as whoever ends the overlap asks for it. */
const rotated = async (at: Stage, number: number): Promise<void> => {
  at.ask(names.encryption, token(number));
  const isOver = () => at.events.filter((event) => event !== "RotationStarted").length >= number;
  while (!isOver()) await moment();
  expect(at.failures).toEqual([]);
  const about = { secret: names.encryption, token: token(number) };
  expect(await at.handle({ do: "promote", ...about })).toHaveProperty("did");
  expect(await at.handle({ do: "retire", ...about })).toHaveProperty("did");
};

it("opens every row of a backup from before the first of five rotations of the key", async () => {
  const timeline = scaledTimeline(
    { speed: 60, origin: Date.UTC(2026, 10, 22), realStart: Date.now() },
    (error) => {
      throw error;
    },
  );
  const engine = await realEngine({ timeline, random: systemRandom, reachable: () => true });
  try {
    const region = "eu-central-1";
    const master = { masterUser: "platform_owner", masterPassword: passwords.owner, database };
    const address = await engine.create({ id: "home", region, ...master });
    const given = { [names.encryption]: firstRing() };
    const at = await stage({ timeline, connect: postgresConnect, address, values: given });
    while (!at.isReady()) await moment();
    const client = await loggedIn(address);
    await client.query(
      "create table notes (id serial primary key, key text, nonce bytea, sealed bytea, tag bytea)",
    );
    const texts = Array.from({ length: count }, (_, index) => `note ${index}`);
    for (const text of texts) {
      const row = values(seal(ringOf(at.value(names.encryption)), text));
      const insert = "insert into notes (key, nonce, sealed, tag) values ($1, $2, $3, $4)";
      await client.query(insert, row);
    }
    await engine.snapshot("home", "before");
    for (let number = 1; number <= 5; number += 1) {
      await rotated(at, number);
      await sealedAgain(client, at);
    }
    const { rows } = await client.query<{ key: string }>("select distinct key from notes");
    expect(rows).toEqual([{ key: ringOf(at.value(names.encryption)).primary }]);
    expect(await textsOf(client, at)).toEqual(texts);
    await client.end();
    const copy = await loggedIn(await engine.restore("before", { id: "copy", region }));
    const kept = await copy.query<{ key: string }>("select distinct key from notes");
    expect(kept.rows).toEqual([{ key: "first" }]);
    expect(await textsOf(copy, at)).toEqual(texts);
    await copy.end();
  } finally {
    await engine.close();
    timeline.close();
  }
}, 60_000);
