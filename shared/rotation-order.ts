import { planHash } from "./approval.ts";
import type { Coordination } from "./coordination.ts";
import type { Refusal } from "./outcome.ts";

/** What operators may have rotated, and the kind that the rotation function knows each by. */
export const orderedKinds = {
  database: "database-login",
  owner: "database-master",
  cache: "redis-auth",
  "signing-keys": "signing-ring",
  "encryption-keys": "encryption-ring",
  slack: "slack-signing",
} as const;
export type Ordered = keyof typeof orderedKinds;

export const isOrdered = (name: string): name is Ordered => Object.hasOwn(orderedKinds, name);

/**
 * - `usual`: old and new are both good for a while.
 * - `compromise`: somebody else may know the old one, which goes as soon as the new one is proven.
 * - `abandon`: what is not complete is given up.
 */
export const rotationModes = ["usual", "compromise", "abandon"] as const;
export type RotationMode = (typeof rotationModes)[number];

/** What the rotation function finds when it is only looked at: nothing is changed by it. */
export interface RotationLook {
  /** The secret's own name. */
  secret: string;
  /** The id of the version that is current. */
  version: string;
  /** Of an earlier rotation that is not complete; it would go on. */
  left: "none" | "empty" | "unfinished";
  /** Why none may begin now; null when nothing forbids it. */
  forbidden: Refusal | null;
}

/** An order that waits for its confirmation: of each secret there is one, and the newest counts. */
export interface RotationOrder {
  hash: string;
  ordered: Ordered;
  mode: RotationMode;
  reason: string;
  by: string;
  /** The version that was current when it was ordered. */
  version: string;
  /** The id of the version that is going to be made. */
  token: string;
  run: string;
  atMilliseconds: number;
}

/** Longer than a person takes to read, and too short for the facts to have changed unseen. */
export const orderSeconds = 900;

const orderId = (ordered: Ordered): string => `rotation-order#${ordered}`;

/** With its hash: it stands for what is done, to which version, why and by whom. */
export const hashed = (order: Omit<RotationOrder, "hash">): RotationOrder => {
  const { ordered, mode, reason, by, version, token, run, atMilliseconds } = order;
  const hash = planHash(
    { ordered, mode, steps: rotationSteps(ordered, mode) },
    { version, token, reason, by, atMilliseconds },
  );
  return { hash, ordered, mode, reason, by, version, token, run, atMilliseconds };
};

/** Throws when the table is silent. */
export const keepOrder = async (table: Coordination, order: RotationOrder): Promise<void> => {
  await table.write(orderId(order.ordered), { set: { ...order } });
};

/** Throws when the table is silent. */
export const readOrder = async (
  table: Coordination,
  ordered: Ordered,
): Promise<RotationOrder | undefined> => {
  const item = await table.read(orderId(ordered));
  if (!item) return undefined;
  const { id: _id, ...order } = item;
  return order as unknown as RotationOrder;
};

const ruleId = (run: string): string => `rotation-mode#${run}`;

/** Under what rule a rotation stands that somebody has asked for, from its beginning to its end. */
export interface RotationRule {
  mode: RotationMode;
  reason: string;
  by: string;
}

/**
 * Kept by the run, and not in the order, which the next one replaces: neither the event of Secrets Manager
 * nor whoever ends the overlap has a place for it. Throws when the table is silent.
 */
export const keepRule = async (
  table: Coordination,
  run: string,
  rule: RotationRule,
): Promise<void> => {
  await table.write(ruleId(run), { set: { ...rule } });
};

/** Throws when the table is silent. */
export const readMode = async (table: Coordination, run: string): Promise<RotationMode> => {
  const item = await table.read(ruleId(run));
  return rotationModes.find((mode) => mode === item?.mode) ?? "usual";
};

/** The order that a button was for. */
export const orderOf = async (
  table: Coordination,
  hash: string,
): Promise<RotationOrder | undefined> => {
  const names = Object.keys(orderedKinds).filter(isOrdered);
  const orders = await Promise.all(names.map((name) => readOrder(table, name)));
  return orders.find((order) => order?.hash === hash);
};

const fleet = [
  "Every instance of both regions is replaced, one place at a time, and reads the new value.",
];

const usualSteps: Record<Ordered, readonly string[]> = {
  database: [
    "The login that is idle gets a new password.",
    "It logs in, with the rights of the other one, and becomes the current login; proven in both regions.",
    ...fleet,
    "When nobody has been on the old login for a while, it loses its password.",
  ],
  owner: [
    "The owner gets a new password, logs in with it, and the secret follows.",
    ...fleet,
    "It is shown that the old password does not log in any more.",
  ],
  cache: [
    "Both caches take a new token beside the current one.",
    "The new token is used in both regions, and becomes the current one.",
    ...fleet,
    "Both caches take only the new token.",
  ],
  "signing-keys": [
    "The ring gets a new key, which only verifies so far.",
    ...fleet,
    "The new key signs from now on, and every instance is replaced once more.",
    "When no session made by the old key can be left, it goes out of the ring.",
  ],
  "encryption-keys": [
    "The ring gets a new key, which only opens so far.",
    ...fleet,
    "The new key seals from now on, and every instance is replaced once more.",
    "An old key goes out of the ring only when it is shown that no row and no backup needs it.",
  ],
  slack: [
    "You regenerate the signing secret in Slack's settings, and put it into the waiting version.",
    "It becomes the current one; Slack itself ends the old one.",
  ],
};

const outage =
  "Requests fail from then on until the instances are replaced, which begins at once: minutes.";

/** Nothing waits for whoever still uses the old value. */
const compromisedSteps: Record<Ordered, readonly string[]> = {
  database: [
    "The login that is idle gets a new password, logs in, and becomes the current login.",
    "At once the old login loses its password, and its sessions are ended in both regions.",
    outage,
    ...fleet,
  ],
  owner: [
    "The owner gets a new password, logs in with it, and the secret follows: the old one is worth nothing.",
    "At once its other sessions are ended in both regions: a migration that is running is torn down.",
    ...fleet,
  ],
  cache: [
    "Both caches take a new token beside the current one, and it is used: that takes minutes.",
    "At once both caches take only the new token. Connections that are open stay open, as AWS has it.",
    outage,
    ...fleet,
  ],
  "signing-keys": [
    "The ring gets a new key, which signs at once; the old keys go out of the ring in the same minute.",
    "Everybody is logged out: what an old key has signed is worth nothing on instances that know it.",
    "Until all instances are replaced, a session may be taken by one of them and not by the other.",
    ...fleet,
  ],
  "encryption-keys": [
    ...usualSteps["encryption-keys"].slice(0, -1),
    "Rows are sealed again with it. An old key stays in the ring for as long as rows or backups need it.",
  ],
  slack: usualSteps.slack,
};

const abandonedSteps: readonly string[] = [
  "A new value that is not current yet is dropped, and it is made sure that the current one is good.",
  "An overlap is not ended by anybody: old and new both stay valid, until the next rotation.",
];

/** What would be done, in order, for people. */
export const rotationSteps = (ordered: Ordered, mode: RotationMode): string[] => {
  if (mode === "abandon") return [...abandonedSteps];
  return [...(mode === "usual" ? usualSteps : compromisedSteps)[ordered]];
};
