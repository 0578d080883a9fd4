import { CloudWatchClient, PutMetricDataCommand } from "@aws-sdk/client-cloudwatch";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { standingOf } from "../../shared/abort.ts";
import { clientOptions } from "../../shared/clients.ts";
import type { Config } from "../../shared/config.ts";
import { type Coordination, coordination } from "../../shared/coordination.ts";
import { operatorsChannel, slackCredentials } from "../../shared/credentials.ts";
import { readDeployed } from "../../shared/deployed.ts";
import { driftWatch } from "../../shared/drift-aws.ts";
import { evidenceOf } from "../../shared/evidence-store.ts";
import { declareFreeze, endFreeze, readFreezes } from "../../shared/freeze.ts";
import { dynamodbJournal, journal } from "../../shared/journal.ts";
import { readLease } from "../../shared/lease.ts";
import { escalation } from "../../shared/message.ts";
import { metricNamespace } from "../../shared/metrics.ts";
import { readPause } from "../../shared/pause.ts";
import { patientConnect } from "../../shared/postgres.ts";
import { registry } from "../../shared/registry-aws.ts";
import type { DatabaseTarget, Runtime } from "../../shared/runtime.ts";
import { linked, regionOf } from "../../shared/runtime.ts";
import { parseSecret } from "../../shared/secret-value.ts";
import { keepVerification } from "../../shared/verification.ts";
import { reserveCost, settleCost } from "../../shared/verification-cost.ts";
import type { ApplicationSeen } from "./application.ts";
import { backupsOf } from "./backups-aws.ts";
import { checksOf } from "./checks/all.ts";
import type { CheckPolicy, KeyRing } from "./checks/policy.ts";
import type { Checks } from "./checks.ts";
import { bodyOf } from "./evidence.ts";
import type { Ports, Posted, Proof, VerificationPolicy } from "./ports.ts";
import { copiesOf, type Place } from "./rds-aws.ts";
import type { RunRecord } from "./record.ts";
import { reporter } from "./report-aws.ts";
import { messageOf } from "./view.ts";

/** Where this region's copies go, and whose backups they are of. */
export interface VerifiedLink extends Place, Record<string, unknown> {
  /** Identifier of the database by region. */
  databases: Record<string, string>;
  tls: DatabaseTarget["tls"];
  /** Name of the secret with the ring of ENCRYPTION_KEY. */
  encryptionKeys?: string;
}

const usual = {
  ...{ instanceClass: "db.t4g.medium", hours: 8, backupLagSeconds: 1800 },
  ...{ rtoSeconds: 4 * 3600, rpoSeconds: 3600 },
};

/** As long as it may live, and as long as a run may pay for it. */
const hoursOf = (verification: Config["verification"]): number => {
  const { hours = usual.hours, cost } = verification ?? {};
  return cost ? Math.min(hours, cost.perRun / cost.dollarsPerHour) : hours;
};

export const policyOf = ({ application, sizes, verification }: Config): VerificationPolicy => ({
  rtoSeconds: verification?.objectives?.rtoSeconds ?? usual.rtoSeconds,
  rpoSeconds: verification?.objectives?.rpoSeconds ?? usual.rpoSeconds,
  retentionDays: sizes.database.backupRetentionDays,
  backupLagSeconds: verification?.backupLagSeconds ?? usual.backupLagSeconds,
  instanceClass: verification?.instanceClass ?? usual.instanceClass,
  hours: hoursOf(verification),
  dollarsPerHour: verification?.cost?.dollarsPerHour ?? null,
  schemaRevision: verification?.schemaRevision ?? null,
  image: application.image,
});

const checkPolicyOf = ({ domain, verification }: Config): CheckPolicy => ({
  identity: domain.name,
  ...verification,
});

/** Today's ring of ENCRYPTION_KEY, for the one check that opens what the copy holds. */
export const keyRing = async (
  runtime: Runtime,
  region: string,
  secret: string,
): Promise<KeyRing> => {
  const client = new SecretsManagerClient(clientOptions(runtime, region));
  const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: secret }));
  const { keys } = parseSecret(secret, SecretString ?? "{}");
  const all = Object.entries((keys ?? {}) as Record<string, { secret?: unknown }>);
  return {
    keys: Object.fromEntries(
      all.map(([id, { secret: value }]) => [id, Buffer.from(String(value), "base64url")]),
    ),
  };
};

const allChecks = (runtime: Runtime, region: string, { encryptionKeys }: VerifiedLink): Checks =>
  checksOf(
    checkPolicyOf(runtime.config),
    encryptionKeys ? { keyRing: () => keyRing(runtime, region, encryptionKeys) } : {},
  );

/** What the active region runs, by what its readiness has kept, and whether both registries have it. */
const applicationOf = (runtime: Runtime, table: Coordination, region: string) => {
  const inRegistry = async (where: string, image: string) =>
    [where, await registry(runtime, where)(image)] as const;
  return async (active: string): Promise<ApplicationSeen> => {
    const kept = await readDeployed(table, active);
    const image = kept?.image ?? null;
    const present = image === null ? [] : [active, region].map((each) => inRegistry(each, image));
    const toldAtMilliseconds = kept?.atMilliseconds ?? 0;
    return { image, toldAtMilliseconds, present: Object.fromEntries(await Promise.all(present)) };
  };
};

