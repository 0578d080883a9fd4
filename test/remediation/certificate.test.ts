import { describe, expect, it } from "vitest";
import type { Hands } from "../../functions/remediation/actions.ts";
import {
  isIrreversible,
  malformedOf,
  observeTarget,
  perform,
  undoOf,
} from "../../functions/remediation/actions.ts";
import type { ProofChange } from "../../functions/remediation/actions-validation.ts";
import { decide } from "../../functions/remediation/decide.ts";
import type { Look } from "../../functions/remediation/evidence.ts";
import type {
  CertificateSeen,
  ProofRecordSeen,
  ProofSeen,
} from "../../functions/remediation/evidence-edge.ts";
import { certificate } from "../../functions/remediation/playbooks/certificate/playbook.ts";
import type { Evidence } from "../../functions/remediation/playbooks.ts";
import { playbook } from "../../functions/remediation/playbooks.ts";
import { validationRecord } from "../../local/aws/acm.ts";
import { approvesQuickly, rejectsQuickly, type Stage, stage } from "./stage.ts";

const now = Date.UTC(2026, 10, 22, 3, 0, 0);
const days = (count: number) => now + count * 86_400_000;
const name = `_${"0".repeat(32)}.app.example.com`;
const wanted = "_1.mhbtsbpdnt.acm-validations.aws";
const proof: ProofSeen = {
  domain: "app.example.com",
  method: "DNS",
  isValidated: false,
  record: { name, value: wanted },
};
const seen: CertificateSeen = {
  arn: "arn:1",
  type: "AMAZON_ISSUED",
  status: "ISSUED",
  endsAtMilliseconds: days(14),
  uses: 1,
  renewal: { status: "PENDING_VALIDATION", reason: null },
  proofs: [proof],
};
const missing: ProofRecordSeen = { name, wanted, isOurs: true, found: null, obstacle: null };
const right = { value: wanted, ttlSeconds: 300 };
const wrong = { value: "parked.example.net", ttlSeconds: 60 };

interface Different {
  certificate?: Partial<CertificateSeen> | undefined;
  records?: ProofRecordSeen[] | undefined;
}

const verdict = (different: Different) => {
  const fact = (source: string, value: unknown) =>
    value === undefined
      ? { known: false, why: "silence", source, atMilliseconds: now }
      : { known: true, value, source, atMilliseconds: now };
  const blind = "certificate" in different && different.certificate === undefined;
  const records = "records" in different ? different.records : [missing];
  const evidence = {
    certificate: fact("ACM", blind ? undefined : { ...seen, ...different.certificate }),
    proofRecords: fact("Route 53", records && { zone: "Z1", records }),
  } as unknown as Evidence<Look>;
  const subject = {
    ...{ region: "eu-central-1", alarm: "nightshift-certificate", kind: "certificate" },
    ...{ resource: null, sinceMilliseconds: now, reason: "" },
  };
  const record = {
    known: true as const,
    value: { demotedBy: null },
    source: "",
    atMilliseconds: 0,
  };
  return decide(playbook(certificate), evidence, subject, {
    ...{ given: "automatic", record, isIrreversible },
  });
};

describe("the playbook certificate", () => {
  it.each<[what: string, different: Different, is: string, mode: string]>([
    ["its record is missing", {}, "record-missing", "ask"],
    ["its record is another", { records: [{ ...missing, found: wrong }] }, "record-other", "ask"],
    ["it was renewed", { certificate: { endsAtMilliseconds: days(395) } }, "recovered", "nothing"],
    ["it cannot be seen", { certificate: undefined }, "unknown", "nothing"],
    ["the zone cannot be seen", { records: undefined }, "unknown", "nothing"],
    ["its end is not known", { certificate: { endsAtMilliseconds: null } }, "unknown", "nothing"],
    ["it was imported", { certificate: { type: "IMPORTED" } }, "imported", "nothing"],
    ["its authority is private", { certificate: { type: "PRIVATE" } }, "private", "nothing"],
    ["it has ended", { certificate: { endsAtMilliseconds: days(-1) } }, "ended", "nothing"],
    ["it was revoked", { certificate: { status: "REVOKED" } }, "ended", "nothing"],
    ["nothing uses it", { certificate: { uses: 0 } }, "unused", "nothing"],
    [
      "its name is proven by mail",
      { certificate: { proofs: [{ ...proof, method: "EMAIL", record: null }] } },
      "not-by-dns",
      "nothing",
    ],
    ["ACM names no proof", { certificate: { proofs: [] } }, "not-by-dns", "nothing"],
    [
      "the zone is another's",
      { records: [{ ...missing, isOurs: false }] },
      "not-our-zone",
      "nothing",
    ],
    [
      "the name is taken by something else",
      { records: [{ ...missing, obstacle: "1 record sets of type TXT" }] },
      "name-taken",
      "nothing",
    ],
    [
      "ACM is about to renew it",
      { records: [{ ...missing, found: right }] },
      "renewing",
      "nothing",
    ],
    [
      "ACM could not renew it",
      {
        records: [{ ...missing, found: right }],
        certificate: { renewal: { status: "PENDING_VALIDATION", reason: "CAA_ERROR" } },
      },
      "renewal-failed",
      "nothing",
    ],
  ])("when %s", (_what, different, is, mode) => {
    expect(verdict(different)).toMatchObject({ finding: { is }, mode });
  });

  it("writes only the records that are wrong, and knows what each of them was", () => {
    const other = { ...missing, name: name.replace("app", "other") };
    const records = [
      { ...missing, found: right },
      { ...other, found: wrong },
    ];
    const { decision } = verdict({ records });
    expect(decision).toMatchObject({
      deed: { target: { zone: "Z1", records: [{ name: other.name, value: wanted, had: wrong }] } },
    });
  });
});

