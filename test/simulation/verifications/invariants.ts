import type { Night } from "./simulate.ts";

export interface Breach {
  risk: string;
  what: string;
}

/** What must not be, whatever befell the night. */
export const breaches = (night: Night): Breach[] => [
  ...half(night),
  ...green(night),
  ...left(night),
  ...night.leaks.map((value) => ({
    risk: "strangers",
    what: `a value that ends with ${value.slice(-4)} was written down`,
  })),
  ...night.bugs.map((bug) => ({ risk: "bug", what: String(bug) })),
];

/** Every run ends with a verdict or says why it was put off, and its journal and the chain are whole. */
const half = ({ runs, brokenJournals, chain, pages }: Night): Breach[] => {
  const found: Breach[] = [];
  for (const { run, status, end, startedAt, records } of runs) {
    if (status === "RUNNING") found.push({ risk: "half-done", what: `${run} still runs` });
    else if (end === null) found.push({ risk: "half-done", what: `${run} is ${status}` });
    if (records > 1) found.push({ risk: "half-done", what: `${run} was proven ${records} times` });
    if (startedAt === null && end === "verified") {
      found.push({ risk: "half-done", what: `${run} is verified and has no beginning` });
    }
  }
  for (const run of brokenJournals) {
    found.push({ risk: "half-done", what: `the journal of ${run} is not whole` });
  }
  for (const problem of chain) found.push({ risk: "half-done", what: `evidence: ${problem}` });
  const red = runs.filter(({ end }) => end === "red").length;
  if (red > 0 && pages === 0) {
    found.push({ risk: "half-done", what: `${red} red, and nobody was called` });
  }
  return found;
};

/** Nothing is green that was not looked at, not proven, or of a backup that was known to be bad. */
const green = ({ runs, damagedAt, standing }: Night): Breach[] => {
  const found: Breach[] = [];
  for (const { run, end, startedAt, records } of runs) {
    if (end !== "verified") continue;
    if (records === 0)
      found.push({ risk: "false-green", what: `${run} is green without evidence` });
    if (damagedAt !== null && startedAt !== null && startedAt > damagedAt) {
      found.push({
        risk: "false-green",
        what: `${run} is green, and the backups were bad by then`,
      });
    }
  }
  const isGreen = runs.some(({ end }) => end === "verified");
  if (standing !== null && !isGreen) {
    found.push({ risk: "false-green", what: "they count as verified, and no run has said so" });
  }
  return found;
};

/** What a run has made is gone or told of; what it has not made is as it was. */
const left = ({ copies, reported, strangerIsThere, touched, production }: Night): Breach[] => [
  ...copies
    .filter((id) => !reported.includes(id))
    .map((id) => ({ risk: "leftovers", what: `${id} is there, and nobody was told` })),
  ...(strangerIsThere === false
    ? [{ risk: "leftovers", what: "what nobody knows of was taken away" }]
    : []),
  ...touched.map((id) => ({ risk: "leftovers", what: `${id} was changed, and is no run's copy` })),
  ...(production.before === production.after
    ? []
    : [{ risk: "leftovers", what: "production is not as it was" }]),
];
