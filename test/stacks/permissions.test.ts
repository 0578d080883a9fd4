import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { permissionsFile, permissionsPage } from "../../deploy/permissions.ts";
import { comparePermissions } from "../../deploy/policies/permissions.ts";
import type { Recording } from "../../deploy/recording.ts";
import { names } from "../../drills/names.ts";
import { playbooks } from "../../functions/remediation/playbooks.ts";
import { operators, type Script } from "../../local/slack/operators.ts";
import config from "../../nightshift.config.ts";
import { type Attempt, attemptName, keepIncident, readIncident } from "../../shared/incident.ts";
import { seededRandom } from "../../shared/random.ts";
import { carryOn, stopped } from "../failover/carry-on-stage.ts";
import {
  quarantined,
  type Stage as RebuildStage,
  stage as rebuildStage,
} from "../failover/rebuild-stage.ts";
import { brief, stage } from "../failover/stage.ts";
import { person } from "../ops/stage.ts";
import { type Stage as RepairStage, stage as repairStage } from "../remediation/stage.ts";
import { stories as repairs } from "../remediation/stories.ts";
import { listener } from "./calls.ts";
import { commandsOf, deployed } from "./commands.ts";
import { recorded } from "./recordings.ts";
import { rotated } from "./rotated.ts";
import { verified } from "./verified.ts";

const { witness } = config.regions;

type Heard = ReturnType<typeof listener>;

/** Another text in the policies of a job, in all regions or in one. */
const swapped =
  (job: string, from: string, to: string, first = (recording: Recording) => recording) =>
  (recording: Recording): Recording => {
    const copy = first(recording);
    const changed = copy.resources.filter(
      ({ type, name, inputs }) =>
        /^aws:iam\/(rolePolicy|policy):/.test(type) &&
        name.startsWith(job) &&
        String(inputs.policy).includes(from),
    );
    expect(changed.length, `what says ${from}`).toBeGreaterThan(0);
    for (const { inputs } of changed) inputs.policy = String(inputs.policy).replaceAll(from, to);
    return copy;
  };

/** Who asks does not approve, so Ana asks. */
const others: Script[] = ["U0BEN", "U0CHIARA"].map((user) => ({
  user,
  says: "approve",
  thinksSeconds: [2, 4],
}));

/** Her own wish she may not approve, which the journal of the run keeps. */
const ana: Script = { user: "U0ANA", says: "approve", thinksSeconds: [1, 1] };

/** Until a run has the lease, and has not settled it: whoever carries it on now is told that it lives. */
const moving = async (at: RebuildStage, run: string) => {
  const isMoving = async () => {
    const { holder, state } = await at.lease();
    return holder === run && state === "moving";
  };
  for (let seconds = 0; seconds < 1800; seconds += 1) {
    if (await isMoving()) return;
    await at.timeline.advance(1000);
  }
  throw new Error(`${run} has never taken the lease`);
};

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
  at.replacePeople([...others, ana]);
  const say = (text: string) => at.timeline.run(at.people.command("U0ANA", text), 60_000);
  const runs = () => at.cloud.functions.executions(home.region, "failover");
  // Refused inside the block period, so that the door has to look how the first one ended.
  await say("failback to be at home");
  await at.timeline.advance(60_000);
  await say("failback accept:block-period accept:readiness to be at home");
  await moving(at, "failover-3-2");
  await say("carry-on");
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

/** The way home, and the rebuild before it, by people at a command line. */
const withoutSlack = async ({ observe }: Heard) => {
  const at = await rebuildStage(() => ({ observe }));
  await at.lostAndBack();
  at.replacePeople([]);
  at.slack.silence(true);
  const say = (user: string, text: string) => person(at, user)(text);
  const asked = async (order: string, of: "rebuild" | "run") => {
    expect(await say("U0ANA", order)).toMatchObject({ ok: true });
    await at.timeline.advance(180_000);
    const { data } = await say("U0BEN", "status");
    const { planHash } = (data[of] as { value: { planHash: string } }).value;
    const own = await say("U0ANA", `approve ${planHash}`);
    expect(own).toMatchObject({ data: { refused: { code: "own-request" } } });
    return (user: string) => say(user, `approve ${planHash}`);
  };
  const rebuild = await asked("rebuild home is back", "rebuild");
  expect(await rebuild("U0CHIARA")).toMatchObject({ data: { wakeUp: "woken" } });
  await at.timeline.advance(2 * 3_600_000);
  const failback = await asked("failback accept:block-period accept:readiness to be home", "run");
  await failback("U0BEN");
  expect(await failback("U0CHIARA")).toMatchObject({ data: { wakeUp: "woken" } });
  await moving(at, "failover-3-1");
  const again = await say("U0ANA", "carry-on");
  expect(again).toMatchObject({ data: { refused: { code: "still-running" } } });
  await at.timeline.advance(1_800_000);
  expect(await at.lease()).toMatchObject({ region: at.home.region, state: "held" });
};

