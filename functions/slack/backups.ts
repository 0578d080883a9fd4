import { isoSeconds } from "../../shared/clock.ts";
import { readLease } from "../../shared/lease.ts";
import { escaped } from "../../shared/message.ts";
import { otherRegion } from "../../shared/move.ts";
import {
  type BackupsSeen,
  backupsLines,
  overdueHoursOf,
  readVerification,
} from "../../shared/verification.ts";
import type { Within } from "./deadline.ts";
import type { Age } from "./decide.ts";
import type { Desk } from "./orders.ts";

/** The same for every door. Throws when the table is silent. */
export const lookAtBackups = async ({ table, clock, config }: Desk): Promise<BackupsSeen> => {
  const region = otherRegion(await readLease(table), config.regions);
  const standing = await readVerification(table, region);
  return { region, ...standing, now: clock.now(), overdueHours: overdueHoursOf(config) };
};

export interface Verifying {
  run: string;
  region: string;
  /** The same person has asked for it within this minute. */
  joined: boolean;
}

/** Begins a restore test in the region that does not serve users. It decides itself whether it may. */
export const orderVerification = async (
  { table, clock, config, runs }: Desk,
  { by, age }: { by: string; age: Age },
): Promise<Verifying> => {
  const region = otherRegion(await readLease(table), config.regions);
  const minute = isoSeconds(clock.now()).slice(0, 16).toLowerCase().replaceAll(":", "");
  const run = `verification-${region}-${minute}-${by.toLowerCase()}`;
  const asked = { run, age, by, reason: "asked for by hand" };
  return { run, region, joined: (await runs.verify(region, asked)) === "joined" };
};

/** What is known of the backups, for the channel. */
export const backups = async ({
  door,
  within,
}: {
  door: Desk;
  within: Within;
}): Promise<string> => {
  const seen = await within("backups", () => lookAtBackups(door));
  if (!seen.known) return `Backups: UNKNOWN (${escaped(seen.why)})`;
  return backupsLines(seen.value).map(escaped).join("\n• ");
};

/** What became of the order, for whoever gave it. */
export const verifyingText = ({ run, region, joined }: Verifying): string =>
  joined
    ? `${run} was asked for before, so nothing new was started. See its message in the channel.`
    : `${run} is started in ${region}. It restores a backup apart from production, looks into it and ` +
      "takes it away; its message in the channel says how it goes.";
