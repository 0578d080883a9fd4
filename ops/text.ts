import type { State } from "../functions/failover/states.ts";
import { sentences } from "../functions/failover/view.ts";
import type { Approval } from "../shared/approval.ts";
import { isoSeconds } from "../shared/clock.ts";
import type { Operator } from "../shared/config.ts";
import type { Contact } from "../shared/contact.ts";
import type { Entry, Verdict } from "../shared/journal.ts";
import type { Lease } from "../shared/lease.ts";
import type { Fact } from "../shared/outcome.ts";
import type { Pause } from "../shared/pause.ts";
import { whilePaused } from "../shared/pause.ts";
import { readinessLines } from "../shared/readiness.ts";
import { type Book, silenceOf } from "./book.ts";
import type { Overview, RebuildSeen, RunSeen } from "./overview.ts";
import { notesOf } from "./overview.ts";

/** What a terminal is sure to have. */
export const columns = 100;

/** Breaks at spaces; a word that is too long for any line is cut into pieces. */
export const wrapped = (text: string, width: number): string[] => {
  const lines: string[] = [];
  let line = "";
  for (const word of printable(text)
    .split(" ")
    .flatMap((each) => pieces(each, width))) {
    if (line === "") line = word;
    else if (line.length + 1 + word.length <= width) line += ` ${word}`;
    else {
      lines.push(line);
      line = word;
    }
  }
  return [...lines, line];
};

const pieces = (word: string, width: number): string[] =>
  word.length <= width ? [word] : [word.slice(0, width), ...pieces(word.slice(width), width)];

/** A reason that somebody typed moves no cursor and breaks no line. */
const printable = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim();

const labelWidth = 11;

/** `  label      text`, continued below the text. */
const labelled = (label: string, ...texts: string[]): string[] =>
  texts
    .flatMap((text) => wrapped(text, columns - labelWidth - 2))
    .map((line, index) => `  ${(index === 0 ? label : "").padEnd(labelWidth)}${line}`);

export const statusLines = (
  seen: Overview,
  caller: Fact<string>,
  operator: Operator | null,
): string[] => {
  const now = seen.atMilliseconds;
  return [
    `Nightshift at ${isoSeconds(now)}, asked through ${seen.through}`,
    "",
    ...labelled("you", ...callerText(caller, operator)),
    ...labelled("lease", leaseText(seen.lease)),
    ...labelled("guards", ...seen.contacts.map((each) => contactText(each, now))),
    ...labelled("pause", pauseText(seen.pause)),
    ...labelled("run", ...runText(seen.run)),
    ...labelled("rebuild", ...rebuildText(seen.rebuild)),
    ...labelled("readiness", ...readinessText(seen.readiness)),
  ];
};

const callerText = (caller: Fact<string>, operator: Operator | null): string[] => {
  if (!caller.known) return [`UNKNOWN, so you may look only (${caller.why})`];
  if (!operator) return [caller.value, "no operator in nightshift.config.ts: you may look only"];
  const may = operator.may.join(" and ");
  return [`${operator.name} (${operator.user}), may ${may}`, caller.value];
};

const leaseText = (lease: Fact<Lease>): string => {
  if (!lease.known) return `UNKNOWN (${lease.why})`;
  const { region, epoch, state, holder, movedAtMilliseconds, acknowledged } = lease.value;
  const verb = state === "held" ? "may write" : "is being given the lease: it is MOVING";
  const seen = acknowledged ? ", acknowledged" : "";
  return `${region} ${verb} (epoch ${epoch}, since ${isoSeconds(movedAtMilliseconds)} by ${holder}${seen})`;
};

const contactText = (
  { region, contact }: { region: string; contact: Fact<Contact | undefined> },
  now: number,
): string => {
  if (!contact.known) return `${region}: UNKNOWN (${contact.why})`;
  if (!contact.value) return `${region}: never seen`;
  const { contactAtMilliseconds, epoch, heartbeatAtMilliseconds } = contact.value;
  const ago = (at: number) => `${Math.round((now - at) / 1000)} s ago`;
  const beat = heartbeatAtMilliseconds
    ? `, last heartbeat ${ago(heartbeatAtMilliseconds)}`
    : ", no heartbeat of its own";
  return `${region}: last contact ${ago(contactAtMilliseconds)}, obeys epoch ${epoch}${beat}`;
};

