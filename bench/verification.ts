/**
 * `node bin/run.mjs bench/verification.ts --gigabytes 5`: a database of that size on a real PostgreSQL, read
 * in full by the function's own code, next to `pg_dump` and a plain COPY to nowhere on the same server.
 * It takes minutes, so `npm run bench` leaves it out. PostgreSQL from npm has no `pg_dump`, and one older
 * than the server refuses: `--postgres /usr/lib/postgresql/15` takes server and `pg_dump` from there.
 */
import { execFile, execFileSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { Client } from "pg";
import type { Administration } from "../local/postgres/instances.ts";
import { realEngine } from "../local/postgres/real.ts";
import { scaledTimeline } from "../local/time/scaled.ts";
import { systemRandom } from "../shared/random.ts";
import type { DatabaseTarget } from "../shared/runtime.ts";
import type { ReadBy } from "./verification-reader.ts";

const run = promisify(execFile);
const database = "platform";
const owner = { user: "platform_owner", password: "of the owner" };
/** Rows of a ledger: some 200 bytes each, and one in a hundred with a document stored beside it. */
const batchRows = 200_000;

const { values } = parseArgs({
  options: {
    gigabytes: { type: "string", default: "1" },
    turn: { type: "string", default: "30" },
    postgres: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const gigabytes = Number(values.gigabytes);
const turnSeconds = Number(values.turn);
if (!(gigabytes > 0 && gigabytes <= 50 && turnSeconds > 0)) {
  throw new Error("--gigabytes takes a number up to 50, --turn seconds above 0");
}

const dumpProgram = values.postgres ? join(values.postgres, "bin", "pg_dump") : "pg_dump";

const tell = (line: string) => void process.stderr.write(`${line}\n`);

const fill = async (login: DatabaseTarget): Promise<number> => {
  const client = new Client({ ...login });
  await client.connect();
  await client.query(`create table entries (id bigint primary key, account text not null,
    amount bigint not null, memo text not null, booked_at timestamptz not null, document bytea)`);
  await client.query("alter table entries alter document set storage external");
  let bytes = 0;
  for (let from = 0; bytes < gigabytes * 1e9; from += batchRows) {
    await client.query(
      `insert into entries select n, 'account-' || n % 100000, n % 9973,
         md5(n::text) || md5((n + 1)::text) || md5((n + 2)::text), now() - n * interval '1 second',
         case when n % 100 = 0 then decode(repeat(md5(n::text), 250), 'hex') end
       from generate_series($1::bigint, $2::bigint) n`,
      [from + 1, from + batchRows],
    );
    const { rows } = await client.query("select pg_table_size('entries')::float8 as bytes");
    bytes = rows[0].bytes;
  }
  await client.query("vacuum analyze entries");
  await client.end();
  return bytes;
};

const readBy = async (target: DatabaseTarget, name: string): Promise<ReadBy> => {
  const script = fileURLToPath(new URL("verification-reader.ts", import.meta.url));
  const given = JSON.stringify({ target, name, turnSeconds });
  const flags = ["--disable-warning=ExperimentalWarning"];
  const { stdout } = await run(process.execPath, [...flags, script, given]);
  return JSON.parse(stdout) as ReadBy;
};

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
};

const copyToNowhere = async (login: Administration): Promise<number> => {
  const client = new Client({ ...login, database });
  await client.connect();
  const seconds = await timed(() => client.query("copy entries to '/dev/null'"));
  await client.end();
  return seconds;
};

const dumpToNowhere = async (login: DatabaseTarget): Promise<number | string> => {
  const { host, port, user, password } = login;
  const where = ["--host", host, "--port", String(port), "--username", user];
  try {
    return await timed(() =>
      run(dumpProgram, [...where, "--file", "/dev/null", database], {
        env: { ...process.env, PGPASSWORD: password },
      }),
    );
  } catch (error) {
    const said = (error as { stderr?: string }).stderr || String(error);
    return said.trim().split("\n").slice(0, 3).join(" ");
  }
};

const versionOf = (program: string): string => {
  try {
    return execFileSync(program, ["--version"], { encoding: "utf8" }).trim();
  } catch {
    return "none";
  }
};

const timeline = scaledTimeline({ speed: 1, origin: 0, realStart: Date.now() }, (error) => {
  throw error;
});
const engine = await realEngine({
  timeline,
  random: systemRandom,
  reachable: () => true,
  ...(values.postgres && { installation: values.postgres }),
});
try {
  const address = await engine.create({
    id: "copy",
    region: "eu-west-1",
    masterUser: owner.user,
    masterPassword: owner.password,
    database,
  });
  const target: DatabaseTarget = { ...address, ...owner, database, tls: "off" };
  tell(`filling ${gigabytes} GB …`);
  const bytes = await fill(target);
  const rounds: { copy: number; dump: number | string; read: ReadBy }[] = [];
  // Whoever comes first in a round finds colder caches: the order turns from round to round.
  for (const isFirst of [true, false]) {
    tell("reading …");
    const early = isFirst ? await readBy(target, "readable-in-full") : undefined;
    const copy = await copyToNowhere(engine.administration("copy"));
    const dump = await dumpToNowhere(target);
    rounds.push({ copy, dump, read: early ?? (await readBy(target, "readable-in-full")) });
  }
  const measured = {
    machine: { node: process.version, cores: availableParallelism() },
    gigabytes: bytes / 1e9,
    dumpVersion: versionOf(dumpProgram),
    rounds,
  };
  process.stdout.write(`${values.json ? JSON.stringify(measured) : printed(measured)}\n`);
} finally {
  await engine.close();
  timeline.close();
}

function printed({
  machine,
  gigabytes: size,
  dumpVersion,
  rounds: all,
}: {
  machine: { node: string; cores: number };
  gigabytes: number;
  dumpVersion: string;
  rounds: { copy: number; dump: number | string; read: ReadBy }[];
}): string {
  const seconds = (value: number | string) =>
    typeof value === "number"
      ? `${value.toFixed(1)} s (${((size * 1000) / value).toFixed(0)} MB/s)`
      : value;
  const lines = all.map(({ copy, dump, read }, index) =>
    [
      `  round ${index + 1}`,
      `    full read, in ${read.turns} turns of ${turnSeconds} s   ${seconds(read.seconds)}`,
      `    COPY to nowhere                  ${seconds(copy)}`,
      `    pg_dump to nowhere               ${seconds(dump)}`,
      `    the function: ${read.mostMemoryMegabytes.toFixed(0)} MB at most, ` +
        `${read.processorSeconds.toFixed(1)} s of processor, cursor ${read.cursorBytes} bytes, ` +
        `${read.mostOverrunSeconds.toFixed(1)} s beyond a turn at most`,
      `    ${read.result.is}: ${read.result.actual}`,
    ].join("\n"),
  );
  return [
    `Node ${machine.node}, ${machine.cores} cores; ${size.toFixed(2)} GB; ${dumpVersion}`,
    ...lines,
  ].join("\n");
}