it.each([
  ["no record", []],
  ["the public name itself", [{ name: "app.example.com", value: wanted, had: null }]],
  ["a value that is not ACM's", [{ name, value: "elsewhere.example.net", had: null }]],
  ["a name twice", [0, 1].map(() => ({ name, value: wanted, had: null }))],
])("refuses a target with %s", (_what, records) => {
  const target = { zone: "Z1", records };
  expect(malformedOf({ do: "restore-validation-record", target })).not.toBeNull();
});

const { Name, Value } = validationRecord("app.example.com");

interface Shown {
  Name: string;
  Type: string;
  TTL?: number;
  ResourceRecords?: { Value: string }[];
}

/** A certificate whose renewal waits for a record that somebody has changed. */
const troubled = async (options: Parameters<typeof stage>[0], left: Shown["ResourceRecords"]) => {
  const at = await stage({ rights: { certificate: "ask" }, ...options });
  const records = async (): Promise<Shown[]> =>
    (
      await at.cloud.ask<{ ResourceRecordSets: Shown[] }>(
        "route-53",
        "ListResourceRecordSets",
        "us-east-1",
        { HostedZoneId: at.platform.zoneId },
      )
    ).ResourceRecordSets;
  const own = async () => (await records()).find((set) => set.Name === Name)?.ResourceRecords;
  const change = (Action: string, ResourceRecords: Shown["ResourceRecords"]) =>
    at.cloud.ask("route-53", "ChangeResourceRecordSets", "us-east-1", {
      HostedZoneId: at.platform.zoneId,
      ChangeBatch: {
        Changes: [
          { Action, ResourceRecordSet: { Name, Type: "CNAME", TTL: 300, ResourceRecords } },
        ],
      },
    });
  if (left) await change("UPSERT", left);
  else await change("DELETE", [{ Value }]);
  const others = (await records()).filter((set) => set.Name !== Name);
  const arn = at.platform.home.certificate;
  at.cloud.certificates.change(at.region, arn, {
    NotAfter: new Date(at.timeline.now() + 14 * 86_400_000),
  });
  at.cloud.certificates.beginRenewal(at.region, arn);
  const othersNow = async () => (await records()).filter((set) => set.Name !== Name);
  return { at, own, others, othersNow };
};

const status = async (at: Stage) => {
  const { Certificate } = await at.cloud.ask<{
    Certificate: { RenewalSummary: { RenewalStatus: string } };
  }>("acm", "DescribeCertificate", at.region, { CertificateArn: at.platform.home.certificate });
  return Certificate.RenewalSummary.RenewalStatus;
};

describe("a certificate whose validation record is gone", () => {
  it("gets its record back after one yes, and is renewed", async () => {
    const { at, own, others, othersNow } = await troubled({ people: [approvesQuickly] }, undefined);
    const result = await at.ended();
    expect(result).toMatchObject({
      ...{ playbook: "certificate", end: "done", code: "healed" },
      ...{ approvedBy: ["U0ANA"], acts: 1 },
    });
    expect(await own()).toEqual([{ Value: expect.stringMatching(/acm-validations\.aws\.?$/) }]);
    expect(await othersNow()).toEqual(others);
    // Within minutes: that ACM renews takes hours, and nothing of the region waits for it.
    const keys = await at.journal(result.run);
    const [acted, end] = ["acted", "end"].map((key) => keys.find((line) => line.key === key));
    const minutes = ((end?.atMilliseconds ?? 0) - (acted?.atMilliseconds ?? 0)) / 60_000;
    expect(minutes).toBeLessThan(10);
    await at.until("it is renewed", async () => (await status(at)) === "SUCCESS");
    expect(at.bugs).toEqual([]);
  });

  it("keeps the zone as it is when people say no", async () => {
    const { at, own } = await troubled({ people: [rejectsQuickly] }, [{ Value: "parked.net" }]);
    expect(await at.ended()).toMatchObject({ end: "needs-human", code: "rejected", acts: 0 });
    expect(await own()).toEqual([{ Value: "parked.net" }]);
  });

  it("is written to once when the call that wrote it gave no answer", async () => {
    const { at, own } = await troubled({ people: [approvesQuickly] }, [{ Value: "parked.net" }]);
    let written = 0;
    at.faults.add({
      match: {
        ...{ service: "route53", operation: "ChangeResourceRecordSets" },
        asks: () => (written += 1) > 0,
      },
      kind: "timeout-after",
      times: 3,
    });
    expect(await at.ended()).toMatchObject({ end: "done", code: "healed" });
    expect(written).toBeGreaterThan(0);
    expect(await own()).toEqual([{ Value: expect.stringContaining("acm-validations.aws") }]);
  });
});

