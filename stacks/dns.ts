import type { Output } from "@pulumi/pulumi";
import type { Balancer } from "./balancer.ts";
import { rolePath } from "./balancer.ts";
import type { Platform } from "./platform.ts";
import type { Region, Regions } from "./regions.ts";
import { named } from "./regions.ts";
import type { Stage } from "./stage.ts";

/**
 * The zone of the public name, which has to be there: a zone that is made here would be asked by
 * nobody before its name servers stand at the registrar. Throws, naming the field, before anything else
 * is declared.
 */
export const zoneOf = async (stage: Stage, { primary }: Regions): Promise<string> => {
  const { zone } = stage.config.domain;
  try {
    const found = await aws.route53.getZone(
      { name: zone, privateZone: false },
      { provider: primary.provider },
    );
    return found.zoneId;
  } catch (cause) {
    const allowed = "a domain with a public hosted zone in this account (docs/DEPLOY.md)";
    throw new Error(
      `nightshift.config.ts is refused:\n  domain.zone: given "${zone}"; allowed: ${allowed}`,
      { cause },
    );
  }
};

/** Where a region is reached without the public name. */
export const regionalName = (stage: Stage, { name }: Region): string =>
  `${name}.${stage.config.domain.name}`;

/** By region: a certificate for the public name and for the region's own, ready to be used. */
export const certificates = (
  stage: Stage,
  regions: Regions,
  zoneId: string,
): { home: Output<string>; standby: Output<string> } => {
  const { primary, standby } = regions;
  const own = stage.config.domain.certificates;
  if (own) {
    return { home: $interpolate`${own.primary}`, standby: $interpolate`${own.standby}` };
  }
  const home = certificate(stage, primary);
  const other = certificate(stage, standby);
  const publicName = stage.config.domain.name;
  // What proves a name is the same for an account in every region, so each name has one record.
  const shared = proof(primary, home, zoneId, publicName, "PublicName");
  const proofs = (region: Region, made: aws.acm.Certificate) =>
    proof(region, made, zoneId, regionalName(stage, region), named("RegionalName", region));
  return {
    home: validated(primary, home, [shared, proofs(primary, home)]),
    standby: validated(standby, other, [shared, proofs(standby, other)]),
  };
};

/**
 * With an RSA key: "ECDSA is not supported by all network clients" (RequestCertificate in the API
 * reference of Certificate Manager), and of Route 53's checkers nobody says that they support it:
 * HealthCheckConfig names versions of TLS only. A check that cannot connect never hears a word.
 */
const certificate = (stage: Stage, region: Region): aws.acm.Certificate =>
  new aws.acm.Certificate(
    named("TlsCertificate", region),
    {
      domainName: stage.config.domain.name,
      subjectAlternativeNames: [regionalName(stage, region)],
      validationMethod: "DNS",
      keyAlgorithm: "RSA_2048",
    },
    { provider: region.provider },
  );

const proof = (
  { provider }: Region,
  { domainValidationOptions }: aws.acm.Certificate,
  zoneId: string,
  name: string,
  title: string,
): aws.route53.Record => {
  const option = domainValidationOptions.apply((options) => {
    const found = options.find(({ domainName }) => domainName === name);
    if (!found) throw new Error(`Certificate Manager does not say how to prove ${name}`);
    return found;
  });
  return new aws.route53.Record(
    `${title}Proof`,
    {
      zoneId,
      name: option.resourceRecordName,
      type: option.resourceRecordType.apply((type) => type as "CNAME"),
      records: [option.resourceRecordValue],
      ttl: 300,
      // Another stage or an earlier life of this one may have proven the same name.
      allowOverwrite: true,
    },
    { provider },
  );
};

const validated = (
  region: Region,
  { arn }: aws.acm.Certificate,
  proofs: aws.route53.Record[],
): Output<string> =>
  new aws.acm.CertificateValidation(
    named("CertificateValidation", region),
    { certificateArn: arn, validationRecordFqdns: proofs.map(({ fqdn }) => fqdn) },
    { provider: region.provider },
  ).certificateArn;

/**
 * The public name follows the role rules: PRIMARY is unhealthy only on somebody's explicit word, *standby
 * says `active`* or *home says `renounced`*, and SECONDARY has no check. No control plane has to answer
 * for that to happen. Names and no aliases: docs/adr/0007.
 */
export const traffic = (
  stage: Stage,
  { primary, standby }: Regions,
  zoneId: string,
  balancers: { home: Balancer; standby: Balancer },
): Platform["healthChecks"] => {
  const regional = (region: Region, { dnsName, dnsZoneId }: Balancer) =>
    new aws.route53.Record(
      named("RegionalName", region),
      {
        zoneId,
        name: regionalName(stage, region),
        type: "A",
        aliases: [{ name: dnsName, zoneId: dnsZoneId, evaluateTargetHealth: false }],
      },
      { provider: region.provider },
    );
  const names = [regional(primary, balancers.home), regional(standby, balancers.standby)];
  const says = (title: string, region: Region, word: "active" | "renounced") =>
    new aws.route53.HealthCheck(
      title,
      {
        type: "HTTPS_STR_MATCH",
        fqdn: regionalName(stage, region),
        port: 443,
        enableSni: true,
        resourcePath: rolePath,
        searchString: word,
        requestInterval: 10,
        failureThreshold: 3,
        tags: { Name: `${stage.prefix}: ${region.name} says ${word}` },
      },
      { provider: region.provider, dependsOn: names },
    ).id;
  const standbySaysActive = says("StandbySaysActive", standby, "active");
  const homeSaysRenounced = says("HomeSaysRenounced", primary, "renounced");
  const moved = new aws.route53.HealthCheck(
    "Moved",
    {
      type: "CALCULATED",
      childHealthchecks: [standbySaysActive, homeSaysRenounced],
      childHealthThreshold: 1,
      invertHealthcheck: true,
      tags: { Name: `${stage.prefix}: nobody has moved` },
    },
    { provider: primary.provider },
  ).id;
  publicName(stage, primary, zoneId, "PRIMARY", moved);
  publicName(stage, standby, zoneId, "SECONDARY");
  return { moved, standbySaysActive, homeSaysRenounced };
};

const publicName = (
  stage: Stage,
  region: Region,
  zoneId: string,
  type: "PRIMARY" | "SECONDARY",
  healthCheckId?: Output<string>,
): void => {
  const { name, ttlSeconds } = stage.config.domain;
  new aws.route53.Record(
    named("PublicName", region),
    {
      zoneId,
      name,
      type: "CNAME",
      ttl: ttlSeconds,
      setIdentifier: region.name,
      failoverRoutingPolicies: [{ type }],
      records: [regionalName(stage, region)],
      ...(healthCheckId ? { healthCheckId } : {}),
    },
    {
      provider: region.provider,
      // The second way to move users writes both records, and a rebuild puts them back.
      ignoreChanges: ["records", "healthCheckId", "failoverRoutingPolicies"],
    },
  );
};
