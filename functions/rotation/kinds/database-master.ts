import { newPassword } from "../generate.ts";
import type { Change, Kind } from "../kinds.ts";
import { did, refuse } from "../kinds.ts";
import { scramVerifier } from "../scram.ts";
import { credentialOf, expelled, failed } from "./database-login.ts";

/**
 * The owner, of which there is one, so there is a moment in which AWSCURRENT is not good yet: between the
 * change and the move of the label. Nobody but migrations and rotations logs in as the owner; the first
 * wait while a rotation is under way, and the others know AWSPENDING as well.
 */
export const databaseMaster: Kind = {
  name: "database-master",
  isReadByFleet: false,

  make: async (current, { random }) => {
    const { username } = credentialOf(current);
    return { made: { ...current, username, password: newPassword(random) } };
  },

  set: async (change, { database, random }) => {
    const { old, next } = both(change);
    if (old.username !== next.username) return anotherUser(next.username);
    const before = await database.login(next);
    if (before.is === "in") return did(`${next.username} has its new password already.`);
    if (before.is !== "refused") return failed("new", before);
    const now = await database.login(old);
    if (now.is !== "in") return failed("current", now);
    if (now.inside.recovery) return refuse("read-only", "This database is a replica.");
    await database.setPassword(old, next.username, scramVerifier(next.password, random));
    return did(`${next.username} has a new password.`);
  },

  test: async (change, { database }) => {
    const { old, next } = both(change);
    if (old.username !== next.username) return anotherUser(next.username);
    const answer = await database.login(next);
    if (answer.is !== "in") return failed("new", answer);
    if (answer.inside.recovery) return refuse("read-only", "This database is a replica.");
    return did(`${next.username} logs in.`);
  },

  putBack: async (change, { database, random }) => {
    const { old, next } = both(change);
    const now = await database.login(old);
    if (now.is === "in") return did(`${old.username} logs in with AWSCURRENT.`);
    if (now.is !== "refused") return failed("current", now);
    const by = await database.login(next);
    if (by.is !== "in") return failed("new", by);
    await database.setPassword(next, old.username, scramVerifier(old.password, random));
    const after = await database.login(old);
    if (after.is !== "in") return failed("current", after);
    return did(`${old.username} has its old password back.`);
  },

  prove: async (current, { database }) => {
    const answer = await database.login(credentialOf(current));
    return answer.is === "in" ? did("The owner logs in.") : failed("current", answer);
  },

  // The old password went when the new one came.
  retire: async ({ previous }, { database }) => {
    const answer = await database.login(credentialOf(previous));
    if (answer.is === "in") return refuse("not-retired", "The owner's old password still logs in.");
    if (answer.is !== "refused") return failed("previous", answer);
    return did("The owner's old password does not log in any more.");
  },

  expel: (current, tools) => expelled(tools, credentialOf(current).username),
};

const both = ({ current, pending }: Change) => ({
  old: credentialOf(current),
  next: credentialOf(pending),
});

const anotherUser = (username: string) =>
  refuse("another-user", `AWSPENDING names ${username}, which is not the user of AWSCURRENT.`);
