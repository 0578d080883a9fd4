import { KMSClient, SignCommand } from "@aws-sdk/client-kms";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { canonical } from "./canonical.ts";
import { clientOptions } from "./clients.ts";
import type { Coordination } from "./coordination.ts";
import type { ChainEnd, Draft, EvidenceRecord, Sign } from "./evidence.ts";
import { fileNameOf, parseRecord, seal } from "./evidence.ts";
import type { Runtime } from "./runtime.ts";
import { linked, regionOf } from "./runtime.ts";

/** Where evidence goes. Keeping the same run again gives back what was kept. */
export interface EvidenceStore {
  keep(draft: Draft): Promise<EvidenceRecord>;
  /** The newest record of the chain; null before the first. */
  head(): Promise<ChainEnd | null>;
}

/** The bucket of this region, whose default retention locks each object. */
export interface EvidenceBucket {
  /** Writes it once: a file that is there already is the same one and stays as it is. */
  put(name: string, text: string): Promise<void>;
  get(name: string): Promise<string>;
}

interface Recent {
  run: string;
  sequence: number;
}

const id = "evidence";
const attempts = 8;

/** So many runs at once may compete, and one that is resumed still finds what it had written. */
const recentRuns = 50;

/** An item of DynamoDB ends at 400 KB, and the newest record stands in one. */
const largestBytes = 300_000;

/** All records lie under it. */
const folder = "records/";

/**
 * Appends to one chain for both regions. The newest record stands in the coordination table before it
 * lies in the bucket, and whoever appends the next one puts it there first: so a run that died between
 * the two leaves no gap.
 */
export const evidenceStore = (
  table: Coordination,
  bucket: EvidenceBucket,
  sign: Sign,
): EvidenceStore => {
  const lay = async (record: EvidenceRecord) => {
    await bucket.put(folder + fileNameOf(record), canonical(record));
    return record;
  };
  const kept = async (recent: readonly Recent[], run: string): Promise<EvidenceRecord | null> => {
    const same = recent.find((each) => each.run === run);
    if (!same) return null;
    const record = parseRecord(await bucket.get(folder + fileNameOf(same)));
    if (!record) throw new Error(`the record of ${run} in the bucket is none`);
    return record;
  };
  return {
    head: async () => {
      const newest = newestOf(await table.read(id));
      return newest && { sequence: newest.sequence, hash: newest.hash };
    },
    keep: async (draft) => {
      for (let attempt = 0; attempt < attempts; attempt += 1) {
        const item = await table.read(id);
        const newest = newestOf(item);
        if (newest) await lay(newest);
        if (newest?.run === draft.run) return newest;
        const recent = recentOf(item);
        const before = await kept(recent, draft.run);
        if (before) return before;
        const record = await seal(draft, newest ?? undefined, sign);
        const text = canonical(record);
        if (Buffer.byteLength(text) > largestBytes) {
          throw new Error(`the evidence of ${draft.run} has over ${largestBytes} bytes`);
        }
        const { sequence, run } = record;
        const { written } = await table.write(id, {
          set: {
            sequence,
            record: text,
            recent: [{ run, sequence }, ...recent].slice(0, recentRuns),
          },
          onlyIf: "attribute_not_exists(#sequence) OR #sequence = :last",
          values: { last: sequence - 1 },
        });
        // When somebody was faster, or our own write was and only its answer was lost, the next look tells.
        if (written) return lay(record);
      }
      throw new Error(`${attempts} other writers were faster; ${draft.run} has no evidence`);
    },
  };
};

const newestOf = (item: Record<string, unknown> | undefined): EvidenceRecord | null => {
  if (!item) return null;
  const record = parseRecord(String(item.record));
  if (!record) throw new Error("the newest evidence in the coordination table is no record");
  return record;
};

const recentOf = (item: Record<string, unknown> | undefined): Recent[] =>
  Array.isArray(item?.recent) ? (item.recent as Recent[]) : [];

/** The linked bucket and key of this region. The key is a multi-Region one: the same in both. */
export const evidenceOf = (runtime: Runtime, table: Coordination): EvidenceStore => {
  const region = regionOf(runtime);
  const { bucket, key } = linked<{ bucket: string; key: string }>(runtime, "Evidence");
  const s3 = new S3Client(clientOptions(runtime, region));
  const kms = new KMSClient(clientOptions(runtime, region));
  return evidenceStore(table, s3Bucket(s3, bucket), kmsSign(kms, key));
};

/**
 * Source of the conditional write: PutObject, `If-None-Match: *` answers 412 when the key is taken, and
 * 409 while another one is being written.
 */
export const s3Bucket = (client: S3Client, Bucket: string): EvidenceBucket => ({
  put: async (Key, Body) => {
    const command = new PutObjectCommand({
      Bucket,
      Key,
      Body,
      ContentType: "application/json",
      IfNoneMatch: "*",
    });
    await client.send(command).catch((error: unknown) => {
      if (error instanceof Error && error.name === "PreconditionFailed") return;
      throw error;
    });
  },
  get: async (Key) => {
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
    return (await Body?.transformToString()) ?? "";
  },
});

/** Source: Sign takes up to 4,096 bytes as they are; signatures of ECDSA keys are DER, as in ANSI X9.62. */
export const kmsSign =
  (client: KMSClient, KeyId: string): Sign =>
  async (text) => {
    const { Signature, KeyId: key } = await client.send(
      new SignCommand({
        KeyId,
        Message: Buffer.from(text),
        MessageType: "RAW",
        SigningAlgorithm: "ECDSA_SHA_256",
      }),
    );
    if (!Signature) throw new Error("KMS gave no signature");
    return { key: key ?? KeyId, value: Buffer.from(Signature).toString("base64") };
  };
