import type { Connections, ListedSession, Looks } from "../../../database/decide.ts";
import { blockersOf, freeze, mostEnded } from "../../../database/decide.ts";
import {
  connectionAdvice,
  connectionErrorOf,
  connectionWords,
  isSilence,
} from "../../connection-errors.ts";
import type { ServiceSeen, SessionsSeen } from "../../evidence.ts";
import { closedWay } from "../../path.ts";
import type { Decision, Evidence, Finding, Playbook, Subject, Verdict } from "../../playbooks.ts";
import { isWellFor } from "../../traffic.ts";

type Need = "sessions" | "refusals" | "login" | "group" | "service" | "database" | "path";

type Code =
  | "recovered"
  | "fenced"
  | "path-closed"
  | "does-not-answer"
  | "tls-fails"
  | "login-refused"
  | "forgotten-transactions"
  | "not-forgotten-yet"
  | "blocked-by-one"
  | "pool-too-large"
  | "logins-fail-after-rotation"
  | "spared-sessions";

/** As `stacks/alarms/data.ts` has it: four of five connections are in use. */
const fullShare = 0.8;
/** So far it is brought down, and no further: each session that is ended costs somebody a retry. */
const wantedShare = 0.6;

/** A few forgotten transactions are a bug to repair by day, and not what eats the connections. */
const leastForgotten = 5;
const tellingShare = 0.25;

/** More refusals than a client that tries twice makes. The alarm's own number is above. */
const tellingRefusals = 5;
/** So long after a change of the login its failures are put down to it. */
const rotationSeconds = 2 * 3600;

const worseShare = 0.05;
const tellingRequests = 20;

/** What can be said of the sessions when all of it is known. */
interface Picture {
  database: string;
  idleSeconds: number;
  connections: Connections;
  /** To the application: what is kept for administrators is not its room. */
  room: number;
  idle: ListedSession[];
  endable: ListedSession[];
  blocking: Looks["blocking"]["rows"];
}

/** Null with the reasons, when anything is missing: half a picture is none. */
const pictureOf = ({ sessions, database }: Evidence<Need>): Picture | { blind: string[] } => {
  if (!sessions.known) return { blind: [`${sessions.source}: ${sessions.why}`] };
  if (!database.known) return { blind: [`${database.source}: ${database.why}`] };
  const { seen, idleSeconds } = sessions.value;
  const { connections, idleInTransaction, blocking } = seen;
  if (!connections?.known || !idleInTransaction?.known || !blocking?.known) {
    return { blind: partsMissing(seen) };
  }
  if (connections.value.unseen > 0) {
    const { unseen } = connections.value;
    return { blind: [`${unseen} sessions cannot be looked into: grant pg_monitor to Nightshift`] };
  }
  const idle = idleInTransaction.value.rows;
  const { most, reserved } = connections.value;
  return {
    database: database.value.id,
    idleSeconds,
    connections: connections.value,
    room: Math.max(1, most - reserved),
    idle,
    endable: idle.filter(({ spared }) => spared === null),
    blocking: blocking.value.rows,
  };
};

const partsMissing = ({ connections, idleInTransaction, blocking }: SessionsSeen["seen"]) =>
  Object.entries({ connections, idleInTransaction, blocking }).flatMap(([name, part]) =>
    part?.known ? [] : [`${name}: ${part?.why ?? "no answer"}`],
  );

const finding = (is: Code | "unknown", says: string, advice: string[] = []): Finding<Code> => ({
  is,
  says,
  advice,
});

/**
 * A security group explains everything that comes after it. Who had a connection before may keep it for
 * hours, so sessions say nothing of it.
 */
const onTheWay = ({ path }: Evidence<Need>, { region }: Subject): Finding<Code> | null => {
  const closed = closedWay(path, ["the database"], region);
  if (!closed || closed.by === "unknown") return null;
  const is = closed.by === "fence" ? "fenced" : "path-closed";
  return finding(is, `${closed.says}.`, closed.advice);
};

