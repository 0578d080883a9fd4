import type { Deed } from "../../actions.ts";
import type { CertificateSeen, ProofRecordSeen } from "../../evidence-edge.ts";
import type { Decision, Evidence, Finding, Playbook, Verdict } from "../../playbooks.ts";

type Need = "certificate" | "proofRecords";

type Code =
  | "recovered"
  | "imported"
  | "private"
  | "ended"
  | "unused"
  | "not-by-dns"
  | "not-our-zone"
  | "name-taken"
  | "record-missing"
  | "record-other"
  | "renewal-failed"
  | "renewing";

/** As `stacks/alarms/application.ts` and readiness have it. */
const enoughDays = 21;
const dayMilliseconds = 86_400_000;

const finding = (is: Code | "unknown", says: string, advice: string[] = []): Finding<Code> => ({
  is,
  says,
  advice,
});

const anew = "Ask for a new certificate with DNS validation, and put it on the listener.";

const diagnose = (evidence: Evidence<Need>): Finding<Code> => {
  const { certificate } = evidence;
  if (!certificate.known) {
    return finding("unknown", `The certificate could not be seen (${certificate.why}).`, [
      "Look at it in ACM, in this region.",
    ]);
  }
  const seen = certificate.value;
  const days = daysOf(seen, certificate.atMilliseconds);
  if (days === null) return finding("unknown", "When the certificate ends is not known.");
  const says = `The certificate ends in ${days.toFixed(1)} days`;
  if (days >= enoughDays) return finding("recovered", `${says}.`);
  if (seen.type === "IMPORTED") {
    return finding("imported", `${says}; it was imported, and ACM renews none of those.`, [
      "Import its successor under the same ARN: ImportCertificate, without a change of listeners.",
    ]);
  }
  if (seen.type !== "AMAZON_ISSUED") {
    return finding("private", `${says}; it is of type ${seen.type}.`, [
      "Its own authority has to renew it: look there.",
    ]);
  }
  if (days <= 0 || seen.status !== "ISSUED") {
    return finding("ended", `${says}, it is ${seen.status}: ACM renews none that has ended.`, [
      anew,
    ]);
  }
  if (seen.uses === 0) {
    return finding("unused", `${says}; nothing uses it, so ACM does not renew it.`, [
      "Which certificate does the listener have? This one may be a leftover.",
    ]);
  }
  return byRecords(evidence, seen, says);
};

const daysOf = ({ endsAtMilliseconds }: CertificateSeen, now: number): number | null =>
  endsAtMilliseconds === null ? null : (endsAtMilliseconds - now) / dayMilliseconds;

/** ACM renews by itself as long as it is used and its records stand in the zone. */
const byRecords = (
  { proofRecords }: Evidence<Need>,
  seen: CertificateSeen,
  says: string,
): Finding<Code> => {
  const other = seen.proofs.find(({ method, record }) => method !== "DNS" || record === null);
  if (other || seen.proofs.length === 0) {
    const how = other ? `${other.domain} is proven by ${other.method}` : "ACM names no proof";
    return finding("not-by-dns", `${says}; ${how}.`, [
      "Answer the mail that ACM has sent to the owners of the domain.",
      anew,
    ]);
  }
  if (!proofRecords.known) {
    return finding("unknown", `${says}; the zone could not be seen (${proofRecords.why}).`, [
      "Compare the CNAME records that ACM asks for with the zone.",
    ]);
  }
  const { records } = proofRecords.value;
  const foreign = records.find(({ isOurs }) => !isOurs);
  if (foreign) {
    return finding("not-our-zone", `${says}; ${foreign.name} is not in our zone.`, [
      `Whoever has that zone has to write: ${foreign.name} CNAME ${foreign.wanted}`,
    ]);
  }
  const taken = records.find(({ obstacle }) => obstacle !== null);
  if (taken) {
    return finding("name-taken", `${says}; under ${taken.name} are ${taken.obstacle}.`, [
      `Make room for: ${taken.name} CNAME ${taken.wanted}`,
    ]);
  }
  const wrong = records.filter(isWrong);
  const [first] = wrong;
  if (first) {
    const missing = wrong.filter(({ found }) => found === null);
    const what = wrong.map(({ name, found }) => `${name} is ${found?.value ?? "missing"}`);
    return finding(
      missing.length > 0 ? "record-missing" : "record-other",
      `${says}; ${what.join(", ")}.`,
      wrong.map(({ name, wanted }) => `It has to be: ${name} CNAME ${wanted}`),
    );
  }
  const { renewal } = seen;
  const why = renewal?.reason ? ` (${renewal.reason})` : "";
  if (renewal?.status === "FAILED" || renewal?.reason) {
    return finding(
      "renewal-failed",
      `${says}; its records stand, and yet: ${renewal.status}${why}.`,
      ["CAA_ERROR: a CAA record of the zone has to allow amazon.com. Else ask AWS, and:", anew],
    );
  }
  const status = renewal?.status ?? "no renewal has begun";
  return finding("renewing", `${says}; its records stand, ${status}.`, [
    "ACM may take hours. If nothing has come of it in a day, ask AWS.",
  ]);
};

