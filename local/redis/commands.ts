import type { Entries } from "./entries.ts";
import type { Reply } from "./protocol.ts";

/** What one connection is and may. */
export interface Session {
  id: number;
  version: 2 | 3;
  name: string;
  /** The token that it showed, `none` when it came in without one, undefined while it is not in. */
  admittedBy: string | undefined;
}

/** The server, as a command sees it. */
export interface Place {
  entries: Entries;
  now(): number;
  connections(): number;
  /** Undefined when this user and token are not let in. */
  admit(user: string, token: string): string | undefined;
  takesTokens(): boolean;
}

type Command = (parts: Buffer[], session: Session, place: Place) => Reply;

const ok = { status: "OK" };
const wrong = (name: string) => ({
  error: `ERR wrong number of arguments for '${name.toLowerCase()}' command`,
});
const syntax = { error: "ERR syntax error" };
const noInteger = { error: "ERR value is not an integer or out of range" };
const text = (part: Buffer | undefined): string => part?.toString("latin1") ?? "";
const word = (part: Buffer | undefined): string => text(part).toUpperCase();

const authenticate = (session: Session, place: Place, user: string, token: string): Reply => {
  const by = place.admit(user, token);
  if (by === undefined) {
    return { error: "WRONGPASS invalid username-password pair or user is disabled." };
  }
  session.admittedBy = by;
  return ok;
};

const auth: Command = (parts, session, place) => {
  if (parts.length < 2 || parts.length > 3) return wrong("auth");
  if (parts.length === 2 && !place.takesTokens()) {
    return {
      error:
        "ERR AUTH <password> called without any password configured for the default user. " +
        "Are you sure your configuration is correct?",
    };
  }
  const user = parts.length === 3 ? text(parts[1]) : "default";
  return authenticate(session, place, user, text(parts.at(-1)));
};

const hello: Command = (parts, session, place) => {
  const asked = parts[1] ? Number(text(parts[1])) : session.version;
  if (asked !== 2 && asked !== 3) return { error: "NOPROTO unsupported protocol version" };
  for (let index = 2; index < parts.length; ) {
    const option = word(parts[index]);
    if (option === "AUTH" && parts.length > index + 2) {
      const given = authenticate(session, place, text(parts[index + 1]), text(parts[index + 2]));
      if (given !== ok) return given;
      index += 3;
    } else if (option === "SETNAME" && parts.length > index + 1) {
      session.name = text(parts[index + 1]);
      index += 2;
    } else return { error: "ERR Syntax error in HELLO option" };
  }
  if (session.admittedBy === undefined) {
    return {
      error:
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO " +
        "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the " +
        "RESP protocol version at the same time",
    };
  }
  session.version = asked;
  return {
    map: [
      ["server", "redis"],
      ["version", "7.2.4"],
      ["proto", asked],
      ["id", session.id],
      ["mode", "standalone"],
      ["role", "master"],
      ["modules", []],
    ],
  };
};

const client: Command = (parts, session) => {
  switch (word(parts[1])) {
    case "ID":
      return session.id;
    case "GETNAME":
      return session.name === "" ? null : session.name;
    case "SETNAME":
      session.name = text(parts[2]);
      return ok;
    case "SETINFO":
      return ok;
    default:
      return { error: `ERR unknown subcommand '${text(parts[1]).slice(0, 32)}'. Try CLIENT HELP.` };
  }
};

const set: Command = (parts, _session, { entries, now }) => {
  const [, key, value, ...options] = parts;
  if (!key || !value) return wrong("set");
  const name = text(key);
  const before = entries.get(name);
  let [end, onlyIf, answersOld]: [number | undefined, string, boolean] = [undefined, "", false];
  for (let index = 0; index < options.length; index += 1) {
    const option = word(options[index]);
    if (option === "NX" || option === "XX") onlyIf = option;
    else if (option === "GET") answersOld = true;
    else if (option === "KEEPTTL") end = entries.endOf(name);
    else if (option === "EX" || option === "PX") {
      const count = Number(text(options[++index]));
      if (!Number.isSafeInteger(count) || count <= 0) {
        return { error: "ERR invalid expire time in 'set' command" };
      }
      end = now() + count * (option === "EX" ? 1000 : 1);
    } else return syntax;
  }
  const isRefused = onlyIf !== "" && (onlyIf === "NX") === (before !== undefined);
  if (!isRefused) entries.set(name, value, end);
  if (answersOld) return before ?? null;
  return isRefused ? null : ok;
};

