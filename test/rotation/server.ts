import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { rotationStatements } from "../../functions/rotation/logins.ts";
import type { Connect } from "../../shared/runtime.ts";

interface Role {
  verifier: string | null;
  canLogin: boolean;
  memberOf: string[];
}

const failure = (code: string, message: string) => Object.assign(new Error(message), { code });

/** The check takes its time on purpose, and the same question is asked after every call of every run. */
const asked = new Map<string, boolean>();

/** Whether a server that keeps `verifier` takes `password`, as PostgreSQL checks it: RFC 5802. */
export const takes = (verifier: string, password: string): boolean => {
  const question = `${verifier} ${password}`;
  const known = asked.get(question) ?? check(verifier, password);
  asked.set(question, known);
  return known;
};

const check = (verifier: string, password: string): boolean => {
  const [, count, salt = "", stored] =
    /^SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):/.exec(verifier) ?? [];
  const salted = pbkdf2Sync(password, Buffer.from(salt, "base64"), Number(count), 32, "sha256");
  const key = createHmac("sha256", salted).update("Client Key").digest();
  return createHash("sha256").update(key).digest("base64") === stored;
};

/** Ends the sessions of a role, and says how many there were. */
const leave = (held: Map<string, number>, role: string): number => {
  const count = held.get(role) ?? 0;
  held.delete(role);
  return count;
};

const come = (logins: { user: string; is: string }[], user: string, admit: () => Role): Role => {
  try {
    const role = admit();
    logins.push({ user, is: "in" });
    return role;
  } catch (error) {
    logins.push({ user, is: (error as { code: string }).code });
    throw error;
  }
};

/**
 * A PostgreSQL that knows roles, verifiers, sessions and the statements of rotation, and no other. It is
 * never told a password in a statement: one that comes is refused.
 */
export const fakeServer = () => {
  const roles = new Map<string, Role>();
  const sent: string[] = [];
  const logins: { user: string; is: string }[] = [];
  const held = new Map<string, number>();
  let broken: string | undefined;
  const admit = (user: string, password: string): Role => {
    if (broken) throw failure(broken, `the server: ${broken}`);
    const role = roles.get(user);
    if (!role?.verifier || !takes(role.verifier, password)) {
      throw failure("28P01", `password authentication failed for user "${user}"`);
    }
    if (!role.canLogin) throw failure("28000", `role "${user}" is not permitted to log in`);
    return role;
  };
  const connect: Connect = async ({ user, password }) => {
    const self = come(logins, user, () => admit(user, password));
    let named: string[] = [];
    const perform = (text: string, values: unknown[]): Record<string, unknown>[] => {
      const { inside, inUse, nameLogin, setVerifier, clearPassword, endSessions } =
        rotationStatements;
      if (text === inside) return [{ user, recovery: false, member_of: self.memberOf }];
      if (text === inUse) return [{ count: held.get(String(values[0])) ?? 0 }];
      if (text === endSessions) return [{ count: leave(held, String(values[0])) }];
      if (text === nameLogin) {
        named = values.map(String);
        return [];
      }
      const role = roles.get(named[0] ?? "");
      if (!role) throw failure("42704", `role "${named[0]}" does not exist`);
      if (text === clearPassword) role.verifier = null;
      else if (text !== setVerifier) throw failure("42601", "not a statement of rotation");
      else if (!named[1]?.startsWith("SCRAM-SHA-256$")) throw failure("22023", "no verifier");
      else role.verifier = named[1];
      return [];
    };
    return {
      query: async (text, values = []) => {
        sent.push(JSON.stringify([text, values]));
        return { rows: perform(text, values) };
      },
      end: async () => undefined,
    };
  };
  return {
    connect,
    roles,
    sent,
    logins,
    /** Sessions that somebody keeps open. */
    held,
    /** From now on every connection ends with this code. */
    breakWith: (code: string | undefined) => void (broken = code),
    /** Whether somebody gets in with this, without being noticed. */
    opens: (user: string, password: string): boolean => {
      const role = roles.get(user);
      return Boolean(role?.canLogin && role.verifier && takes(role.verifier, password));
    },
  };
};
