import type { Action } from "./actions.ts";

/** Puts back the records by which ACM knows that a name is ours, and nothing else. */
export interface ValidationTargets {
  "restore-validation-record": {
    zone: string;
    records: {
      name: string;
      value: string;
      /** What stands there instead; null when nothing does. */
      had: { value: string; ttlSeconds: number } | null;
    }[];
  };
}

export interface ProofStanding {
  name: string;
  found: { value: string; ttlSeconds: number } | null;
  /** Something that is no plain CNAME, in words. */
  obstacle: string | null;
}

export interface ProofChange {
  /** A record that is missing is created, so that one which has come meanwhile is kept. */
  action: "CREATE" | "UPSERT" | "DELETE";
  name: string;
  value: string;
  ttlSeconds: number;
}

export interface ValidationHands {
  proofs(zone: string, names: string[]): Promise<ProofStanding[]>;
  /** All of them at once, or none. */
  changeProofs(zone: string, changes: ProofChange[]): Promise<void>;
}

type Target = ValidationTargets["restore-validation-record"];

/** As the deployment gives them. */
const ttlSeconds = 300;
const mostRecords = 10;

/** ACM's records and no others: `_<32 hex digits>.<name>` to `_<…>.<…>.acm-validations.aws`. */
const isProof = ({ name, value }: Target["records"][number]): boolean =>
  /^_[0-9a-f]{32}\.[a-z0-9.-]+$/.test(name) && /^_[0-9a-z.-]+\.acm-validations\.aws$/.test(value);

const shown = ({ name, found, obstacle }: ProofStanding): string =>
  `${name} ${obstacle ?? (found ? `${found.value} (${found.ttlSeconds} s)` : "missing")}`;

const isSame = (found: ProofStanding["found"], had: ProofStanding["found"]): boolean =>
  found?.value === had?.value && found?.ttlSeconds === had?.ttlSeconds;

/**
 * Throws unless every name has exactly what is expected, as one plain CNAME with its value and its time:
 * somebody who has changed it since knows better. Gives the names that have nothing.
 */
const stillAre = async (
  hands: ValidationHands,
  zone: string,
  expected: Pick<ProofStanding, "name" | "found">[],
): Promise<Set<string>> => {
  const there = await hands.proofs(
    zone,
    expected.map(({ name }) => name),
  );
  const changed = there.filter(({ name, found, obstacle }) => {
    const planned = expected.find((one) => one.name === name);
    return obstacle !== null || !isSame(found, planned?.found ?? null);
  });
  if (changed.length > 0) throw new Error(`changed meanwhile: ${changed.map(shown).join("; ")}`);
  return new Set(there.filter(({ found }) => found === null).map(({ name }) => name));
};

export const restoreValidationRecord = {
  irreversible: false,
  takesFromFleet: false,
  says: ({ records }) => {
    const names = records.map(({ name }) => name).join(", ");
    return `write the validation record${records.length === 1 ? "" : "s"} ${names} that ACM asks for`;
  },
  resource: ({ zone }) => `zone:${zone}`,
  malformed: ({ zone, records }) =>
    zone !== "" &&
    records.length > 0 &&
    records.length <= mostRecords &&
    new Set(records.map(({ name }) => name)).size === records.length &&
    records.every(isProof)
      ? null
      : `${records.map(({ name, value }) => `${name} ${value}`).join(", ")} of "${zone}"`,
  declares: ["records"],
  observe: async (hands, { zone, records }) => {
    const there = await hands.proofs(
      zone,
      records.map(({ name }) => name),
    );
    const strange = there.filter(({ name, found, obstacle }) => {
      const planned = records.find((record) => record.name === name);
      const isWanted = found?.value === planned?.value;
      return obstacle !== null || (!isWanted && !isSame(found, planned?.had ?? null));
    });
    return {
      fields: { records: there.map(shown).join("; ") },
      isDone: records.every(({ name, value }) =>
        there.some((one) => one.name === name && one.found?.value === value),
      ),
      isUnderWay: false,
      changed: strange.length === 0 ? null : `By now there is ${strange.map(shown).join("; ")}`,
    };
  },
  perform: async (hands, { zone, records }) => {
    const planned = records.map(({ name, had }) => ({ name, found: had }));
    const missing = await stillAre(hands, zone, planned);
    await hands.changeProofs(
      zone,
      records.map(({ name, value }) => ({
        action: missing.has(name) ? "CREATE" : "UPSERT",
        ...{ name, value, ttlSeconds },
      })),
    );
  },
  /** Only what it wrote: somebody who has changed it since knows better. */
  undo: async (hands, { zone, records }) => {
    const written = records.map(({ name, value }) => ({ name, found: { value, ttlSeconds } }));
    await stillAre(hands, zone, written);
    await hands.changeProofs(
      zone,
      records.map(({ name, value, had }) =>
        had ? { action: "UPSERT", name, ...had } : { action: "DELETE", name, value, ttlSeconds },
      ),
    );
  },
  withinSeconds: 120,
} satisfies Action<"restore-validation-record">;
