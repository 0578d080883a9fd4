import { createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";
import type {
  CreateKeyCommandInput,
  CreateKeyCommandOutput,
  DescribeKeyCommandInput,
  DescribeKeyCommandOutput,
  DisableKeyCommandInput,
  EnableKeyCommandInput,
  GetPublicKeyCommandInput,
  GetPublicKeyCommandOutput,
  KeyMetadata,
  ReplicateKeyCommandInput,
  ReplicateKeyCommandOutput,
  ScheduleKeyDeletionCommandInput,
  ScheduleKeyDeletionCommandOutput,
  SignCommandInput,
  SignCommandOutput,
  VerifyCommandInput,
  VerifyCommandOutput,
} from "@aws-sdk/client-kms";
import type { Place } from "../network.ts";
import { AwsError, type Call, type Service, type Surroundings } from "./service.ts";

type Answer<T> = Omit<T, "$metadata">;

interface Key {
  id: string;
  arn: string;
  region: Place;
  description: string;
  state: "Enabled" | "Disabled" | "PendingDeletion";
  created: number;
  deleted: number | undefined;
  multiRegion: boolean;
  primary: Place;
  /** Undefined for a symmetric key, whose material never leaves KMS. */
  private: KeyObject | undefined;
}

/** `WaitingPeriodInDays` when left out. (API reference of ScheduleKeyDeletion.) */
const usualWaitingDays = 30;
/** `You can submit messages of up to 4096 bytes.` (API reference of Sign.) */
const longestMessage = 4096;
const algorithm = "ECDSA_SHA_256";
const day = 86_400_000;

const refused = (shape: string, message: string) => new AwsError(shape, message, { status: 400 });

/**
 * Keys, their states, and signatures of `ECC_NIST_P256` keys over messages as they are. Symmetric keys can
 * be made and looked at; nothing is encrypted with them.
 */
export const kms = (surroundings: Surroundings) => {
  const keys = new Map<string, Key>();
  const find = (id: string | undefined, { region }: Call): Key => {
    const name = (id ?? "").split("/").at(-1) ?? "";
    const key = keys.get(`${region} ${name}`);
    if (key) return key;
    throw refused("NotFoundException", `Key '${id}' does not exist`);
  };
  const change = (state: Key["state"]) => (input: { KeyId?: string | undefined }, call: Call) => {
    const key = find(input.KeyId, call);
    if (key.state === "PendingDeletion") {
      throw refused("KMSInvalidStateException", `${key.arn} is pending deletion.`);
    }
    key.state = state;
    return {};
  };
  const service: Service = {
    name: "kms",
    operations: {
      CreateKey: (input: CreateKeyCommandInput, call: Call): Answer<CreateKeyCommandOutput> => {
        const key = newKey(surroundings, input, call.region);
        keys.set(`${call.region} ${key.id}`, key);
        return { KeyMetadata: shown(surroundings, key) };
      },
      ReplicateKey: (
        input: ReplicateKeyCommandInput,
        call: Call,
      ): Answer<ReplicateKeyCommandOutput> => {
        const key = find(input.KeyId, call);
        const region = input.ReplicaRegion as Place;
        if (!key.multiRegion) {
          throw refused("UnsupportedOperationException", `${key.arn} is not a multi-Region key.`);
        }
        if (keys.has(`${region} ${key.id}`)) {
          throw refused("AlreadyExistsException", `There is a replica in ${region} already.`);
        }
        const replica = { ...key, region, arn: key.arn.replace(`:${key.region}:`, `:${region}:`) };
        keys.set(`${region} ${key.id}`, replica);
        return { ReplicaKeyMetadata: shown(surroundings, replica) };
      },
      DescribeKey: (
        input: DescribeKeyCommandInput,
        call: Call,
      ): Answer<DescribeKeyCommandOutput> => ({
        KeyMetadata: shown(surroundings, find(input.KeyId, call)),
      }),
      DisableKey: (input: DisableKeyCommandInput, call: Call) => change("Disabled")(input, call),
      EnableKey: (input: EnableKeyCommandInput, call: Call) => change("Enabled")(input, call),
      ScheduleKeyDeletion: (
        input: ScheduleKeyDeletionCommandInput,
        call: Call,
      ): Answer<ScheduleKeyDeletionCommandOutput> => {
        const key = find(input.KeyId, call);
        change("PendingDeletion")(input, call);
        const days = input.PendingWindowInDays ?? usualWaitingDays;
        key.deleted = surroundings.timeline.now() + days * day;
        return { KeyId: key.arn, KeyState: key.state, DeletionDate: new Date(key.deleted) };
      },
      ...signatures(find),
    },
  };
  return { service, ...standing(surroundings, keys) };
};

/** For whoever builds or judges a platform. */
const standing = (surroundings: Surroundings, keys: Map<string, Key>) => ({
  /** A symmetric key that is there when a run begins, by its ARN. */
  establish: (arn: string): void => {
    const [, , , region = "", , path = ""] = arn.split(":");
    const id = path.replace("key/", "");
    keys.set(`${region} ${id}`, { ...newKey(surroundings, {}, region), id, arn });
  },
  /** A key that is not modelled is taken for one that is well. */
  isUsable: (region: Place, arn: string): boolean => {
    const key = keys.get(`${region} ${arn.split("/").at(-1)}`);
    return key === undefined || key.state === "Enabled";
  },
});

type Find = (id: string | undefined, call: Call) => Key;

const signatures = (find: Find) => ({
  GetPublicKey: (
    input: GetPublicKeyCommandInput,
    call: Call,
  ): Answer<GetPublicKeyCommandOutput> => {
    const key = find(input.KeyId, call);
    const PublicKey = createPublicKey(signing(key)).export({ type: "spki", format: "der" });
    return {
      KeyId: key.arn,
      PublicKey,
      KeySpec: "ECC_NIST_P256",
      KeyUsage: "SIGN_VERIFY",
      SigningAlgorithms: [algorithm],
    };
  },
  Sign: (input: SignCommandInput, call: Call): Answer<SignCommandOutput> => {
    const key = find(input.KeyId, call);
    const Signature = sign("sha256", message(input), signing(key));
    return { KeyId: key.arn, Signature, SigningAlgorithm: algorithm };
  },
  Verify: (input: VerifyCommandInput, call: Call): Answer<VerifyCommandOutput> => {
    const key = find(input.KeyId, call);
    const signature = input.Signature ?? new Uint8Array();
    const fits = verify("sha256", message(input), createPublicKey(signing(key)), signature);
    if (!fits) throw refused("KMSInvalidSignatureException", "The signature is invalid.");
    return { KeyId: key.arn, SignatureValid: true, SigningAlgorithm: algorithm };
  },
});

const newKey = (
  { random, timeline, account }: Surroundings,
  input: CreateKeyCommandInput,
  region: Place,
): Key => {
  const spec = input.KeySpec ?? "SYMMETRIC_DEFAULT";
  const isSymmetric = spec === "SYMMETRIC_DEFAULT";
  if (!isSymmetric && (spec !== "ECC_NIST_P256" || input.KeyUsage !== "SIGN_VERIFY")) {
    const what = `kms: keys ${spec} for ${input.KeyUsage} are not modelled`;
    throw new AwsError("NotImplemented", what, { status: 501 });
  }
  const multiRegion = input.MultiRegion ?? false;
  const id = multiRegion ? `mrk-${random.id()}` : random.id();
  return {
    id,
    arn: `arn:aws:kms:${region}:${account}:key/${id}`,
    region,
    description: input.Description ?? "",
    state: "Enabled",
    created: timeline.now(),
    deleted: undefined,
    multiRegion,
    primary: region,
    private: isSymmetric
      ? undefined
      : generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey,
  };
};

/** The private half, when it may be used now. */
const signing = (key: Key): KeyObject => {
  if (key.state === "Disabled") throw refused("DisabledException", `${key.arn} is disabled.`);
  if (key.state === "PendingDeletion") {
    throw refused("KMSInvalidStateException", `${key.arn} is pending deletion.`);
  }
  if (key.private) return key.private;
  const why = `${key.arn} key usage is ENCRYPT_DECRYPT which is not valid for this operation.`;
  throw refused("InvalidKeyUsageException", why);
};

const message = (
  input: Pick<SignCommandInput, "Message" | "MessageType" | "SigningAlgorithm">,
): Uint8Array => {
  if (input.MessageType === "DIGEST") {
    throw new AwsError("NotImplemented", "kms: digests are not modelled", { status: 501 });
  }
  if (input.SigningAlgorithm !== algorithm) {
    throw refused("InvalidKeyUsageException", `${input.SigningAlgorithm} does not fit the key.`);
  }
  const bytes = input.Message ?? new Uint8Array();
  if (bytes.length === 0 || bytes.length > longestMessage) {
    throw refused("ValidationException", `Message must have 1 to ${longestMessage} bytes.`);
  }
  return bytes;
};

const shown = ({ account }: Surroundings, key: Key): KeyMetadata => ({
  KeyId: key.id,
  Arn: key.arn,
  AWSAccountId: account,
  CreationDate: new Date(key.created),
  Description: key.description,
  Enabled: key.state === "Enabled",
  KeyState: key.state,
  KeyManager: "CUSTOMER",
  Origin: "AWS_KMS",
  MultiRegion: key.multiRegion,
  KeySpec: key.private ? "ECC_NIST_P256" : "SYMMETRIC_DEFAULT",
  KeyUsage: key.private ? "SIGN_VERIFY" : "ENCRYPT_DECRYPT",
  ...(key.deleted !== undefined && { DeletionDate: new Date(key.deleted) }),
});
