import { createPublicKey } from "node:crypto";
import { CreateKeyCommand, GetPublicKeyCommand, KMSClient } from "@aws-sdk/client-kms";
import { CreateBucketCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { describe, expect, it } from "vitest";
import { bodyOf, verificationIn } from "../../functions/verification/evidence.ts";
import { dynamodb } from "../../local/aws/dynamodb.ts";
import { endpoint } from "../../local/aws/endpoint.ts";
import { kms } from "../../local/aws/kms.ts";
import { s3 } from "../../local/aws/s3.ts";
import { frugal, inProcess } from "../../local/aws/transport.ts";
import { network } from "../../local/network.ts";
import { virtualTimeline } from "../../local/time/virtual.ts";
import config from "../../nightshift.config.ts";
import { clientOptions } from "../../shared/clients.ts";
import { coordination } from "../../shared/coordination.ts";

import { verifyChain } from "../../shared/evidence.ts";
import { evidenceStore, kmsSign, s3Bucket } from "../../shared/evidence-store.ts";
import { seededRandom } from "../../shared/random.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { systemWeb } from "../../shared/web.ts";
import { clockOn } from "../clock.ts";
import { tableDefinitions } from "../tables.ts";
import { badRun, goodRun, lastNight, publicKey, recordsOf, usualPolicy } from "./records.ts";

describe("the evidence of a restore test", () => {
  it("says who, what, of which backup, when, and what was found, of a run that went well", () => {
    const body = bodyOf(goodRun(), usualPolicy);
    expect(body.outcome.verified).toBe(true);
    expect(body.trigger).toEqual({ by: "schedule", reason: "every night", asked: "latest" });
    expect(body.backup).toMatchObject({
      sourceRegion: "eu-central-1",
      kmsKey: expect.stringMatching(/:key\/mrk-1$/),
      restorableTo: "2026-11-22T01:00:00Z",
    });
    expect(body.restore).toMatchObject({ region: "eu-west-1", to: "2026-11-22T01:00:00Z" });
    expect(body.measured).toMatchObject({ warmSeconds: 4680, rtoMet: true, rpoMet: true });
    expect(body.version).toMatchObject({ code: "4c30257", leftOut: ["large-objects"] });
    expect(body.checks.map(({ part }) => part)).toEqual([
      "landed",
      "restored",
      "content",
      "content",
    ]);
    expect(body.remediation).toEqual([]);
  });

  it("of a run that failed says why, what is to be done, and what it left behind", () => {
    const body = bodyOf(badRun(), usualPolicy);
    expect(body.outcome).toMatchObject({ verified: false, correct: { is: "no" } });
    expect(body.measured).toMatchObject({ warmSeconds: null, rtoMet: null });
    expect(body.remediation.map((line) => line.split(":")[0])).toEqual([
      "row-counts",
      "indexes-sound",
      "nightshift-verification-1",
    ]);
  });

  it("is not green when the run ended otherwise, whatever its verdict", () => {
    expect(bodyOf({ ...goodRun(), end: "red" }, usualPolicy).outcome.verified).toBe(false);
  });

  it("of a run that found no backup names none, and is kept all the same", () => {
    const body = bodyOf({ ...badRun(), plan: null, checks: [], restored: [] }, usualPolicy);
    expect(body).toMatchObject({ backup: null, restore: null });
  });

  it("changes its policy hash with any word of the policy", () => {
    const hash = (policy: typeof usualPolicy) => bodyOf(goodRun(), policy).version.policy;
    const [one] = usualPolicy.assertions ?? [];
    const assertions = one ? [{ ...one, expect: "1" }] : [];
    expect(hash({ ...usualPolicy, assertions })).not.toBe(hash(usualPolicy));
  });

  it("loses no field to the blanking of secrets when it is sealed", async () => {
    const [record] = await recordsOf([badRun()]);
    expect(record && verificationIn(record)).toEqual(bodyOf(badRun(), usualPolicy));
    const files = [
      { name: "000000001-verification-2026-11-22.json", text: JSON.stringify(record) },
    ];
    expect(verifyChain(files, { keys: [publicKey] }).problems).toEqual([]);
  });
});

/** The platform's bucket with its lock, key and table, on the local AWS in this process. */
const platform = async () => {
  const timeline = virtualTimeline(lastNight);
  const random = seededRandom("evidence");
  const surroundings = { timeline, random, network: network(), account: "123456789012" };
  const services = [dynamodb(surroundings, tableDefinitions), s3(surroundings), kms(surroundings)];
  const aws = endpoint(
    surroundings,
    services.map(({ service }) => service),
  );
  await aws.ready();
  const region = config.regions.standby;
  const runtime: Runtime = {
    environment: {
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: "AKIDLOCAL",
      AWS_SECRET_ACCESS_KEY: "local",
      SST_RESOURCE_CoordinationTable: '{"name":"coordination"}',
    },
    clock: clockOn(timeline),
    random,
    web: systemWeb,
    config,
    write: () => undefined,
    aws: ({ answerSeconds }) => ({
      ...frugal,
      requestHandler: inProcess(aws, region, timeline, {
        requestTimeoutMilliseconds: answerSeconds * 1000,
      }),
    }),
  };
  const keys = new KMSClient(clientOptions(runtime, region));
  const objects = new S3Client(clientOptions(runtime, region));
  const { KeyMetadata } = await keys.send(
    new CreateKeyCommand({ KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY", MultiRegion: true }),
  );
  const Bucket = "nightshift-evidence";
  await objects.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
  const key = KeyMetadata?.Arn ?? "";
  const bucket = s3Bucket(objects, Bucket);
  const table = coordination(runtime);
  const { PublicKey } = await keys.send(new GetPublicKeyCommand({ KeyId: key }));
  const der = { key: Buffer.from(PublicKey ?? []), format: "der", type: "spki" } as const;
  const pem = createPublicKey(der).export({ type: "spki", format: "pem" }).toString();
  return {
    store: evidenceStore(table, bucket, kmsSign(keys, key)),
    pem,
    files: async () => {
      const { Contents = [] } = await objects.send(new ListObjectsV2Command({ Bucket }));
      const names = Contents.map(({ Key }) => Key ?? "");
      return Promise.all(names.map(async (name) => ({ name, text: await bucket.get(name) })));
    },
  };
};

describe("from a run to an auditor, over KMS and S3", () => {
  it("good and bad nights are found in order, signed, with all that was recorded of them", async () => {
    const { store, pem, files } = await platform();
    const nights = [goodRun(lastNight - 86_400_000), badRun(lastNight)];
    for (const night of nights) {
      const recordedAt = new Date(night.times.endedAt ?? 0).toISOString();
      const body = { ...bodyOf(night, usualPolicy) };
      await store.keep({ kind: "verification", run: night.run, recordedAt, body });
    }
    const head = await store.head();
    const found = await files();
    const verdict = verifyChain(found, { keys: [pem], ...(head ? { head } : {}) });
    expect(verdict.problems).toEqual([]);
    expect(verdict.records.map((record) => verificationIn(record)?.outcome.verified)).toEqual([
      true,
      false,
    ]);
    const tampered = found.map(({ name, text }) => ({
      name,
      text: text.replace("public.cards is not there", "public.cards is all there"),
    }));
    expect(verifyChain(tampered, { keys: [pem] }).problems).toEqual([
      expect.objectContaining({ of: "record 2", is: "changed" }),
    ]);
  });
});
