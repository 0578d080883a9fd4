/** An answer of AWS that lacks what it always has is a broken answer, and makes the fact unknown. */
export const given = <T>(value: T | undefined, what: string): T => {
  if (value === undefined) throw new Error(`AWS did not tell ${what}`);
  return value;
};

export const isNamed = (error: unknown, ...names: string[]): boolean =>
  error instanceof Error && names.includes(error.name);
