import type {
  CancelRotateSecretCommandInput,
  CreateSecretCommandInput,
  CreateSecretCommandOutput,
  DescribeSecretCommandInput,
  DescribeSecretCommandOutput,
  GetSecretValueCommandInput,
  GetSecretValueCommandOutput,
  PutSecretValueCommandInput,
  PutSecretValueCommandOutput,
  ReplicaRegionType,
  ReplicateSecretToRegionsCommandInput,
  ReplicateSecretToRegionsCommandOutput,
  ReplicationStatusType,
  RotateSecretCommandInput,
  StopReplicationToReplicaCommandInput,
  StopReplicationToReplicaCommandOutput,
  UpdateSecretVersionStageCommandInput,
  UpdateSecretVersionStageCommandOutput,
} from "@aws-sdk/client-secrets-manager";
import type { Place } from "../network.ts";
import { duration } from "./durations.ts";
import { type RotationPorts, Rotations } from "./secretsmanager-rotation.ts";
import {
  addVersion,
  badParameter,
  changeStage,
  copied,
  holderOf,
  isEmpty,
  notFound,
  type Version,
  type Versions,
} from "./secretsmanager-versions.ts";
import { AwsError, type Call, type Service, type Surroundings } from "./service.ts";

type Answer<T> = Omit<T, "$metadata">;

interface Secret {
  name: string;
  arn: string;
  region: Place;
  description: string | undefined;
  versions: Versions;
  created: number;
  changed: number;
  /** Counts changes, so that a copy that travels late never overwrites a newer one. */
  revision: number;
  /** The region of the primary secret, where this one is a replica. */
  primary: Place | undefined;
  /** Replicas of this secret as it knows them, which may be out of date after a partition. */
  replicas: Map<Place, Replica>;
}

interface Replica {
  status: "InSync" | "InProgress" | "Failed";
  /** Why it failed. */
  why: string | undefined;
  /** The revision that it has; -1 before the first. */
  received: number;
  /** Whether its first copy may replace a secret of the same name. */
  overwrite: boolean;
}

/** ARNs end in six random characters; a name, a whole ARN and an ARN without them all name it. */
const nameIn = (id: string): string[] => {
  if (!id.startsWith("arn:")) return [id];
  const last = id.split(":").slice(6).join(":");
  return [last.replace(/-[A-Za-z0-9]{6}$/, ""), last];
};

const replicationStatus = (secret: Secret): { ReplicationStatus?: ReplicationStatusType[] } =>
  secret.replicas.size === 0
    ? {}
    : {
        ReplicationStatus: [...secret.replicas].map(([Region, { status, why }]) => ({
          Region,
          Status: status,
          ...(why !== undefined && { StatusMessage: `Replication failed: ${why}` }),
        })),
      };

const stagesById = (versions: Versions): Record<string, string[]> =>
  Object.fromEntries(
    [...versions.values()]
      .filter((version) => version.stages.size > 0)
      .map((version) => [version.id, [...version.stages]]),
  );

/**
 * Secrets with versions, staging labels and replicas in other regions. A replica is a copy that
 * follows after a while when its primary can reach it, refuses changes, and becomes a secret of
 * its own by StopReplicationToReplica, for which the primary is not needed.
 * https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_StopReplicationToReplica.html
 *
 * A name that is taken in the other region makes the replication fail, which DescribeSecret shows, until
 * it is asked for again with the overwriting of it:
 * https://docs.aws.amazon.com/secretsmanager/latest/userguide/replicate-secrets_troubleshoot.html
 * AWS does not say whether a secret that still lists replicas of its own can be overwritten, nor when a
 * primary learns that its replica was made standalone while its region was lost. Assumed here: it can be;
 * and the primary learns it when it next sends something.
 */
