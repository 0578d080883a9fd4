import { describe, expect, it } from "vitest";
import { every, recorded, the } from "./recordings.ts";

describe("the secrets", () => {
  it("have names that Secrets Manager's own ending cannot be mistaken for", async () => {
    const secrets = every(await recorded("production"), "aws:secretsmanager/secret:Secret");
    const names = secrets.map(({ inputs }) => String(inputs.name));
    expect(names.sort()).toEqual([
      "nightshift-production/cache",
      "nightshift-production/database",
      "nightshift-production/encryption-keys",
      "nightshift-production/nightshift",
      "nightshift-production/owner",
      "nightshift-production/signing-keys",
      "nightshift-production/slack",
    ]);
    // "Don't end your secret name with a hyphen followed by six characters": CreateSecret.
    for (const name of names) expect(name).not.toMatch(/-.{6}$/);
  });

  it("are copied to the standby region, each with a key of that region", async () => {
    for (const { inputs } of every(
      await recorded("production"),
      "aws:secretsmanager/secret:Secret",
    )) {
      expect(inputs.replicas).toEqual([
        { region: "eu-west-1", kmsKeyId: expect.stringMatching(/^arn:aws:kms:eu-west-1:/) },
      ]);
    }
  });

  it.each(["SigningKeysSecretValue", "EncryptionKeysSecretValue"])(
    "%s begins as a ring of one key, with its primary by name",
    async (name) => {
      const { inputs } = the(await recorded("production"), name);
      const { primary, keys } = JSON.parse(String(inputs.secretString));
      expect(keys[primary]).toEqual({ secret: "(random)", state: "primary", madeAt: null });
      expect(Object.keys(keys)).toEqual([primary]);
    },
  );

  it("give the application the first of two logins, and never the owner's", async () => {
    const recording = await recorded("production");
    const login = JSON.parse(String(the(recording, "DatabaseSecretValue").inputs.secretString));
    const owner = JSON.parse(String(the(recording, "OwnerSecretValue").inputs.secretString));
    expect(login.username).toBe("app_a");
    expect(owner.username).toBe(the(recording, "PostgresInPrimary").inputs.username);
    const may = JSON.parse(String(the(recording, "ApplicationMayInStandby").inputs.policy));
    const read = may.Statement.find(
      ({ Action }: { Action: string[] }) => Action[0] === "secretsmanager:GetSecretValue",
    );
    expect(read.Resource.map((arn: string) => /\/(.*)-\w{6}$/.exec(arn)?.[1])).toEqual([
      "database",
      "cache",
      "signing-keys",
      "encryption-keys",
    ]);
  });

  it("leave Slack's to be put in by hand: no file and no state knows it", async () => {
    const values = every(
      await recorded("production"),
      "aws:secretsmanager/secretVersion:SecretVersion",
    );
    expect(values.map(({ name }) => name)).not.toContain("SlackSecretValue");
  });
});
