import { names } from "../drills/names.ts";
import { isOpen, type Logins } from "../functions/database/decide.ts";
import { fencedAt } from "../functions/failover/decide.ts";
import { readContact } from "../shared/contact.ts";
import { claimLease, readLease, settleLease } from "../shared/lease.ts";
import { config, type World } from "../test/simulation/world.ts";

/** How often a person looks whether something is done that takes minutes. */
const lookSeconds = 30;
const mostLooks = 100;

const self = "runbook";

/** How one call travels, the same for whoever makes it. */
export type Travel = () => Promise<void>;

/** A step and when it was done: what the person would tick off. */
export interface Ticked {
  step: string;
  atMilliseconds: number;
}

/**
 * The failover of a dead region as a careful expert does it by hand, with the runbook in front of them:
 * the same steps with the same gates as the function has, one after the other, each waited for. They
 * type in no time at all, never err, and know every name by heart.
 */
export const runbook = async (world: World, travel: Travel): Promise<Ticked[]> => {
  const { timeline } = world;
  const ticked: Ticked[] = [];
  const hands = handsOf(world, travel);
  const steps: [step: string, act: () => Promise<void>][] = [
    ["look", hands.look],
    ["capacity", hands.scaleUp],
    ["lease", hands.claim],
    ["fence", hands.fence],
    ["isolation", hands.isolate],
    ["promotion", hands.promote],
    ["logins", hands.openLogins],
    ["secrets", hands.repoint],
    ["traffic", hands.activate],
    ["verification", hands.verify],
  ];
  for (const [step, act] of steps) {
    await act();
    ticked.push({ step, atMilliseconds: timeline.now() });
  }
  return ticked;
};

const until = async ({ timeline }: World, done: () => Promise<boolean>): Promise<void> => {
  for (let look = 1; look <= mostLooks; look += 1) {
    if (await done()) return;
    await timeline.sleep(lookSeconds * 1000);
  }
  throw new Error(`not done after ${mostLooks} looks`);
};

const handsOf = (world: World, travel: Travel) => {
  const { timeline, cloud, platform, table } = world;
  const { region } = platform.standby;
  const ask = async <Answer>(service: string, operation: string, input: object) => {
    await travel();
    return cloud.ask<Answer>(service, operation, region, input);
  };
  const now = () => Math.floor(timeline.now());
  const lease = async () => {
    await travel();
    return readLease(table);
  };
  const invoke = async <Answer>(FunctionName: string, payload: object): Promise<Answer> => {
    const Payload = Buffer.from(JSON.stringify(payload));
    const answer = await ask<{ Payload: Uint8Array; FunctionError?: string }>("lambda", "Invoke", {
      FunctionName,
      Payload,
    });
    const text = Buffer.from(answer.Payload).toString("utf8");
    if (answer.FunctionError) throw new Error(`${FunctionName}: ${text}`);
    return JSON.parse(text) as Answer;
  };
  return {
    ...capacityHands(world, ask),
    ...databaseHands(world, ask, invoke),
    verify: () =>
      until(world, async () => {
        await travel();
        return world.users.acknowledged.at(-1)?.region === region;
      }),
    claim: async () => {
      const claim = await claimLease(table, await lease(), {
        region,
        holder: self,
        nowMilliseconds: now(),
      });
      if ("lost" in claim) throw new Error("somebody else has moved the lease");
    },
    /** Nobody answers in a dead region; whoever asks waits as long as the function does. */
    fence: async () => void (await timeline.sleep(farSeconds * 1000)),
    isolate: async () => {
      await travel();
      const contact = await readContact(table, platform.home.region);
      if (!contact) throw new Error("the old region has never made contact");
      const left = fencedAt(contact, { ...config.failover }) - timeline.now();
      await timeline.sleep(Math.max(0, left));
    },
    activate: async () => {
      const settled = await settleLease(table, (await lease()).epoch, self, now());
      if ("lost" in settled) throw new Error("somebody else has moved the lease");
      await ask("elastic-load-balancing-v2", "ModifyRule", {
        RuleArn: platform.standby.roleRule,
        Actions: [
          {
            Type: "fixed-response",
            FixedResponseConfig: {
              StatusCode: "200",
              ContentType: "text/plain",
              MessageBody: "active",
            },
          },
        ],
      });
    },
  };
};

