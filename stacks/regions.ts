import type { Stage } from "./stage.ts";

/** A region of the platform, with the provider that makes things in it. */
export interface Region {
  name: string;
  role: "primary" | "standby" | "witness";
  provider: aws.Provider;
}

export interface Regions {
  primary: Region;
  standby: Region;
  witness: Region;
}

/** One provider for each, also for the usual region: nothing is made anywhere by default. */
export const regionsOf = ({ prefix, name, config }: Stage): Regions => {
  const region = (role: Region["role"]): Region => ({
    name: config.regions[role],
    role,
    provider: new aws.Provider(`In${role}`, {
      region: config.regions[role] as aws.Region,
      defaultTags: { tags: { application: prefix, stage: name, region: role } },
    }),
  });
  return { primary: region("primary"), standby: region("standby"), witness: region("witness") };
};

/** `GuardInPrimary`: the name of a thing that is made in several regions. */
export const named = (what: string, { role }: Pick<Region, "role">): string =>
  `${what}In${role[0]?.toUpperCase()}${role.slice(1)}`;
