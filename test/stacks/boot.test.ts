import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { recorded, the } from "./recordings.ts";

const ring = (secret: string) => ({
  primary: "b",
  keys: {
    a: { secret: `${secret}-old`, state: "decrypt-only", madeAt: null },
    b: { secret: `${secret}-new`, state: "primary", madeAt: null },
    c: { secret: `${secret}-gone`, state: "retired", madeAt: null },
  },
});

const secrets: Record<string, unknown> = {
  database: {
    username: "app_a",
    password: "p@ss/word",
    host: "elsewhere",
    port: 5432,
    database: "platform",
  },
  cache: { token: "t0ken" },
  "signing-keys": ring("sign"),
  "encryption-keys": ring("seal"),
};

/** Everything that stands in the secrets and must be read nowhere else. */
const values = ["p@ss/word", "p%40ss", "t0ken", "sign-", "seal-"];

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "nightshift-boot-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Runs the user data that a stage really deploys, with programs that only write down how they ran. */
const run = async (mode: string, kept: Record<string, unknown>, behindProxy = false) => {
  const { inputs } = the(await recorded("production"), "LaunchTemplateInStandby");
  const deployed = Buffer.from(String(inputs.userData), "base64").toString();
  expect(deployed).toContain("behind_proxy=''");
  const userData = behindProxy
    ? deployed.replace("behind_proxy=''", "behind_proxy='yes'")
    : deployed;
  const script = join(root, "user-data");
  writeFileSync(script, userData);
  for (const folder of ["bin", "etc/systemd/system", "secrets", "opt/application"]) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  for (const [name, value] of Object.entries(kept)) {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    writeFileSync(join(root, "secrets", name), text);
  }
  const program = (name: string, body: string) => {
    const file = join(root, "bin", name);
    writeFileSync(file, `#!/bin/bash\necho "${name} $*" >>"${root}/calls"\n${body}\n`);
    chmodSync(file, 0o755);
  };
  program("aws", awsStandIn(root));
  // Says that it does not have the image, so that it is pulled.
  program(
    "docker",
    'if [ "$1" = image ]; then exit 1; fi; if [ "$1" = login ]; then cat >/dev/null; fi',
  );
  for (const name of ["dnf", "systemctl"]) program(name, "");
  // Writes what it was asked for into the file that is named.
  program(
    "curl",
    `while [ $# -gt 1 ]; do if [ "$1" = --output ]; then exec >"$2"; fi; shift; done; echo "# $1"`,
  );
  const { status, stdout, stderr } = spawnSync("bash", [script, mode], {
    encoding: "utf8",
    env: { PATH: `${join(root, "bin")}:${process.env.PATH}`, ROOT: root },
  });
  const file = (path: string) =>
    existsSync(join(root, path)) ? readFileSync(join(root, path), "utf8") : "";
  return { status, said: stdout + stderr, userData, calls: file("calls"), file };
};

const awsStandIn = (folder: string) => `
  if [ "$1" = ecr ]; then echo login-password; exit; fi
  name=$(sed 's/.*--secret-id nightshift-production.//; s/ .*//' <<<"$*")
  if [ ! -e "${folder}/secrets/$name" ]; then
    echo "An error occurred (ResourceNotFoundException)" >&2
    exit 254
  fi
  cat "${folder}/secrets/$name"`;

const environmentOf = (text: string): Record<string, string> =>
  Object.fromEntries(
    text
      .trimEnd()
      .split("\n")
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );

