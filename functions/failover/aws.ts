import {
  AutoScalingClient,
  DescribeAutoScalingGroupsCommand,
  SetDesiredCapacityCommand,
  UpdateAutoScalingGroupCommand,
} from "@aws-sdk/client-auto-scaling";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import {
  DescribeDBInstancesCommand,
  ModifyDBInstanceCommand,
  PromoteReadReplicaCommand,
  RDSClient,
} from "@aws-sdk/client-rds";
import { ChangeResourceRecordSetsCommand, Route53Client } from "@aws-sdk/client-route-53";
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
  StopReplicationToReplicaCommand,
} from "@aws-sdk/client-secrets-manager";
import { readAbort } from "../../shared/abort.ts";
import { approvals } from "../../shared/approval.ts";
import { sha256 } from "../../shared/canonical.ts";
import { clientOptions, farInvocation, invocation } from "../../shared/clients.ts";
import { readContact } from "../../shared/contact.ts";
import { coordination } from "../../shared/coordination.ts";
import { operatorsChannel, slackCredentials } from "../../shared/credentials.ts";
import { readDemand } from "../../shared/demand.ts";
import { invoker } from "../../shared/invoke.ts";
import { dynamodbJournal, journal } from "../../shared/journal.ts";
import {
  claimLease,
  closeAttempt,
  driveLease,
  readLease,
  returnLease,
  settleLease,
} from "../../shared/lease.ts";
import { escalation, runMessage } from "../../shared/message.ts";
import { inSentences, observed } from "../../shared/outcome.ts";
import { readPause } from "../../shared/pause.ts";
import { keepProof } from "../../shared/proof.ts";
import { readReadiness } from "../../shared/readiness.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { linked, regionOf } from "../../shared/runtime.ts";
import { parseSecret } from "../../shared/secret-value.ts";
import { type DatabaseSettings, readSettings, settingsOf } from "../../shared/settings.ts";
import { readUpheavals } from "../../shared/upheaval.ts";
import type { Posted, Run } from "./failover.ts";
import type { Ports, PublicView } from "./ports.ts";
import { publicRecords } from "./records-aws.ts";
import { publicLooks } from "./rehearse-aws.ts";
import { isFinal } from "./states.ts";
import { viewOf, waysOn } from "./view.ts";

export interface StandbyLink extends Record<string, unknown> {
  /** The replica in this region, and the address that it keeps when it is promoted. */
  replica: string;
  databaseHost: string;
  databasePort: number;
  autoScalingGroup: string;
  /** Secrets by name; they have the same name in both regions. */
  secrets: string[];
  /** The others that are rotated: a failover needs none of them, and a rebuild has all follow again. */
  rotatedSecrets?: string[];
  /** Where this region is reached without the public name. */
  regionalName: string;
  publicUrl: string;
  /** The records of the public name: both regions' set identifiers. */
  zoneId: string;
  recordSets: string[];
}

export const failoverPorts = (runtime: Runtime): Ports => {
  const here = regionOf(runtime);
  const { config, clock } = runtime;
  const home = here === config.regions.primary ? config.regions.standby : config.regions.primary;
  const link = linked<StandbyLink>(runtime, "Standby");
  const database = linked<{ name: string }>(runtime, "DatabaseFunction");
  const guards = linked<Record<string, string>>(runtime, "GuardFunctions");
  const table = coordination(runtime);
  const functions = invoker(runtime, invocation);
  const farFunctions = invoker(runtime, farInvocation);
  return {
    name: `failover in ${here}`,
    clock,
    policy: {
      here,
      home,
      ...config.failover,
      wantedCapacity: config.sizes.application.desired,
      activeMinimum: config.sizes.application.minimum,
      ttlSeconds: config.domain.ttlSeconds,
    },
    readLease: () => readLease(table),
    claimLease: (seen, run, planned) =>
      claimLease(table, seen, {
        planned,
        region: here,
        holder: run,
        nowMilliseconds: Math.floor(clock.now()),
      }),
    returnLease: (claimed, before) => returnLease(table, claimed, before, Math.floor(clock.now())),
    settleLease: ({ epoch, holder, driver }) =>
      settleLease(table, epoch, holder, Math.floor(clock.now()), driver),
    driveLease: (run, again) => driveLease(table, run, again),
    closeAttempt: (seen) => closeAttempt(table, seen),
    readPause: () => readPause(table),
    readAbort: async (run) => (await readAbort(table, run)) ?? null,
    keptSettings: () => readSettings(table, home),
    readContact: async () => (await readContact(table, home)) ?? null,
    readReadiness: () => readReadiness(table, here),
    readDemand: () => readDemand(table, home),
    readUpheavals: () => readUpheavals(table, home, clock.now()),
    keepProof: (run, kind) =>
      keepProof(table, { region: here, run, kind, atMilliseconds: Math.floor(clock.now()) }),
    approvals: approvals(table),
    ...replica(runtime, here, link.replica),
    ...capacity(runtime, here, link.autoScalingGroup),
    ...secrets(runtime, here, link),
    database: (request) => functions.ask(here, database.name, request),
    obey: (region, epoch) => {
      const guard = guards[region];
      if (!guard) throw new Error(`no guard function of ${region} is linked`);
      const there = region === here ? functions : farFunctions;
      return there.ask(region, guard, { do: "obey", epoch });
    },
    ...publicLooks(runtime, link),
    ...publicSide(runtime, link, publicRecords(runtime, table, link)),
    ...telling(runtime, here),
  };
};