const add =
  (name: string, sign: 1 | -1, hasStep: boolean): Command =>
  (parts, _session, { entries }) => {
    const [, key, given] = parts;
    if (!key || (hasStep && !given)) return wrong(name);
    const before = Number(entries.get(text(key))?.toString() ?? "0");
    const sum = before + sign * (hasStep ? Number(text(given)) : 1);
    if (!Number.isSafeInteger(before) || !Number.isSafeInteger(sum)) return noInteger;
    entries.set(text(key), Buffer.from(String(sum)), entries.endOf(text(key)));
    return sum;
  };

const expire =
  (name: string, milliseconds: number): Command =>
  (parts, _session, { entries, now }) => {
    const [, key, count] = parts;
    if (!key || !count) return wrong(name);
    const value = entries.get(text(key));
    if (!Number.isSafeInteger(Number(text(count)))) return noInteger;
    if (value === undefined) return 0;
    entries.set(text(key), value, now() + Number(text(count)) * milliseconds);
    return 1;
  };

const left =
  (milliseconds: number): Command =>
  (parts, _session, { entries, now }) => {
    const key = text(parts[1]);
    if (entries.get(key) === undefined) return -2;
    const end = entries.endOf(key);
    return end === undefined ? -1 : Math.ceil((end - now()) / milliseconds);
  };

const counted =
  (name: string, does: (key: string, entries: Entries) => boolean): Command =>
  ([, ...keys], _session, { entries }) =>
    keys.length === 0 ? wrong(name) : keys.filter((key) => does(text(key), entries)).length;

const info: Command = (_parts, _session, place) =>
  [
    "# Server",
    "redis_version:7.2.4",
    "redis_mode:standalone",
    "# Clients",
    `connected_clients:${place.connections()}`,
    "# Memory",
    `used_memory:${place.entries.usedBytes()}`,
    "# Replication",
    "role:master",
    "",
  ].join("\r\n");

/**
 * What applications and clients of this platform send. What is missing is answered as unknown, and so is
 * CONFIG, as ElastiCache does: "Supported and restricted Valkey and Redis OSS commands",
 * https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/SupportedCommands.html
 */
const commands: Record<string, Command> = {
  AUTH: auth,
  HELLO: hello,
  CLIENT: client,
  PING: ([, message]) => message ?? { status: "PONG" },
  ECHO: ([, message]) => message ?? wrong("echo"),
  QUIT: () => ok,
  SELECT: ([, index]) => (text(index) === "0" ? ok : { error: "ERR DB index is out of range" }),
  SET: set,
  GET: ([, key], _session, { entries }) => (key ? (entries.get(text(key)) ?? null) : wrong("get")),
  DEL: counted("del", (key, entries) => entries.delete(key)),
  EXISTS: counted("exists", (key, entries) => entries.get(key) !== undefined),
  INCR: add("incr", 1, false),
  DECR: add("decr", -1, false),
  INCRBY: add("incrby", 1, true),
  EXPIRE: expire("expire", 1000),
  PEXPIRE: expire("pexpire", 1),
  TTL: left(1000),
  PTTL: left(1),
  DBSIZE: (_parts, _session, { entries }) => entries.size(),
  FLUSHALL: (_parts, _session, { entries }) => {
    entries.clear();
    return ok;
  },
  INFO: info,
};

const openToAll = new Set(["AUTH", "HELLO", "QUIT"]);

export const run = (parts: Buffer[], session: Session, place: Place): Reply => {
  const name = word(parts[0]);
  if (session.admittedBy === undefined && !openToAll.has(name)) {
    return { error: "NOAUTH Authentication required." };
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  // Only the name: what follows may be a secret.
  if (!command) return { error: `ERR unknown command '${text(parts[0]).slice(0, 32)}'` };
  return command(parts, session, place);
};
