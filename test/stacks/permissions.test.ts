import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { permissionsFile, permissionsPage } from "../../deploy/permissions.ts";
import { comparePermissions } from "../../deploy/policies/permissions.ts";
import type { Recording } from "../../deploy/recording.ts";
import { names } from "../../drills/names.ts";
import type { Script } from "../../local/slack/operators.ts";
import config from "../../nightshift.config.ts";
import { quarantined, stage as rebuildStage } from "../failover/rebuild-stage.ts";
import { brief, stage } from "../failover/stage.ts";
import { listener } from "./calls.ts";
import { recorded } from "./recordings.ts";

const { witness } = config.regions;

type Heard = ReturnType<typeof listener>;

/** Another text in the policies of a job, in all regions or in one. */
const swapped =
  (job: string, from: string, to: string, first = (recording: Recording) => recording) =>
  (recording: Recording): Recording => {
    const copy = first(recording);
    for (const { type, name, inputs } of copy.resources) {
      if (type !== "aws:iam/rolePolicy:RolePolicy" || !name.startsWith(job)) continue;
      expect(inputs.policy).toContain(from);
      inputs.policy = String(inputs.policy).replaceAll(from, to);
    }
    return copy;
  };

/** Who asks does not approve, so Ana asks. */
const others: Script[] = ["U0BEN", "U0CHIARA"].map((user) => ({
  user,
  says: "approve",
  thinksSeconds: [2, 4],
}));

/** A region is lost and comes back, is rebuilt, and the platform is moved home again. */
const thereAndBack = async ({ observe }: Heard) => {
  const at = await rebuildStage(() => ({ observe }), { policy: { dns: "change-records" } });
  const { home } = at;
  await at.lostAndBack({ state: "cut" });
  expect(await at.rebuild()).toMatchObject({ outcome: "done" });
  // Somebody has taken the protection away from what was put aside.
  const aside = { DBInstanceIdentifier: quarantined, DeletionProtection: false };
  await at.cloud.ask("rds", "ModifyDBInstance", home.region, aside);
  expect(await at.rebuild("rebuild-2-2")).toMatchObject({ outcome: "done" });
  at.replacePeople(others);
  const say = (text: string) => at.timeline.run(at.people.command("U0ANA", text), 60_000);
  const runs = () => at.cloud.functions.executions(home.region, "failover");
  // Refused inside the block period, so that the door has to look how the first one ended.
  await say("failback to be at home");
  await at.timeline.advance(60_000);
  await say("failback accept:block-period accept:readiness to be at home");
  await at.timeline.advance(1_800_000);
  expect(runs().map(({ name }) => name)).toEqual(["failover-3-1", "failover-3-2"]);
  expect(await at.lease()).toMatchObject({ region: home.region, state: "held" });
};

/** What people ask for in Slack, a rehearsal among it, while everything is looked at. */
const asked = async ({ observe }: Heard) => {
  const at = await stage({
    looks: true,
    policy: brief,
    people: others,
    hooks: () => ({ observe }),
  });
  await at.timeline.advance(900_000);
  const say = (text: string) => at.timeline.run(at.people.command("U0ANA", text), 60_000);
  await say("rehearse to see that it works");
  await at.until("it is rehearsed", () => at.executions().length > 0);
  expect(await at.ended()).toMatchObject({ outcome: "done" });
  await say("abort we look first");
  await say("status");
};

/** Detection has reason to doubt, and people are told. */
const doubted = async ({ observe }: Heard) => {
  const at = await stage({ policy: brief, people: [], hooks: () => ({ observe }) });
  at.loseHome();
  await at.until("a run is proposed", () => at.executions().length > 0);
  expect(await at.ended()).toMatchObject({ outcome: "aborted" });
  await at.timeline.advance(900_000);
};

/** Both regions' replicas of the coordination table refuse, so that the witness's is asked. */
const elsewhere = async ({ observe }: Heard) => {
  const at = await stage({ looks: true, hooks: () => ({ observe }) });
  const { home, standby } = at.platform;
  for (const region of [home.region, standby.region]) {
    at.faults.add({
      match: {
        service: "dynamodb",
        region,
        asks: (_call, input) => (input as { TableName?: string }).TableName === names.coordination,
      },
      kind: "error",
    });
  }
  await at.timeline.advance(400_000);
};

describe("what functions may do", () => {
  const heard = listener(witness);
  const stories = { thereAndBack, asked, doubted, elsewhere };

  it.each(Object.entries(stories))("is heard in the story %s", async (_name, story) => {
    const before = heard.made().length;
    await story(heard);
    expect(heard.made().length, "a story that adds nothing is not needed").toBeGreaterThan(before);
  });

  it.each(["production", "personal"] as const)(
    "is what they do, and nothing else, in %s",
    async (name) => {
      expect(comparePermissions(await recorded(name), heard.made(), witness)).toEqual([]);
    },
  );

  it.each<[string, string, (recording: Recording) => Recording]>([
    [
      "a permission that was taken away",
      "calls without permission: guard elasticloadbalancing:ModifyRule here role rule",
      swapped("Guard", "elasticloadbalancing:ModifyRule", "elasticloadbalancing:DeleteRule"),
    ],
    [
      "a permission that nothing uses",
      "never used: rds:RebootDBInstance here database",
      swapped("Failover", "rds:PromoteReadReplica", "rds:RebootDBInstance"),
    ],
    [
      "the right action on another table",
      "calls without permission: failover dynamodb:PutItem here table journal",
      swapped("Failover", "production-journal", "production-archive"),
    ],
    [
      "the right action in another region",
      "calls without permission: failover autoscaling:SetDesiredCapacity here group",
      swapped(
        "FailoverInStandby",
        `autoscaling:${config.regions.standby}`,
        `autoscaling:${config.regions.primary}`,
        swapped(
          "FailoverInPrimary",
          `autoscaling:${config.regions.primary}`,
          `autoscaling:${config.regions.standby}`,
        ),
      ),
    ],
    [
      "the secret of somebody else",
      "never used: secretsmanager:GetSecretValue here secret slack",
      swapped("Database", "production/nightshift-", "production/slack-"),
    ],
    [
      "a secret without the key to it",
      "calls without permission: slack kms:Decrypt here key",
      swapped("Slack", "kms:Decrypt", "kms:Verify"),
    ],
    [
      "settings without the role that goes with them",
      "calls without permission: failover iam:PassRole nowhere role",
      swapped("Failover", "iam:PassRole", "iam:GetRole"),
    ],
  ])("would be found wrong with %s", async (_what, problem, change) => {
    const after = change(await recorded("production"));
    const problems = comparePermissions(after, heard.made(), witness).map((each) => each.problem);
    expect(problems.filter((each) => each.includes(problem))).not.toEqual([]);
  });
});

describe("docs/permissions.md", () => {
  it("is what a production stage declares now: node deploy/permissions.ts writes it", async () => {
    const page = permissionsPage(await recorded("production"));
    expect(readFileSync(permissionsFile, "utf8")).toBe(page);
  });
});
