import type { Check } from "../checks.ts";
import { counted, quickCheck } from "./look.ts";

/** They are outside of every table that a login other than a superuser may read. */
export const largeObjects: Check = quickCheck(
  { name: "large-objects", title: "Nothing is stored where no check can read it" },
  async (session) => {
    const { rows } = await session.query(
      "select count(*)::float8 as objects from pg_largeobject_metadata",
    );
    const objects = Number(rows[0]?.objects);
    const expected = "no large object";
    if (objects === 0) {
      return { is: "passed", expected, actual: "none", says: "There are no large objects." };
    }
    const actual = counted(objects, "large object");
    return { is: "could-not-run", expected, actual, says: `${actual} were not read by any check.` };
  },
);
