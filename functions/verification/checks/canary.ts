import { createHash } from "node:crypto";
import { canaryBytes } from "../../../shared/manifest.ts";
import type { Check } from "../checks.ts";
import { quickCheck } from "./look.ts";

/** Whether this is a backup of our database at all, and its oldest bytes are what they were. */
export const canary = (identity: string): Check =>
  quickCheck(
    { name: "canary", title: "It is the right database, byte for byte" },
    async (session, { database }) => {
      const { rows } = await session.query(
        `select current_database() as database, to_regclass('nightshift.canary')::text as place`,
      );
      const name = String(rows[0]?.database);
      const ours = canaryBytes(identity);
      const expected = `database ${database} with the canary of ${identity}, sha256 ${shortHash(ours)}`;
      const failed = (actual: string, says: string) =>
        ({ is: "failed", expected, actual, says }) as const;
      if (name !== database) {
        return failed(`database ${name}`, `This is a backup of another database: ${name}.`);
      }
      if (rows[0]?.place === null) {
        return failed(
          `database ${name} without a canary`,
          "Nightshift has never written a manifest here: another database, or one from before.",
        );
      }
      const found = await session.query("select bytes from nightshift.canary limit 1");
      const bytes = found.rows[0]?.bytes;
      if (!(bytes instanceof Uint8Array)) {
        return failed(`database ${name} with an empty canary`, "The canary row is not there.");
      }
      const actual = `database ${name} with a canary of ${bytes.length} bytes, sha256 ${shortHash(bytes)}`;
      if (!ours.equals(bytes)) {
        const says =
          "The canary is another one: a backup of another platform, or bytes that have changed.";
        return failed(actual, says);
      }
      return { is: "passed", expected, actual, says: `It is the database of ${identity}.` };
    },
  );

const shortHash = (bytes: Uint8Array): string =>
  createHash("sha256").update(bytes).digest("hex").slice(0, 16);
