import {
  ACMClient,
  type CertificateDetail,
  DescribeCertificateCommand,
  type DomainValidation,
} from "@aws-sdk/client-acm";
import {
  ChangeResourceRecordSetsCommand,
  ListResourceRecordSetsCommand,
  type ResourceRecordSet,
  Route53Client,
} from "@aws-sdk/client-route-53";
import { clientOptions } from "../../shared/clients.ts";
import type { Runtime } from "../../shared/runtime.ts";
import type { ProofChange, ProofStanding, ValidationHands } from "./actions-validation.ts";
import type { RemediatedLink } from "./aws.ts";
import { change } from "./bounds.ts";
import type { CertificateSeen, ProofRecordsSeen, ProofSeen } from "./evidence-edge.ts";

/** A certificate of ours has two names; many more would be another platform's. */
const mostProofs = 10;

/** Without the final dot and in lower case, as names are compared. */
const plain = (name: string): string => name.toLowerCase().replace(/\.$/, "");

const linkedZone = ({ zone }: RemediatedLink): string => {
  if (!zone) throw new Error("no zone is linked to this function");
  return zone;
};

const certificateOf = (runtime: Runtime, region: string, link: RemediatedLink) => {
  const client = new ACMClient(clientOptions(runtime, region));
  return async (): Promise<CertificateDetail> => {
    const arn = link.certificate;
    if (!arn) throw new Error("no certificate is linked to this function");
    const { Certificate } = await client.send(
      new DescribeCertificateCommand({ CertificateArn: arn }),
    );
    if (!Certificate) throw new Error(`ACM does not know ${arn}`);
    return Certificate;
  };
};

/** What the renewal says of a name goes before what was said when the certificate was asked for. */
const proofsOf = (seen: CertificateDetail): ProofSeen[] => {
  const renewing = seen.RenewalSummary?.DomainValidationOptions ?? [];
  const first = seen.DomainValidationOptions ?? [];
  return first.map((option) => {
    const again = renewing.find(({ DomainName }) => DomainName === option.DomainName);
    return proofOf({ ...option, ...again, ResourceRecord: recordOf(again) ?? recordOf(option) });
  });
};

const recordOf = (option: DomainValidation | undefined) => option?.ResourceRecord;

const proofOf = (option: DomainValidation): ProofSeen => {
  const { Name, Type, Value } = option.ResourceRecord ?? {};
  return {
    domain: option.DomainName ?? "",
    method: option.ValidationMethod ?? "unknown",
    isValidated: option.ValidationStatus === "SUCCESS",
    record: Name && Value && Type === "CNAME" ? { name: plain(Name), value: plain(Value) } : null,
  };
};

/** Route 53 answers for all regions at one place. */
const recordsUnder = (runtime: Runtime) => {
  const client = new Route53Client(clientOptions(runtime, "us-east-1"));
  const changing = new Route53Client(clientOptions(runtime, "us-east-1", change));
  return {
    changing,
    of: async (zone: string, name: string): Promise<ResourceRecordSet[]> => {
      const { ResourceRecordSets } = await client.send(
        new ListResourceRecordSetsCommand({
          HostedZoneId: zone,
          StartRecordName: name,
          MaxItems: 10,
        }),
      );
      return (ResourceRecordSets ?? []).filter((set) => plain(set.Name ?? "") === name);
    },
  };
};

const standingOf = (sets: ResourceRecordSet[]): Pick<ProofStanding, "found" | "obstacle"> => {
  const [set, ...more] = sets;
  if (!set) return { found: null, obstacle: null };
  const [record, ...others] = set.ResourceRecords ?? [];
  const isPlain = set.Type === "CNAME" && set.SetIdentifier === undefined && more.length === 0;
  if (!isPlain || !record?.Value || others.length > 0) {
    const types = [...new Set(sets.map(({ Type }) => Type))].join(" and ");
    return { found: null, obstacle: `${sets.length} record sets of type ${types}` };
  }
  return {
    found: { value: plain(record.Value), ttlSeconds: Number(set.TTL ?? 0) },
    obstacle: null,
  };
};

export const certificateLooks = (runtime: Runtime, region: string, link: RemediatedLink) => {
  const certificate = certificateOf(runtime, region, link);
  const records = recordsUnder(runtime);
  return {
    certificate: async (): Promise<CertificateSeen> => {
      const seen = await certificate();
      const renewal = seen.RenewalSummary;
      return {
        arn: seen.CertificateArn ?? "",
        type: seen.Type ?? "unknown",
        status: seen.Status ?? "unknown",
        endsAtMilliseconds: seen.NotAfter?.getTime() ?? null,
        uses: seen.InUseBy?.length ?? 0,
        renewal: renewal
          ? {
              status: renewal.RenewalStatus ?? "unknown",
              reason: renewal.RenewalStatusReason ?? null,
            }
          : null,
        proofs: proofsOf(seen),
      };
    },
    proofRecords: async (): Promise<ProofRecordsSeen> => {
      const zone = linkedZone(link);
      const asked = proofsOf(await certificate()).flatMap(({ record }) => record ?? []);
      // One name and its wildcard are proven by the same record.
      const wanted = [...new Map(asked.map((record) => [record.name, record])).values()];
      if (wanted.length > mostProofs) throw new Error(`${wanted.length} records are asked for`);
      const { zone: zoneName } = runtime.config.domain;
      return {
        zone,
        records: await Promise.all(
          wanted.map(async ({ name, value }) => {
            const isOurs = name.endsWith(`.${plain(zoneName)}`);
            const sets = isOurs ? await records.of(zone, name) : [];
            return { name, wanted: value, isOurs, ...standingOf(sets) };
          }),
        ),
      };
    },
  };
};

export const certificateHands = (runtime: Runtime, link: RemediatedLink): ValidationHands => {
  const records = recordsUnder(runtime);
  const own = (zone: string): string => {
    if (zone !== linkedZone(link)) throw new Error(`${zone} is not the zone of this platform`);
    return zone;
  };
  return {
    proofs: (zone, names) =>
      Promise.all(
        names.map(async (name) => ({ name, ...standingOf(await records.of(own(zone), name)) })),
      ),
    changeProofs: async (zone, changes) => {
      await records.changing.send(
        new ChangeResourceRecordSetsCommand({
          HostedZoneId: own(zone),
          ChangeBatch: { Comment: "Validation of a certificate", Changes: changes.map(changeOf) },
        }),
      );
    },
  };
};

const changeOf = ({ action, name, value, ttlSeconds }: ProofChange) => ({
  Action: action,
  ResourceRecordSet: {
    Name: name,
    Type: "CNAME" as const,
    TTL: ttlSeconds,
    ResourceRecords: [{ Value: value }],
  },
});
