import { createHash } from "node:crypto";
import type {
  CertificateDetail,
  DescribeCertificateCommandInput,
  DescribeCertificateCommandOutput,
  DomainValidation,
} from "@aws-sdk/client-acm";
import type { MetricDatum } from "@aws-sdk/client-cloudwatch";
import type { Place } from "../network.ts";
import { duration } from "./durations.ts";
import type { Call, Service, Surroundings } from "./service.ts";
import { AwsError } from "./service.ts";

export interface Acm {
  service: Service;
  /**
   * A certificate that is there when a run begins, with what `given` says of it. Its ARN counts up:
   * one that was drawn would change everything that a seed draws after it.
   */
  establish(region: Place, given: CertificateDetail): string;
  /** What time or its owner make of it: expired, revoked, renewed. */
  change(region: Place, arn: string, change: Partial<CertificateDetail>): void;
  /** ACM begins to renew it, and does as soon as all its names are proven by their records. */
  beginRenewal(region: Place, arn: string): void;
}

interface Ports {
  /** What the name servers say to a CNAME question; ACM asks as anybody does. */
  aliasOf?(name: string): string | undefined;
  publish?(region: Place, data: MetricDatum[]): void;
}

/** 13 months, which is what ACM gave for years; the exact number matters to nobody here. */
const validDays = 395;
const dayMilliseconds = 86_400_000;
const measuredHalfDays = 8;

const hex = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 32);

/**
 * The record that proves a name: the same for each certificate of an account, so also in both regions.
 * Source: "DNS validation", https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html
 */
export const validationRecord = (domain: string) => {
  const bare = domain.replace(/^\*\./, "");
  return {
    Name: `_${hex(`name of ${bare}`)}.${bare}.`,
    Type: "CNAME" as const,
    Value: `_${hex(`value of ${bare}`)}.mhbtsbpdnt.acm-validations.aws.`,
  };
};

const proven = (domain: string, ValidationStatus: DomainValidation["ValidationStatus"]) => ({
  DomainName: domain,
  ValidationDomain: domain,
  ValidationMethod: "DNS" as const,
  ValidationStatus,
  ResourceRecord: validationRecord(domain),
});

const namesOf = (given: CertificateDetail): string[] =>
  given.SubjectAlternativeNames ?? (given.DomainName ? [given.DomainName] : []);

/** Of certificates that ACM itself issues. */
const issuedByAcm = (given: CertificateDetail): Partial<CertificateDetail> => ({
  RenewalEligibility: (given.InUseBy ?? []).length > 0 ? "ELIGIBLE" : "INELIGIBLE",
  DomainValidationOptions: namesOf(given).map((name) => proven(name, "SUCCESS")),
});

interface Context {
  surroundings: Surroundings;
  ports: Ports;
  find(region: Place, arn: string | undefined): CertificateDetail;
}

/**
 * Twice a day until the end. Source: "Supported CloudWatch metrics" of ACM. Here at once as well when a
 * certificate has changed.
 */
const measure = (
  { surroundings, ports, find }: Context,
  region: Place,
  arn: string,
  at: number = surroundings.timeline.now(),
): void => {
  const { NotAfter } = find(region, arn);
  const left = ((NotAfter?.getTime() ?? 0) - at) / dayMilliseconds;
  if (left <= 0) return;
  const Dimensions = [{ Name: "CertificateArn", Value: arn }];
  const Timestamp = new Date(at);
  const datum = { MetricName: "DaysToExpiry", Value: Math.floor(left), Dimensions, Timestamp };
  ports.publish?.(region, [datum]);
};

/** It was there before the run began, and measured: an alarm on it looks back for days. */
const keepMeasuring = (context: Context, region: Place, arn: string): void => {
  if (!context.ports.publish) return;
  const { timeline } = context.surroundings;
  for (let half = measuredHalfDays; half >= 0; half -= 1) {
    measure(context, region, arn, timeline.now() - (half * dayMilliseconds) / 2);
  }
  timeline.every(dayMilliseconds / 2, () => measure(context, region, arn));
};

const isProven = ({ aliasOf }: Ports, domain: string): boolean => {
  const { Name, Value } = validationRecord(domain);
  return aliasOf?.(Name)?.replace(/\.$/, "") === Value.replace(/\.$/, "");
};

/** Looks now and then whether the records of all names are there, and renews as soon as they are. */
const beginRenewal = (context: Context, region: Place, arn: string): void => {
  const { surroundings, ports, find } = context;
  const { timeline, random } = surroundings;
  const shown = (seen: CertificateDetail, RenewalStatus: "PENDING_VALIDATION" | "SUCCESS") => ({
    RenewalStatus,
    DomainValidationOptions: namesOf(seen).map((name) =>
      proven(name, isProven(ports, name) ? "SUCCESS" : "PENDING_VALIDATION"),
    ),
    UpdatedAt: new Date(timeline.now()),
  });
  const look = () => {
    const seen = find(region, arn);
    const isReady = namesOf(seen).every((name) => isProven(ports, name));
    seen.RenewalSummary = shown(seen, isReady ? "SUCCESS" : "PENDING_VALIDATION");
    if (!isReady) return;
    looking.cancel();
    seen.NotAfter = new Date(timeline.now() + validDays * dayMilliseconds);
    measure(context, region, arn);
  };
  const looking = timeline.every(duration(random, "acm.validation"), look);
  const seen = find(region, arn);
  seen.RenewalSummary = shown(seen, "PENDING_VALIDATION");
};

/** Certificate Manager, as far as a load balancer's certificate can be looked at and is renewed. */
export const acm = (surroundings: Surroundings, ports: Ports = {}): Acm => {
  const { timeline, account } = surroundings;
  const certificates = new Map<string, CertificateDetail>();
  const keyOf = (region: Place, arn: string | undefined) => `${region}/${arn}`;
  const find = (region: Place, arn: string | undefined): CertificateDetail => {
    const found = certificates.get(keyOf(region, arn));
    if (found) return found;
    const message = `Could not find certificate ${arn} in account ${account}.`;
    throw new AwsError("ResourceNotFoundException", message, { status: 400 });
  };
  const context: Context = { surroundings, ports, find };
  const establish = (region: Place, given: CertificateDetail): string => {
    const number = String(certificates.size + 1).padStart(12, "0");
    const CertificateArn = `arn:aws:acm:${region}:${account}:certificate/0-0-0-0-${number}`;
    const now = timeline.now();
    certificates.set(keyOf(region, CertificateArn), {
      Status: "ISSUED",
      Type: "AMAZON_ISSUED",
      NotBefore: new Date(now),
      NotAfter: new Date(now + validDays * dayMilliseconds),
      ...((given.Type ?? "AMAZON_ISSUED") === "AMAZON_ISSUED" ? issuedByAcm(given) : {}),
      ...given,
      SubjectAlternativeNames: namesOf(given),
      CertificateArn,
    });
    keepMeasuring(context, region, CertificateArn);
    return CertificateArn;
  };
  return {
    service: {
      name: "acm",
      operations: {
        DescribeCertificate: (
          input: DescribeCertificateCommandInput,
          { region }: Call,
        ): Omit<DescribeCertificateCommandOutput, "$metadata"> => ({
          Certificate: { ...find(region, input.CertificateArn) },
        }),
      },
    },
    establish,
    beginRenewal: (region, arn) => beginRenewal(context, region, arn),
    change: (region, arn, change) => {
      Object.assign(find(region, arn), change);
      measure(context, region, arn);
    },
  };
};
