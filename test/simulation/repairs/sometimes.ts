import type { Night } from "./simulate.ts";

/** Something that has to happen in some night, or the simulation does not show what it seems to. */
export interface Sometimes {
  what: string;
  happened(night: Night): boolean;
}

const done =
  (playbook: string) =>
  ({ results }: Night): boolean =>
    results.some((result) => result.playbook === playbook && result.end === "done");

const ended =
  (...codes: string[]) =>
  ({ results }: Night): boolean =>
    results.some(({ code }) => codes.includes(code));

const wrote =
  (key: string) =>
  ({ entries }: Night): boolean =>
    entries.some((entry) => entry.key === key);

export const sometimes: readonly Sometimes[] = [
  { what: "an instance was replaced", happened: done("unhealthy-host") },
  { what: "a group was grown", happened: done("latency") },
  { what: "storage was grown", happened: done("database-storage") },
  { what: "forgotten sessions were ended", happened: done("database-connections") },
  {
    what: "it did not act since it was no matter for it",
    happened: ended("not-actionable", "unknown"),
  },
  { what: "the switch stopped it", happened: ended("paused") },
  { what: "something else under way stopped it", happened: ended("frozen") },
  { what: "the alarm was over before the deed", happened: ended("superseded") },
  { what: "people said yes", happened: wrote("approved") },
  { what: "people said no", happened: ended("rejected") },
  { what: "nobody answered", happened: ended("expired") },
  { what: "it said what it would have done", happened: wrote("would") },
  {
    what: "the budget or a cooldown held it back",
    happened: ended("budget", "fleet-share", "cooldown"),
  },
  {
    what: "somebody had changed the target meanwhile, or made the plan void",
    happened: ended("target-changed", "already-done", "changed"),
  },
  {
    what: "what followed upon a change of our own was asked for, and then done",
    happened: ({ results, entries, scenario }) =>
      results.some(({ run, playbook, acts, approvedBy }) => {
        const isFree = scenario.rights[playbook] === "automatic" && approvedBy.length > 0;
        const plan = entries.find((entry) => entry.run === run && entry.key === "diagnosis");
        return isFree && acts > 0 && JSON.stringify(plan?.data).includes("It may be the cause");
      }),
  },
  { what: "another was on its way already", happened: ended("exchange-under-way") },
  {
    what: "it asked for a human",
    happened: ({ results }) => results.some(({ end }) => end === "needs-human"),
  },
  {
    what: "it was none of the playbook's matters",
    happened: ({ results }) => results.some(({ end }) => end === "passed"),
  },
  {
    what: "a run was killed at a checkpoint",
    happened: ({ kills }) => kills.some(({ where }) => where.endsWith("checkpoint")),
  },
  {
    what: "a run was killed right after its change",
    happened: ({ kills }) =>
      kills.some(({ where }) => /^after (autoscaling|rds)\.(Term|Set|Mod)/.test(where)),
  },
  {
    what: "a change had its effect and nobody got an answer, or it was made twice",
    happened: ({ results, changes }) =>
      results.some(({ acts }) => acts > 1) || changes.some(({ hadEffect }) => !hadEffect),
  },
  { what: "an event came twice", happened: ({ duplicates }) => duplicates.length > 0 },
  {
    what: "a storm was one incident",
    happened: ({ incident }) => (incident?.mostAlarms ?? 0) >= 20,
  },
  {
    what: "one incident took several attempts",
    happened: ({ incident }) => (incident?.step ?? 0) > 2,
  },
  {
    what: "an incident was closed",
    happened: ({ incident }) => (incident?.closedAtMilliseconds ?? null) !== null,
  },
  { what: "people did something by hand", happened: ({ course }) => course.byHand.length > 0 },
];
