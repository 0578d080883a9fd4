import { names } from "./names.ts";
import { asAdministrator, type VerificationGround } from "./verification-platform.ts";
import type { DrillWorld } from "./world.ts";

export interface ActScene {
  world: DrillWorld;
  ground: VerificationGround;
}

export interface Act {
  name: "good" | "dies" | "damage" | "nothing";
  title: string;
  /** Whether backups that have the trouble in them have to be waited for. */
  waits: boolean;
  /** The run is stopped from outside as soon as there is a copy. */
  isStopped: boolean;
  /** How its record ends; null when there is none. */
  expects: { end: string; code: string; reds: readonly string[] } | null;
  /** Makes the trouble; says what it did. */
  trouble(scene: ActScene): Promise<string>;
}

/** One of each kind, none of which another check would find. */
const damage = [
  "truncate documents",
  // The index is not kept up while rows move: it looks well and lacks them.
  "insert into documents (name) select 'document ' || n from generate_series(1, 300) n",
  "update pg_index set indisready = false where indexrelid = 'documents_by_name'::regclass",
  "update documents set name = name || ' v2' where id % 5 = 0",
  "update pg_index set indisready = true where indexrelid = 'documents_by_name'::regclass",
  "alter table cards add constraint short check (length(number) < 10) not valid",
  "select setval('cards_id_seq', 5)",
  "set session_replication_role = replica",
  "update entries set amount = amount + 5 where transfer_id = 'past-9' and amount < 0",
  "update transfers set amount = amount + 1 where id = 'past-77'",
  "delete from cards where id = 7",
  "set session_replication_role = origin",
];

/** In the order of the checks. */
const damageFound = [
  "constraints-valid",
  "indexes-sound",
  "row-counts",
  "checksums",
  "sequences",
  "foreign-keys",
  "ciphertext-opens",
  "assertion-ledger-sums-to-zero",
];

/** A good night first: what comes after it shows only then that somebody looks. */
export const acts: readonly Act[] = [
  {
    ...{ name: "good", title: "A backup is restored and looked into", waits: true },
    isStopped: false,
    expects: { end: "verified", code: "verified", reds: [] },
    trouble: async () => "Nothing: the ledger is under load, its backups go to the other region.",
  },
  {
    ...{ name: "dies", title: "A restore test dies half way", waits: false, isStopped: true },
    expects: null,
    trouble: async () => "The run is stopped from outside as soon as its copy is there.",
  },
  {
    ...{ name: "damage", title: "The database is damaged in eight ways", waits: true },
    isStopped: false,
    expects: { end: "red", code: "not-correct", reds: damageFound },
    trouble: async ({ world, ground }) => {
      await asAdministrator(world, async (client) => {
        for (const statement of damage) await client.query(statement);
      });
      await ground.loseKey();
      return (
        "A constraint that nobody proved, an index without its rows, rows that are gone, a changed row of " +
        "the past, a sequence set back, a note to a card that is gone, a ledger that does not " +
        "balance, a key ring that opens nothing."
      );
    },
  },
  {
    ...{ name: "nothing", title: "The backups are gone", waits: false, isStopped: false },
    expects: {
      end: "red",
      code: "nothing-to-restore",
      reds: ["backups-replicate", "backups-fresh", "retention-here", "key-here", "has-a-backup"],
    },
    trouble: async ({ world }) => {
      const { home, standby } = world.platform;
      const arn = `arn:aws:rds:${home.region}:${names.account}:db:${home.databaseId}`;
      const ask = <Output>(operation: string, input: object) =>
        world.cloud.ask<Output>(...(["rds", operation, standby.region, input] as const));
      const { DBInstanceAutomatedBackup: backup } = await ask<{
        DBInstanceAutomatedBackup: { DBInstanceAutomatedBackupsArn: string };
      }>("StopDBInstanceAutomatedBackupsReplication", { SourceDBInstanceArn: arn });
      const { DBInstanceAutomatedBackupsArn } = backup;
      await ask("DeleteDBInstanceAutomatedBackup", { DBInstanceAutomatedBackupsArn });
      return `Somebody ends the replication of backups and deletes what ${standby.region} has of them.`;
    },
  },
];
