import type { Coordination, Item } from "../../shared/coordination.ts";
import { timestampWindowSeconds } from "../../shared/slack.ts";

/**
 * Remembers signatures for as long as Slack's timestamp lets them pass. Strongly consistent tables
 * have no TTL, so a ring of four items is used again and again: at any time three buckets of 300 s
 * can hold a valid timestamp, and the fourth is the one that has run out.
 */
const slots = 4;

/** A person presses a few buttons; more than this in five minutes is an attack, and is refused. */
const mostPerBucket = 400;
const attempts = 8;

export type Nonce = "fresh" | "replayed" | "flooded";

/**
 * Claims a signature for `owner` by one conditional write. The same owner may claim it again, which
 * is what the SDK does when the answer of its first try was lost. Throws when the table is silent.
 */
export const claimNonce = async (
  table: Coordination,
  signature: string,
  timestampSeconds: number,
  owner: string,
): Promise<Nonce> => {
  const bucket = Math.floor(timestampSeconds / timestampWindowSeconds);
  const id = `nonces#${bucket % slots}`;
  let item = await table.read(id);
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const seen = seenIn(item, bucket);
    if (seen === "over") return "replayed";
    if (Object.hasOwn(seen, signature)) return seen[signature] === owner ? "fresh" : "replayed";
    if (Object.keys(seen).length >= mostPerBucket) return "flooded";
    const written = await table.write(id, {
      set: {
        bucket,
        seen: { ...seen, [signature]: owner },
        version: Number(item?.version ?? 0) + 1,
      },
      ...(item
        ? { onlyIf: "#version = :seen", values: { seen: item.version } }
        : { onlyIf: "attribute_not_exists(#version)" }),
    });
    if (written.written) return "fresh";
    item = written.item;
  }
  return "flooded";
};

/** `over` when the ring has moved on, so that this timestamp is one that nobody may use any more. */
const seenIn = (item: Item | undefined, bucket: number): Record<string, unknown> | "over" => {
  if (!item || Number(item.bucket) < bucket) return {};
  if (Number(item.bucket) > bucket) return "over";
  return item.seen as Record<string, unknown>;
};