class Secrets {
  readonly #surroundings: Surroundings;
  readonly #secrets = new Map<string, Secret>();

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
  }

  now(): number {
    return this.#surroundings.timeline.now();
  }

  at(region: Place, name: string): Secret | undefined {
    return this.#secrets.get(`${region}/${name}`);
  }

  find(id: string | undefined, region: Place): Secret {
    for (const name of nameIn(id ?? "")) {
      const secret = this.at(region, name);
      if (!secret) continue;
      if (secret.primary) this.#settle(this.at(secret.primary, name));
      else this.#settle(secret);
      return secret;
    }
    throw notFound();
  }

  /** For changes, which only a primary takes. */
  findPrimary(id: string | undefined, region: Place): Secret {
    const secret = this.find(id, region);
    if (secret.primary === undefined) return secret;
    throw badParameter(
      "Operation not permitted on a replica secret. Call must be made in primary secret's region.",
    );
  }

  create(name: string, description: string | undefined, { region, account }: Call): Secret {
    const suffix = this.#surroundings.random.id().slice(0, 6);
    const secret: Secret = {
      name,
      arn: `arn:aws:secretsmanager:${region}:${account}:secret:${name}-${suffix}`,
      region,
      description,
      versions: new Map(),
      created: this.now(),
      changed: this.now(),
      revision: 0,
      primary: undefined,
      replicas: new Map(),
    };
    this.#secrets.set(`${region}/${name}`, secret);
    return secret;
  }

  replicateTo(secret: Secret, regions: ReplicaRegionType[], overwrite: boolean): void {
    for (const { Region } of regions) {
      if (!Region || Region === secret.region) throw badParameter("Invalid replica region.");
      const known = secret.replicas.get(Region);
      if (known && known.status !== "Failed") continue;
      const received = overwrite ? -1 : (known?.received ?? -1);
      secret.replicas.set(Region, { status: "InProgress", why: undefined, received, overwrite });
    }
    this.#send(secret);
  }

  changed(secret: Secret): void {
    secret.changed = this.now();
    secret.revision += 1;
    this.#send(secret);
  }

  promote(secret: Secret): void {
    const primary = secret.primary;
    secret.primary = undefined;
    if (primary && this.#surroundings.network.reachable(secret.region, primary)) {
      this.at(primary, secret.name)?.replicas.delete(secret.region);
    }
  }

  #send(secret: Secret): void {
    const snapshot = { versions: copied(secret.versions), revision: secret.revision };
    for (const [region, replica] of secret.replicas) {
      // It has that already: a request that is repeated because its answer was lost changes nothing.
      if (replica.received >= snapshot.revision) continue;
      Object.assign(replica, { status: "InProgress", why: undefined });
      const delay = duration(this.#surroundings.random, "secretsmanager.replication");
      this.#surroundings.timeline.after(delay, () => this.#arrive(secret, region, snapshot));
    }
  }

  #arrive(secret: Secret, region: Place, snapshot: { versions: Versions; revision: number }): void {
    const replica = secret.replicas.get(region);
    if (!replica || replica.received >= snapshot.revision) return;
    // Overwritten from another region meanwhile: this one sends nothing any more.
    if (this.at(secret.region, secret.name) !== secret) return;
    const fail = (why: string) => Object.assign(replica, { status: "Failed", why });
    if (!this.#surroundings.network.reachable(secret.region, region)) {
      fail("Region not reachable");
      return;
    }
    const there = this.at(region, secret.name);
    if (there && there.primary !== secret.region && !replica.overwrite) {
      // It was made standalone while the two could not see each other: it is not ours any more.
      if (replica.received >= 0) secret.replicas.delete(region);
      else fail(`Secret name ${secret.name} already exists in region ${region}.`);
      return;
    }
    this.#secrets.set(`${region}/${secret.name}`, {
      ...secret,
      arn: secret.arn.replace(`:${secret.region}:`, `:${region}:`),
      region,
      versions: copied(snapshot.versions),
      primary: secret.region,
      replicas: new Map(),
    });
    Object.assign(replica, { received: snapshot.revision, overwrite: false, why: undefined });
    if (replica.received === secret.revision) replica.status = "InSync";
  }

  /** Delivers what failed while a region could not be reached; asked for by whoever looks. */
  #settle(secret: Secret | undefined): void {
    if (!secret) return;
    const snapshot = { versions: secret.versions, revision: secret.revision };
    for (const [region, replica] of [...secret.replicas]) {
      if (replica.status === "Failed") this.#arrive(secret, region, snapshot);
    }
  }
}

const createSecret =
  (secrets: Secrets) =>
  (input: CreateSecretCommandInput, call: Call): Answer<CreateSecretCommandOutput> => {
    const [name, token] = [input.Name ?? "", input.ClientRequestToken ?? ""];
    if (name === "") throw badParameter("You must provide a name.");
    const known = secrets.at(call.region, name);
    if (known && (known.primary !== undefined || !known.versions.has(token))) {
      const message = `The operation failed because the secret ${name} already exists.`;
      throw new AwsError("ResourceExistsException", message, { status: 400 });
    }
    const secret = known ?? secrets.create(name, input.Description, call);
    const answer = { ARN: secret.arn, Name: name };
    const valued = input.SecretString !== undefined || input.SecretBinary !== undefined;
    if (valued) addVersion(secret.versions, token, input, ["AWSCURRENT"], secrets.now());
    if (input.AddReplicaRegions) {
      const overwrite = input.ForceOverwriteReplicaSecret === true;
      secrets.replicateTo(secret, input.AddReplicaRegions, overwrite);
    }
    return { ...answer, ...(valued && { VersionId: token }), ...replicationStatus(secret) };
  };

const describeSecret =
  (secrets: Secrets, rotations: Rotations) =>
  (input: DescribeSecretCommandInput, call: Call): Answer<DescribeSecretCommandOutput> => {
    const secret = secrets.find(input.SecretId, call.region);
    const primary = secret.primary ?? (secret.replicas.size > 0 ? secret.region : undefined);
    return {
      ARN: secret.arn,
      Name: secret.name,
      ...(secret.description !== undefined && { Description: secret.description }),
      CreatedDate: new Date(secret.created),
      LastChangedDate: new Date(secret.changed),
      VersionIdsToStages: stagesById(secret.versions),
      ...rotations.described(secret),
      ...(primary !== undefined && { PrimaryRegion: primary }),
      ...replicationStatus(secret),
    };
  };

