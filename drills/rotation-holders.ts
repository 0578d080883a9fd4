import { sealingKeys } from "../local/ledger/sealing.ts";
import type { Random } from "../shared/random.ts";
import { names } from "./names.ts";
import { asAdministrator } from "./rotation-platform.ts";
import { valueIn } from "./rotation-probe.ts";
import type { DrillWorld } from "./world.ts";

/** Rows that the ledger keeps sealed, and by which key they are in the end. */
export interface HoldersFound {
  rows: number;
  /** Sealed by the key that is the primary now. */
  byPrimary: number;
  /** Of those: what was written before opens with today's ring, and is the same. */
  opened: number;
}

const count = 300;
const nameOf = (number: number) => `Holder ${number} of Example Street`;

/** The ring as an instance of the home region would read it now. */
const keysNow = async (world: DrillWorld, random: Random) => {
  const { region } = world.platform.home;
  const found = await valueIn(world, region, names.rotated.encryption);
  const { primary, keys } = (found?.value ?? {}) as unknown as {
    primary: string;
    keys: Record<string, { secret: string }>;
  };
  const others = Object.entries(keys).filter(([id]) => id !== primary);
  const fallbacks = others.map(([, { secret }]) => secret).join(",");
  const made = sealingKeys(random.bytes, keys[primary]?.secret ?? "", fallbacks);
  if (!made) throw new Error("the encryption ring has a key that is not of 32 bytes");
  return made;
};

/** Rows of long ago, sealed by the key that is the primary now. */
export const sealHolders = async (world: DrillWorld, random: Random): Promise<void> => {
  const keys = await keysNow(world, random);
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  await asAdministrator(world, world.platform.home.engineId, async (client) => {
    await client.query(
      "insert into accounts (id) select 'holder-' || n from generate_series(1, $1::int) n",
      [count],
    );
    await client.query("insert into holders select * from unnest($1::text[], $2::text[])", [
      numbers.map((n) => `holder-${n}`),
      numbers.map((n) => keys.seal(nameOf(n))),
    ]);
  });
};

export const holdersFound = async (world: DrillWorld, random: Random): Promise<HoldersFound> => {
  const keys = await keysNow(world, random);
  const found: HoldersFound = { rows: 0, byPrimary: 0, opened: 0 };
  await asAdministrator(world, world.platform.home.engineId, async (client) => {
    const { rows } = await client.query<{ account_id: string; name: string }>(
      "select account_id, name from holders where account_id like 'holder-%'",
    );
    for (const { account_id: account, name } of rows) {
      found.rows += 1;
      if (name.startsWith(keys.header)) found.byPrimary += 1;
      if (keys.open(name) === nameOf(Number(account.slice("holder-".length)))) found.opened += 1;
    }
  });
  return found;
};
