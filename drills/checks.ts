import type { Findings } from "./findings.ts";
import type { Check } from "./report.ts";

export const check = (name: string, held: boolean, expected: string, actual: unknown): Check => ({
  name,
  held,
  expected,
  actual: String(actual),
});

/** What is asked of every move, whatever began it. */
export const checksOf = (findings: Findings): Check[] => [
  check("the run ended done", findings.outcome === "done", "done", findings.outcome),
  check("the replica was promoted once", findings.promotions === 1, "1", findings.promotions),
  ...ofWrites(findings),
  ...ofPeopleAndRecords(findings),
  ...ofService(findings),
  ...ofLoss(findings),
];

const ofWrites = (findings: Findings): Check[] => {
  const { world, incident, counted, held, sums, plan, from, acknowledged } = findings;
  const { lost, splitBrain, rpoSeconds } = counted;
  const { sent } = world.users.report();
  const told = acknowledged.length;
  const strangers = [...held.surviving].filter((id) => !wasSent(id, sent));
  const boundSeconds = plan?.loss.boundSeconds ?? null;
  const kept = acknowledged.filter(({ id }) => held.surviving.has(id)).length;
  const before = acknowledged.filter(
    ({ region, acknowledgedAt }) =>
      region === from.region && acknowledgedAt < incident.atMilliseconds,
  ).length;
  return [
    // A drill in which nobody was served before shows nothing, however little was lost.
    check("users were served before the incident", before > 0, "some writes", before),
    check(
      "no write of the old region after the promotion",
      splitBrain.length === 0,
      "0",
      splitBrain.length,
    ),
    check(
      "what was lost is within the stated bound",
      boundSeconds !== null && rpoSeconds <= boundSeconds,
      boundSeconds === null ? "a bound, which was not stated" : `at most ${round(boundSeconds)} s`,
      `${round(rpoSeconds)} s, ${lost.length} writes`,
    ),
    check(
      "every acknowledged write is kept or counted as lost",
      kept + lost.length === told,
      `${told} of ${sent} sent`,
      `${kept} kept + ${lost.length} lost`,
    ),
    check(
      "the new primary holds nothing that nobody sent",
      strangers.length === 0,
      "users' transfers and probes only",
      strangers.length === 0 ? `${held.surviving.size} rows` : strangers.slice(0, 3).join(", "),
    ),
    check("the ledger balances", sums.surviving === 0, "0", sums.surviving),
  ];
};

/** Users number what they send; probes say that they are probes. */
const wasSent = (id: string, sent: number): boolean => {
  const number = /^t-(\d+)$/.exec(id)?.[1];
  return number === undefined ? id.startsWith("probe-") : Number(number) <= sent;
};

const ofPeopleAndRecords = ({ plan, journal, journalIs, approvals }: Findings): Check[] => {
  const people = new Set(approvals.map(({ user }) => user));
  const stated = journal.find(({ key }) => key === "loss");
  const promoted = journal.find(({ data }) => data?.to === "promoted");
  return [
    check(
      "different people approved, none of them the requester",
      people.size === plan?.approvals && !people.has(plan.trigger.who),
      String(plan?.approvals),
      [...people].join(", ") || "nobody",
    ),
    check(
      "the possible loss was recorded before the promotion",
      stated !== undefined && promoted !== undefined && stated.sequence < promoted.sequence,
      "loss before promotion",
      stated ? `entry ${stated.sequence} before ${promoted?.sequence}` : "not recorded",
    ),
    check(
      "the journal is whole",
      journalIs.ok && journal.length > 0,
      "every entry follows",
      journalIs.ok ? `${journal.length} entries` : journalIs.why,
    ),
  ];
};

const ofService = ({ world, lease, run, counted, to }: Findings): Check[] => {
  const { region } = to;
  const { objectives } = world.config;
  const { rtoSeconds } = counted;
  return [
    check(
      "the lease is held by the new region",
      lease?.region === region && lease.state === "held" && lease.holder === run,
      `${region}, held`,
      `${lease?.region}, ${lease?.state}, epoch ${lease?.epoch}`,
    ),
    check(
      "users are served by the new region",
      rtoSeconds !== undefined,
      "until the end of the load",
      rtoSeconds === undefined ? "no" : `after ${Math.round(rtoSeconds)} s`,
    ),
    check(
      "within the recovery time objective",
      rtoSeconds !== undefined && rtoSeconds <= objectives.rtoSeconds,
      `${objectives.rtoSeconds} s`,
      rtoSeconds === undefined ? "-" : `${Math.round(rtoSeconds)} s`,
    ),
  ];
};

const ofLoss = ({ world, scenario, counted }: Findings): Check[] => {
  const { rpoSeconds } = world.config.objectives;
  const lost = counted.lost.length;
  switch (scenario.mayLose) {
    case "nothing":
      return [check("no acknowledged write was lost", lost === 0, "0", lost)];
    case "objective":
      return [
        check(
          "within the recovery point objective",
          counted.rpoSeconds <= rpoSeconds,
          `${rpoSeconds} s`,
          `${round(counted.rpoSeconds)} s`,
        ),
      ];
    case "stated":
      return [];
  }
};

const round = (seconds: number): number => Math.round(seconds * 10) / 10;
