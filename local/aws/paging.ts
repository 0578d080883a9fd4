/** One page of a list whose marker is the position of the next item. */
export interface Page<Item> {
  items: Item[];
  /** Absent on the last page. */
  next: string | undefined;
}

/** A marker that this list did not hand out gives the first page, as most AWS lists do. */
export const pageOf = <Item>(
  items: Item[],
  marker: string | undefined,
  size: number,
): Page<Item> => {
  const start = Number.parseInt(marker ?? "0", 10) || 0;
  const end = start + Math.max(1, size);
  return { items: items.slice(start, end), next: end < items.length ? String(end) : undefined };
};
