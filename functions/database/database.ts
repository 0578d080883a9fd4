import { canaryBytes, windowsOf } from "../../shared/manifest.ts";
import type { Session } from "../../shared/runtime.ts";
import { headerOf, type LeftOn, rowsIn } from "../../shared/sealed.ts";
import type {
  DatabaseAnswers,
  DatabaseRequest,
  Logins,
  Position,
  SessionPolicy,
} from "./decide.ts";
import { endSessions, examine } from "./examine.ts";
import { statements } from "./statements.ts";

export interface DatabasePorts {
  /** Opens a session as Nightshift's own login. */
  session(): Promise<Session>;
  /** The application's roles, from the deployment. */
  roles: string[];
  /** Whose sessions may be ended, from the operator's file. */
  sessionPolicy: SessionPolicy;
  /** Keeps who was ended, and who was spared and why: whoever asked may not live to read the answer. */
  tell(answer: DatabaseAnswers["endSessions"]): void;
}

/** Runs one request of the menu on one session, which is closed whatever happens. */
export const runStatement = async (
  ports: DatabasePorts,
  request: DatabaseRequest,
): Promise<unknown> => {
  if (ports.roles.length === 0) {
    throw new Error("no application role is configured: a fence would close nothing");
  }
  const session = await ports.session();
  try {
    return await perform(session, ports, request);
  } finally {
    await session.end();
  }
};

const perform = async (
  session: Session,
  { roles, sessionPolicy, tell }: DatabasePorts,
  request: DatabaseRequest,
) => {
  switch (request.do) {
    case "prepare":
      await session.query(statements.prepare.text);
      return {};
    case "heartbeat": {
      const { region, epoch, writtenAtMilliseconds, contactAtMilliseconds } = request;
      const values = [region, epoch, writtenAtMilliseconds, contactAtMilliseconds];
      const { rows } = await session.query(statements.heartbeat.text, values);
      return { lsn: String(rows[0]?.lsn) };
    }
    case "position":
      return position(session);
    case "logins":
      return logins(session, roles);
    case "fence":
      return fence(session, roles, request.epoch ?? 0);
    case "liftFence": {
      const epoch = request.epoch ?? Number.MAX_SAFE_INTEGER;
      await session.query(statements.nameRoles.text, [roles.join(","), String(epoch)]);
      await session.query(statements.openLogins.text);
      return logins(session, roles);
    }
    case "probeWrite": {
      const { rows } = await session.query(statements.probeWrite.text, [request.epoch]);
      return { epoch: Number(rows[0]?.epoch) };
    }
    case "manifest":
      return manifest(session, request);
    case "sealed":
      return sealed(session, request);
    case "reencrypt": {
      const values = [request.seconds, request.rows, request.pauseSeconds];
      const { rows } = await session.query(statements.reencrypt.text, values);
      if (rows.length === 0) throw new Error("there is no row to permit it in: run bootstrap.sql");
      return {};
    }
    case "examine":
      return examine(session, { roles, ...sessionPolicy }, request);
    case "endSessions": {
      const answer = await endSessions(session, { roles, ...sessionPolicy }, request);
      tell(answer);
      return answer;
    }
  }
};

/** What is counted row by row: a second or two from memory. The rest is PostgreSQL's estimate. */
const countedBytes = 256 * 1024 * 1024;
/** No automated backup is kept longer than 35 days. Source: "Backup retention period", Amazon RDS. */
const manifestsMilliseconds = 40 * 86_400_000;

const manifest = async (
  session: Session,
  request: Extract<DatabaseRequest, { do: "manifest" }>,
) => {
  const { takenAtMilliseconds: at, identity, appendOnly, atMostEveryHours = 0 } = request;
  const newest = await session.query(statements.newestManifest.text);
  const ageHours = (at - Number(newest.rows[0]?.taken_at_ms ?? 0)) / 3_600_000;
  // One of the future is by a clock that was wrong, and must not keep all others away.
  if (ageHours >= 0 && ageHours < atMostEveryHours) return { written: false };
  await session.query(statements.canary.text, [canaryBytes(identity)]);
  const windows = JSON.stringify(windowsOf(appendOnly, at));
  await session.query(statements.manifest.text, [at, countedBytes, windows]);
  await session.query(statements.forgetManifests.text, [at - manifestsMilliseconds]);
  return { written: true };
};

/** Beyond that it is only said that there are more: what is asked for is whether any are left. */
const countedRows = 1_000_000;

const sealed = async (
  session: Session,
  { key, columns }: Extract<DatabaseRequest, { do: "sealed" }>,
): Promise<DatabaseAnswers["sealed"]> => {
  const values = [headerOf(key), JSON.stringify(columns), countedRows];
  const { rows } = await session.query(statements.sealed.text, values);
  const found = rows[0]?.found as (LeftOn & { found: Record<string, number> })[];
  return {
    left: found.map(({ table, column, found: counts }) => {
      const { "": unmarked = 0, ...keys } = counts;
      const left = { table, column, keys, unmarked, more: false };
      return { ...left, more: rowsIn(left) >= countedRows };
    }),
  };
};

const position = async (session: Session): Promise<Position> => {
  const { rows } = await session.query(statements.position.text);
  const row = rows[0];
  if (!row) throw new Error("the server did not say where it stands");
  const heartbeat =
    row.written_at_ms === null || row.written_at_ms === undefined
      ? null
      : {
          region: String(row.region),
          epoch: Number(row.epoch),
          writtenAtMilliseconds: Number(row.written_at_ms),
          contactAtMilliseconds: Number(row.contact_at_ms),
        };
  return { recovery: row.recovery === true, lsn: String(row.lsn), heartbeat };
};

const logins = async (session: Session, roles: string[]): Promise<Logins> => {
  const { rows } = await session.query(statements.logins.text, [roles]);
  return {
    roles: rows.map((row) => ({
      role: String(row.role),
      canLogin: row.can_login === true,
      sessions: Number(row.sessions),
    })),
  };
};

/** How often it is looked whether the sessions that were ended are gone: a second in all. */
const looksAfterwards = 20;

/**
 * Closing comes first and is committed on its own: a session that starts between the two statements
 * would otherwise outlive the fence. A session that is told to end may still finish a commit, and have
 * it acknowledged, so the position is read only when none is left: it is what a replica must have
 * replayed for nothing acknowledged to be missing.
 */
const fence = async (session: Session, roles: string[], epoch: number) => {
  await session.query(statements.nameRoles.text, [roles.join(","), String(epoch)]);
  await session.query(statements.closeLogins.text);
  const { rows } = await session.query(statements.endSessions.text, [roles]);
  let there = await logins(session, roles);
  for (let look = 0; hasSessions(there) && look < looksAfterwards; look += 1) {
    await session.query(statements.moment.text);
    there = await logins(session, roles);
  }
  const { lsn } = await position(session);
  return { ...there, ended: Number(rows[0]?.ended ?? 0), lsn };
};

const hasSessions = ({ roles }: Logins): boolean => roles.some(({ sessions }) => sessions > 0);