const chosen = (versions: Versions, input: GetSecretValueCommandInput): Version => {
  const { VersionId: id, VersionStage: stage } = input;
  const version = id === undefined ? holderOf(versions, stage ?? "AWSCURRENT") : versions.get(id);
  if (!version || isEmpty(version)) {
    throw notFound(
      id === undefined
        ? `the specified secret value for staging label: ${stage ?? "AWSCURRENT"}`
        : `the specified secret value for VersionId: ${id}`,
    );
  }
  if (id !== undefined && stage !== undefined && !version.stages.has(stage)) {
    throw new AwsError(
      "InvalidRequestException",
      "You provided a VersionStage that is not associated to the provided VersionId.",
      { status: 400 },
    );
  }
  return version;
};

const getSecretValue =
  (secrets: Secrets) =>
  (input: GetSecretValueCommandInput, call: Call): Answer<GetSecretValueCommandOutput> => {
    const secret = secrets.find(input.SecretId, call.region);
    const version = chosen(secret.versions, input);
    return {
      ARN: secret.arn,
      Name: secret.name,
      VersionId: version.id,
      VersionStages: [...version.stages],
      CreatedDate: new Date(version.created),
      ...(version.string !== undefined && { SecretString: version.string }),
      ...(version.binary !== undefined && { SecretBinary: version.binary }),
    };
  };

const putSecretValue =
  (secrets: Secrets, rotations: Rotations) =>
  (input: PutSecretValueCommandInput, call: Call): Answer<PutSecretValueCommandOutput> => {
    const secret = secrets.findPrimary(input.SecretId, call.region);
    const stages = input.VersionStages ?? ["AWSCURRENT"];
    const token = input.ClientRequestToken ?? "";
    const version = addVersion(secret.versions, token, input, stages, secrets.now());
    if (stages.includes("AWSCURRENT")) rotations.supplanted(secret, token);
    secrets.changed(secret);
    return {
      ARN: secret.arn,
      Name: secret.name,
      VersionId: version.id,
      VersionStages: [...version.stages],
    };
  };

const updateSecretVersionStage =
  (secrets: Secrets) =>
  (
    input: UpdateSecretVersionStageCommandInput,
    call: Call,
  ): Answer<UpdateSecretVersionStageCommandOutput> => {
    const secret = secrets.findPrimary(input.SecretId, call.region);
    const stage = input.VersionStage ?? "";
    changeStage(secret.versions, stage, input.MoveToVersionId, input.RemoveFromVersionId);
    secrets.changed(secret);
    return { ARN: secret.arn, Name: secret.name };
  };

const replicateSecretToRegions =
  (secrets: Secrets) =>
  (
    input: ReplicateSecretToRegionsCommandInput,
    call: Call,
  ): Answer<ReplicateSecretToRegionsCommandOutput> => {
    const secret = secrets.findPrimary(input.SecretId, call.region);
    const overwrite = input.ForceOverwriteReplicaSecret === true;
    secrets.replicateTo(secret, input.AddReplicaRegions ?? [], overwrite);
    return { ARN: secret.arn, ...replicationStatus(secret) };
  };

const stopReplicationToReplica =
  (secrets: Secrets) =>
  (
    input: StopReplicationToReplicaCommandInput,
    call: Call,
  ): Answer<StopReplicationToReplicaCommandOutput> => {
    const secret = secrets.find(input.SecretId, call.region);
    if (secret.primary === undefined) throw badParameter("The secret is not a replica secret.");
    secrets.promote(secret);
    return { ARN: secret.arn };
  };

/** `rotation`: the way to the functions that rotate; nothing can be rotated without one. */
export const secretsmanager = (surroundings: Surroundings, rotation?: RotationPorts) => {
  const secrets = new Secrets(surroundings);
  const rotations = new Rotations(surroundings, secrets, rotation);
  const service: Service = {
    name: "secrets-manager",
    operations: {
      CancelRotateSecret: (input: CancelRotateSecretCommandInput, call: Call) =>
        rotations.cancel(input, call),
      CreateSecret: createSecret(secrets),
      DescribeSecret: describeSecret(secrets, rotations),
      GetSecretValue: getSecretValue(secrets),
      PutSecretValue: putSecretValue(secrets, rotations),
      ReplicateSecretToRegions: replicateSecretToRegions(secrets),
      RotateSecret: (input: RotateSecretCommandInput, call: Call) => rotations.rotate(input, call),
      StopReplicationToReplica: stopReplicationToReplica(secrets),
      UpdateSecretVersionStage: updateSecretVersionStage(secrets),
    },
  };
  return { service };
};
