/** What a cache keeps, with the time at which it forgets it. */
export interface Entries {
  get(key: string): Buffer | undefined;
  /** Modelled milliseconds since 1970 at which the entry ends; undefined while it does not. */
  endOf(key: string): number | undefined;
  set(key: string, value: Buffer, end: number | undefined): void;
  delete(key: string): boolean;
  size(): number;
  usedBytes(): number;
  clear(): void;
}

/** Near enough to what Redis takes for an entry besides its key and its value. */
const overheadBytes = 64;

export const entries = (now: () => number): Entries => {
  const kept = new Map<string, { value: Buffer; end: number | undefined }>();
  const live = (key: string) => {
    const found = kept.get(key);
    if (found?.end !== undefined && found.end <= now()) {
      kept.delete(key);
      return undefined;
    }
    return found;
  };
  const forgetOld = () => {
    for (const key of [...kept.keys()]) live(key);
  };
  return {
    get: (key) => live(key)?.value,
    endOf: (key) => live(key)?.end,
    // The bytes belong to the connection's buffer, which is much larger.
    set: (key, value, end) => void kept.set(key, { value: Buffer.from(value), end }),
    delete: (key) => live(key) !== undefined && kept.delete(key),
    size: () => {
      forgetOld();
      return kept.size;
    },
    usedBytes: () => {
      forgetOld();
      return [...kept].reduce(
        (sum, [key, { value }]) => sum + key.length + value.length + overheadBytes,
        0,
      );
    },
    clear: () => kept.clear(),
  };
};
