import { AwsError } from "./service.ts";

export interface Version {
  id: string;
  string?: string | undefined;
  binary?: Uint8Array | undefined;
  created: number;
  stages: Set<string>;
}

/** The versions of one secret, oldest first, as one region holds them. */
export type Versions = Map<string, Version>;

export interface Content {
  SecretString?: string | undefined;
  SecretBinary?: Uint8Array | undefined;
}

export const badParameter = (message: string): AwsError =>
  new AwsError("InvalidParameterException", message, { status: 400 });

export const badRequest = (message: string): AwsError =>
  new AwsError("InvalidRequestException", message, { status: 400 });

export const notFound = (what = "the specified secret"): AwsError =>
  new AwsError("ResourceNotFoundException", `Secrets Manager can't find ${what}.`, { status: 400 });

/** What rotation begins with: an id and no content, which nobody can read. */
export const emptyVersion = (id: string, created: number): Version => ({
  id,
  created,
  stages: new Set<string>(),
});

export const isEmpty = ({ string, binary }: Version): boolean =>
  string === undefined && binary === undefined;

const same = (version: Version, content: Content): boolean =>
  version.string === content.SecretString &&
  Buffer.compare(version.binary ?? Buffer.alloc(0), content.SecretBinary ?? Buffer.alloc(0)) === 0;

export const holderOf = (versions: Versions, stage: string): Version | undefined => {
  for (const version of versions.values()) if (version.stages.has(stage)) return version;
  return undefined;
};

/** Moves a label; AWSPREVIOUS follows AWSCURRENT to the version that loses it, as documented. */
export const moveStage = (versions: Versions, stage: string, to: Version): void => {
  const from = holderOf(versions, stage);
  if (from === to) return;
  from?.stages.delete(stage);
  to.stages.add(stage);
  if (stage === "AWSCURRENT" && from) {
    holderOf(versions, "AWSPREVIOUS")?.stages.delete("AWSPREVIOUS");
    from.stages.add("AWSPREVIOUS");
  }
};

/**
 * The version for a client token. The same token with the same content is the same version again;
 * with other content it is refused, because a version cannot be changed.
 * https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
 */
export const addVersion = (
  versions: Versions,
  id: string,
  content: Content,
  stages: string[],
  now: number,
): Version => {
  if (content.SecretString === undefined && content.SecretBinary === undefined) {
    throw badParameter("You must provide either SecretString or SecretBinary.");
  }
  if (content.SecretString !== undefined && content.SecretBinary !== undefined) {
    throw badParameter("You can't specify both a binary secret value and a string secret value.");
  }
  const known = versions.get(id);
  if (known && !isEmpty(known) && !same(known, content)) {
    throw new AwsError(
      "ResourceExistsException",
      `The version ${id} already exists with other content; you can't modify a version.`,
      { status: 400 },
    );
  }
  const version = known ?? {
    id,
    string: content.SecretString,
    binary: content.SecretBinary,
    created: now,
    stages: new Set<string>(),
  };
  Object.assign(version, { string: content.SecretString, binary: content.SecretBinary });
  const first = versions.size === 0;
  versions.set(id, version);
  // The first version of a secret is current, whatever labels were asked for.
  for (const stage of first ? [...new Set(["AWSCURRENT", ...stages])] : stages) {
    moveStage(versions, stage, version);
  }
  return version;
};

/** UpdateSecretVersionStage: a label that another version holds must be named to be taken away. */
export const changeStage = (
  versions: Versions,
  stage: string,
  moveTo: string | undefined,
  removeFrom: string | undefined,
): void => {
  const holder = holderOf(versions, stage);
  const required = (id: string): Version => {
    const version = versions.get(id);
    if (!version) throw notFound(`the specified secret version with ${id}`);
    return version;
  };
  if (removeFrom !== undefined && !required(removeFrom).stages.has(stage)) {
    throw badParameter(`The staging label ${stage} is not attached to version ${removeFrom}.`);
  }
  if (moveTo === undefined) {
    if (removeFrom === undefined) throw badParameter("Name a version to move to or remove from.");
    if (stage === "AWSCURRENT") {
      throw badParameter("You can only move staging label AWSCURRENT to a different version.");
    }
    required(removeFrom).stages.delete(stage);
    return;
  }
  const target = required(moveTo);
  if (holder && holder !== target && removeFrom === undefined) {
    throw badParameter(
      `The staging label ${stage} is currently attached to version ${holder.id}, ` +
        "so you must explicitly reference that version in RemoveFromVersionId.",
    );
  }
  moveStage(versions, stage, target);
};

/** A copy that shares nothing that can change. */
export const copied = (versions: Versions): Versions =>
  new Map(
    [...versions].map(([id, version]) => [id, { ...version, stages: new Set(version.stages) }]),
  );
