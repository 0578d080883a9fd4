import { createHash } from "node:crypto";
import type {
  CreateBucketCommandInput,
  DeleteObjectCommandInput,
  DeleteObjectCommandOutput,
  GetObjectCommandInput,
  HeadObjectCommandInput,
  HeadObjectCommandOutput,
  ListObjectsV2CommandInput,
  ListObjectsV2CommandOutput,
  ObjectLockMode,
  PutObjectCommandInput,
  PutObjectCommandOutput,
} from "@aws-sdk/client-s3";
import type { Place } from "../network.ts";
import { AwsError, type Call, type Service, type Surroundings } from "./service.ts";

type Answer<T> = Omit<T, "$metadata">;

interface Version {
  id: string;
  body: Uint8Array;
  etag: string;
  modified: number;
  contentType: string | undefined;
  metadata: Record<string, string>;
  deleteMarker: boolean;
  lock: { mode: ObjectLockMode; until: number } | undefined;
}

interface Bucket {
  name: string;
  region: Place;
  /** Object Lock needs versions, so such a bucket keeps them; others keep the newest only. */
  objectLock: boolean;
  /** By key, oldest version first. */
  objects: Map<string, Version[]>;
}

const refused = (shape: string, status: number, message: string): AwsError =>
  new AwsError(shape, message, { status });

const noSuchKey = (key: string | undefined): AwsError =>
  new AwsError("NoSuchKey", "The specified key does not exist.", {
    status: 404,
    fields: { Key: key },
  });

/** The endpoint hands over bodies as bytes; a caller in process may also use a string. */
const bytesOf = (body: unknown): Uint8Array => {
  if (body === undefined) return new Uint8Array();
  if (typeof body === "string") return Buffer.from(body);
  if (body instanceof Uint8Array) return body;
  throw new Error("s3: a body must be bytes or a string");
};

class Buckets {
  readonly surroundings: Surroundings;
  readonly #buckets = new Map<string, Bucket>();

  constructor(surroundings: Surroundings) {
    this.surroundings = surroundings;
  }

  create(name: string, region: Place, objectLock: boolean): void {
    if (this.#buckets.has(name)) {
      throw refused("BucketAlreadyOwnedByYou", 409, "You already own the bucket.");
    }
    this.#buckets.set(name, { name, region, objectLock, objects: new Map() });
  }

  find(name: string | undefined, call: Call): Bucket {
    const bucket = this.#buckets.get(name ?? "");
    if (!bucket) throw refused("NoSuchBucket", 404, "The specified bucket does not exist");
    if (bucket.region !== call.region) {
      throw refused("PermanentRedirect", 301, `The bucket is in ${bucket.region}.`);
    }
    return bucket;
  }

  /** The newest version, or the one asked for; a delete marker counts as nothing. */
  version(bucket: Bucket, key: string | undefined, id: string | undefined): Version {
    const versions = bucket.objects.get(key ?? "") ?? [];
    const found = id === undefined ? versions.at(-1) : versions.find((one) => one.id === id);
    if (!found && id !== undefined) {
      throw refused("NoSuchVersion", 404, "The specified version does not exist.");
    }
    if (!found || found.deleteMarker) throw noSuchKey(key);
    return found;
  }

  add(bucket: Bucket, key: string, version: Omit<Version, "id" | "modified">): Version {
    const { random, timeline } = this.surroundings;
    const added = { ...version, id: random.id(), modified: timeline.now() };
    const before = bucket.objectLock ? (bucket.objects.get(key) ?? []) : [];
    bucket.objects.set(key, [...before, added]);
    return added;
  }

  now(): number {
    return this.surroundings.timeline.now();
  }
}

const checkPreconditions = (input: PutObjectCommandInput, current: Version | undefined): void => {
  const exists = current !== undefined && !current.deleteMarker;
  const blocked =
    (input.IfNoneMatch === "*" && exists) ||
    (input.IfMatch !== undefined && current?.etag !== input.IfMatch);
  if (!blocked) return;
  throw refused(
    "PreconditionFailed",
    412,
    "At least one of the pre-conditions you specified did not hold",
  );
};

const lockOf = (input: PutObjectCommandInput, bucket: Bucket): Version["lock"] => {
  const { ObjectLockMode: mode, ObjectLockRetainUntilDate: until } = input;
  if (mode === undefined && until === undefined) return undefined;
  if (!bucket.objectLock) {
    throw refused("InvalidRequest", 400, "Bucket is missing Object Lock Configuration");
  }
  if (mode === undefined || until === undefined) {
    throw refused(
      "InvalidArgument",
      400,
      "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
    );
  }
  return { mode, until: until.getTime() };
};

const putObject =
  (buckets: Buckets) =>
  (input: PutObjectCommandInput, call: Call): Answer<PutObjectCommandOutput> => {
    const bucket = buckets.find(input.Bucket, call);
    const key = input.Key ?? "";
    checkPreconditions(input, bucket.objects.get(key)?.at(-1));
    const body = bytesOf(input.Body);
    const added = buckets.add(bucket, key, {
      body,
      etag: `"${createHash("md5").update(body).digest("hex")}"`,
      contentType: input.ContentType,
      metadata: input.Metadata ?? {},
      deleteMarker: false,
      lock: lockOf(input, bucket),
    });
    return { ETag: added.etag, ...(bucket.objectLock && { VersionId: added.id }) };
  };

