import { verify } from "../shared/journal.ts";
import { check } from "./checks.ts";
import type { Check } from "./report.ts";
import { acts } from "./rotation-acts.ts";
import type { Told } from "./rotation-course.ts";
import type { RotationFindings } from "./rotation-findings.ts";

/** What is asked of the whole drill, and then of what was in the way. */
export const rotationChecks = (findings: RotationFindings): Check[] => [
  ...ofUsers(findings),
  ...ofRotations(findings),
  ...ofTroubles(findings),
  ...ofRecords(findings),
];

const ofUsers = ({ logins, world }: RotationFindings): Check[] => {
  const { sent, acknowledged, failures } = world.users.report();
  const failed = sent - acknowledged;
  const [first] = logins.failed;
  return [
    check("users were served all the time", acknowledged > 100, "over 100 writes", acknowledged),
    check(
      "no request of users failed",
      failed === 0,
      "0",
      failed === 0 ? "0" : `${failed} of ${sent}: ${JSON.stringify(failures)}`,
    ),
    check("logins were tried all the time", logins.tried > 100, "over 100", logins.tried),
    check(
      "no login with a current value failed, in any region",
      logins.failed.length === 0,
      "0",
      first ? `${logins.failed.length}, first ${first.what}: ${first.why}` : "0",
    ),
  ];
};

const ofRotations = ({ rows, told, wrong, holders }: RotationFindings): Check[] => {
  const open = rows.filter(({ end }) => end !== "retired");
  const differ = rows.filter(({ isSameVersion }) => !isSameVersion);
  const used = rows.filter(({ oldSessions }) => oldSessions !== null);
  const left = used.filter(({ oldSessions }) => oldSessions !== 0);
  const users = new Set(
    told.flatMap(({ act, after }) => (act.kind === "login" ? [after.home?.value.username] : [])),
  );
  return [
    check(
      "every secret was rotated, and its old value retired",
      rows.length === acts.length && open.length === 0,
      `${acts.length} retired`,
      open.map(({ title, end }) => `${title}: ${end}`).join(", ") || `${rows.length} retired`,
    ),
    check(
      "both regions have the same new version of each",
      differ.length === 0,
      "the same",
      differ.map(({ secret }) => secret).join(", ") || "the same",
    ),
    check(
      "nobody was on an old login when it lost its password",
      used.length === 2 && left.length === 0,
      "0 sessions, twice",
      used.map(({ oldSessions }) => oldSessions).join(", "),
    ),
    check("the two logins alternate", users.size === 2, "2 logins", [...users].join(", ")),
    check(
      "the new values log in everywhere, and no old one does",
      wrong.length === 0,
      "so",
      wrong.join("; ") || "so",
    ),
    ...ofRings(told),
    check(
      "every row was sealed again with the new encryption key, and opens",
      holders.rows > 0 && holders.byPrimary === holders.rows && holders.opened === holders.rows,
      `all ${holders.rows}`,
      `${holders.byPrimary} by the new key, ${holders.opened} open`,
    ),
  ];
};

interface Ring {
  primary?: unknown;
  keys?: Record<string, { state: string }>;
}

const ringIn = (found: Told["before"]): Ring => (found?.value ?? {}) as Ring;

const ofRings = (told: readonly Told[]): Check[] => {
  const of = (name: string) => told.find(({ act }) => act.name === name);
  const [signing, encryption] = [of("signing"), of("encryption")];
  const [signs, seals] = [ringIn(signing?.after.home), ringIn(encryption?.after.home)];
  const old = String(ringIn(encryption?.before).primary);
  return [
    check(
      "the signing ring has one key, which is new",
      Object.keys(signs.keys ?? {}).length === 1 &&
        signs.primary !== ringIn(signing?.before).primary,
      "1 key",
      Object.keys(signs.keys ?? {}).join(", "),
    ),
    check(
      "the encryption ring has a new primary, and what may be needed still opens",
      seals.primary !== old && seals.keys?.[old]?.state !== "primary",
      "a new primary",
      `${String(seals.primary)} of ${Object.keys(seals.keys ?? {}).length} keys`,
    ),
  ];
};

const ofTroubles = ({ told, isHeard }: RotationFindings): Check[] => {
  const of = (trouble: string) => told.find(({ act }) => act.trouble === trouble);
  const [killed, wrong, guided] = [of("killed"), of("wrong-password"), of("person")];
  const refusedBy = (one: Told | undefined, code: RegExp) =>
    one?.entries.find(({ kind, key }) => kind === "refused" && code.test(key));
  const isItsOwn = killed !== undefined && killed.after.home?.version === killed.token;
  const stayed = wrong?.atRefusal?.version === wrong?.before?.version;
  return [
    check(
      "killed while it set a password, it went on with the same value",
      killed?.kills === 1 && isItsOwn,
      "1 kill, its own version",
      `${killed?.kills ?? 0} kills, ${isItsOwn ? "its own version" : "another version"}`,
    ),
    check(
      "a current password that does not log in stops it before anything is changed",
      refusedBy(wrong, /current-refused/) !== undefined && stayed,
      "refused, AWSCURRENT as before",
      `${refusedBy(wrong, /./)?.text ?? "not refused"} AWSCURRENT ${stayed ? "as before" : "moved"}`,
    ),
    check(
      "what only Slack can make is asked of a person",
      refusedBy(guided, /person-needed/) !== undefined,
      "asked for",
      refusedBy(guided, /person-needed/) ? "asked for" : "not asked for",
    ),
    check(
      "commands that Slack signs with its new secret are taken",
      isHeard,
      "taken",
      isHeard ? "taken" : "not taken",
    ),
  ];
};

const ofRecords = ({ told, leaks, lines, values }: RotationFindings): Check[] => {
  const broken = told.filter(({ entries }) => entries.length === 0 || !verify(entries).ok);
  return [
    check(
      "no value of a secret is in journals, tables, messages, checkpoints or logs",
      leaks.length === 0 && values.size >= acts.length,
      "in none",
      leaks.join(", ") || `none of ${values.size} values in ${lines} texts`,
    ),
    check(
      "the journals of all rotations are whole",
      broken.length === 0,
      "every entry follows",
      broken.map(({ run }) => run).join(", ") || `${told.length} journals`,
    ),
  ];
};