const replica = (runtime: Runtime, region: string, id: string) => {
  const client = new RDSClient(clientOptions(runtime, region));
  return {
    replica: async () => {
      const { DBInstances } = await client.send(
        new DescribeDBInstancesCommand({ DBInstanceIdentifier: id }),
      );
      const instance = DBInstances?.[0];
      if (!instance) throw new Error(`RDS does not know ${id} in ${region}`);
      const infos = instance.StatusInfos ?? [];
      return {
        id,
        status: instance.DBInstanceStatus ?? "unknown",
        isReplica: instance.ReadReplicaSourceDBInstanceIdentifier !== undefined,
        replicating: infos.some(({ Status }) => Status === "replicating"),
        // Names only: a pending value may be a password.
        pending: Object.entries(instance.PendingModifiedValues ?? {}).flatMap(([name, value]) =>
          value === undefined ? [] : [name],
        ),
        ...(instance.PreferredMaintenanceWindow
          ? { maintenanceWindow: instance.PreferredMaintenanceWindow }
          : {}),
      };
    },
    settings: async () => {
      const { DBInstances } = await client.send(
        new DescribeDBInstancesCommand({ DBInstanceIdentifier: id }),
      );
      const instance = DBInstances?.[0];
      if (!instance) throw new Error(`RDS does not know ${id} in ${region}`);
      return settingsOf(instance);
    },
    applySettings: async (wanted: DatabaseSettings) => {
      await client.send(
        new ModifyDBInstanceCommand({
          DBInstanceIdentifier: id,
          ApplyImmediately: true,
          BackupRetentionPeriod: wanted.backupRetentionDays,
          MultiAZ: wanted.multiAz,
          DeletionProtection: wanted.deletionProtection,
          CopyTagsToSnapshot: wanted.copyTagsToSnapshot,
          MonitoringInterval: wanted.monitoringIntervalSeconds,
          ...(wanted.monitoringRole ? { MonitoringRoleArn: wanted.monitoringRole } : {}),
          ...(wanted.parameterGroup ? { DBParameterGroupName: wanted.parameterGroup } : {}),
        }),
      );
    },
    promote: async () => {
      // The real retention and the other settings are re-applied afterwards; 0 is never right.
      const BackupRetentionPeriod = runtime.config.sizes.database.backupRetentionDays;
      await client.send(
        new PromoteReadReplicaCommand({ DBInstanceIdentifier: id, BackupRetentionPeriod }),
      );
    },
  };
};

const capacity = (runtime: Runtime, region: string, name: string) => {
  const client = new AutoScalingClient(clientOptions(runtime, region));
  return {
    capacity: async () => {
      const { AutoScalingGroups } = await client.send(
        new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [name] }),
      );
      const group = AutoScalingGroups?.[0];
      if (!group) throw new Error(`Auto Scaling does not know ${name} in ${region}`);
      const inService = (group.Instances ?? []).filter(
        ({ LifecycleState, HealthStatus }) =>
          LifecycleState === "InService" && HealthStatus === "Healthy",
      ).length;
      return {
        minimum: group.MinSize ?? 0,
        desired: group.DesiredCapacity ?? 0,
        inService,
        maximum: group.MaxSize ?? 0,
      };
    },
    setDesired: async (instances: number) => {
      const DesiredCapacity = instances;
      await client.send(
        new SetDesiredCapacityCommand({ AutoScalingGroupName: name, DesiredCapacity }),
      );
    },
    setMinimum: async (MinSize: number) => {
      await client.send(new UpdateAutoScalingGroupCommand({ AutoScalingGroupName: name, MinSize }));
    },
  };
};

/** Values are read, changed and written in here and never leave: what goes out is only yes or no. */
const secrets = (runtime: Runtime, region: string, link: StandbyLink) => {
  const client = new SecretsManagerClient(clientOptions(runtime, region));
  const value = async (name: string) => {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: name }));
    return parseSecret(name, SecretString ?? "{}");
  };
  const here = (found: Record<string, unknown>) =>
    found.host === undefined ||
    (found.host === link.databaseHost && Number(found.port) === link.databasePort);
  const standsAlone = async (name: string) => {
    const { PrimaryRegion } = await client.send(new DescribeSecretCommand({ SecretId: name }));
    return PrimaryRegion === undefined || PrimaryRegion === region;
  };
  return {
    secretNames: link.secrets,
    secret: async (name: string) => {
      const [alone, found] = await Promise.all([standsAlone(name), value(name)]);
      const present = Object.keys(found).length > 0;
      return { name, present, standsAlone: alone, pointsHere: present && here(found) };
    },
    repoint: async (name: string, run: string) => {
      if (!(await standsAlone(name))) {
        await client.send(new StopReplicationToReplicaCommand({ SecretId: name }));
      }
      const found = await value(name);
      if (here(found)) return;
      const next = { ...found, host: link.databaseHost, port: link.databasePort };
      await client.send(
        new PutSecretValueCommand({
          SecretId: name,
          SecretString: JSON.stringify(next),
          // The same run makes the same version, so a repeated call is found to be done.
          ClientRequestToken: sha256(`${run} ${name}`).slice(0, 32),
        }),
      );
    },
  };
};