/** Nobody is there, or whoever looks is not let in: told apart by what it was told. */
const unreached = ({ sessions }: Evidence<Need>): Finding<Code> | null => {
  const error = sessions.known ? null : connectionErrorOf(sessions.why);
  if (sessions.known || error === null || error === "no-room") return null;
  const says = `${connectionWords[error]} (${sessions.why})`;
  const advice = [connectionAdvice[error]];
  if (isSilence(error))
    return finding("does-not-answer", `The database says nothing: ${says}.`, advice);
  const is = error === "tls" ? "tls-fails" : "login-refused";
  return finding(is, `The sessions could not be seen: ${says}.`, advice);
};

const blindAdvice = (blind: string[]): string[] =>
  blind.some((each) => connectionErrorOf(each) === "no-room")
    ? [
        "Nightshift itself found no free connection. Log in as the owner, and end what is forgotten.",
        "For the next time: reserved_connections in the parameter group, and its role to Nightshift.",
      ]
    : ["Look at pg_stat_activity by hand: nothing is done on half of a picture."];

const diagnose = (evidence: Evidence<Need>, subject: Subject): Finding<Code> => {
  const before = onTheWay(evidence, subject) ?? unreached(evidence);
  if (before) return before;
  const picture = pictureOf(evidence);
  if ("blind" in picture) {
    const { blind } = picture;
    return finding(
      "unknown",
      `The sessions could not be seen (${blind.join("; ")}).`,
      blindAdvice(blind),
    );
  }
  const { connections, room, endable, idle, idleSeconds } = picture;
  const says = `${connections.used} of ${room} connections are in use`;
  if (connections.used < fullShare * room) return withRoom(evidence, subject, says);
  const blocked = blockedByOne(picture);
  if (blocked && blocked.waiting >= endable.length) return blocked.finding(says);
  const forgotten = `${idle.length} transactions are open and silent for ${idleSeconds} s or longer`;
  if (isTelling(endable.length, connections.used)) {
    const whose = isSpared(picture) ? `, ${endable.length} of them may be ended` : "";
    return finding("forgotten-transactions", `${says}; ${forgotten}${whose}.`, [
      ...timeoutAdvice(connections),
      "The application forgets to commit or to roll back: what was deployed last?",
    ]);
  }
  if (isTelling(idle.length, connections.used)) {
    return finding("spared-sessions", `${says}; ${forgotten}, and are spared: ${sparedOf(idle)}.`, [
      "Ask whoever they belong to. A migration has to come to its end.",
    ]);
  }
  const silent = silentOf(connections);
  if (isTelling(silent, connections.used)) {
    const soon = `${silent} transactions are open and silent, not yet for ${idleSeconds} s`;
    return finding("not-forgotten-yet", `${says}; ${soon}.`, timeoutAdvice(connections));
  }
  const pool = poolOf(evidence, picture);
  if (pool) return finding("pool-too-large", `${says}: ${pool}.`, poolAdvice);
  return finding("unknown", `${says}, by ${busiestOf(connections)}.`, [
    "Many active sessions: look at the slowest statements and at what they wait for.",
  ]);
};

const isTelling = (count: number, used: number): boolean =>
  count >= leastForgotten && count >= tellingShare * used;

/** Open transactions in which nothing runs at this moment, however long. */
const silentOf = ({ groups }: Connections): number =>
  groups.rows
    .filter(({ state }) => state?.startsWith("idle in transaction"))
    .reduce((sum, { sessions }) => sum + sessions, 0);

const isSpared = ({ idle, endable }: Picture): boolean => endable.length < idle.length;

const timeoutAdvice = ({ idleTimeoutSeconds }: Connections): string[] =>
  idleTimeoutSeconds === 0
    ? ["idle_in_transaction_session_timeout is off: with it PostgreSQL ends them by itself."]
    : [];

/** Words with counts, most first: `alembic (named) 3, reports (not-the-application) 2`. */
const sparedOf = (idle: ListedSession[]): string => {
  const counts = new Map<string, number>();
  for (const { application, user, spared } of idle) {
    if (spared === null) continue;
    const who = `${application || user || "nameless"} (${spared})`;
    counts.set(who, (counts.get(who) ?? 0) + 1);
  }
  return [...counts]
    .toSorted(([, one], [, other]) => other - one)
    .slice(0, 5)
    .map(([who, count]) => `${who} ${count}`)
    .join(", ");
};

