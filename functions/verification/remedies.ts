import type { CheckResult } from "./checks.ts";

/** What somebody does about a check that is not green. Plain sentences, for the night and for the auditor. */
export const remedyOf = ({ name, is }: Pick<CheckResult, "name" | "is">): string =>
  (is === "could-not-run" ? makeItRun : remedies[name]) ??
  (name.startsWith("assertion-")
    ? "Ask the same question on the primary: if it is wrong there as well, it is no matter of backups."
    : "See what was found, and verify again when it is put right.");

const makeItRun =
  "See why it could not run, and verify again: until then nobody knows, and that is not green.";

const olderMoment = "Verify an older moment with /nightshift verify-backup until one is well.";

const remedies: Record<string, string> = {
  "backups-replicate":
    "Start the replication of automated backups again; what had arrived lives out its retention only.",
  "backups-fresh":
    "See the events of RDS in both regions, and whether the replication has stopped.",
  "key-here":
    "Enable the key, or cancel its deletion, before anything else: without it nothing restores.",
  "key-at-source": "Enable the key of the source: RDS ends the replication of backups without it.",
  "has-a-backup": "Start the replication of automated backups to this region, and verify again.",
  restores: "See the events of RDS for the copy, and verify an older moment at once.",
  "settings-allow-rebuild": "Put that setting right, or the operator's file, and verify again.",
  "image-in-both-registries": "Push the image, by that digest, into the registry that lacks it.",
  "image-as-configured":
    "Name the image that runs in the operator's file, or deploy the one that it names.",
  canary: "Look which instance these backups are of, and who changed where they come from.",
  heartbeat: "Look whether the backups are still replicated, and whether the guard still writes.",
  "schema-revision":
    "If a migration ran after the backup, verify again tomorrow; else deploy the image that fits.",
  "constraints-valid": "Validate the constraint, or build the index again, on the primary.",
  "extensions-and-collations":
    "Give the restore the engine version of the primary; else build the indexes over text again.",
  "large-objects": "Move large objects into tables, or leave this check out and say why.",
  "readable-in-full": `${olderMoment} Look on the primary for the same damage at once.`,
  "page-checksums": `${olderMoment} Where they are off: leave this check out, and name append-only tables.`,
  "indexes-sound":
    "Build the index again on the primary with REINDEX CONCURRENTLY, after amcheck says the same there.",
  "row-counts": `Ask who deleted rows or dropped the table. ${olderMoment}`,
  checksums: `Compare the rows of that day with the primary before it is trusted. ${olderMoment}`,
  sequences: "Set the sequence beyond its column's last number on the primary.",
  "foreign-keys": "Look for the rows that name nobody on the primary.",
  "ciphertext-opens":
    "Put back the key that was retired: older versions of the secret may still hold it. Retire nothing.",
};
