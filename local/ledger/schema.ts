/** What the ledger's migrations would have made, in one script. Run by the owner of the database. */
export const ledgerSchema = `
create table accounts (
  id text primary key check (id <> ''),
  currency text not null default 'EUR',
  opened_at timestamptz not null default now()
);
create table transfers (
  id text primary key check (id <> ''),
  amount bigint not null check (amount > 0),
  booked_at timestamptz not null default now()
);
create table entries (
  transfer_id text not null references transfers (id),
  account_id text not null references accounts (id),
  amount bigint not null check (amount <> 0),
  primary key (transfer_id, account_id)
);
create index entries_by_account on entries (account_id) include (amount);
-- Sealed with the platform's key, whose id stands in front: by it the rows of older keys are found.
create table holders (
  account_id text primary key references accounts (id),
  name text not null
);
create index holders_by_key on holders (left(name, 20) collate "C");
create table alembic_version (version_num varchar(32) primary key);
insert into alembic_version values ('9c1f6a0d2b47');

-- Double entry: what one account gives the other receives. Checked when the transaction ends.
create function entries_are_balanced() returns trigger language plpgsql as $$
begin
  if (select coalesce(sum(amount), 0) from entries where transfer_id = new.transfer_id) <> 0 then
    raise exception 'the entries of transfer % do not sum to zero', new.transfer_id
      using errcode = 'check_violation';
  end if;
  return null;
end $$;
create constraint trigger entries_balanced after insert or update on entries
  deferrable initially deferred for each row execute function entries_are_balanced();
`;

/** The accounts that load and probes use. */
export const ledgerAccounts = (count: number): string[] => [
  ...Array.from({ length: count }, (_, index) => `account-${index + 1}`),
  ...probeAccounts,
];

/** A write probe moves one unit between these two, so that no customer's balance is touched. */
export const probeAccounts = ["probe-source", "probe-sink"];

/** SQL that opens `count` accounts and those of the probe. Safe to run twice. */
export const seedAccounts = (count: number): string =>
  `insert into accounts (id) values ${ledgerAccounts(count)
    .map((id) => `('${id}')`)
    .join(", ")} on conflict do nothing`;

/** Tables whose rows the application's role reads and writes. */
export const ledgerGrants = (role: string): string =>
  `grant select, insert on accounts, transfers, entries, alembic_version to ${role};
   grant select, insert, update on holders to ${role}`;

/**
 * One statement is one transaction: both entries or none, and acknowledged only after the commit.
 * A transfer that exists already is left as it is.
 */
export const bookTransfer = `
with booked as (
  insert into transfers (id, amount) values ($1, $4::bigint) on conflict (id) do nothing
  returning id
)
insert into entries (transfer_id, account_id, amount)
select booked.id, side.account, side.amount
from booked, (values ($2::text, -$4::bigint), ($3::text, $4::bigint)) as side (account, amount)`;

export const readTransfer = `
select t.id, t.amount::text as amount,
  min(e.account_id) filter (where e.amount < 0) as "from",
  min(e.account_id) filter (where e.amount > 0) as "to"
from transfers t join entries e on e.transfer_id = t.id where t.id = $1 group by t.id`;

export const readHolder = "select name from holders where account_id = $1";

export const keepHolder = `
insert into holders values ($1, $2) on conflict (account_id) do update set name = excluded.name`;

/** As many rows as may be sealed again in this transaction, by the platform's word. */
export const nextBatch = "select nightshift.next_batch() as rows";

/** Sealed by another key than the one of this header. Nobody waits for a row that a user has just taken. */
export const olderHolders = `
select account_id, name from holders
where left(name, 20) collate "C" < $1 or left(name, 20) collate "C" > $1
limit $2 for update skip locked`;

export const sealHolder = "update holders set name = $2 where account_id = $1";

export const readAccount = `
select a.id, a.currency, coalesce(sum(e.amount), 0)::text as balance
from accounts a left join entries e on e.account_id = a.id where a.id = $1 group by a.id`;
