import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { record } from "../../deploy/recording.ts";
import production from "../../nightshift.config.ts";
import type { Config } from "../../shared/config.ts";

const root = join(import.meta.dirname, "..", "..");

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nightshift-refused-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What a deployment with this file of the operator says before it ends. */
const refusalOf = async (change: (config: Config) => void, stage = "production") => {
  const config = structuredClone(production);
  change(config);
  const file = join(folder, "nightshift.config.ts");
  writeFileSync(
    file,
    'import { defineConfig } from "./shared/config.ts";\n' +
      `export default defineConfig(${JSON.stringify(config)});\n`,
  );
  // Rejects: there is no recording, since nothing was declared.
  return record({ root, stage, config: file }).then(
    ({ resources }) => `deploys ${resources.length} resources`,
    (error: Error) => error.message,
  );
};

describe("a deployment", () => {
  it.each<[string, (config: Config) => void, RegExp]>([
    [
      "alarms that nobody hears",
      (config) => void delete (config as Partial<Config>).alerts,
      /alerts: given nothing; allowed: alerts\.emails, one address or more/,
    ],
    [
      "two equal regions",
      ({ regions }) => void (regions.standby = regions.primary),
      /regions\.standby: given "eu-central-1"; allowed: eu-west-1/,
    ],
    [
      "an unknown region",
      ({ regions }) => void (regions.primary = "eu-nowhere-1"),
      /regions\.primary: given "eu-nowhere-1"/,
    ],
    [
      "sizes out of order",
      ({ sizes }) => void (sizes.application.maximum = 3),
      /sizes\.application\.maximum: given 3; allowed: 6 or more/,
    ],
    [
      "a domain outside of its zone",
      ({ domain }) => void (domain.zone = "example.org"),
      /domain\.name: given "app\.example\.com"; allowed: a name that ends in \.example\.org/,
    ],
    [
      "one certificate of two",
      ({ domain }) =>
        void (domain.certificates = {
          primary: `arn:aws:acm:eu-central-1:123456789012:certificate/${"0".repeat(36)}`,
        } as never),
      /domain\.certificates\.standby: given nothing; allowed: the ARN of a certificate/,
    ],
    [
      "a domain without a zone in the account",
      ({ domain }) =>
        void Object.assign(domain, {
          name: "app.no-zone.example.com",
          zone: "no-zone.example.com",
        }),
      /domain\.zone: given "no-zone\.example\.com"; allowed: a domain with a public hosted zone/,
    ],
  ])("with %s stops before anything is made, naming the field", async (_, change, says) => {
    expect(await refusalOf(change)).toMatch(says);
  });

  it("with a stage whose names AWS would refuse stops as well", async () => {
    expect(await refusalOf(() => undefined, "a-stage-with-a-very-long-name")).toMatch(
      /a stage is named by 1 to 15 small letters/,
    );
  });

  it("with everything that is optional can be made", async () => {
    const said = await refusalOf((config) => {
      config.sizes.application.spot = {
        onDemandBase: 6,
        instanceTypes: ["m7g.large", "m8g.large"],
      };
      config.sizes.application.quiet = { from: "22:00", until: "05:00", minimum: 3 };
      config.sizes.database.readers = 1;
      config.sizes.database.proxy = true;
      config.domain.certificates = {
        primary: `arn:aws:acm:eu-central-1:123456789012:certificate/${"0".repeat(36)}`,
        standby: `arn:aws:acm:eu-west-1:123456789012:certificate/${"0".repeat(36)}`,
      };
    });
    expect(said).toMatch(/^deploys \d{3} resources$/);
  });
});
