import { rotationStatements } from "../../functions/rotation/logins.ts";
import type { ModelledEngine } from "../../local/postgres/modelled.ts";
import {
  DatabaseError,
  type ModelledSession,
  type SessionRequest,
} from "../../local/postgres/session.ts";
import { takes } from "../rotation/server.ts";

/** A verifier that nothing opens: what a role has whose password was taken away. */
const closed = "SCRAM-SHA-256$none";

/** A session, with a password that the database may have as a verifier only. */
export const entered = (
  engine: ModelledEngine,
  id: string,
  request: SessionRequest,
): ModelledSession | DatabaseError => {
  const direct = engine.session(id, request);
  const { password, ...rest } = request;
  if (!(direct instanceof DatabaseError) || direct.code !== "28P01" || password === undefined) {
    return direct;
  }
  const open = engine.session(id, rest);
  if (open instanceof DatabaseError) return direct;
  const kept = open.role(request.user)?.password ?? "";
  if (kept.startsWith("SCRAM-SHA-256$") && kept !== closed && takes(kept, password)) return open;
  open.end();
  return direct;
};

type Row = Record<string, unknown>;

/** What rotation's statements do on a modelled database; undefined for every other one. */
export const rotationRows = (
  session: ModelledSession,
  me: string,
  named: { login: string; verifier: string },
  text: string,
  values: unknown[],
): Row[] | undefined => {
  switch (text) {
    case rotationStatements.inside:
      return [{ user: me, recovery: session.recovery(), member_of: ["application"] }];
    case rotationStatements.inUse:
      return [{ count: session.sessions(String(values[0])) }];
    case rotationStatements.nameLogin:
      Object.assign(named, { login: String(values[0]), verifier: String(values[1]) });
      return [];
    case rotationStatements.setVerifier:
      session.alterRole({ name: named.login, password: named.verifier });
      return [];
    case rotationStatements.clearPassword:
      session.alterRole({ name: named.login, password: closed });
      return [];
    default:
      return undefined;
  }
};