/** There is room, so who is turned away is turned away for something else. */
const withRoom = (
  { refusals, login }: Evidence<Need>,
  { kind, sinceMilliseconds }: Subject,
  says: string,
): Finding<Code> => {
  if (!refusals.known) {
    if (kind === "database-connections") return finding("recovered", `${says}.`);
    return finding("unknown", `${says}; refusals are not counted (${refusals.why}).`);
  }
  const { refused, minutes } = refusals.value;
  const turned = `${refused} logins were refused in ${minutes} minutes`;
  if (refused <= tellingRefusals) return finding("recovered", `${says}, ${turned}.`);
  const changed = login.known ? login.value.changedAtMilliseconds : null;
  const ago = changed === null ? null : (sinceMilliseconds - changed) / 1000;
  if (login.known && ago !== null && ago >= -60 && ago <= rotationSeconds) {
    const when = `${login.value.secret} was changed ${Math.max(0, Math.round(ago / 60))} minutes before`;
    return finding("logins-fail-after-rotation", `${says}, ${turned}; ${when}.`, [
      "The secret and the role differ, or the application still has the old one.",
      "Compare AWSCURRENT with the role by logging in; then restart what keeps a password in memory.",
    ]);
  }
  return finding("unknown", `${says}, ${turned}, and the login was not changed lately.`, [
    "Look at the database's log for who is refused, and from where.",
  ]);
};

/** One that nobody blocks stands before most of those who wait. */
const blockedByOne = ({ blocking, connections, idleSeconds }: Picture) => {
  const waitingInAll = blocking.filter(({ blockedBy }) => blockedBy.length > 0).length;
  const [first] = blockersOf(blocking);
  if (!first || !isTelling(first.waiting, connections.used)) return null;
  if (first.waiting < 0.8 * waitingInAll) return null;
  const { session, pid, waiting } = first;
  const seconds = Math.round(session?.stateSeconds ?? 0);
  const who = session
    ? `pid ${pid} of ${session.application || session.user}, ${session.state} for ${seconds} s` +
      (session.fingerprint ? `, query ${session.fingerprint}` : "")
    : "a prepared transaction";
  return {
    waiting,
    finding: (says: string) =>
      finding(
        "blocked-by-one",
        `${says}; ${waiting} wait for ${who}.`,
        [
          `It is ended by itself only when it is forgotten: silent for ${idleSeconds} s.`,
          session?.spared ? `It is spared (${session.spared}): ask whoever it belongs to.` : "",
          session?.state === "active" ? `If it may be lost: select pg_cancel_backend(${pid}).` : "",
        ].filter((advice) => advice !== ""),
      ),
  };
};

const poolAdvice = [
  "Make the pool of each instance smaller, or put RDS Proxy in between (sizes.database.proxy).",
  "More instances would make it worse: each brings its pool.",
];

/** Most are idle, and as many as there are for each instance would not fit once all of them run. */
const poolOf = ({ group }: Evidence<Need>, { connections, room }: Picture): string | null => {
  if (!group.known) return null;
  const { rows } = connections.groups;
  const idle = rows.filter(({ state }) => state === "idle");
  const resting = idle.reduce((sum, { sessions }) => sum + sessions, 0);
  const clients = new Set(idle.map(({ client }) => client)).size;
  const { desired, minimum } = group.value;
  if (clients === 0 || resting < 0.5 * connections.used) return null;
  const each = Math.ceil(connections.used / clients);
  if (desired <= minimum || each * desired < fullShare * room) return null;
  const usual = `${minimum} instances need ${each * minimum}, ${desired} need ${each * desired}`;
  return `${resting} are idle, ${each} for each of ${clients} clients: ${usual}`;
};

const busiestOf = ({ groups }: Connections): string =>
  groups.rows
    .slice(0, 3)
    .map((each) => {
      const who = each.application || each.user || "nameless";
      return `${each.sessions} ${each.state ?? "unseen"} of ${who}`;
    })
    .join(", ");

const refuse = (code: string, reason: string): Decision => ({
  kind: "refuse",
  refusals: [{ code, reason }],
  advice: [],
});