/** A run stops, is carried on, and is carried on once more while it lives, by either door. */
const carriedOn = async ({ observe }: Heard) => {
  const trouble = { since: "claimed", calls: /GetItem abort/ } as const;
  const { at, heal } = await stopped({ move: "emergency", trouble }, () => ({ observe }));
  heal();
  expect(await carryOn(at)).toMatchObject({ ok: true });
  await at.timeline.advance(1000);
  const again = await carryOn(at);
  expect(again).toMatchObject({ data: { refused: { code: "still-running" } } });
  await at.timeline.run(at.people.command("U0ANA", "carry-on"), 60_000);
  expect(await at.ended()).toMatchObject({ outcome: "done" });
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

/** Every repair that changes something, in each of its stories; a question is answered at the door. */
const repaired = async ({ observe }: Heard) => {
  let asked = 0;
  for (const { playbook, options, arrange } of repairs) {
    const at = await repairStage({ ...options, people: [], hooks: () => ({ observe }) });
    asked += options.people ? 1 : 0;
    const isByHand = asked % 2 === 0;
    if (!isByHand) answerAt(at, options.people ?? []);
    const { live } = await arrange(at);
    for (let seconds = 0; seconds < 2 * 3600 && at.results().length === 0; seconds += 30) {
      await at.timeline.advance(30_000);
      await live?.();
      if (options.people && isByHand) await answerByHand(at);
    }
    expect(at.results().map((each) => each.playbook)).toContain(playbook);
    await at.leave();
  }
};

/** People whose answers go through the door at home, which is the second one. */
const answerAt = ({ cloud, region, slack, timeline }: RepairStage, scripts: Script[]) => {
  const door = cloud.functions.functionUrl(region, "slack");
  operators({
    ...{ slack, timeline, random: seededRandom("the other door"), scripts },
    send: async ({ method, headers, body }) => {
      const answer = await door.request({ method, target: "/", headers, body: Buffer.from(body) });
      return { status: answer.status, body: Buffer.from(answer.body).toString("utf8") };
    },
  });
};

/** Two people at a command line say yes to whatever is asked. */
const answerByHand = async (at: RepairStage) => {
  const waiting = (await at.items(names.coordination)).filter(({ id }) =>
    String(id).startsWith("approval#"),
  );
  for (const { planHash } of waiting) {
    for (const user of ["U0ANA", "U0BEN"]) await person(at, user)(`approve ${planHash}`);
  }
};

/** Every playbook looks at all that it is for, whether there is anything to it or not. */
const looked = async ({ observe }: Heard) => {
  const rights = { "unhealthy-host": "shadow" } as const;
  const at = await repairStage({ instances: 2, rights, hooks: () => ({ observe }) });
  const { region, timeline, table, cloud } = at;
  const { nodeType, nodes } = config.sizes.cache;
  await cloud.caches.establish(region, {
    ...{ ReplicationGroupId: names.cache, CacheNodeType: nodeType, NumCacheClusters: nodes },
  });
  for (const [index, playbook] of playbooks.entries()) {
    const now = Math.floor(timeline.now());
    const run = attemptName(region, index.toString(16).padStart(8, "0"), 1);
    const kind = playbook.alarms[0] ?? "";
    const resource = kind.startsWith("region") ? at.platform.standby.region : null;
    const alarm = `nightshift-${kind}`;
    const attempt = { run, playbook: playbook.name, alarm, key: alarm, startedAtMilliseconds: now };
    await timeline.run(keepIncident(table, opened(region, attempt), await kept(at)));
    const request = {
      ...{ run, playbook: playbook.name, key: alarm, others: 0, message: null },
      subject: { region, alarm, kind, resource, sinceMilliseconds: now, reason: "of the test" },
    };
    await cloud.ask("lambda", "Invoke", region, {
      FunctionName: "remediation",
      InvocationType: "Event",
      DurableExecutionName: run,
      Payload: Buffer.from(JSON.stringify(request)),
    });
    await timeline.advance(60_000);
  }
  // One that may only say what it would do: people are told that nothing more is done.
  await at.sicken();
  await timeline.advance(3_600_000);
};

const kept = ({ timeline, table, region }: RepairStage) =>
  timeline.run(readIncident(table, region));

const opened = (
  region: string,
  attempt: Omit<Attempt, "hasBegun" | "hasActed" | "end" | "endedAtMilliseconds">,
) => ({
  region,
  id: attempt.run.split("-").at(-2) ?? "",
  openedAtMilliseconds: attempt.startedAtMilliseconds,
  seenAtMilliseconds: attempt.startedAtMilliseconds,
  newsAtMilliseconds: attempt.startedAtMilliseconds,
  alarmCount: 1,
  mostAlarms: 1,
  step: 1,
  attempt: { ...attempt, hasBegun: false, hasActed: false, end: null, endedAtMilliseconds: null },
  tried: {},
  parked: [],
  told: [],
  pagedAtMilliseconds: null,
  message: null,
  closedAtMilliseconds: null,
});

describe("what functions may do", () => {
  const heard = listener(witness);
  const stories = {
    thereAndBack,
    asked,
    withoutSlack,
    carriedOn,
    doubted,
    elsewhere,
    looked,
    repaired,
    rotated,
    verified,
  };

  it.each(Object.entries(stories))("is heard in the story %s", async (_name, story) => {
    const before = heard.made().length;
    await story(heard);
    expect(heard.made().length, "a story that adds nothing is not needed").toBeGreaterThan(before);
  });

  it.each(deployed)("is heard in some story, whatever %s can call", (job) => {
    const operations = heard.made().filter((call) => call.job === job);
    const known = new Set(operations.map(({ action }) => action.split(":")[1]));
    const silent = commandsOf(job).filter((name) => !known.has(name));
    expect(silent, "a story has to come by: else nothing compares them").toEqual([]);
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
      "a repair that may not exchange an instance",
      "calls without permission: remediation autoscaling:TerminateInstanceInAutoScalingGroup here group",
      swapped(
        "Remediation",
        "autoscaling:TerminateInstanceInAutoScalingGroup",
        "autoscaling:DetachInstances",
      ),
    ],
    [
      "a restore test that may not take a snapshot",
      "calls without permission: verification rds:RestoreDBInstanceFromDBSnapshot here snapshots",
      swapped(
        "Verification",
        "rds:RestoreDBInstanceFromDBSnapshot",
        "rds:RestoreDBClusterFromSnapshot",
      ),
    ],
    [
      "a sweep that may not have the rotations looked after",
      "calls without permission: sweep lambda:InvokeFunction here function rotation",
      swapped("Sweep", '-rotation"', '-canary"'),
    ],
    [
      "a rotation that may not let a replica stand alone",
      "calls without permission: rotation secretsmanager:StopReplicationToReplica here secret",
      swapped(
        "Rotation",
        "secretsmanager:StopReplicationToReplica",
        "secretsmanager:RemoveRegionsFromReplication",
      ),
    ],
    [
      "an overlap that may not replace instances",
      "calls without permission: retirement autoscaling:StartInstanceRefresh there group",
      swapped(
        "Retirement",
        "autoscaling:StartInstanceRefresh",
        "autoscaling:CancelInstanceRefresh",
      ),
    ],
    [
      "an operator who cannot wake a repair",
      "operators lambda:SendDurableExecutionCallbackSuccess there execution remediation",
      swapped("OperatorsMay", "-remediation:*/durable-execution", "-failover:*/durable-execution"),
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
      "an alias where executions of all versions are listed",
      "calls without permission: slack lambda:ListDurableExecutionsByFunction here function failover",
      swapped("Slack", '-failover"', '-failover:live"'),
    ],
    [
      "an operator who may keep no refused answer",
      "calls without permission: operators dynamodb:PutItem there table journal",
      swapped("OperatorsMay", "dynamodb:PutItem", "dynamodb:Scan"),
    ],
    [
      "an operator who may do what the command line never does",
      "never used: dynamodb:DeleteItem here table journal",
      swapped("OperatorsMay", '"dynamodb:PutItem"', '"dynamodb:PutItem","dynamodb:DeleteItem"'),
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
