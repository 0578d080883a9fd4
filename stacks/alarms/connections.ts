export const gigabyte = 1024 ** 3;

/**
 * Memory of a class by its size, for families m, r and t. Source: "Hardware specifications for DB
 * instance classes".
 */
export const memoryOf = (instanceClass: string): number => {
  const [, family = "", size = ""] = instanceClass.split(".");
  if (family.startsWith("t")) {
    const small: Record<string, number> = { micro: 1, small: 2, medium: 4, large: 8 };
    return (small[size] ?? 16) * gigabyte;
  }
  const times = size === "large" ? 1 : 2 * Number(size.replace(/xlarge$/, "") || 1);
  return (family.startsWith("r") ? 16 : 8) * times * gigabyte;
};

/** `max_connections` as RDS sets it. Source: "Maximum number of database connections" there. */
export const connectionLimit = (instanceClass: string): number =>
  Math.min(5000, Math.floor(memoryOf(instanceClass) / 9_531_392));