const endThese = (picture: Picture, sessions: ListedSession[], reason: string): Decision => {
  const frozen = freeze(sessions);
  const { database, idleSeconds } = picture;
  if (frozen.length === 0 || database === "") {
    return refuse("empty-selector", "No session is known so exactly that it could be ended.");
  }
  return {
    kind: "proceed",
    deed: {
      do: "end-sessions",
      target: { database, sessions: frozen, atMost: frozen.length, idleSeconds },
    },
    reasons: [reason, "What they had not committed was never acknowledged; their pools reconnect."],
  };
};

/** The longest silent first, and no more than it takes. */
const endForgotten = (evidence: Evidence<Need>): Decision => {
  const picture = pictureOf(evidence);
  if ("blind" in picture) return refuse("unknown", picture.blind.join("; "));
  const { connections, room, endable, idleSeconds } = picture;
  const surplus = Math.ceil(connections.used - wantedShare * room);
  const chosen = endable.slice(0, Math.max(1, Math.min(surplus, mostEnded)));
  const many = `Nothing was asked in them for ${idleSeconds} s, and they eat the connections.`;
  return endThese(picture, chosen, many);
};

/** Only one that is forgotten itself: who works is a matter for people. */
const endBlocker = (evidence: Evidence<Need>): Decision => {
  const picture = pictureOf(evidence);
  if ("blind" in picture) return refuse("unknown", picture.blind.join("; "));
  const [first] = blockersOf(picture.blocking);
  const blocker = picture.endable.find(({ pid }) => pid === first?.pid);
  if (!first || !blocker) {
    const reason = "Whoever blocks the others works, is spared, or has not been silent for long.";
    return refuse("not-forgotten", reason);
  }
  return endThese(picture, [blocker], `${first.waiting} sessions wait for one that is forgotten.`);
};

const errorShare = ({ requests, errors }: ServiceSeen): number | null =>
  requests >= tellingRequests ? errors / requests : null;

const judge = (before: Evidence<Need>, now: Evidence<Need>): Verdict => {
  const [old, fresh] = [before.service, now.service].map((fact) =>
    fact.known ? errorShare(fact.value) : null,
  );
  if (fresh !== null && fresh !== undefined && fresh > (old ?? 0) + worseShare) {
    return { is: "worse", says: `${(100 * fresh).toFixed(1)} % of the requests fail` };
  }
  const picture = pictureOf(now);
  if ("blind" in picture) return { is: "unknown", says: picture.blind.join("; ") };
  const { connections, room } = picture;
  const used = `${connections.used} of ${room} connections are in use`;
  if (!now.refusals.known) {
    return { is: "unknown", says: `${used}; refused logins are not counted` };
  }
  const { refused, minutes } = now.refusals.value;
  const says = `${used}, ${refused} logins refused in ${minutes} minutes`;
  if (!now.service.known) return { is: "unknown", says: `${says}; users cannot be seen` };
  const isRoomy = connections.used < fullShare * room && refused === 0;
  return { is: isRoomy && isWellFor(now.service.value) ? "healed" : "same", says };
};

/** Connections of the database: too many of them, or logins that it turns away. */
export const databaseConnections: Playbook<Need, Code> = {
  name: "database-connections",
  rank: 30,
  alarms: ["database-connections", "database-refusals"],
  evidence: ["sessions", "refusals", "login", "group", "service", "database", "path"],
  diagnose,
  decide: { "forgotten-transactions": endForgotten, "blocked-by-one": endBlocker },
  next: {
    recovered: "passes",
    fenced: "waits",
    "path-closed": "people",
    "does-not-answer": "passes",
    "tls-fails": "people",
    "login-refused": "again",
    "forgotten-transactions": "deed",
    "not-forgotten-yet": "again",
    "blocked-by-one": "deed",
    "pool-too-large": "people",
    "logins-fail-after-rotation": "people",
    "spared-sessions": "people",
    unknown: "again",
  },
  proof: {
    what: "less than four of five connections are in use, no login is refused, and 1 % fail at most",
    judge,
    withinSeconds: 900,
    holdSeconds: 120,
    everySeconds: 30,
  },
  budget: { perHour: 3, cooldownSeconds: 600 },
  right: "automatic",
  approvals: 1,
};
