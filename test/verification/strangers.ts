import { copyOf, copyPattern, marksOf } from "../../shared/copy.ts";
import { quarantine, type Stage } from "./stage.ts";

/** A run that never was. */
export const nobody = "verification-of-nobody";

/** What is called as a copy is, with the mark of one, while no journal knows of it; gives its id. */
export const withStranger = async (
  at: Pick<Stage, "timeline" | "cloud" | "standby">,
): Promise<string> => {
  const stranger = copyOf(quarantine.prefix, nobody);
  const marks = Object.entries(marksOf(nobody, at.timeline.now()));
  await at.cloud.databases.establish(at.standby.region, {
    ...{ DBInstanceIdentifier: stranger, DBInstanceClass: "db.t4g.micro", Engine: "postgres" },
    ...{ MasterUsername: "somebody", MasterUserPassword: "of somebody", DBName: "theirs" },
    Tags: marks.map(([Key, Value]) => ({ Key, Value })),
  });
  return stranger;
};

/** Both regions' databases but for copies, as text: what no restore test may change. */
export const productionOf = async (
  at: Pick<Stage, "instancesIn" | "home" | "standby">,
): Promise<string> => {
  const all = [
    ...(await at.instancesIn(at.home.region)),
    ...(await at.instancesIn(at.standby.region)),
  ];
  return JSON.stringify(
    all.filter(({ DBInstanceIdentifier: id }) => !copyPattern(quarantine.prefix).test(id)),
    (name, value) => (name === "LatestRestorableTime" ? undefined : value),
  );
};