/** As `farInvocation` in shared/clients.ts. */
const farSeconds = 20;

type Ask = <Answer>(service: string, operation: string, input: object) => Promise<Answer>;
type Invoke = <Answer>(name: string, payload: object) => Promise<Answer>;
interface Group {
  DesiredCapacity: number;
  Instances: { LifecycleState: string; HealthStatus: string }[];
}

const capacityHands = (world: World, ask: Ask) => {
  const group = async () => {
    const input = { AutoScalingGroupNames: [names.group] };
    type Answer = { AutoScalingGroups: [Group] };
    return (await ask<Answer>("auto-scaling", "DescribeAutoScalingGroups", input))
      .AutoScalingGroups[0];
  };
  const wanted = config.sizes.application.desired;
  return {
    /** Waited for at once: one step is done before the next. */
    scaleUp: async () => {
      await ask("auto-scaling", "SetDesiredCapacity", {
        AutoScalingGroupName: names.group,
        DesiredCapacity: wanted,
      });
      await until(world, async () => {
        const { Instances } = await group();
        const serves = Instances.filter(
          ({ LifecycleState, HealthStatus }) =>
            LifecycleState === "InService" && HealthStatus === "Healthy",
        );
        return serves.length >= wanted;
      });
    },
  };
};

interface Instance {
  DBInstanceStatus: string;
  ReadReplicaSourceDBInstanceIdentifier?: string;
}

const databaseHands = (world: World, ask: Ask, invoke: Invoke) => {
  const { databaseId, host, port } = world.platform.standby;
  const secrets = [names.secrets.application, names.secrets.nightshift];
  const replica = async (): Promise<Instance> => {
    const input = { DBInstanceIdentifier: databaseId };
    const { DBInstances } = await ask<{ DBInstances: [Instance] }>(
      "rds",
      "DescribeDBInstances",
      input,
    );
    return DBInstances[0];
  };
  const isAvailable = ({ DBInstanceStatus }: Instance) => DBInstanceStatus === "available";
  return {
    look: async () => {
      await replica();
      await invoke("database", { do: "position" });
      for (const SecretId of secrets) await ask("secrets-manager", "DescribeSecret", { SecretId });
    },
    promote: async () => {
      await until(world, async () => isAvailable(await replica()));
      await ask("rds", "PromoteReadReplica", { DBInstanceIdentifier: databaseId });
      await until(world, async () => {
        const seen = await replica();
        return isAvailable(seen) && seen.ReadReplicaSourceDBInstanceIdentifier === undefined;
      });
    },
    openLogins: async () => {
      const { epoch } = await readLease(world.table);
      if (!isOpen(await invoke<Logins>("database", { do: "logins" }))) {
        await invoke("database", { do: "liftFence", epoch });
      }
      await invoke("database", { do: "probeWrite", epoch });
    },
    repoint: async () => {
      for (const SecretId of secrets) {
        await ask("secrets-manager", "StopReplicationToReplica", { SecretId });
        const { SecretString } = await ask<{ SecretString: string }>(
          "secrets-manager",
          "GetSecretValue",
          { SecretId },
        );
        const value = JSON.parse(SecretString) as Record<string, unknown>;
        if (value.host === undefined) continue;
        await ask("secrets-manager", "PutSecretValue", {
          SecretId,
          SecretString: JSON.stringify({ ...value, host, port }),
          ClientRequestToken: `${self}-${SecretId}`.padEnd(32, "-"),
        });
      }
    },
  };
};
