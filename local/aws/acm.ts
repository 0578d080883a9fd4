import type {
  CertificateDetail,
  DescribeCertificateCommandInput,
  DescribeCertificateCommandOutput,
} from "@aws-sdk/client-acm";
import type { Place } from "../network.ts";
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
}

/** 13 months, which is what ACM gave for years; the exact number matters to nobody here. */
const validDays = 395;
const dayMilliseconds = 86_400_000;

/** Certificate Manager, as far as a load balancer's certificate can be looked at. */
export const acm = ({ timeline, account }: Surroundings): Acm => {
  const certificates = new Map<string, CertificateDetail>();
  const keyOf = (region: Place, arn: string | undefined) => `${region}/${arn}`;
  const find = (region: Place, arn: string | undefined): CertificateDetail => {
    const found = certificates.get(keyOf(region, arn));
    if (found) return found;
    const message = `Could not find certificate ${arn} in account ${account}.`;
    throw new AwsError("ResourceNotFoundException", message, { status: 400 });
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
    establish: (region, given) => {
      const number = String(certificates.size + 1).padStart(12, "0");
      const CertificateArn = `arn:aws:acm:${region}:${account}:certificate/0-0-0-0-${number}`;
      const now = timeline.now();
      certificates.set(keyOf(region, CertificateArn), {
        Status: "ISSUED",
        Type: "AMAZON_ISSUED",
        NotBefore: new Date(now),
        NotAfter: new Date(now + validDays * dayMilliseconds),
        ...given,
        SubjectAlternativeNames:
          given.SubjectAlternativeNames ?? (given.DomainName ? [given.DomainName] : []),
        CertificateArn,
      });
      return CertificateArn;
    },
    change: (region, arn, change) => void Object.assign(find(region, arn), change),
  };
};