describe("the proof that a record stands", () => {
  const target = { zone: "Z1", records: [{ name, value: wanted, had: null }] };
  const judged = (records: ProofRecordSeen[] | undefined, requests = 0) => {
    const fact = (value: unknown) =>
      value === undefined
        ? { known: false, why: "silence", source: "", atMilliseconds: now }
        : { known: true, value, source: "", atMilliseconds: now };
    const evidence = {
      certificate: fact(seen),
      proofRecords: fact(records && { zone: "Z1", records }),
      service: fact({ minutes: 4, requests, errors: requests }),
    } as unknown as Evidence<Look>;
    const deed = { do: "restore-validation-record" as const, target };
    return playbook(certificate).proof.judge(evidence, evidence, deed).is;
  };

  it.each<[string, ProofRecordSeen[] | undefined, string]>([
    ["it has what ACM asks for", [{ ...missing, found: right }], "healed"],
    ["ACM asks for it no more", [], "healed"],
    ["it is missing again", [missing], "same"],
    ["it is another again", [{ ...missing, found: wrong }], "same"],
    ["the name is taken by something else", [{ ...missing, obstacle: "2 record sets" }], "same"],
    ["the zone cannot be seen", undefined, "unknown"],
  ])("when %s", (_what, records, is) => {
    expect(judged(records)).toBe(is);
  });

  it("is never worse because of errors that users get meanwhile", () => {
    expect(judged([{ ...missing, found: right }], 500)).toBe("healed");
    expect(judged([missing], 500)).toBe("same");
  });
});

describe("taking the deed back", () => {
  const deed = (had: { value: string; ttlSeconds: number } | null) => ({
    do: "restore-validation-record" as const,
    target: { zone: "Z1", records: [{ name, value: wanted, had }] },
  });
  const hands = (found: { value: string; ttlSeconds: number } | null) => {
    const changes: ProofChange[] = [];
    const asked = {
      proofs: async () => [{ name, found, obstacle: null }],
      changeProofs: async (_zone: string, wished: ProofChange[]) => void changes.push(...wished),
    };
    return { changes, asked: asked as unknown as Hands };
  };
  const before = { fields: {}, isDone: false, isUnderWay: false, changed: null };

  it("puts back what was there, and takes away what was not", async () => {
    const other = hands(right);
    await undoOf(deed(wrong))?.(other.asked, before);
    expect(other.changes).toEqual([{ action: "UPSERT", name, ...wrong }]);
    const none = hands(right);
    await undoOf(deed(null))?.(none.asked, before);
    expect(none.changes).toEqual([{ action: "DELETE", name, value: wanted, ttlSeconds: 300 }]);
  });

  it("creates what is missing, and writes nothing over what has come since it was looked at", async () => {
    const none = hands(null);
    await perform(none.asked, { deed: deed(null), warrant: null });
    expect(none.changes).toMatchObject([{ action: "CREATE", name, value: wanted }]);
    const come = hands({ value: "by-hand.example.net", ttlSeconds: 60 });
    const order = { deed: deed(null), warrant: null };
    await expect(perform(come.asked, order)).rejects.toThrow("changed meanwhile");
    expect(come.changes).toEqual([]);
  });

  it("leaves alone what somebody has changed since, and says so before the deed as well", async () => {
    const { asked, changes } = hands({ value: "by-hand.example.net", ttlSeconds: 60 });
    await expect(undoOf(deed(wrong))?.(asked, before)).rejects.toThrow("changed meanwhile");
    expect(changes).toEqual([]);
    const standing = await observeTarget(asked, deed(wrong));
    expect(standing).toMatchObject({ isDone: false, changed: expect.stringContaining("by-hand") });
  });
});