const isWrong = ({ found, wanted }: ProofRecordSeen): boolean => found?.value !== wanted;

const restore = ({ proofRecords }: Evidence<Need>): Decision => {
  const wrong = proofRecords.known ? proofRecords.value.records.filter(isWrong) : [];
  const zone = proofRecords.known ? proofRecords.value.zone : "";
  if (wrong.length === 0 || zone === "") {
    const reason = "No record is known by name that has to be written.";
    return { kind: "refuse", refusals: [{ code: "empty-selector", reason }], advice: [] };
  }
  return {
    kind: "ask",
    deed: {
      do: "restore-validation-record",
      target: {
        zone,
        records: wrong.map(({ name, wanted, found }) => ({ name, value: wanted, had: found })),
      },
    },
    reasons: [
      "Without the record ACM does not renew, and without a certificate nobody can connect.",
      "Only the records that ACM asks for are written, and nobody but ACM asks for them.",
    ],
  };
};

/**
 * By the records alone: nobody but ACM asks for them, so what users get says nothing of them. One that ACM
 * asks for no more has done what it is for.
 */
const judge = (_before: Evidence<Need>, { proofRecords }: Evidence<Need>, deed: Deed): Verdict => {
  if (!proofRecords.known || deed.do !== "restore-validation-record") {
    return { is: "unknown", says: "The records cannot be seen" };
  }
  const { records } = proofRecords.value;
  const wrong = deed.target.records.filter(({ name, value }) =>
    records.some((one) => one.name === name && (one.obstacle !== null || isNot(one, value))),
  );
  const all = deed.target.records.length;
  const says =
    `${all - wrong.length} of ${all} records stand as ACM asks for them; ACM renews within hours, and ` +
    "the alarm is looked at again until it has";
  return { is: wrong.length === 0 ? "healed" : "same", says };
};

const isNot = (one: ProofRecordSeen, value: string): boolean =>
  isWrong(one) || one.wanted !== value;

/**
 * A certificate that ends soon and was not renewed. Source: "Managed certificate renewal" of ACM: it is
 * renewed while it is in use and while the CNAME records of its validation are in place.
 */
export const certificate: Playbook<Need, Code> = {
  name: "certificate",
  rank: 80,
  alarms: ["certificate"],
  evidence: ["certificate", "proofRecords"],
  diagnose,
  decide: { "record-missing": restore, "record-other": restore },
  next: {
    recovered: "passes",
    imported: "people",
    private: "people",
    ended: "people",
    unused: "people",
    "not-by-dns": "people",
    "not-our-zone": "people",
    "name-taken": "people",
    "record-missing": "deed",
    "record-other": "deed",
    "renewal-failed": "people",
    renewing: "again",
    unknown: "again",
  },
  proof: {
    what: "the records stand in the zone as ACM asks for them",
    judge,
    withinSeconds: 600,
    // Route 53 has a change on all its servers within 60 seconds. Source: "How quickly do changes propagate"
    // in its FAQ. That ACM renews may take hours, and its alarm is looked at again until then.
    holdSeconds: 120,
    everySeconds: 60,
  },
  budget: { perHour: 1, cooldownSeconds: 6 * 3600 },
  right: "ask",
  approvals: 1,
  // A region that stands by has to be well for the night on which it is needed.
  despite: ["standby"],
};