export const verificationPorts = (runtime: Runtime, checks?: Checks): Ports => {
  const region = regionOf(runtime);
  const { clock, config, environment } = runtime;
  const link = linked<VerifiedLink>(runtime, "Verified");
  const table = coordination(runtime);
  const tables = new DynamoDBClient(clientOptions(runtime, region));
  const { name: journalTable } = linked<{ name: string }>(runtime, "JournalTable");
  const book = () => journal(dynamodbJournal(tables, journalTable));
  const own = book();
  const evidence = evidenceOf(runtime, table);
  const connect = runtime.connect ?? patientConnect;
  const at = () => Math.floor(clock.now());
  return {
    name: `verification in ${region}`,
    codeVersion:
      environment.NIGHTSHIFT_REVISION ?? environment.AWS_LAMBDA_FUNCTION_VERSION ?? "unknown",
    clock,
    random: runtime.random,
    region,
    policy: policyOf(config),
    quarantine: link,
    databaseIn: (where) => {
      const id = link.databases[where];
      if (id === undefined) throw new Error(`no database is known in ${where}`);
      return id;
    },
    checks: checks ?? allChecks(runtime, region, link),
    backups: backupsOf(runtime, region),
    drift: driftWatch(runtime, link.databases),
    application: applicationOf(runtime, table, region),
    copies: copiesOf(runtime, region, link, { connect, tls: link.tls }),
    readLease: () => readLease(table),
    readPause: () => readPause(table),
    readMoves: async () => {
      const all = await readFreezes(table, region, clock.now(), async (run) => {
        // Anew each time: another function writes it.
        const { begun, ended } = standingOf(await book().read(run));
        return begun && !ended;
      });
      return all.filter(({ what }) => what === "failover");
    },
    reserve: async (run) => {
      const { cost } = config.verification ?? {};
      if (!cost) return undefined;
      const dollars = policyOf(config).hours * cost.dollarsPerHour;
      return reserveCost(table, region, { run, dollars, most: cost.perMonth }, at());
    },
    settle: (run, dollars) => settleCost(table, region, { run, dollars }, at()),
    freeze: async (run, untilMilliseconds) => {
      const reason = "a restore test runs";
      const declared = { what: "verification", by: run, reason, untilMilliseconds } as const;
      const answer = await declareFreeze(table, region, declared, at());
      return "refused" in answer ? answer.refused : undefined;
    },
    endFreeze: (run) => endFreeze(table, region, { what: "verification", by: run }, at()),
    journal: own.append,
    evidenceOf: (record) => ({ ...bodyOf(record, checkPolicyOf(config)) }),
    keep: evidence.keep,
    report: reporter(runtime, region, linked<{ bucket: string }>(runtime, "Evidence").bucket),
    publish: async (record, proof) => {
      await keepVerification(table, region, standingAfter(record, proof));
      await putMetrics(runtime, region, record);
    },
    show: shower(runtime),
  };
};

const standingAfter = (
  { run, end, code, figures, times, verdict }: RunRecord,
  { evidence, report }: Proof,
) => ({
  ...{ run, code, figures: { ...figures }, isVerified: end === "verified", report },
  verdict: {
    landed: verdict.landed.is,
    restorable: verdict.restorable.is,
    correct: verdict.correct.is,
  },
  evidence: evidence && `${evidence.sequence}:${evidence.hash.slice(0, 16)}`,
  atMilliseconds: times.endedAt ?? times.startedAt,
});

/** The first of them has to arrive each day: an alarm on it rings when nobody tells anything. */
const putMetrics = async (runtime: Runtime, region: string, record: RunRecord) => {
  const { end, figures, objectives } = record;
  const client = new CloudWatchClient(clientOptions(runtime, region));
  const { availableSeconds, warmSeconds, lossSeconds } = figures;
  const values = {
    BackupsVerified: end === "verified" ? 1 : 0,
    RestoreAvailableSeconds: availableSeconds,
    RestoreWarmSeconds: warmSeconds,
    RestoreLossSeconds: lossSeconds,
    // What was not measured was not met: an alarm on these two needs no figure of its own.
    RestoreRtoMet: isMet(warmSeconds, objectives.rtoSeconds),
    RestoreRpoMet: isMet(lossSeconds, objectives.rpoSeconds),
  };
  const MetricData = Object.entries(values).flatMap(([MetricName, Value]) =>
    Value === null
      ? []
      : [
          {
            ...{ MetricName, Value, Timestamp: new Date(runtime.clock.now()) },
            Dimensions: [{ Name: "Region", Value: region }],
          },
        ],
  );
  await client.send(new PutMetricDataCommand({ Namespace: metricNamespace(runtime), MetricData }));
};

const isMet = (seconds: number | null, objective: number): number =>
  seconds !== null && seconds <= objective ? 1 : 0;

/** One message for each run, brought up to date; and a call to people when it ends red. */
const shower = (runtime: Runtime): Ports["show"] => {
  const people = runtime.config.slack.operators.map(({ user }) => user);
  const slack = operatorsChannel(runtime, slackCredentials(runtime), {
    timeoutSeconds: 5,
    attempts: 2,
  });
  return async (record, phase, message, proof): Promise<Posted | null> => {
    const shown = messageOf(record, phase, proof);
    if (phase === "ended" && record.end === "red") {
      await slack.post(escalation(record.run, people, record.notes.join(" ") || record.code));
    }
    if (message) {
      const updated = await slack.update(message.ts, shown);
      return updated.delivered ? message : null;
    }
    const posted = await slack.post(shown);
    return posted.delivered ? { channel: posted.channel, ts: posted.ts } : null;
  };
};