/** What users see of this region, and the second way to send them here. */
export const publicSide = (
  runtime: Runtime,
  link: StandbyLink,
  { keepRecords }: Pick<ReturnType<typeof publicRecords>, "keepRecords">,
) => {
  const { web, config } = runtime;
  const { resolvers, writeProbe } = config.failover;
  const route53 = new Route53Client(clientOptions(runtime, "us-east-1"));
  const addresses = async (name: string, resolver: string) =>
    (await web.resolve(name, resolver)).sort().join(" ");
  const answersHere = async (resolver: string): Promise<boolean> => {
    const [answer, expected] = await Promise.all([
      addresses(config.domain.name, resolver),
      addresses(link.regionalName, resolver),
    ]);
    return answer !== "" && answer === expected;
  };
  return {
    publicView: async (): Promise<PublicView> => {
      const answers = await Promise.allSettled(resolvers.map(answersHere));
      const isHere = (index: number) => {
        const answer = answers[index];
        return answer?.status === "fulfilled" && answer.value;
      };
      return {
        here: resolvers.filter((_, index) => isHere(index)),
        elsewhere: resolvers.filter((_, index) => !isHere(index)),
      };
    },
    changeRecords: async () => {
      const records = link.recordSets.map((SetIdentifier, index) => ({
        Action: "UPSERT" as const,
        ResourceRecordSet: {
          Name: config.domain.name,
          Type: "CNAME" as const,
          TTL: config.domain.ttlSeconds,
          SetIdentifier,
          Failover: index === 0 ? ("PRIMARY" as const) : ("SECONDARY" as const),
          ResourceRecords: [{ Value: link.regionalName }],
        },
      }));
      // What cannot be kept now is put back by hand later; users come first.
      await observed("Route 53", runtime.clock.now, keepRecords);
      // Without health checks: the first record is always taken, and both name this region.
      await route53.send(
        new ChangeResourceRecordSetsCommand({
          HostedZoneId: link.zoneId,
          ChangeBatch: { Changes: records },
        }),
      );
    },
    probePublicWrite: async () => {
      const [address] = await web.resolve(config.domain.name, resolvers[0] ?? "");
      if (!address) return { accepted: false, detail: `${config.domain.name} has no address` };
      const answer = await web.request({
        url: new URL(writeProbe.path, link.publicUrl).href,
        method: "POST",
        body: writeProbe.body.replaceAll("{id}", runtime.random.id()),
        address,
        timeoutSeconds: 10,
      });
      const accepted = answer.status === writeProbe.expectedStatus;
      return { accepted, detail: `status ${answer.status}` };
    },
  };
};

const telling = (runtime: Runtime, region: string) => {
  const client = new DynamoDBClient(clientOptions(runtime, region));
  const { name } = linked<{ name: string }>(runtime, "JournalTable");
  const book = journal(dynamodbJournal(client, name));
  const people = runtime.config.slack.operators.map(({ user }) => user);
  const slack = operatorsChannel(runtime, slackCredentials(runtime), {
    timeoutSeconds: 5,
    attempts: 2,
  });
  // A Slack that does not answer is left alone for a minute: waiting for it would delay the run.
  let silentUntil = 0;
  const left = () => {
    silentUntil = runtime.clock.now() + 60_000;
    return null;
  };
  const put = async (run: Run): Promise<Posted | null> => {
    const message = runMessage(viewOf(run, runtime.config.objectives.rpoSeconds));
    if (run.state === "needs-human") {
      const text = inSentences([...run.notes, ...waysOn(run)]) || "see the run";
      await slack.post(escalation(run.name, people, text));
    }
    if (run.message) {
      const updated = await slack.update(run.message.ts, message);
      return updated.delivered ? run.message : left();
    }
    const posted = await slack.post(message);
    return posted.delivered ? { channel: posted.channel, ts: posted.ts } : left();
  };
  const inTurn = inOrder();
  return {
    journal: book.append,
    entries: book.read,
    /** People wait for nothing but a question and the end; and a run waits for people, not for Slack. */
    show: async (run: Run) => {
      const mustBeTried = run.state === "asking" || isFinal(run.state);
      if (runtime.clock.now() < silentUntil && !mustBeTried) return null;
      if (mustBeTried || !run.message) return inTurn(() => put(run));
      void observed("Slack", runtime.clock.now, () => inTurn(() => put(run)));
      return run.message;
    },
  };
};

/** One after the other: an older state of the message never overwrites a newer one. */
const inOrder = () => {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(act: () => Promise<T>): Promise<T> => {
    const turn = last.then(act, act);
    last = turn;
    return turn;
  };
};
