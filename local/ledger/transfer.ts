/** Money that moves from one account to another, in the smallest unit of its currency. */
export interface Transfer {
  id: string;
  from: string;
  to: string;
  amount: number;
}

const idPattern = /^[A-Za-z0-9._:-]{1,128}$/;
const largestAmount = 1_000_000_000_000;

/**
 * A transfer from a request's body, or what is wrong with it. `{ "probe": true }` stands for a
 * transfer of one unit between the accounts of the probe, under the id that `newId` gives.
 */
export const parseTransfer = (body: string, newId: () => string): Transfer | string => {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return "the body is not JSON";
  }
  if (typeof value !== "object" || value === null) return "the body is not an object";
  const { id, from, to, amount, probe } = value as Record<string, unknown>;
  if (probe === true) {
    const own = typeof id === "string" && idPattern.test(id) ? id : `probe-${newId()}`;
    return { id: own, from: "probe-source", to: "probe-sink", amount: 1 };
  }
  if (typeof id !== "string" || !idPattern.test(id)) return "id must be 1 to 128 plain characters";
  if (typeof from !== "string" || typeof to !== "string") return "from and to must be accounts";
  if (from === to) return "from and to must differ";
  if (!Number.isSafeInteger(amount) || Number(amount) < 1 || Number(amount) > largestAmount) {
    return `amount must be a whole number from 1 to ${largestAmount}`;
  }
  return { id, from, to, amount: Number(amount) };
};

export const sameTransfer = (a: Transfer, b: Transfer): boolean =>
  a.id === b.id && a.from === b.from && a.to === b.to && a.amount === b.amount;
