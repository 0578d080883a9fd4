import type { Coordination, Item } from "./coordination.ts";

/** How a playbook has done in a region: what its right is worth, and what could promote it. */
export interface Efficacy {
  playbook: string;
  region: string;
  healed: number;
  ineffective: number;
  /** Since it last healed anything. */
  ineffectiveInARow: number;
  /** It said what it would have done, and how often that turned out not to be needed. */
  shadowed: number;
  needless: number;
  /** Set when it has lost the right to act without being asked, until a person gives it back. */
  demotedBy: string | null;
  demotedAtMilliseconds: number | null;
  /** The last run that was counted: counted again it changes nothing. */
  lastRun: string | null;
}

export type Outcome = "healed" | "ineffective" | "shadowed" | "needless";

/** So many in a row that did not help, and somebody has to look at the playbook itself. */
export const ineffectiveLimit = 3;
/** What a playbook in shadow should have shown before it is given more. */
export const promotion = { shadowed: 5, needlessShare: 0.2 };

const none = (region: string, playbook: string): Efficacy => ({
  playbook,
  region,
  healed: 0,
  ineffective: 0,
  ineffectiveInARow: 0,
  shadowed: 0,
  needless: 0,
  demotedBy: null,
  demotedAtMilliseconds: null,
  lastRun: null,
});

/** What one more outcome makes of it. Pure. */
export const counted = (
  before: Efficacy,
  { run, outcome, atMilliseconds }: { run: string; outcome: Outcome; atMilliseconds: number },
): Efficacy => {
  if (before.lastRun === run) return before;
  const next = { ...before, lastRun: run };
  if (outcome === "healed") return { ...next, healed: before.healed + 1, ineffectiveInARow: 0 };
  if (outcome === "shadowed") return { ...next, shadowed: before.shadowed + 1 };
  if (outcome === "needless") {
    return { ...next, shadowed: before.shadowed + 1, needless: before.needless + 1 };
  }
  const row = before.ineffectiveInARow + 1;
  const isOver = row >= ineffectiveLimit && before.demotedBy === null;
  return {
    ...next,
    ineffective: before.ineffective + 1,
    ineffectiveInARow: row,
    ...(isOver ? { demotedBy: run, demotedAtMilliseconds: atMilliseconds } : {}),
  };
};

/** In a sentence, for the status: whether it may be given more, and what is missing. */
export const promotionOf = ({ shadowed, needless, demotedBy }: Efficacy): string => {
  if (demotedBy !== null) return `lost its automatic right by ${demotedBy}; acknowledge it first`;
  if (shadowed < promotion.shadowed) {
    return `${shadowed} of ${promotion.shadowed} runs in shadow that it takes`;
  }
  const share = needless / shadowed;
  const percent = `${Math.round(100 * share)} % of them would not have been needed`;
  return share <= promotion.needlessShare ? `ready for more: ${percent}` : `not ready: ${percent}`;
};

const efficacyId = (region: string, playbook: string) => `efficacy#${region}#${playbook}`;

const efficacyOf = (item: Item | undefined, region: string, playbook: string): Efficacy => {
  if (!item) return none(region, playbook);
  const { id: _id, version: _version, ...kept } = item;
  return { ...none(region, playbook), ...kept };
};

/** Throws when the table is silent. */
export const readEfficacy = async (
  table: Coordination,
  region: string,
  playbook: string,
): Promise<Efficacy> =>
  efficacyOf(await table.read(efficacyId(region, playbook)), region, playbook);

const attempts = 8;

const change = async (
  table: Coordination,
  region: string,
  playbook: string,
  next: (before: Efficacy) => Efficacy,
): Promise<Efficacy> => {
  let item = await table.read(efficacyId(region, playbook));
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const before = efficacyOf(item, region, playbook);
    const after = next(before);
    if (after === before) return before;
    const seen = item?.version;
    const written = await table.write(efficacyId(region, playbook), {
      set: { ...after, version: Number(seen ?? 0) + 1 },
      onlyIf: seen === undefined ? "attribute_not_exists(#version)" : "#version = :seen",
      ...(seen === undefined ? {} : { values: { seen } }),
    });
    if (written.written) return after;
    item = written.item;
  }
  throw new Error(`${attempts} others were faster to count what ${playbook} did`);
};

/** Counts how a run ended, once, and takes the automatic right away when it is due. */
export const countOutcome = (
  table: Coordination,
  region: string,
  playbook: string,
  outcome: { run: string; outcome: Outcome; atMilliseconds: number },
): Promise<Efficacy> => change(table, region, playbook, (before) => counted(before, outcome));

/** A person has looked at the playbook and gives its right back. */
export const acknowledgeEfficacy = (
  table: Coordination,
  region: string,
  playbook: string,
): Promise<Efficacy> =>
  change(table, region, playbook, (before) =>
    before.demotedBy === null && before.ineffectiveInARow === 0
      ? before
      : { ...before, demotedBy: null, demotedAtMilliseconds: null, ineffectiveInARow: 0 },
  );
