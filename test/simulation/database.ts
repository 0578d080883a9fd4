import { statements } from "../../functions/database/statements.ts";
import type { ModelledEngine } from "../../local/postgres/modelled.ts";
import type { ModelledSession } from "../../local/postgres/session.ts";
import { DatabaseError } from "../../local/postgres/session.ts";
import type { Clock } from "../../shared/clock.ts";
import type { Connect } from "../../shared/runtime.ts";
import type { SealedColumn } from "../../shared/sealed.ts";
import { entered, rotationRows } from "./entering.ts";
import { sessionRows } from "./sessions.ts";

type Row = Record<string, unknown>;

const heartbeatKey = "nightshift.heartbeat";
const fenceKey = "nightshift.fence";

/** What a session was told before it opens or closes. */
interface Named {
  roles: string[];
  epoch: number;
}

/**
 * What PostgreSQL would do with each statement of the menu, on a modelled database. Known by their
 * very texts: a statement that is not on the menu fails here as it would be refused there.
 */
export const modelledConnect =
  (engine: ModelledEngine, from: string, clock: Clock): Connect =>
  async ({ host, port, user, password }) => {
    const id = engine.at({ host, port });
    if (!id) throw new Error(`nothing listens on ${host}:${port}`);
    const session = entered(engine, id, { user, password, from, application: "nightshift" });
    if (session instanceof DatabaseError) {
      // Nothing answers: the caller's own connect timeout has to pass.
      if (session.code === "ETIMEDOUT") await clock.sleep(4000);
      throw session;
    }
    let named: Named = { roles: [], epoch: 0 };
    const changing = { login: "", verifier: "" };
    return {
      query: async (text, values = []) => {
        if (text === statements.nameRoles.text) {
          named = { roles: String(values[0]).split(","), epoch: Number(values[1]) };
          return { rows: [] };
        }
        const rows =
          sessionRows(session, clock.now(), user, text, values) ??
          rotationRows(session, user, changing, text, values);
        return { rows: rows ?? perform(session, named, text, values) };
      },
      end: async () => session.end(),
    };
  };

const perform = (
  session: ModelledSession,
  { roles, epoch }: Named,
  text: string,
  values: unknown[],
): Row[] => {
  switch (text) {
    case statements.prepare.text:
      session.write("nightshift.schema", "1");
      return [];
    case statements.heartbeat.text:
      return [{ lsn: session.write(heartbeatKey, JSON.stringify(values)) }];
    case statements.position.text:
      return [position(session)];
    case statements.logins.text:
      return (values[0] as string[]).flatMap((name) => {
        const role = session.role(name);
        const sessions = session.sessions(name);
        return role ? [{ role: name, can_login: role.canLogin, sessions }] : [];
      });
    case statements.closeLogins.text:
      session.write(fenceKey, String(Math.max(fencedEpoch(session), epoch)));
      for (const name of roles)
        session.alterRole({ name, canLogin: false, readOnlyByDefault: true });
      return [];
    case statements.openLogins.text:
      if (fencedEpoch(session) > epoch) {
        const message = `fenced at epoch ${fencedEpoch(session)}, which is newer`;
        throw new DatabaseError("P0001", message);
      }
      for (const name of roles)
        session.alterRole({ name, canLogin: true, readOnlyByDefault: false });
      return [];
    case statements.endSessions.text: {
      const ended = (values[0] as string[]).map((name) => session.terminateSessions(name));
      return [{ ended: ended.reduce((sum, count) => sum + count, 0) }];
    }
    case statements.probeWrite.text:
      session.write("nightshift.probe", String(values[0]));
      return [{ epoch: values[0] }];
    case statements.reencrypt.text:
      session.write(permitKey, String(values[0]));
      return [{ permitted: true }];
    case statements.sealed.text:
      return [{ found: sealed(session, String(values[0]), JSON.parse(String(values[1]))) }];
    default:
      throw new Error(`not on the menu: ${text.slice(0, 60)}`);
  }
};

const permitKey = "nightshift.reencryption";
const sealedByKey = "application.sealed-by";

/** One row in each column, which the application seals again as soon as it is permitted to. */
const sealed = (session: ModelledSession, header: string, columns: SealedColumn[]) => {
  const id = header.slice(3, -1);
  if (Number(session.read(permitKey) ?? 0) > 0) session.write(sealedByKey, id);
  const by = session.read(sealedByKey) ?? "0".repeat(16);
  return columns.map((column) => ({ ...column, found: by === id ? {} : { [by]: 1 } }));
};

const fencedEpoch = (session: ModelledSession): number => Number(session.read(fenceKey) ?? 0);

const position = (session: ModelledSession): Row => {
  const heartbeat = session.read(heartbeatKey);
  const [region, epoch, written_at_ms, contact_at_ms] = heartbeat
    ? (JSON.parse(heartbeat) as unknown[])
    : [null, null, null, null];
  const { recovery, lsn } = session;
  return { recovery: recovery(), lsn: lsn(), region, epoch, written_at_ms, contact_at_ms };
};
