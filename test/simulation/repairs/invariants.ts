import { verify } from "../../../shared/journal.ts";
import { config } from "../world.ts";
import type { Night } from "./simulate.ts";
import type { Change } from "./watch.ts";

export interface Breach {
  /** As the line of docs/RISKS.md calls it. */
  risk: string;
  what: string;
}

/** One call may take so long with all tries of the SDK: what was allowed before it began goes through. */
const callSeconds = 60;

type Check = (night: Night) => string[];

const halfDone: Check = ({ isOver, executions, incident, results, said, entries }) => {
  const wrong = executions
    .filter(({ status }) => status !== "SUCCEEDED")
    .map(({ name, status, why }) => `${name} is ${status} at the end: ${why}`);
  if (!isOver) wrong.push("something still runs or begins, hours after the last fault");
  const last = incident?.attempt;
  if (last && last.end === null) wrong.push(`the incident waits for ${last.run}, which has ended`);
  const told = said.join("\n");
  for (const { run, end } of results) {
    if (end === "needs-human" && !told.includes(run)) wrong.push(`nobody was told of ${run}`);
  }
  for (const run of new Set(entries.map((entry) => entry.run))) {
    const own = entries.filter((entry) => entry.run === run);
    const verdict = verify(own);
    if (!verdict.ok) wrong.push(`the journal of ${run} is broken`);
    if (new Set(own.map(({ key }) => key)).size < own.length) {
      wrong.push(`${run} has recorded something twice`);
    }
  }
  return wrong;
};

const effects = ({ changes }: Night): Change[] => changes.filter(({ hadEffect }) => hadEffect);

const harm: Check = (night) => {
  const wrong: string[] = [];
  const { weather, reservations, course } = night;
  const done = effects(night);
  // A look that was answered from the past shows a fleet that is another one by now.
  const seesThePast = weather.rules.some(({ kind }) => kind === "stale");
  for (const change of done) {
    const { operation, serving, members, sick, minimum } = change;
    const { takesOneThatServes, atMilliseconds } = change;
    for (const { what, from, to } of course.stillnesses) {
      if (atMilliseconds > from + callSeconds * 1000 && atMilliseconds < to) {
        wrong.push(`${operation} during a ${what}`);
      }
    }
    if (operation !== "TerminateInstanceInAutoScalingGroup" || seesThePast) continue;
    const others = serving - (takesOneThatServes ? 1 : 0);
    if (others < Math.max(1, minimum - 1)) wrong.push(`an instance taken of ${serving} that serve`);
    if (sick * 2 > members) wrong.push("an instance taken of a fleet that is sick");
  }
  const hour = (at: number) =>
    reservations.filter(({ atMilliseconds: when }) => at - when >= 0 && at - when < 3_600_000);
  const most = Math.max(
    0,
    ...reservations.map(({ atMilliseconds }) => hour(atMilliseconds).length),
  );
  const budget = config.remediation?.actionsPerHour ?? 6;
  if (most > budget) wrong.push(`${most} deeds in an hour of ${budget}`);
  const distinct = new Set(done.map(({ operation, input }) => `${operation} ${input}`));
  // A deed that is taken back is a second change under one reservation.
  const undone = night.results.filter(({ code }) => code === "worse").length;
  if (distinct.size > reservations.length + undone) {
    wrong.push(`${distinct.size} things changed, ${reservations.length} of them reserved`);
  }
  return wrong;
};

/** What a playbook in shadow, or one that is off, would never do. */
const withoutRight: Check = ({ scenario, results }) =>
  results
    .filter(
      ({ playbook, acts }) => acts > 0 && /off|shadow/.test(rightOf(scenario.rights, playbook)),
    )
    .map(({ run, playbook }) => `${run} has acted, and ${playbook} may not`);

const rightOf = (rights: Record<string, string>, playbook: string) => rights[playbook] ?? "off";

const unasked: Check = ({ scenario, results }) =>
  results
    .filter(({ playbook, acts, approvedBy }) => {
      const isAsked = playbook === "database-storage" || scenario.rights[playbook] === "ask";
      return isAsked && acts > 0 && approvedBy.length === 0;
    })
    .map(({ run }) => `${run} has acted without the yes that it needs`);

/** As long as functions/remediation/causation.ts puts an alarm down to what was changed before it. */
const followsSeconds = 1800;

/** What follows upon a move of our own is asked for: the alarm may be its doing, whatever it is about. */
const selfCaused: Check = ({ course, entries, results, weather }) => {
  // A lease that was answered from the past has not moved yet.
  if (weather.rules.some(({ kind }) => kind === "stale")) return [];
  const moves = course.stillnesses.filter(({ what }) => what === "failover");
  return results
    .filter(({ acts, approvedBy }) => acts > 0 && approvedBy.length === 0)
    .flatMap(({ run }) => {
      const begun = entries.find((entry) => entry.run === run && entry.key === "begin");
      const { wish } = (begun?.data ?? {}) as { wish?: { subject: { sinceMilliseconds: number } } };
      const rang = wish?.subject.sinceMilliseconds ?? 0;
      const before = moves.find(
        ({ from, to }) => rang > from + callSeconds * 1000 && rang < to + followsSeconds * 1000,
      );
      return before ? [`${run} has acted unasked on an alarm that followed upon a failover`] : [];
    });
};

const strangers: Check = ({ lines, said, entries, secrets }) => {
  const all = [...lines, ...said, JSON.stringify(entries)].join("\n");
  return secrets.filter((secret) => all.includes(secret)).map(() => "a secret value was said");
};

const checks: Record<string, Check> = {
  "half done": halfDone,
  "repairs that harm": (night) => [
    ...harm(night),
    ...withoutRight(night),
    ...unasked(night),
    ...selfCaused(night),
  ],
  strangers,
};

/** Every invariant that a night has broken, and bugs of the local AWS, which are nobody's fault but ours. */
export const breaches = (night: Night): Breach[] => [
  ...Object.entries(checks).flatMap(([risk, check]) =>
    check(night).map((what) => ({ risk, what })),
  ),
  ...night.bugs.map((bug) => ({ risk: "bug", what: String(bug) })),
];
