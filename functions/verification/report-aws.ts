import {
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { clientOptions } from "../../shared/clients.ts";
import type { EvidenceRecord } from "../../shared/evidence.ts";
import { fileNameOf, parseRecord } from "../../shared/evidence.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { overdueHoursOf } from "../../shared/verification.ts";
import type { Kept } from "./ports.ts";
import { reportedRuns, reportPage } from "./report.ts";

const records = "records/";
const reports = "reports/";

/** Two months of nights, and as many rotations of secrets between them: the page shows sixty runs. */
const mostRecords = 180;
/** Of those of restore tests, so many are read for the trend. */
const mostRuns = 60;
const atOnce = 10;

/**
 * Writes the page of a run beside its record, and gives the address at which somebody who may read the
 * bucket sees it: the console asks who they are, which a signed address would not.
 */
export const reporter = (runtime: Runtime, region: string, Bucket: string) => {
  const s3 = new S3Client(clientOptions(runtime, region));
  return async ({ sequence, run }: Kept): Promise<string> => {
    const names = await namesBefore(s3, Bucket, sequence);
    const read: EvidenceRecord[] = [];
    for (let from = 0; from < names.length; from += atOnce) {
      const some = names.slice(from, from + atOnce).map((Key) => recordIn(s3, Bucket, Key));
      read.push(...(await Promise.all(some)));
    }
    const settings = { now: runtime.clock.now(), overdueHours: overdueHoursOf(runtime.config) };
    const Key = reports + fileNameOf({ sequence, run }).replace(/json$/, "html");
    await s3.send(
      new PutObjectCommand({
        ...{ Bucket, Key, Body: reportPage(reportedRuns(read), settings) },
        ContentType: "text/html; charset=utf-8",
      }),
    );
    const address = new URL(`https://${region}.console.aws.amazon.com/s3/object/${Bucket}`);
    address.search = new URLSearchParams({ region, prefix: Key }).toString();
    return address.href;
  };
};

/** Names of the newest records of restore tests, up to this one, oldest first. */
const namesBefore = async (s3: S3Client, Bucket: string, sequence: number): Promise<string[]> => {
  const first = Math.max(0, sequence - mostRecords);
  const { Contents = [] } = await s3.send(
    new ListObjectsV2Command({
      ...{ Bucket, Prefix: records, MaxKeys: mostRecords + 1 },
      StartAfter: records + String(first).padStart(9, "0"),
    }),
  );
  return Contents.flatMap(({ Key }) => (Key?.includes("-verification-") ? [Key] : [])).slice(
    -mostRuns,
  );
};

const recordIn = async (s3: S3Client, Bucket: string, Key: string): Promise<EvidenceRecord> => {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
  const record = parseRecord((await Body?.transformToString()) ?? "");
  if (!record) throw new Error(`${Key} holds no record`);
  return record;
};
