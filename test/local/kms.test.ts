import { createPublicKey, verify } from "node:crypto";
import { describe, expect, it } from "vitest";
import { kms } from "../../local/aws/kms.ts";
import { around, asking, failure } from "./asking.ts";

const signer = { KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY", MultiRegion: true };
const text = Buffer.from("what is signed");

const keys = () => {
  const { surroundings } = around();
  const ask = asking(kms(surroundings).service);
  const made = (more: object) =>
    (ask("CreateKey", more).KeyMetadata as { KeyId: string; Arn: string }).Arn;
  const sign = (KeyId: string) =>
    ask("Sign", { KeyId, Message: text, MessageType: "RAW", SigningAlgorithm: "ECDSA_SHA_256" });
  return { ask, made, sign };
};

describe("a key that signs", () => {
  it("signs what its public key, which anyone may have, finds genuine", () => {
    const { ask, made, sign } = keys();
    const arn = made(signer);
    const { Signature, KeyId } = sign(arn) as { Signature: Uint8Array; KeyId: string };
    expect(KeyId).toBe(arn);
    const { PublicKey } = ask("GetPublicKey", { KeyId: arn }) as { PublicKey: Buffer };
    const key = createPublicKey({ key: PublicKey, format: "der", type: "spki" });
    expect(verify("sha256", text, key, Signature)).toBe(true);
    expect(verify("sha256", Buffer.from("something else"), key, Signature)).toBe(false);
  });

  it("does so no more when it is disabled or about to be deleted", () => {
    const { ask, made, sign } = keys();
    const arn = made(signer);
    ask("DisableKey", { KeyId: arn });
    expect(failure(() => sign(arn)).name).toBe("DisabledException");
    ask("EnableKey", { KeyId: arn });
    sign(arn);
    ask("ScheduleKeyDeletion", { KeyId: arn, PendingWindowInDays: 7 });
    expect(failure(() => sign(arn)).name).toBe("KMSInvalidStateException");
    expect(ask("DescribeKey", { KeyId: arn }).KeyMetadata).toMatchObject({
      KeyState: "PendingDeletion",
      Enabled: false,
      KeyUsage: "SIGN_VERIFY",
    });
  });

  it("is not one that encrypts, nor one that does not exist", () => {
    const { made, sign } = keys();
    expect(failure(() => sign(made({}))).name).toBe("InvalidKeyUsageException");
    expect(failure(() => sign("arn:aws:kms:eu-west-1:1:key/none")).name).toBe("NotFoundException");
  });

  it("has one replica in another region when it is made for several", () => {
    const { ask, made } = keys();
    const arn = made(signer);
    const replicate = (KeyId: string) =>
      ask("ReplicateKey", { KeyId, ReplicaRegion: "eu-north-1" }) as {
        ReplicaKeyMetadata: { Arn: string };
      };
    expect(replicate(arn).ReplicaKeyMetadata.Arn).toMatch(/kms:eu-north-1:\d+:key\/mrk-/);
    expect(failure(() => replicate(arn)).name).toBe("AlreadyExistsException");
    expect(failure(() => replicate(made({}))).name).toBe("UnsupportedOperationException");
  });
});
