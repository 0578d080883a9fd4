import { describe, expect, it } from "vitest";
import { badDeploy } from "../../functions/remediation/playbooks/bad-deploy/playbook.ts";
import { errorRate } from "../../functions/remediation/playbooks/error-rate/playbook.ts";
import { playbook } from "../../functions/remediation/playbooks.ts";
import {
  database,
  history,
  ids,
  member,
  refresh,
  release,
  sick,
  table,
  target,
  traffic,
  usual,
  zone,
} from "./application-facts.ts";
import { evidenceOf, minute, now, outcomeOf, verdictOf } from "./facts.ts";

describe("the playbook error-rate", () => {
  const one = playbook(errorRate);
  const ended = (minutesAgo: number) =>
    release(refresh({ status: "Successful", endedAtMilliseconds: now - minutesAgo * minute }));
  table(one, usual, [
    [
      "one of three answers with errors",
      { anomalies: { ids: [ids[0]], compared: 3 } },
      ["one-bad-host", "act"],
    ],
    ["users are well again", traffic({ application: 3 }), ["recovered", "passed"]],
    [
      "there are nine requests, and all fail",
      traffic({ requests: 9, application: 9 }),
      ["too-few-requests", "nothing"],
    ],
    ["the load balancer's numbers are silent", { traffic: undefined }, ["unknown", "nothing"]],
    ["the group cannot be seen", { group: undefined }, ["unknown", "nothing"]],
    ["nobody knows of deploys", { release: undefined }, ["unknown", "nothing"]],
    [
      "a deploy is under way",
      { ...release(refresh()), anomalies: { ids: [ids[0]], compared: 3 } },
      ["deploy-under-way", "nothing"],
    ],
    ["no instance is healthy", { targets: ids.map(sick) }, ["nobody-serves", "people"]],
    [
      "two of three are unhealthy",
      { targets: [sick(ids[0]), sick(ids[1]), target(ids[2])] },
      ["most-are-sick", "people"],
    ],
    [
      "the database is down",
      { database: { ...database, status: "storage-full" } },
      ["database-down", "waits"],
    ],
    [
      "the database refuses logins",
      { refusals: { minutes: 3, refused: 40 } },
      ["database-refuses", "people"],
    ],
    [
      "one is unhealthy and none answers oddly",
      { targets: [sick(ids[0]), target(ids[1]), target(ids[2])] },
      ["unhealthy-host", "passed"],
    ],
    [
      "two of three answer with errors",
      { anomalies: { ids: [ids[0], ids[1]], compared: 3 } },
      ["everywhere", "people"],
    ],
    [
      "only one zone fails",
      traffic({ zones: [zone("a", { errors: 40 }), zone("b"), zone("c")] }),
      ["one-zone", "people"],
    ],
    [
      "the load balancer answers itself",
      traffic({ application: 0, balancer: 60, codes: [{ code: "502", count: 60 }] }),
      ["balancer-answers", "people"],
    ],
    [
      "nobody is asked at all",
      traffic({ requests: 0, application: 0, balancer: 90 }),
      ["balancer-answers", "people"],
    ],
    ["who answers with errors cannot be seen", { anomalies: undefined }, ["unknown", "nothing"]],
    ["all of them fail alike", {}, ["everywhere", "people"]],
    ["a deploy ended ten minutes ago", ended(10), ["everywhere", "people"]],
  ]);

  it("names the instance, and never one that its group does not know", () => {
    const odd = { anomalies: { ids: [ids[1]], compared: 3 } };
    const { decision } = verdictOf(one, { ...usual, ...odd });
    expect(decision).toMatchObject({
      deed: {
        do: "replace-instance",
        target: { group: "platform", instance: ids[1], sign: "errors" },
      },
    });
    const stranger = { anomalies: { ids: ["i-0000000f"], compared: 3 } };
    expect(outcomeOf(one, { ...usual, ...stranger })[1]).not.toBe("act");
  });

  it("says first that a deploy has just ended, and what each code of the load balancer means", () => {
    const codes = [{ code: "504", count: 50 }];
    const seen = { ...usual, ...ended(10), ...traffic({ application: 0, balancer: 50, codes }) };
    const { finding } = verdictOf(one, seen);
    expect(finding.advice[0]).toContain("ended 10 minutes ago");
    expect(finding.advice[1]).toContain("504: no answer in time");
  });

  it.each([
    ["users are well and as many serve", { application: 2 }, 3, "healed"],
    ["users are well and one is missing", { application: 2 }, 2, "same"],
    ["more fail than before", { application: 80 }, 3, "worse"],
    ["two are gone", { application: 2 }, 1, "worse"],
    ["too few requests come", { requests: 5, application: 0 }, 3, "same"],
  ])("proves itself by users: %s", (_what, share, serving, is) => {
    const later = {
      ...usual,
      ...traffic(share),
      targets: ids.slice(0, serving).map((id) => target(id)),
    };
    const deed = {
      do: "replace-instance" as const,
      target: { group: "platform", instance: ids[0] },
    };
    expect(one.proof.judge(evidenceOf(usual), evidenceOf(later), deed)).toMatchObject({ is });
  });
});