const pauseText = (pause: Pause): string => {
  const refused = whilePaused(pause);
  if (!refused) return "running";
  const since = pause.is === "paused" ? ` (since ${isoSeconds(pause.atMilliseconds)})` : "";
  return `${refused.reason}${since}`;
};

const runText = (fact: Fact<RunSeen>): string[] => {
  if (!fact.known) return [`UNKNOWN (${fact.why})`];
  const { run, standing, asked, plan, planHash, notes, approval, silence, waysOn } = fact.value;
  const { begun, state, ended } = standing;
  const unsure = silence ? [`There may be more: ${silence}`] : [];
  if (!begun) return ["none is under way", ...unsure];
  const words = state && state in sentences ? sentences[state as State] : "Just begun";
  const head = ended ? `none is under way; the last was ${run}` : run;
  const lines = [`${head}: ${words} (${state ?? "begun"})`, `asked by ${asked}`, ...unsure];
  lines.push(...waysOn);
  if (ended || state !== "asking") lines.push(...notes.slice(0, 6).map((note) => `- ${note}`));
  if (ended || !plan || !planHash) return lines;
  lines.push(`plan: ${plan.kind}, ${plan.from} to ${plan.to}, promote ${plan.replica}`);
  lines.push(`possible loss: ${plan.loss.verdict}. ${plan.loss.text}`);
  lines.push(...plan.warnings.map((warning) => `mind: ${warning}`));
  if (approval) lines.push(...approvalText(approval, planHash));
  return lines;
};

const readinessText = (fact: Overview["readiness"]): string[] =>
  fact.known ? readinessLines(fact.value.region, fact.value.verdict) : [`UNKNOWN (${fact.why})`];

const rebuildText = (fact: Fact<RebuildSeen | null>): string[] => {
  if (!fact.known) return [`UNKNOWN (${fact.why})`];
  if (!fact.value) return ["none is under way"];
  const { run, asked, last, plan, planHash, approval } = fact.value;
  const lines = [`${run}: ${last}`, `asked by ${asked}`];
  if (!planHash || approval?.is !== "waiting") return lines;
  return [...lines, ...plan.map((step) => `- ${step}`), ...approvalText(approval, planHash)];
};

const approvalText = (approval: Approval & { is: string }, planHash: string): string[] => {
  const { neededApprovals, approvals, expiresAtMilliseconds, is, requester } = approval;
  const by = approvals.length > 0 ? ` (${approvals.map(({ user }) => user).join(", ")})` : "";
  const until = isoSeconds(expiresAtMilliseconds);
  const count = `${approvals.length} of ${neededApprovals} approvals${by}, ${is}, until ${until}`;
  if (is !== "waiting") return [count];
  return [
    count,
    `anybody but ${requester} who may approve:  npm run ops -- approve ${planHash.slice(0, 12)}`,
  ];
};

export const journalLines = (book: Book, verdict: Verdict): string[] => {
  const { run, region, entries } = book;
  const chain = verdict.ok
    ? `the chain is intact, its head is ${verdict.head.slice(0, 12)}`
    : `THE CHAIN IS BROKEN at entry ${verdict.brokenAt}: ${verdict.why}`;
  const first = entries[0]?.atMilliseconds ?? 0;
  return [
    ...wrapped(`${run}, as ${region} has it: ${entries.length} entries, ${chain}`, columns),
    ...(book.silent.length > 0 ? wrapped(`There may be more: ${silenceOf(book)}`, columns) : []),
    "",
    `begun ${isoSeconds(first)}`,
    ...entries.flatMap(entryLines),
  ];
};

const entryLines = (entry: Entry): string[] => {
  const time = isoSeconds(entry.atMilliseconds).slice(11, 19);
  const head = `${String(entry.sequence).padStart(4)}  ${time}  ${entry.kind.padEnd(8)} `;
  const pad = " ".repeat(head.length);
  const width = columns - head.length;
  const notes = notesOf(entry).flatMap((note) =>
    wrapped(note, width - 2).map((line, index) => `${index === 0 ? "- " : "  "}${line}`),
  );
  return [...wrapped(entry.text, width), ...notes].map(
    (line, index) => `${index === 0 ? head : pad}${line}`,
  );
};
