import type { Coordination } from "./coordination.ts";

/**
 * The last time a region's guard reached the coordination table, and what it knew then. Written by
 * the guard with one strongly consistent write; that write is the contact. After `isolationSeconds`
 * without one the guard fences its own region, so whoever reads this knows when that has happened.
 */
export interface Contact {
  region: string;
  /** The guard's clock just before the write that succeeded. */
  contactAtMilliseconds: number;
  /** The lease's epoch that the guard last obeyed. */
  epoch: number;
  /** When the newest heartbeat row that the region's database has committed was written. */
  heartbeatAtMilliseconds?: number;
  /** The write-ahead log position after that heartbeat. */
  lsn?: string;
  /** What the guard last reported of its fence, layer by layer. */
  fence?: FenceLayer[];
}

export type FenceResult = "fenced" | "unverified" | "unreachable";

export interface FenceLayer {
  layer: "logins" | "security-group" | "capacity" | "role-rule";
  result: FenceResult;
  detail: string;
}

export const contactId = (region: string): string => `contact#${region}`;

export const readContact = async (
  table: Coordination,
  region: string,
): Promise<Contact | undefined> =>
  (await table.read(contactId(region))) as unknown as Contact | undefined;

/** Contacts only go forward: a delayed duplicate of an older invocation changes nothing. */
export const writeContact = async (table: Coordination, contact: Contact): Promise<void> => {
  const { heartbeatAtMilliseconds, lsn, fence, ...always } = contact;
  await table.write(contactId(contact.region), {
    set: {
      ...always,
      ...(heartbeatAtMilliseconds === undefined ? {} : { heartbeatAtMilliseconds }),
      ...(lsn === undefined ? {} : { lsn }),
      ...(fence === undefined ? {} : { fence }),
    },
    onlyIf: "attribute_not_exists(#contactAtMilliseconds) OR #contactAtMilliseconds <= :at",
    values: { at: contact.contactAtMilliseconds },
  });
};
