import { inSentences } from "../../../shared/outcome.ts";
import { newPassword } from "../generate.ts";
import type { Kind, SecretValue, Told, Tools } from "../kinds.ts";
import { did, refuse } from "../kinds.ts";
import type { Credential, LoginAnswer } from "../logins.ts";
import { scramVerifier } from "../scram.ts";

export const credentialOf = ({ username, password }: SecretValue): Credential => {
  if (typeof username !== "string" || typeof password !== "string") {
    throw new Error(`a version of the secret has no "username" and "password"`);
  }
  return { username, password };
};

/** Why a login that had to work did not, as a refusal of the step. */
export const failed = (whose: string, answer: Exclude<LoginAnswer, { is: "in" }>) => {
  const meaning = {
    refused: "does not log in: the server does not take its password",
    closed: "may not log in at the moment, as behind a fence",
    untrusted: "was not sent: who answered does not prove to be the database",
    busy: "got no session",
    unreachable: "could not be tried: nothing answers",
  }[answer.is];
  return refuse(
    `${whose}-${answer.is}`,
    inSentences([`The ${whose} login ${meaning}`, answer.why]),
  );
};

/**
 * Two logins that alternate. The one that is idle gets a new password and becomes the current one; the
 * other stays good until nobody uses it. Their rights are those of a role that neither of them is.
 */
export const databaseLogin: Kind = {
  name: "database-login",
  isReadByFleet: true,

  make: async (current, { logins, random }) => {
    const { username } = credentialOf(current);
    const next = logins.find((name) => name !== username);
    if (!logins.includes(username) || next === undefined) {
      const reason = `${username} is none of the two logins that alternate: ${logins.join(", ")}.`;
      return refuse("not-a-login", reason);
    }
    return { made: { ...current, username: next, password: newPassword(random) } };
  },

  set: async ({ current, pending }, tools) => {
    const { database, random } = tools;
    const [old, next] = [credentialOf(current), credentialOf(pending)];
    const wrong = mismatch(old, next, tools);
    if (wrong) return wrong;
    const before = await database.login(next);
    if (before.is === "in") return did(`${next.username} has its new password already.`);
    if (before.is !== "refused") return failed("new", before);
    // Whoever asks has to know the secret that is in use, or this is not ours to rotate.
    const now = await database.login(old);
    if (now.is !== "in") return failed("current", now);
    if (now.inside.recovery) return refuse("read-only", "This database is a replica.");
    const owner = await tools.owner();
    const used = await database.sessionsOf(owner, next.username);
    if (used > 0) {
      const reason =
        `${used} sessions are still on ${next.username}, so its password is not changed: the overlap ` +
        "of the last rotation has to end first.";
      return refuse("still-in-use", reason);
    }
    const verifier = scramVerifier(next.password, random);
    await database.setPassword(owner, next.username, verifier);
    return did(`${next.username} has a new password.`);
  },

  test: async ({ current, pending }, tools) => {
    const { database } = tools;
    const [old, next] = [credentialOf(current), credentialOf(pending)];
    const wrong = mismatch(old, next, tools);
    if (wrong) return wrong;
    const [before, after] = [await database.login(old), await database.login(next)];
    if (after.is !== "in") return failed("new", after);
    if (after.inside.user !== next.username) {
      return refuse("another-user", `${next.username} came in as ${after.inside.user}.`);
    }
    if (after.inside.recovery) return refuse("read-only", "This database is a replica.");
    if (before.is !== "in") return failed("current", before);
    const missing = before.inside.memberOf.filter((role) => !after.inside.memberOf.includes(role));
    if (missing.length > 0) {
      const reason = `${next.username} lacks what ${old.username} has: ${missing.join(", ")}.`;
      return refuse("rights-differ", reason);
    }
    return did(`${next.username} logs in, with the rights of ${old.username}.`);
  },

  putBack: async ({ current }, { database }) => {
    const old = credentialOf(current);
    const answer = await database.login(old);
    if (answer.is !== "in") return failed("current", answer);
    return did(`${old.username} still logs in: nothing has to be put back.`);
  },

  prove: async (current, { database, logins }) => {
    const { username, password } = credentialOf(current);
    const answer = await database.login({ username, password });
    if (answer.is !== "in") return failed("current", answer);
    const text = `${username} logs in${answer.inside.recovery ? ", on a replica" : ""}.`;
    const idle = logins.find((name) => name !== username);
    return { did: text, ...(idle === undefined ? {} : { idle }) };
  },

  retire: async (values, { database, owner }) => {
    const [now, old] = [credentialOf(values.current), credentialOf(values.previous)];
    if (now.username === old.username) {
      return refuse("same-login", `${old.username} is the login in use: it cannot be retired.`);
    }
    const answer = await database.login(now);
    if (answer.is !== "in") return failed("current", answer);
    const before = await database.login(old);
    if (before.is === "refused") return did(`${old.username} does not log in any more.`);
    if (before.is !== "in") return failed("previous", before);
    const by = await owner();
    const used = values.isCompromised ? 0 : await database.sessionsOf(by, old.username);
    if (used > 0) {
      return refuse("still-in-use", `${used} sessions are still on ${old.username}.`);
    }
    await database.setPassword(by, old.username, null);
    const after = await database.login(old);
    if (after.is === "in") return refuse("not-retired", `${old.username} still logs in.`);
    return did(`${old.username} has no password any more: nobody logs in with it.`);
  },

  expel: async (current, tools) => {
    const { username } = credentialOf(current);
    const idle = tools.logins.find((name) => name !== username);
    return idle === undefined ? did("There is no other login.") : expelled(tools, idle);
  },
};

/** Sessions outlive the password that they were opened with. */
export const expelled = async (
  { database, owner }: Pick<Tools, "database" | "owner">,
  username: string,
): Promise<Told> => {
  const ended = await database.endSessions(await owner(), username);
  return did(`${ended} sessions of ${username} were ended.`);
};

/** What must hold of the two values, whoever has written them. */
const mismatch = (old: Credential, next: Credential, { logins }: Tools): Told | undefined => {
  if (next.username === old.username) {
    const reason = `AWSPENDING names ${next.username}, which is the login in use.`;
    return refuse("same-login", reason);
  }
  if (!logins.includes(next.username)) {
    return refuse("not-a-login", `AWSPENDING names ${next.username}, which is no login of ours.`);
  }
  return undefined;
};
