import type { Config } from "./config.ts";
import type { Coordination } from "./coordination.ts";
import { acknowledgeEfficacy, type Efficacy, promotionOf, readEfficacy } from "./efficacy.ts";
import { type Incident, readIncident } from "./incident.ts";
import type { Refusal } from "./outcome.ts";

/** A playbook as people see it: what it is given, what it has shown, and whether it may be given more. */
export interface PlaybookSeen {
  playbook: string;
  /** By the operator's file. */
  right: string;
  efficacy: Efficacy;
  /** In a sentence. */
  promotion: string;
}

export interface RepairsSeen {
  region: string;
  /** The newest one, open or closed; null when there never was any. */
  incident: Incident | null;
  playbooks: PlaybookSeen[];
}

type Rights = Pick<Config, "remediation">;

const rightsOf = ({ remediation }: Rights): Record<string, string> => remediation?.playbooks ?? {};

/** What is done by itself in a region. Throws when the table is silent. */
export const readRepairs = async (
  table: Coordination,
  region: string,
  config: Rights,
): Promise<RepairsSeen> => {
  const [kept, ...playbooks] = await Promise.all([
    readIncident(table, region),
    ...Object.entries(rightsOf(config)).map(async ([playbook, right]) => {
      const efficacy = await readEfficacy(table, region, playbook);
      return { playbook, right, efficacy, promotion: promotionOf(efficacy) };
    }),
  ]);
  return { region, incident: kept?.incident ?? null, playbooks };
};

export type RightReturned = { playbook: string; regions: string[] } | { refused: Refusal };

/**
 * A person has looked at a playbook that did not help several times in a row, and gives its automatic right
 * back wherever it has lost it. Throws when the table is silent.
 */
export const returnRight = async (
  table: Coordination,
  { regions, ...config }: Pick<Config, "regions"> & Rights,
  playbook: string,
): Promise<RightReturned> => {
  if (!Object.hasOwn(rightsOf(config), playbook)) {
    const reason = `The operator's file names no playbook ${playbook}. /nightshift repairs shows them.`;
    return { refused: { code: "unknown-playbook", reason } };
  }
  const returned: string[] = [];
  for (const region of [regions.primary, regions.standby]) {
    const { demotedBy, ineffectiveInARow } = await readEfficacy(table, region, playbook);
    if (demotedBy === null && ineffectiveInARow === 0) continue;
    await acknowledgeEfficacy(table, region, playbook);
    returned.push(region);
  }
  if (returned.length > 0) return { playbook, regions: returned };
  const reason = `${playbook} has lost nothing: there is nothing to give back.`;
  return { refused: { code: "nothing-lost", reason } };
};

/** In words for people, the incident first. */
export const repairsLines = ({ region, incident, playbooks }: RepairsSeen): string[] => [
  incidentLine(region, incident),
  ...(incident && incident.closedAtMilliseconds === null
    ? incident.parked.map(({ kind, count, why }) => `- ${kind} (${count}): ${why}`)
    : []),
  ...playbooks.map(playbookLine),
];

const incidentLine = (region: string, incident: Incident | null): string => {
  if (!incident || incident.closedAtMilliseconds !== null) return `${region}: no incident is open.`;
  const { id, alarmCount, attempt } = incident;
  const open = `${region}: incident ${id} with ${alarmCount} alarm(s)`;
  if (!attempt) return `${open}, nothing tried yet.`;
  return attempt.end === null
    ? `${open}; ${attempt.run} (${attempt.playbook}) is at work.`
    : `${open}; the last was ${attempt.run} (${attempt.playbook}): ${attempt.end}.`;
};

const playbookLine = ({ playbook, right, efficacy, promotion }: PlaybookSeen): string => {
  const { healed, ineffective, demotedBy } = efficacy;
  const record = `${healed} helped, ${ineffective} did not`;
  const lost = demotedBy === null ? "" : `; asks until somebody gives its right back`;
  const more = right === "shadow" || demotedBy !== null ? `; ${promotion}` : "";
  return `${playbook}: ${right}; ${record}${lost}${more}`;
};