describe("an instance at its first boot", () => {
  it("makes the application's environment of this region's addresses", async () => {
    const { status, file } = await run("boot", secrets);
    expect(status).toBe(0);
    const host = "nightshift-production-database.abcdefghijkl.eu-west-1.rds.amazonaws.com";
    const tls = "sslmode=verify-full&sslrootcert=/etc/ssl/rds.pem";
    expect(environmentOf(file("run/application/environment"))).toEqual({
      CLOUD_PROVIDER: "aws",
      REGION: "eu-west-1",
      DATABASE_URL: `postgresql://app_a:p%40ss%2Fword@${host}:5432/platform?${tls}`,
      REDIS_URL: expect.stringMatching(/^rediss:\/\/:t0ken@master\..*\.eu-west-1\..*:6379\/0$/),
      SECRET_KEY: "sign-new",
      SECRET_KEY_FALLBACKS: "sign-old",
      ENCRYPTION_KEY: "seal-new",
      ENCRYPTION_KEY_FALLBACKS: "seal-old",
    });
  });

  it("trusts the roots of RDS, and those of ACM only where RDS Proxy is in front", async () => {
    const rds = "# https://truststore.pki.rds.amazonaws.com/eu-west-1/eu-west-1-bundle.pem\n";
    expect((await run("boot", secrets)).file("opt/application/rds.pem")).toBe(rds);
    const amazon = "# the authorities of the system\n";
    mkdirSync(join(root, "etc/pki/tls/certs"), { recursive: true });
    writeFileSync(join(root, "etc/pki/tls/certs/ca-bundle.crt"), amazon);
    expect((await run("boot", secrets, true)).file("opt/application/rds.pem")).toBe(rds + amazon);
  });

  it("starts nothing behind a proxy that it could not trust", async () => {
    const { calls, status } = await run("boot", secrets, true);
    expect(status).not.toBe(0);
    expect(calls).not.toMatch(/^(docker|systemctl) /m);
  });

  it("keeps the environment in memory, for nobody but root", async () => {
    await run("boot", secrets);
    expect(statSync(join(root, "run/application/environment")).mode & 0o777).toBe(0o600);
  });

  it("starts the container that the template names, and again whenever it ends", async () => {
    const { calls, file } = await run("boot", secrets);
    const registry = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
    const digest = "@sha256:4f0c9f7d2b6e81a3";
    expect(calls).toContain(
      `docker pull --quiet ${registry}/nightshift-production-application${digest}`,
    );
    expect(calls).toContain("systemctl enable --now application\n");
    const unit = file("etc/systemd/system/application.service");
    expect(unit).toMatch(/^Restart=always$/m);
    expect(unit).toMatch(/^StartLimitIntervalSec=0$/m);
    // What it starts is this very script, so a restart reads the secrets anew.
    expect(unit).toMatch(/^ExecStartPre=.*\/application render$/m);
    expect(file("opt/application/application")).toContain("render() {");
  });

  it("hands the environment to the container by a file, and nothing else", async () => {
    await run("boot", secrets);
    const { calls } = await run("start", secrets);
    expect(calls).toMatch(/docker run --rm --name application --env-file .*environment /);
    for (const value of values) expect(calls).not.toContain(value);
  });

  it("measures its memory for the whole group, and for itself", async () => {
    const { file } = await run("boot", secrets);
    const agent = JSON.parse(
      file("opt/aws/amazon-cloudwatch-agent/etc/amazon-cloudwatch-agent.json"),
    );
    expect(agent.metrics.namespace).toBe("CWAgent");
    expect(agent.metrics.aggregation_dimensions).toEqual([["AutoScalingGroupName"]]);
    // Which of them is full, repairs find by the other.
    expect(Object.keys(agent.metrics.append_dimensions)).toEqual([
      "AutoScalingGroupName",
      "InstanceId",
    ]);
    expect(agent.metrics.metrics_collected.mem.measurement).toEqual(["mem_used_percent"]);
  });

  it.each(Object.keys(secrets))("stops without the secret %s", async (name) => {
    const { [name]: gone, ...rest } = secrets;
    expect(gone).toBeDefined();
    const { status, said, calls } = await run("boot", rest);
    expect(status).not.toBe(0);
    expect(said).toContain(`secret nightshift-production/${name} cannot be read in eu-west-1`);
    expect(calls).not.toMatch(/^docker /m);
  });

  it.each([
    ["database", { ...(secrets.database as object), password: "" }, "has no .password of one line"],
    ["database", { username: "app_a", password: "x" }, "has no .database of one line"],
    ["database", "p@ss/word", "is no JSON object"],
    ["cache", {}, "has no .token of one line"],
    ["signing-keys", { primary: "z", keys: {} }, "has no .keys[.primary].secret of one line"],
    ["encryption-keys", ring("seal-one\ntwo"), "of one line"],
    [
      "encryption-keys",
      { primary: "b", keys: { a: { secret: "seal-\n" }, b: { secret: "seal-new" } } },
      "has an older key that is not of one line",
    ],
  ])("stops with a %s of %j, and does not say what it read", async (name, value, says) => {
    const { status, said, calls } = await run("boot", { ...secrets, [name]: value });
    expect(status).not.toBe(0);
    expect(said).toContain(`secret nightshift-production/${name}`);
    expect(said).toContain(says);
    for (const text of values) expect(said).not.toContain(text);
    expect(calls).not.toMatch(/^docker /m);
  });

  it("says nothing of what it read when all is well, and leaves none of it in user data", async () => {
    const { said, userData, calls } = await run("boot", secrets);
    for (const text of values) expect(said + calls + userData).not.toContain(text);
  });

  it("fits into user data", async () => {
    const { userData } = await run("boot", secrets);
    // Source: "Run commands when you launch an EC2 instance": 16 KB before it is encoded.
    expect(userData.length).toBeLessThan(16_384);
  });
});