describe("the playbook bad-deploy", () => {
  const one = playbook(badDeploy);
  const base = { ...usual, ...release(refresh()) };
  const well = traffic({ application: 0, history: history(0, 0) });
  const fresh = [member(ids[0], "4"), member(ids[1]), member(ids[2])];
  const booting = { targets: [sick(ids[0]), target(ids[1]), target(ids[2])], ...well };
  const long = { sinceMilliseconds: now - 11 * minute };
  table(one, base, [
    ["errors began with it", {}, ["bad-deploy", "act"]],
    ["nobody deploys", release(null), ["no-deploy", "passed"]],
    [
      "it ended an hour ago",
      release(refresh({ status: "Successful", endedAtMilliseconds: now - 60 * minute })),
      ["no-deploy", "passed"],
    ],
    [
      "half as many failed before it",
      traffic({ history: history(6, 10) }),
      ["not-the-deploy", "passed"],
    ],
    [
      "as many failed before it",
      traffic({ history: history(10, 10) }),
      ["not-the-deploy", "passed"],
    ],
    ["users are well", well, ["recovered", "passed"]],
    [
      "nobody knows how it was before",
      traffic({ history: history(0, 10).slice(-8) }),
      ["unknown", "nothing"],
    ],
    ["the deploy cannot be seen", { release: undefined }, ["unknown", "nothing"]],
    ["users cannot be seen", { traffic: undefined }, ["unknown", "nothing"]],
    [
      "the database is down",
      { database: { ...database, status: "failed" } },
      ["not-the-deploy", "passed"],
    ],
    [
      "it goes back already",
      release(refresh({ status: "RollbackInProgress" })),
      ["going-back", "waits"],
    ],
    [
      "it was cancelled by somebody",
      release(refresh({ status: "Cancelling" })),
      ["going-back", "waits"],
    ],
    ["it bakes", release(refresh({ status: "Baking", percent: 100 })), ["bad-deploy", "act"]],
    [
      "it named no configuration",
      release(refresh({ toVersion: null })),
      ["cannot-go-back", "people"],
    ],
    [
      "the group runs $Latest",
      release(refresh(), { version: "$Latest" }),
      ["cannot-go-back", "people"],
    ],
    [
      "it has ended and all run it",
      release(refresh({ status: "Successful", endedAtMilliseconds: now - 5 * minute })),
      ["deploy-has-ended", "people"],
    ],
    [
      "it was taken back, and they still fail",
      release(refresh({ status: "RollbackSuccessful", endedAtMilliseconds: now - 5 * minute })),
      ["not-the-deploy", "passed"],
    ],
    [
      "it turns round for this alarm by itself",
      release(refresh({ rollsBackItself: true, alarms: ["nightshift-story"] })),
      ["aws-rolls-back", "waits"],
    ],
    [
      "it should have turned round, and has not",
      release(refresh({ rollsBackItself: true, alarms: ["nightshift-story"] })),
      ["bad-deploy", "act"],
      { sinceMilliseconds: now - 5 * minute },
    ],
    [
      "its first instance still boots",
      { ...release(refresh(), { instances: fresh }), ...booting },
      ["still-starting", "nothing"],
    ],
    [
      "its first instance never gets healthy",
      { ...release(refresh(), { instances: fresh }), ...booting },
      ["bad-deploy", "act"],
      long,
    ],
    [
      "one of the new ones is healthy",
      { ...release(refresh(), { instances: ids.map((id) => member(id, "4")) }), ...booting },
      ["still-starting", "nothing"],
      long,
    ],
  ]);

  it("goes back to the version that the group has, and names the deploy by its id", () => {
    expect(verdictOf(one, base).decision).toMatchObject({
      deed: {
        do: "rollback-refresh",
        target: { group: "platform", refresh: "r-1", toVersion: "3" },
      },
    });
  });
});