const head = (bucket: Bucket, version: Version): Answer<HeadObjectCommandOutput> => ({
  ContentLength: version.body.length,
  ETag: version.etag,
  LastModified: new Date(version.modified),
  ContentType: version.contentType ?? "application/octet-stream",
  Metadata: version.metadata,
  ...(bucket.objectLock && { VersionId: version.id }),
  ...(version.lock && {
    ObjectLockMode: version.lock.mode,
    ObjectLockRetainUntilDate: new Date(version.lock.until),
  }),
});

const headObject =
  (buckets: Buckets) =>
  (input: HeadObjectCommandInput, call: Call): Answer<HeadObjectCommandOutput> => {
    const bucket = buckets.find(input.Bucket, call);
    const versions = bucket.objects.get(input.Key ?? "");
    // HEAD has no body, so S3 cannot say more than "not found".
    if (!versions || versions.at(-1)?.deleteMarker) throw refused("NotFound", 404, "Not Found");
    return head(bucket, buckets.version(bucket, input.Key, input.VersionId));
  };

const getObject = (buckets: Buckets) => (input: GetObjectCommandInput, call: Call) => {
  if (input.Range !== undefined) throw refused("NotImplemented", 501, "s3: Range is not modelled");
  const bucket = buckets.find(input.Bucket, call);
  const version = buckets.version(bucket, input.Key, input.VersionId);
  return { ...head(bucket, version), Body: version.body };
};

const deleteObject =
  (buckets: Buckets) =>
  (input: DeleteObjectCommandInput, call: Call): Answer<DeleteObjectCommandOutput> => {
    const bucket = buckets.find(input.Bucket, call);
    const key = input.Key ?? "";
    if (input.VersionId !== undefined) {
      const version = bucket.objects.get(key)?.find((one) => one.id === input.VersionId);
      const bypassed = version?.lock?.mode === "GOVERNANCE" && input.BypassGovernanceRetention;
      if (version?.lock && version.lock.until > buckets.now() && !bypassed) {
        const why = "Access Denied because object protected by object lock.";
        throw refused("AccessDenied", 403, why);
      }
      const kept = (bucket.objects.get(key) ?? []).filter((one) => one !== version);
      if (kept.length > 0) bucket.objects.set(key, kept);
      else bucket.objects.delete(key);
      return { VersionId: input.VersionId };
    }
    if (!bucket.objectLock) {
      bucket.objects.delete(key);
      return {};
    }
    const marker = buckets.add(bucket, key, {
      body: new Uint8Array(),
      etag: "",
      contentType: undefined,
      metadata: {},
      deleteMarker: true,
      lock: undefined,
    });
    return { DeleteMarker: true, VersionId: marker.id };
  };

const listObjects =
  (buckets: Buckets) =>
  (input: ListObjectsV2CommandInput, call: Call): Answer<ListObjectsV2CommandOutput> => {
    const bucket = buckets.find(input.Bucket, call);
    if (input.Delimiter !== undefined) {
      throw refused("NotImplemented", 501, "s3: Delimiter is not modelled");
    }
    const after = input.ContinuationToken ?? input.StartAfter ?? "";
    const prefix = input.Prefix ?? "";
    const keys = [...bucket.objects.keys()]
      .filter((key) => key.startsWith(prefix) && key > after)
      .filter((key) => !bucket.objects.get(key)?.at(-1)?.deleteMarker)
      .sort();
    const shown = keys.slice(0, Math.min(input.MaxKeys ?? 1000, 1000));
    const truncated = shown.length < keys.length;
    return {
      Name: bucket.name,
      Prefix: prefix,
      KeyCount: shown.length,
      MaxKeys: input.MaxKeys ?? 1000,
      IsTruncated: truncated,
      ...(truncated && { NextContinuationToken: shown.at(-1) }),
      Contents: shown.map((Key) => {
        const { etag, modified, body } = buckets.version(bucket, Key, undefined);
        return { Key, ETag: etag, Size: body.length, LastModified: new Date(modified) };
      }),
    };
  };

/** S3 buckets, each in one region. Buckets with Object Lock keep versions and honour retention. */
export const s3 = (surroundings: Surroundings) => {
  const buckets = new Buckets(surroundings);
  const service: Service = {
    name: "s3",
    operations: {
      CreateBucket: (input: CreateBucketCommandInput, call: Call) => {
        const region = input.CreateBucketConfiguration?.LocationConstraint ?? call.region;
        buckets.create(input.Bucket ?? "", region, input.ObjectLockEnabledForBucket === true);
        return { Location: `/${input.Bucket}` };
      },
      DeleteObject: deleteObject(buckets),
      GetObject: getObject(buckets),
      HeadObject: headObject(buckets),
      ListObjectsV2: listObjects(buckets),
      PutObject: putObject(buckets),
    },
  };
  return {
    service,
    createBucket: (name: string, region: Place, options: { objectLock?: boolean } = {}): void =>
      buckets.create(name, region, options.objectLock === true),
  };
};
