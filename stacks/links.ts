import type { Input } from "@pulumi/pulumi";
import type { Job } from "./job.ts";
import type { Platform } from "./platform.ts";

type Link = Input<Record<string, unknown>>;

/** What `shared/coordination.ts` reads. */
export const coordinationLink = ({ coordination: { name } }: Platform): Record<string, Link> => ({
  CoordinationTable: { name },
});

/** The coordination table, and the journal beside it. */
export const tableLinks = (platform: Platform): Record<string, Link> => ({
  ...coordinationLink(platform),
  JournalTable: { name: platform.journal.name },
});

/** A function by the name that others call it by. */
export const functionLink = ({ invokedAs }: Pick<Job, "invokedAs">): Link => ({ name: invokedAs });
